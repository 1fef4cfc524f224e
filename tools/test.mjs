/**
 * `npm test`: installs what it needs, then types, lint, format, and all tests (unit, headless
 * scenario, browser). Arguments are passed to vitest: `npm test -- bpf/isa`. The last line counts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureChromium, ensureInstalled, ensureNative, root, run } from './ensure.mjs';

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
const results = join(root, '.build/test-results.json');
rmSync(results, { force: true });
const vitest = spawnSync(
  'node_modules/.bin/vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${results}`, ...filters],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      SKEP_CHROMIUM: chromium.path ?? '',
      SKEP_CHROMIUM_SKIPPED: chromium.skipped ?? '',
    },
  },
);
if (existsSync(results)) {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
    readFileSync(results, 'utf8'),
  );
  console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
}
process.exit(vitest.status ?? 1);
