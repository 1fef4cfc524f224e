import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  build: {
    outDir: fileURLToPath(new URL('../../dist/web', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    /** Objects and captures stay files of their own: they are fetched when a scenario wants them. */
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 16_000,
  },
  worker: { format: 'es' },
  assetsInclude: ['**/*.o', '**/*.pcap', '**/*.pcapng', '**/*.md'],
});
