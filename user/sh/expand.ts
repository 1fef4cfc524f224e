/**
 * Word expansion (POSIX XCU 2.6): braces, tilde, parameters, command substitution, arithmetic,
 * field splitting, path names, quote removal.
 *
 *   yield* expandWords(shell, words)    fields for a command line
 *   yield* expandText(shell, word)      one string: assignments, redirections, case subjects
 *   yield* expandPattern(shell, word)   one pattern, quoted characters behind a backslash
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { accounts } from '../libc/system.ts';
import { ArithmeticError, evaluate } from './arithmetic.ts';
import type { Part, Word } from './ast.ts';
import { expandBraces } from './brace.ts';
import { fetchValues } from './fetched.ts';
import { glob } from './glob.ts';
import { expandParameter } from './parameter.ts';
import { hasMagic, quotePattern } from './pattern.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';

/** A piece of expanded text. `split`: it came from an unquoted expansion. */
export interface Chunk {
  readonly text: string;
  readonly quoted: boolean;
  readonly split: boolean;
  /** A field ends before this chunk ("$@"). */
  readonly breaks?: true;
}

interface Field {
  text: string;
  pattern: string;
}

export function* expandWords(shell: Shell, words: readonly Word[]): UserFlow<string[]> {
  const out: string[] = [];
  for (const word of words) {
    for (const braced of expandBraces(word)) {
      const chunks = yield* expandChunks(shell, braced, 'word');
      for (const field of splitFields(shell, chunks)) {
        if (hasMagic(field.pattern) && !shell.options.has('noglob')) {
          const paths = yield* glob(shell.p, field.pattern, shell.shopts);
          if (paths.length > 0 || shell.shopts.has('nullglob')) {
            for (const path of paths) out.push(path);
            continue;
          }
          if (shell.shopts.has('failglob')) throw new ShellError(`no match: ${field.text}`);
        }
        out.push(field.text);
      }
    }
  }
  return out;
}

export function* expandText(shell: Shell, word: Word, assignment = false): UserFlow<string> {
  const chunks = yield* expandChunks(shell, word, assignment ? 'assignment' : 'word');
  return joinChunks(chunks);
}

export function* expandPattern(shell: Shell, word: Word): UserFlow<string> {
  const chunks = yield* expandChunks(shell, word, 'word');
  return chunks.map(patternOf).join('');
}

export function joinChunks(chunks: readonly Chunk[]): string {
  return chunks.map((chunk) => (chunk.breaks ? ' ' : '') + chunk.text).join('');
}

function patternOf(chunk: Chunk): string {
  if (chunk.quoted) return quotePattern(chunk.text);
  return chunk.split ? chunk.text.replaceAll('\\', '\\\\') : chunk.text;
}

export function* expandChunks(
  shell: Shell,
  word: Word,
  where: 'word' | 'assignment' | 'nested',
): UserFlow<Chunk[]> {
  const chunks: Chunk[] = [];
  for (const [index, part] of word.entries()) {
    const isTilde = part.kind === 'literal' && !part.quoted && part.text.includes('~');
    if (isTilde || (part.kind === 'literal' && !part.quoted && where !== 'nested')) {
      const isStart = index === 0;
      // A word that looks like an assignment is treated like one.
      const isAssignment = where === 'assignment' || /^[A-Za-z_]\w*=/.test(part.text);
      const expanded = yield* expandTildes(shell, part.text, isStart, isAssignment);
      const split = where === 'nested';
      chunks.push(...expanded.map((chunk) => (chunk.quoted ? chunk : { ...chunk, split })));
    } else chunks.push(...(yield* expandPart(shell, part, where === 'nested')));
  }
  return chunks;
}

function* expandPart(shell: Shell, part: Part, nested: boolean): UserFlow<Chunk[]> {
  switch (part.kind) {
    case 'literal':
      return [{ text: part.text, quoted: part.quoted, split: nested && !part.quoted }];
    case 'parameter':
      return yield* expandParameter(shell, part, expandChunks);
    case 'command': {
      const text = yield* shell.executor.substitute(shell, part.source);
      return [{ text, quoted: part.quoted, split: !part.quoted }];
    }
    case 'arithmetic': {
      const text = yield* evaluateWord(shell, part.expression);
      return [{ text: text.toString(), quoted: part.quoted, split: !part.quoted }];
    }
    case 'process': {
      const text = yield* shell.executor.processFile(shell, part.direction, part.source);
      return [{ text, quoted: true, split: false }];
    }
  }
}

export function* evaluateWord(shell: Shell, expression: Word): UserFlow<bigint> {
  return yield* evaluateText(shell, yield* expandText(shell, expression));
}

export function* evaluateText(shell: Shell, text: string): UserFlow<bigint> {
  yield* fetchValues(shell, text.match(/[A-Z]{3,}/g) ?? []);
  try {
    return evaluate(text, {
      ...shell.variables.arithmetic,
      get: (name) => shell.parameter(name),
      set: (name, value) => shell.set(name, value),
    });
  } catch (caught) {
    if (caught instanceof ArithmeticError) throw new ShellError(caught.message);
    throw caught;
  }
}

/**
 * ~ and ~user at the start, and in an assignment after = and every colon. What they give is not
 * split.
 */
function* expandTildes(
  shell: Shell,
  text: string,
  isStart: boolean,
  assignment: boolean,
): UserFlow<Chunk[]> {
  const plain = (piece: string): Chunk => ({ text: piece, quoted: false, split: false });
  if (!text.includes('~')) return [plain(text)];
  const out: Chunk[] = [];
  const pieces = assignment ? text.split(/(?<=[:=])/) : [text];
  for (const [index, piece] of pieces.entries()) {
    const match = index > 0 || isStart ? /^~([A-Za-z0-9_+-]*)(?=[/:]|$)/.exec(piece) : null;
    const home = match ? yield* homeOf(shell, match[1]!) : undefined;
    if (home === undefined) out.push(plain(piece));
    else out.push({ text: home, quoted: true, split: false }, plain(piece.slice(match![0].length)));
  }
  return out;
}

function* homeOf(shell: Shell, user: string): UserFlow<string | undefined> {
  if (user === '') return shell.get('HOME') ?? '/';
  if (user === '+') return shell.get('PWD');
  if (user === '-') return shell.get('OLDPWD');
  return (yield* accounts(shell.p)).find((account) => account.name === user)?.home;
}

function splitFields(shell: Shell, chunks: readonly Chunk[]): Field[] {
  const ifs = shell.get('IFS') ?? ' \t\n';
  const fields: Field[] = [];
  let field: Field | undefined;
  /** A field was ended by IFS white space, so one other separator may follow it. */
  let afterSpace = false;
  const end = (): void => {
    if (field) fields.push(field);
    field = undefined;
  };
  const add = (text: string, pattern: string): void => {
    field ??= { text: '', pattern: '' };
    field.text += text;
    field.pattern += pattern;
    afterSpace = false;
  };
  for (const chunk of chunks) {
    if (chunk.breaks) end();
    if (!chunk.split) {
      if (chunk.quoted || chunk.text !== '') add(chunk.text, patternOf(chunk));
      continue;
    }
    for (const char of chunk.text) {
      if (!ifs.includes(char)) add(char, char === '\\' ? '\\\\' : char);
      else if (' \t\n'.includes(char)) {
        if (field) {
          end();
          afterSpace = true;
        }
      } else if (field) end();
      else if (afterSpace) afterSpace = false;
      else fields.push({ text: '', pattern: '' });
    }
  }
  end();
  return fields;
}
