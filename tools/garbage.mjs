/** `node tools/garbage.mjs N [SEED]`: N random programs at bpf(2) and both engines. See test/garbage. */
import { bundled } from './bundle.mjs';
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled({ quiet: true });
await ensureNative();
process.setSourceMapsEnabled(true);
const { main } = await bundled('test/garbage/main.ts');
process.exitCode = await main(process.argv.slice(2));
