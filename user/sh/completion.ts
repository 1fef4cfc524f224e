/**
 * What Tab offers: commands at the start, $variables, ~/files, and words of known commands
 * (`bpftool prog …`, `ip link …`), whose grammars are rows in `command-words.ts`.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { stat } from '../libc/files.ts';
import type { Candidate, Completion } from '../readline/completion.ts';
import { BUILTINS } from './builtins/table.ts';
import { commandWords } from './command-words.ts';
import type { Shell } from './shell.ts';

/** The words of the command that the cursor is in, the one being typed last. */
interface Context {
  readonly words: readonly string[];
  /** Offset of the typed word in the line, in UTF-16 units. */
  readonly start: number;
}

export function* completeLine(shell: Shell, line: string, cursor: number): UserFlow<Completion> {
  const { words, start } = contextOf(line.slice(0, cursor));
  const word = words.at(-1)!;
  const first = [...line.slice(0, start)].length;
  const variable = /\$(\{?)([A-Za-z_0-9]*)$/.exec(word);
  if (variable) {
    const head = word.slice(0, variable.index);
    const close = variable[1] === '' ? '' : '}';
    const names = shell.variables.names().filter((name) => name.startsWith(variable[2]!));
    return {
      start: first,
      candidates: names.sort().map((name) => ({
        text: `${head}$${variable[1]}${name}${close}`,
        label: name,
        suffix: ' ',
      })),
    };
  }
  if (words.length === 1 && !word.includes('/')) {
    return { start: first, candidates: yield* commands(shell, word) };
  }
  const offered = yield* commandWords(shell.p, words);
  if (offered) {
    const candidates = offered
      .filter((text) => text.startsWith(word))
      .map((text) => ({ text, label: text, suffix: ' ' }));
    if (candidates.length > 0) return { start: first, candidates };
  }
  const candidates = yield* files(shell, word, words[0] === 'cd' || words[0] === 'rmdir');
  return { start: first, candidates };
}

function contextOf(before: string): Context {
  let words: string[] = [];
  let word = '';
  let start = 0;
  let quote = '';
  let inWord = false;
  for (let at = 0; at < before.length; at++) {
    const char = before[at]!;
    if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
      continue;
    }
    if (/[\s;|&()<>]/.test(char)) {
      if (inWord) words.push(word);
      if (/[;|&(]/.test(char)) words = [];
      word = '';
      inWord = false;
      continue;
    }
    if (!inWord) start = at;
    inWord = true;
    if (char === '"' || char === "'") quote = char;
    else if (char === '\\') word += before[++at] ?? '';
    else word += char;
  }
  if (!inWord) start = before.length;
  // Assignments and words like `sudo` before the command do not count.
  while (
    words.length > 0 &&
    /^(?:[A-Za-z_]\w*=|time$|exec$|command$|if$|while$|then$|do$|!$)/.test(words[0]!)
  ) {
    words.shift();
  }
  return { words: [...words, word], start };
}

function* commands(shell: Shell, prefix: string): UserFlow<Candidate[]> {
  const names = new Set<string>([
    ...BUILTINS.keys(),
    ...shell.functions.keys(),
    ...shell.aliases.keys(),
  ]);
  for (const directory of (shell.get('PATH') ?? '/bin').split(':')) {
    const listed = yield* listNames(shell.p, directory || '.');
    if (typeof listed !== 'number') for (const name of listed) names.add(name);
  }
  return [...names]
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => ({ text: name, label: name, suffix: ' ' }));
}

function* files(shell: Shell, word: string, directories: boolean): UserFlow<Candidate[]> {
  const slash = word.lastIndexOf('/') + 1;
  const head = word.slice(0, slash);
  const prefix = word.slice(slash);
  const home = shell.get('HOME') ?? '/';
  const directory = head === '' ? '.' : head.replace(/^~(?=\/)/, home);
  const names = yield* listNames(shell.p, directory);
  if (typeof names === 'number') return [];
  const out: Candidate[] = [];
  for (const name of names) {
    if (!name.startsWith(prefix) || (name.startsWith('.') && !prefix.startsWith('.'))) continue;
    const status = yield* stat(shell.p, `${directory}/${name}`);
    const isDir = typeof status !== 'number' && isDirectory(status.mode);
    if (directories && !isDir) continue;
    const quoted = head + name.replace(/[\s"'\\$`;&|<>()*?[\]{}#!]/g, '\\$&');
    out.push({ text: quoted, label: isDir ? `${name}/` : name, suffix: isDir ? '/' : ' ' });
  }
  return out;
}
