import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{kernel,hooks,bpf,hw,user,scenarios,ui,test,tools}/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
