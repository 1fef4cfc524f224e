/** `npm run docs [-- --check]`: the pages that are made from the source. See tools/docs/. */
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled();
await ensureNative();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./docs/main.ts');
process.exitCode = main(process.argv.includes('--check'));
