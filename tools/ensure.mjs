/**
 * What every entry point needs before it can do its work, on a machine that has Node alone:
 *
 *   ensureInstalled()   node_modules matches package-lock.json (npm ci where it does not)
 *   ensureNative()      the C core is built (a no-op when its sources have not changed)
 *   ensureChromium()    path of a Chromium, installed with apt-get where that is possible;
 *                       otherwise {skipped: why}
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');
const NODE_MINIMUM = [20, 19];

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [needMajor, needMinor] = NODE_MINIMUM;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  console.error(
    `skep needs Node ${NODE_MINIMUM.join('.')} or newer; this is ${process.versions.node}.`,
  );
  process.exit(2);
}

/** Runs a command with its output shown; ends this process with its status where it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** @param quiet keep npm's output off stdout (the CLI's stdout is data) */
export function ensureInstalled({ quiet = false } = {}) {
  checkNode();
  const lock = readFileSync(join(root, 'package-lock.json'));
  const digest = createHash('sha256').update(lock).digest('hex');
  const stamp = join(root, 'node_modules', '.skep-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  console.error('Installing what skep needs (npm ci) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: quiet ? ['ignore', 2, 2] : 'inherit',
  });
  writeFileSync(stamp, digest);
}

export async function ensureNative() {
  const { buildNative } = await import('./build-native.mjs');
  return buildNative();
}

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

function findChromium() {
  if (process.env.CHROMIUM && existsSync(process.env.CHROMIUM)) return process.env.CHROMIUM;
  for (const name of CHROMIUM_NAMES) {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (found.status === 0) return found.stdout.trim();
  }
  return undefined;
}

export function ensureChromium() {
  const found = findChromium();
  if (found) return { path: found };
  if (process.getuid?.() !== 0) {
    return {
      skipped: 'no Chromium found, and installing one needs root (apt-get install chromium)',
    };
  }
  if (spawnSync('sh', ['-c', 'command -v apt-get']).status !== 0) {
    return { skipped: 'no Chromium found, and this system has no apt-get to install one' };
  }
  console.error('Installing Chromium (apt-get install chromium) …');
  const apt = {
    stdio: ['ignore', 'ignore', 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  spawnSync('apt-get', ['update', '-qq'], apt);
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], apt);
  const installed = findChromium();
  return installed ? { path: installed } : { skipped: 'apt-get could not install Chromium' };
}
