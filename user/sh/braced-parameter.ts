/** `${…}`: the name, its subscript, the operator and the words that belong to it. */
import type { Part, ParameterPart, Word } from './ast.ts';
import { literal } from './ast.ts';
import type { Source } from './source.ts';
import { Incomplete } from './source.ts';
import {
  Parts,
  readBackquoted,
  readDollar,
  readQuoted,
  readSubscript,
  readWordPiece,
} from './words.ts';

const NAME = /^(?:[A-Za-z_][A-Za-z0-9_]*|\d+|[@*#?$!-])/;
const OPERATOR = /^(?::[-=?+]|##|%%|\/\/|\^\^|,,|[-=?+#%/:^,@])/;
/** Their word is a pattern, quoted by its own quotes whatever stands around the braces. */
const PATTERN_OPS = new Set(['#', '##', '%', '%%', '/', '//', '^', '^^', ',', ',,']);

/** After `${`. */
export function readBraced(source: Source, quoted: boolean): Part {
  const start = source.at;
  return readParameter(source, quoted) ?? badSubstitution(source, start, quoted);
}

function readParameter(source: Source, quoted: boolean): Part | undefined {
  const isLength = source.peek() === '#' && !/^[}:%=+/-]/.test(source.peek(1));
  const isIndirect = source.peek() === '!' && /[A-Za-z_0-9@*#]/.test(source.peek(1));
  if (isLength || isIndirect) source.next();
  const name = NAME.exec(source.text.slice(source.at, source.at + 256))?.[0];
  if (name === undefined) return undefined;
  source.at += name.length;
  const index = source.peek() === '[' ? readIndex(source) : undefined;
  const base = { kind: 'parameter', name, ...(index ? { index } : {}), quoted } as const;
  if (isLength) {
    return source.next() === '}' ? { ...base, op: 'length' } : undefined;
  }
  if (isIndirect) {
    if (/^[*@]\}/.test(source.text.slice(source.at, source.at + 2))) {
      source.at += 2;
      return { ...base, op: 'names' };
    }
    const isKeys = index?.length === 1 && index[0]!.kind === 'literal';
    if (isKeys && ['@', '*'].includes((index[0] as { text: string }).text)) {
      return source.next() === '}' ? { ...base, op: 'keys' } : undefined;
    }
  }
  return readOperator(source, isIndirect ? { ...base, indirect: true } : base);
}

function readIndex(source: Source): Word {
  source.next();
  return readSubscript(source);
}

function readOperator(source: Source, base: Omit<ParameterPart, 'op'>): Part | undefined {
  const { quoted } = base;
  if (source.peek() === '}') {
    source.next();
    return { ...base, op: '' };
  }
  const op = OPERATOR.exec(source.text.slice(source.at, source.at + 2))?.[0];
  if (op === undefined) return undefined;
  source.at += op.length;
  const stop = op === '/' || op === '//' ? '/' : op === ':' ? ':' : '';
  const { word, stopped } = readBracedWord(source, quoted && !PATTERN_OPS.has(op), stop);
  const second = stopped ? readBracedWord(source, quoted, '').word : undefined;
  return { ...base, op, word, ...(second ? { second } : {}) };
}

/** Up to the brace that would close it. */
function badSubstitution(source: Source, start: number, quoted: boolean): Part {
  let depth = 0;
  for (let at = start; at < source.text.length; at++) {
    const char = source.text[at];
    if (char === '\\') at++;
    else if (char === '{') depth++;
    else if (char === '}' && depth-- === 0) {
      source.at = at + 1;
      const name = `\${${source.text.slice(start, at)}}`;
      return { kind: 'parameter', name, op: 'bad', quoted };
    }
  }
  throw new Incomplete("unexpected EOF while looking for matching `}'");
}

/** Up to the closing brace, or up to `stop`. */
function readBracedWord(
  source: Source,
  quoted: boolean,
  stop: string,
): { word: Word; stopped: boolean } {
  const parts = new Parts();
  for (let first = true; ; first = false) {
    const char = source.peek();
    if (char === '') throw new Incomplete("unexpected EOF while looking for matching `}'");
    // `${x//a}`: the first character of a pattern may be the one that ends it elsewhere.
    if (char === '}' || (char === stop && !(first && stop === '/'))) {
      source.next();
      return { word: parts.done(), stopped: char === stop };
    }
    if (char === "'" && quoted) parts.add(literal(source.next(), true));
    else if (char === '"' && quoted) {
      source.next();
      for (const part of source.nested(() => readQuoted(source, '"'))) parts.add(part);
    } else if (char === '\\' && quoted) {
      source.next();
      const escaped = source.peek();
      if (escaped !== '' && '$`"\\}'.includes(escaped)) parts.add(literal(source.next(), true));
      else parts.add(literal('\\', true));
    } else if (char === '`' && quoted) {
      source.next();
      parts.add({ kind: 'command', source: readBackquoted(source, true), quoted: true });
    } else if (quoted && char === '$') {
      source.next();
      parts.add(readDollar(source, true));
    } else readWordPiece(source, parts);
  }
}
