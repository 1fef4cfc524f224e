/**
 * Bundles a TypeScript entry for Node, once for each state of the sources: Node 20 runs no
 * TypeScript, and transforming every module (and binaryen's 13 MB) at each start takes seconds.
 *
 *   const { main } = await bundled('ui/cli/main.ts')
 *   new Worker(await bundledFile('test/verifier/embedding/worker.ts'))
 *   await bundledScript('ui/charts/standalone.ts')      for a page, packages inside, as text
 *
 * Packages stay outside of the bundle. `import.meta.dirname` keeps meaning the source's folder.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './ensure.mjs';

const FOLDERS = ['kernel', 'hooks', 'bpf', 'hw', 'user', 'scenarios', 'ui', 'test', 'tools'];

export async function bundled(entry) {
  return import(pathToFileURL(await bundledFile(entry)).href);
}

/** Path of the bundle. */
export async function bundledFile(entry) {
  const name = entry.replace(/\.ts$/, '').replaceAll('/', '-');
  const folder = join(root, '.build/node', name);
  const stamp = join(folder, 'stamp');
  const state = sourcesState();
  const output = join(folder, `${name}.mjs`);
  if (!existsSync(output) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== state) {
    await bundle(entry, name, folder);
    writeFileSync(stamp, state);
  }
  return output;
}

/** One script without imports, for a page that has nothing else. */
export async function bundledScript(entry) {
  const { build } = await import('vite');
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      copyPublicDir: false,
      lib: { entry: join(root, entry), formats: ['iife'], name: 'charts' },
    },
  });
  const [{ output }] = [result].flat();
  return output[0].code;
}

/** Changes when any source does. */
function sourcesState() {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  for (const folder of FOLDERS) {
    for (const file of readdirSync(join(root, folder), { recursive: true }).sort()) {
      if (!file.endsWith('.ts')) continue;
      const { mtimeMs, size } = statSync(join(root, folder, file));
      hash.update(`${folder}/${file} ${mtimeMs} ${size}\n`);
    }
  }
  return hash.digest('hex');
}

async function bundle(entry, name, folder) {
  mkdirSync(folder, { recursive: true });
  const { build } = await import('vite');
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'source-folders',
        transform: (code, id) =>
          code.includes('import.meta.dirname')
            ? code.replaceAll('import.meta.dirname', JSON.stringify(dirname(id)))
            : undefined,
      },
    ],
    build: {
      ssr: true,
      target: 'node20',
      minify: false,
      sourcemap: 'inline',
      outDir: folder,
      emptyOutDir: true,
      copyPublicDir: false,
      rollupOptions: {
        input: { [name]: join(root, entry) },
        output: { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
      },
    },
  });
}
