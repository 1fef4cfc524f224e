/**
 * The known-differences page: every `// differs: …` in the source, by folder. A comment may go on
 * over the following comment lines.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['kernel', 'hooks', 'bpf', 'hw', 'user', 'scenarios'] as const;

interface Difference {
  readonly file: string;
  readonly text: string;
}

export function differencesPage(root: string): string {
  const sections = FOLDERS.flatMap((folder) => {
    const found = sourceFiles(root, folder).flatMap((file) =>
      differencesIn(file, readFileSync(join(root, file), 'utf8')),
    );
    if (found.length === 0) return [];
    const rows = found.map(({ file, text }) => `| ${text.replaceAll('|', '\\|')} | \`${file}\` |`);
    return [`## ${folder}\n\n| difference | where |\n| --- | --- |\n${rows.join('\n')}\n`];
  });
  return (
    '# Known differences from Linux 6.1\n\n' +
    'Made from the `differs:` comments in the source by `npm run docs`. What is not listed here and\n' +
    'behaves otherwise than Linux is a bug.\n\n' +
    sections.join('\n')
  );
}

function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => /\.(ts|c|h)$/.test(name) && !name.endsWith('.test.ts'))
    .sort();
}

export function differencesIn(file: string, source: string): Difference[] {
  const lines = source.split('\n').map((line) => line.trim());
  return lines.flatMap((line, i) => {
    const start = /(?:\/\/|\/\*\*?|^\*)\s*differs: (.*)$/.exec(line);
    if (!start) return [];
    const isBlock = !line.includes('//');
    const parts = [start[1]!];
    for (let next = i + 1; next < lines.length; next++) {
      if (parts.at(-1)!.endsWith('*/')) break;
      const more = (isBlock ? /^\*(?!\/)\s?(.*)$/ : /^\/\/\s?(.*)$/).exec(lines[next]!);
      if (!more || /^(@\w+|differs:)/.test(more[1]!) || more[1] === '') break;
      parts.push(more[1]!);
    }
    const text = parts
      .join(' ')
      .replace(/\*\/.*$/, '')
      .replace(/\s+/g, ' ')
      .trim();
    return [{ file, text }];
  });
}
