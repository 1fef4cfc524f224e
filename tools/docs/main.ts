/** `npm run docs`: writes the generated pages; `--check` only says whether they are current. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { differencesPage } from './differences.ts';
import { reasonPages } from './reasons.ts';
import { supportPage } from './support.ts';

const root = join(import.meta.dirname, '../..');

export function generatedPages(): Readonly<Record<string, string>> {
  return {
    'docs/differences.md': differencesPage(root),
    'docs/support.md': supportPage(),
    ...reasonPages(),
  };
}

export function stalePages(): string[] {
  return Object.entries(generatedPages())
    .filter(([path, text]) => textOf(path) !== text)
    .map(([path]) => path);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

export function main(check: boolean): number {
  if (check) {
    const stale = stalePages();
    for (const path of stale) console.error(`${path} is not current: run npm run docs`);
    return stale.length > 0 ? 1 : 0;
  }
  for (const [path, text] of Object.entries(generatedPages())) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(path);
  }
  return 0;
}
