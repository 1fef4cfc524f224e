/** `npm run docs [-- --check]`: the pages that are made from the source. See tools/docs/. */
import { bundled } from './bundle.mjs';
import { ensureInstalled, ensureNative } from './ensure.mjs';

ensureInstalled();
await ensureNative();
const { main } = await bundled('tools/docs/main.ts');
process.exitCode = main(process.argv.includes('--check'));
