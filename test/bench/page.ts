/** What a browser loads before the page's first paint, compressed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import type { Bench } from '../../ui/cli/bench.ts';

const root = join(import.meta.dirname, '../..');

export const pageBench: Bench = {
  names: ['page.first-paint'],
  async run() {
    const config = { root: join(root, 'ui/web'), configFile: join(root, 'ui/web/vite.config.ts') };
    await build({ ...config, logLevel: 'error' });
    const dist = join(root, 'dist/web');
    const html = readFileSync(join(dist, 'index.html'), 'utf8');
    /** The page itself, and what its head and body name. */
    const named = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]!);
    const files = ['index.html', ...named].map((name) => join(dist, name)).filter(existsSync);
    const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
    return [{ name: 'page.first-paint', value: bytes / 1000, unit: 'kB gzip', target: '< 600' }];
  },
};
