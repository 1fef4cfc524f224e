/** `npm run -s oracle -- COMMAND`: skep held against a real Linux 6.1. Loads test/oracle through tsx. */
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled({ quiet: true });
await ensureNative();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('../test/oracle/main.ts');
process.exitCode = await main(process.argv.slice(2));
