/** tr(1): translate, -d, -s, -c, -t; on bytes, as GNU's. */
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { encodeText } from '../libc/text.ts';

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const code = (char: string): number => char.charCodeAt(0);
const CLASSES: Readonly<Record<string, readonly number[]>> = {
  upper: range(code('A'), code('Z')),
  lower: range(code('a'), code('z')),
  digit: range(code('0'), code('9')),
  alpha: [...range(code('A'), code('Z')), ...range(code('a'), code('z'))],
  alnum: [
    ...range(code('0'), code('9')),
    ...range(code('A'), code('Z')),
    ...range(code('a'), code('z')),
  ],
  space: [9, 10, 11, 12, 13, 32],
  blank: [9, 32],
  punct: [...range(33, 47), ...range(58, 64), ...range(91, 96), ...range(123, 126)],
  print: range(32, 126),
  graph: range(33, 126),
  cntrl: [...range(0, 31), 127],
  xdigit: [
    ...range(code('0'), code('9')),
    ...range(code('A'), code('F')),
    ...range(code('a'), code('f')),
  ],
};
const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
};

class SetError extends Error {}

export const tr: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SET1 [SET2]',
    about: 'Translate, squeeze, and/or delete characters from standard input.',
    options: [
      { short: 'c', long: 'complement', help: 'use the complement of SET1' },
      { short: 'C', help: 'the same as -c' },
      { short: 'd', long: 'delete', help: 'delete characters in SET1, do not translate' },
      { short: 's', long: 'squeeze-repeats', help: 'replace each run of the last SET by one' },
      { short: 't', long: 'truncate-set1', help: 'first truncate SET1 to length of SET2' },
    ],
    more:
      'SETs are characters, ranges a-z, classes [:upper:], repeats [x*] [x*4], and escapes\n' +
      '\\\\ \\a \\b \\f \\n \\r \\t \\v \\NNN.',
  });
  const [first, second, extra] = o.operands;
  const deletes = o.has('delete');
  const squeezes = o.has('squeeze-repeats');
  if (first === undefined) return yield* usageError(p, 'missing operand');
  const wantsTwo = deletes === squeezes;
  if (second === undefined && wantsTwo) {
    const why = deletes
      ? 'Two strings must be given when both deleting and squeezing repeats.'
      : 'Two strings must be given when translating.';
    yield* p.error(`missing operand after '${first}'`);
    yield* p.stderr.write(`${why}\nTry 'tr --help' for more information.\n`);
    return 1;
  }
  const surplus = deletes && !squeezes ? second : extra;
  if (surplus !== undefined) return yield* usageError(p, `extra operand '${surplus}'`);
  const complement = o.has('complement') || o.has('C');
  let from: number[];
  let to: number[];
  try {
    from = expandSet(first, undefined);
    if (complement) {
      const named = new Set(from);
      from = range(0, 255).filter((byte) => !named.has(byte));
    }
    to = second === undefined ? [] : expandSet(second, from.length);
  } catch (caught) {
    if (!(caught instanceof SetError)) throw caught;
    yield* p.error(caught.message);
    return 1;
  }
  const translates = !deletes && second !== undefined;
  if (translates && to.length === 0) {
    yield* p.error('when not truncating set1, string2 must be non-empty');
    return 1;
  }
  const map = Uint8Array.from(range(0, 255));
  if (translates) {
    const used = o.has('truncate-set1') ? from.slice(0, to.length) : from;
    for (const [index, byte] of used.entries()) map[byte] = to[Math.min(index, to.length - 1)]!;
  }
  const inFirst = new Set(from);
  const squeezed = new Set(squeezes ? (second === undefined ? from : to) : []);
  let last = -1;
  for (;;) {
    const chunk = yield* p.stdin.readChunk();
    if (chunk.length === 0) return 0;
    const out = new Uint8Array(chunk.length);
    let length = 0;
    for (const byte of chunk) {
      if (deletes && inFirst.has(byte)) continue;
      const result = map[byte]!;
      if (result === last && squeezed.has(result)) continue;
      last = result;
      out[length++] = result;
    }
    yield* p.print(out.subarray(0, length));
  }
};

/** `length`: of SET1, which [x*] in SET2 fills up to. */
function expandSet(text: string, length: number | undefined): number[] {
  const bytes = encodeText(text);
  const out: number[] = [];
  let fill: { at: number; byte: number } | undefined;
  let at = 0;
  const next = (): { byte: number; escaped: boolean } => {
    const byte = bytes[at++]!;
    if (byte !== 92 || at >= bytes.length) return { byte, escaped: false };
    const octal = /^[0-7]{1,3}/.exec(String.fromCharCode(...bytes.subarray(at, at + 3)))?.[0];
    if (octal !== undefined) {
      at += octal.length;
      return { byte: parseInt(octal, 8) & 0xff, escaped: true };
    }
    const letter = String.fromCharCode(bytes[at]!);
    return { byte: ESCAPES[letter] ?? bytes[at]!, escaped: at++ >= 0 };
  };
  while (at < bytes.length) {
    const rest = String.fromCharCode(...bytes.subarray(at, at + 16));
    const named = /^\[:(\w+):\]/.exec(rest);
    const equivalent = /^\[=([^])=\]/.exec(rest);
    const repeat = /^\[(\\?[^])\*(\d*)\]/.exec(rest);
    if (named) {
      const members = CLASSES[named[1]!];
      if (!members) throw new SetError(`invalid character class '${named[1]}'`);
      out.push(...members);
      at += named[0].length;
    } else if (equivalent) {
      out.push(code(equivalent[1]!));
      at += equivalent[0].length;
    } else if (repeat && length !== undefined) {
      at++;
      const { byte } = next();
      const count = repeat[2]!.startsWith('0') ? parseInt(repeat[2]!, 8) : Number(repeat[2]);
      if (count === 0) fill = { at: out.length, byte };
      else out.push(...new Array<number>(Math.min(count, 65536)).fill(byte));
      at += 2 + repeat[2]!.length;
    } else {
      const { byte } = next();
      if (bytes[at] === 45 && at + 1 < bytes.length) {
        at++;
        const end = next();
        if (end.byte < byte) {
          const show = (value: number): string => String.fromCharCode(value);
          throw new SetError(
            `range-endpoints of '${show(byte)}-${show(end.byte)}' are in reverse collating sequence order`,
          );
        }
        out.push(...range(byte, end.byte));
      } else out.push(byte);
    }
  }
  if (fill && length !== undefined) {
    const missing = new Array<number>(Math.max(0, length - out.length)).fill(fill.byte);
    out.splice(fill.at, 0, ...missing);
  }
  return out;
}
