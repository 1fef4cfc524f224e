/** `npm run -s skep -- COMMAND`: the machine without a browser. Loads ui/cli through tsx. */
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled({ quiet: true });
await ensureNative();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('../ui/cli/main.ts');
process.exitCode = await main(
  process.argv.slice(2),
  async () => (await import('../test/bench/index.ts')).benches,
);
