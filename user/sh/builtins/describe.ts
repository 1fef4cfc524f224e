/** What a command name means: type, command -v and -V, which completion and `hash` ask too. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { stat } from '../../libc/files.ts';
import { findExecutable } from '../../libc/tasks.ts';
import type { Shell } from '../shell.ts';
import { quoteWord } from '../quote.ts';

const KEYWORDS = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'case',
  'esac',
  'for',
  'while',
  'until',
  'do',
  'done',
  'in',
  'function',
  'time',
  '{',
  '}',
  '!',
  '[[',
  ']]',
]);

export interface Meaning {
  readonly kind: 'alias' | 'keyword' | 'function' | 'builtin' | 'file';
  /** Text of the alias or function, path of the file. */
  readonly text: string;
}

/** What would run first for `name`; `all` finds the others too. */
export function* meaningsOf(
  shell: Shell,
  name: string,
  isBuiltin: (name: string) => boolean,
  all = false,
): UserFlow<Meaning[]> {
  const found: Meaning[] = [];
  const alias = shell.alias(name);
  if (alias !== undefined) found.push({ kind: 'alias', text: alias });
  if (KEYWORDS.has(name)) found.push({ kind: 'keyword', text: name });
  const called = shell.functions.get(name);
  if (called) found.push({ kind: 'function', text: called.text });
  if (isBuiltin(name)) found.push({ kind: 'builtin', text: name });
  if (found.length > 0 && !all) return found;
  if (!all) {
    const path = yield* findExecutable(shell.p, name, shell.get('PATH'));
    const exists = path !== undefined && typeof (yield* stat(shell.p, path)) !== 'number';
    return exists ? [{ kind: 'file', text: path }] : [];
  }
  for (const directory of (shell.get('PATH') ?? '/bin').split(':')) {
    const path = yield* findExecutable(shell.p, name, directory);
    if (path !== undefined) found.push({ kind: 'file', text: path });
  }
  return found;
}

/** As `type` and `command -V` word it. */
export function describe(name: string, meaning: Meaning): string {
  switch (meaning.kind) {
    case 'alias':
      return `${name} is aliased to \`${meaning.text}'`;
    case 'keyword':
      return `${name} is a shell keyword`;
    case 'function':
      return `${name} is a function\n${meaning.text}`;
    case 'builtin':
      return `${name} is a shell builtin`;
    case 'file':
      return `${name} is ${meaning.text}`;
  }
}

/** As `command -v` prints it: what to type. */
export function terse(name: string, meaning: Meaning): string {
  if (meaning.kind === 'file') return meaning.text;
  return meaning.kind === 'alias' ? `alias ${name}=${quoteWord(meaning.text)}` : name;
}
