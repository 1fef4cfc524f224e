/**
 * `npm test`: installs what it needs, then types, lint, format, and all tests (unit, headless
 * scenario, browser). Arguments are passed to vitest: `npm test -- bpf/isa`.
 */
import { ensureChromium, ensureInstalled, ensureNative, run } from './ensure.mjs';

const filters = process.argv.slice(2);
ensureInstalled();
await ensureNative();
if (filters.length === 0) {
  const bin = (name) => `node_modules/.bin/${name}`;
  console.log('types …');
  run(bin('tsc'), ['-b']);
  console.log('lint …');
  run(bin('eslint'), ['.']);
  console.log('format …');
  run(bin('prettier'), ['--check', '--log-level', 'warn', '.']);
}
const chromium = ensureChromium();
if (chromium.skipped) console.log(`browser tests are SKIPPED: ${chromium.skipped}`);
run('node_modules/.bin/vitest', ['run', ...filters], {
  env: {
    ...process.env,
    SKEP_CHROMIUM: chromium.path ?? '',
    SKEP_CHROMIUM_SKIPPED: chromium.skipped ?? '',
  },
});
