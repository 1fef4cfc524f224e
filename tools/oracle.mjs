/** `npm run -s oracle -- COMMAND`: skep held against a real Linux 6.1. See test/oracle. */
import { bundled } from './bundle.mjs';
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled({ quiet: true });
await ensureNative();
process.setSourceMapsEnabled(true);
const { main } = await bundled('test/oracle/main.ts');
process.exitCode = await main(process.argv.slice(2));
