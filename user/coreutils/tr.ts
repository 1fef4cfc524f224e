/** tr(1): translate, -d, -s, -c. */
import { unescape } from '../libc/format.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { decodeText, encodeText } from '../libc/text.ts';

const range = (from: string, to: string): string => {
  let out = '';
  for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) {
    out += String.fromCharCode(code);
  }
  return out;
};
const CLASSES: Readonly<Record<string, string>> = {
  upper: range('A', 'Z'),
  lower: range('a', 'z'),
  digit: range('0', '9'),
  alpha: range('A', 'Z') + range('a', 'z'),
  alnum: range('0', '9') + range('A', 'Z') + range('a', 'z'),
  space: '\t\n\v\f\r ',
  blank: ' \t',
  punct: range('!', '/') + range(':', '@') + range('[', '`') + range('{', '~'),
  print: range(' ', '~'),
  cntrl: range('\0', '\x1f') + '\x7f',
  xdigit: range('0', '9') + range('A', 'F') + range('a', 'f'),
};

export const tr: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SET1 [SET2]',
    about: 'Translate, squeeze, and/or delete characters from standard input.',
    options: [
      { short: 'c', long: 'complement', help: 'use the complement of SET1' },
      { short: 'd', long: 'delete', help: 'delete characters in SET1, do not translate' },
      { short: 's', long: 'squeeze-repeats', help: 'replace each run of the last SET by one' },
    ],
    more: 'SETs are characters, ranges a-z, classes [:upper:] and escapes \\n.',
  });
  const [first, second] = o.operands;
  const wanted = o.has('delete') && !o.has('squeeze-repeats') ? 1 : 2;
  if (first === undefined || (second === undefined && wanted === 2 && !o.has('squeeze-repeats'))) {
    return yield* usageError(
      p,
      first === undefined ? 'missing operand' : `missing operand after '${first}'`,
    );
  }
  const from = expandSet(first);
  const to = second === undefined ? '' : expandSet(second);
  const inSet = (char: string): boolean => from.includes(char) !== o.has('complement');
  const translate = (char: string): string => {
    if (to === '' || !inSet(char)) return char;
    if (o.has('complement')) return to.at(-1)!;
    return to[Math.min(from.lastIndexOf(char), to.length - 1)]!;
  };
  const squeezed = (char: string): boolean => (to === '' ? inSet(char) : to.includes(char));
  let last = '';
  for (;;) {
    const chunk = yield* p.stdin.readChunk();
    if (chunk.length === 0) return 0;
    let out = '';
    for (const char of decodeText(chunk)) {
      if (o.has('delete') && inSet(char)) continue;
      const result = o.has('delete') ? char : translate(char);
      if (o.has('squeeze-repeats') && result === last && squeezed(result)) continue;
      last = result;
      out += result;
    }
    yield* p.print(encodeText(out));
  }
};

function expandSet(text: string): string {
  const plain = unescape(text, false).text;
  const classes = plain.replace(/\[:(\w+):\]/g, (whole, name: string) => CLASSES[name] ?? whole);
  return classes.replace(/([^])-([^])/g, (whole, from: string, to: string) =>
    from <= to ? range(from, to) : whole,
  );
}
