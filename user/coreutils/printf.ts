/** printf(1): the format is used again as long as arguments are left. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { formatDirective, unescape } from '../libc/format.ts';
import type { Process, Tool } from '../libc/process.ts';
import { quoteWord } from '../sh/quote.ts';

const DIRECTIVE = /%(?:%|([-0+ #]*)(\*|\d*)(?:\.(\*|\d*))?([a-zA-Z]))/g;

export const printfTool: Tool = function* (p, args) {
  const [format, ...rest] = args[0] === '--' ? args.slice(1) : args;
  if (format === undefined) {
    yield* p.error('usage: printf FORMAT [ARGUMENT]...');
    return 2;
  }
  const state = { rest, failed: false };
  do {
    const before = state.rest.length;
    if (yield* printOnce(p, format, state)) break;
    if (state.rest.length === before) break;
  } while (state.rest.length > 0);
  return state.failed ? 1 : 0;
};

/** True if \c or a %b with \c ends all output. */
function* printOnce(
  p: Process,
  format: string,
  state: { rest: string[]; failed: boolean },
): UserFlow<boolean> {
  let end = 0;
  for (const match of format.matchAll(DIRECTIVE)) {
    const plain = unescape(format.slice(end, match.index), false);
    yield* p.print(plain.text);
    if (plain.stop) return true;
    end = match.index + match[0].length;
    const [whole, flags = '', width = '', precision, letter] = match;
    if (letter === undefined) {
      yield* p.print('%');
      continue;
    }
    const star = (text: string): string =>
      text === '*' ? String(Number(state.rest.shift() ?? 0)) : text;
    const head = `%${flags}${star(width)}${precision === undefined ? '' : `.${star(precision)}`}`;
    const argument = state.rest.shift();
    switch (letter) {
      case 'b': {
        const { text, stop } = unescape(argument ?? '', true);
        yield* p.print(formatDirective(`${head}s`, text));
        if (stop) return true;
        break;
      }
      case 'q':
        yield* p.print(quoteWord(argument ?? ''));
        break;
      case 's':
      case 'c':
        yield* p.print(formatDirective(head + letter, argument ?? ''));
        break;
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
      case 'e':
      case 'f':
      case 'g': {
        const value = parseNumber(argument ?? '0');
        if (value === undefined) {
          state.failed = true;
          yield* p.error(`${argument}: invalid number`);
        }
        const isFloat = 'efg'.includes(letter);
        const number = value ?? 0;
        const text = formatDirective(
          head + letter,
          isFloat ? Number(number) : typeof number === 'bigint' ? number : Math.trunc(number),
        );
        yield* p.print(text);
        break;
      }
      default:
        yield* p.error(`\`${whole.at(-1)}': invalid format character`);
        state.failed = true;
        return true;
    }
  }
  const tail = unescape(format.slice(end), false);
  yield* p.print(tail.text);
  return tail.stop;
}

/** C's constants, and 'x for a character's code. */
function parseNumber(text: string): number | bigint | undefined {
  if (/^['"]/.test(text)) return text.codePointAt(1) ?? 0;
  const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(text);
  if (match) {
    const digits = match[2]!;
    const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    return match[1] === '-' ? -value : value;
  }
  if (text.trim() === '') return text === '' ? 0n : undefined;
  const number = Number(text);
  return Number.isNaN(number) ? undefined : number;
}
