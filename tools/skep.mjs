/** `npm run -s skep -- COMMAND`: the machine without a browser. */
import { bundled, bundledScript } from './bundle.mjs';
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled({ quiet: true });
await ensureNative();
process.setSourceMapsEnabled(true);
const { main } = await bundled('ui/cli/main.ts');
process.exitCode = await main(
  process.argv.slice(2),
  async () => (await bundled('test/bench/index.ts')).benches,
  () => bundledScript('ui/charts/standalone.ts'),
);
