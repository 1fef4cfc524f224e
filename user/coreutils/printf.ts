/**
 * printf(1) as bash has it: the format is used again as long as arguments are left; numbers are C's
 * constants, floating-point ones of long double's precision.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { parseFloating } from '../libc/floating.ts';
import type { Directive } from '../libc/format.ts';
import { formatFloating, formatInteger, formatString, unescape } from '../libc/format.ts';
import type { Process, Tool } from '../libc/process.ts';
import { CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import { quoteBackslash } from '../sh/quote.ts';

const DIRECTIVE =
  /%(?:%|([-0+ #']*)(\*|\d*)(?:\.(\*|-?\d*))?(?:hh|h|ll|l|L|j|z|t)?(?:\(([^)]*)\)T|([a-zA-Z]))|([^]?))/g;
const USAGE = 'printf: usage: printf [-v var] format [arguments]\n';

export interface Printed {
  readonly text: string;
  readonly status: number;
  /** Complaints, without the name before them. */
  readonly errors: readonly string[];
}

export const printfTool: Tool = function* (p, args) {
  const words = args[0] === '--' ? args.slice(1) : args;
  if (words.length === 0) {
    yield* p.stderr.write(USAGE);
    return 2;
  }
  const printed = yield* printFormatted(p, words);
  yield* p.print(printed.text);
  for (const error of printed.errors) yield* p.error(error);
  return printed.status;
};

/** What `printf FORMAT [ARGUMENT]...` prints. */
export function* printFormatted(p: Process, words: readonly string[]): UserFlow<Printed> {
  const [format = '', ...rest] = words;
  const printer = new Printer(rest);
  do {
    const before = printer.left;
    yield* printer.run(p, format);
    if (printer.stopped || printer.left === before) break;
  } while (printer.left > 0);
  return { text: printer.out, status: printer.errors.length > 0 ? 1 : 0, errors: printer.errors };
}

class Printer {
  out = '';
  stopped = false;
  readonly errors: string[] = [];
  readonly #args: string[];

  constructor(args: string[]) {
    this.#args = args;
  }

  get left(): number {
    return this.#args.length;
  }

  *run(p: Process, format: string): UserFlow<void> {
    let end = 0;
    for (const match of format.matchAll(DIRECTIVE)) {
      this.out += unescape(format.slice(end, match.index), 'format').text;
      end = match.index + match[0].length;
      const [whole, flags = '', width = '', precision, time, letter] = match;
      if (whole === '%%') {
        this.out += '%';
        continue;
      }
      if (time === undefined && !/^[diouxXeEfFgGaAscbqQ]$/.test(letter ?? '')) {
        this.errors.push(`\`${whole.at(-1)}': invalid format character`);
        this.stopped = true;
        return;
      }
      const head = this.#head(flags, width, precision);
      if (time !== undefined) yield* this.#time(p, head, time);
      else this.#print({ ...head, letter: letter! });
      if (this.stopped) return;
    }
    this.out += unescape(format.slice(end), 'format').text;
  }

  #head(flags: string, width: string, precision: string | undefined): Omit<Directive, 'letter'> {
    const star = (text: string): number => Number(text === '*' ? (this.#args.shift() ?? 0) : text);
    const columns = star(width);
    const digits = precision === undefined ? undefined : star(precision);
    return {
      flags: columns < 0 ? `${flags}-` : flags,
      width: Math.abs(columns),
      precision: digits === undefined || digits < 0 ? undefined : digits,
    };
  }

  #print(directive: Directive): void {
    const { letter } = directive;
    const argument = this.#args.shift();
    switch (letter) {
      case 'b': {
        const { text, stop } = unescape(argument ?? '', '%b');
        this.out += formatString(directive, text);
        this.stopped = stop;
        return;
      }
      case 'q':
      case 'Q':
        this.out += formatString(directive, quoteBackslash(argument ?? ''));
        return;
      case 's':
      case 'c':
        this.out += formatString(directive, argument ?? '');
        return;
    }
    if ('diouxX'.includes(letter)) {
      this.out += formatInteger(directive, this.#integer(argument ?? '', letter));
      return;
    }
    const text = argument ?? '';
    const code = characterCode(text);
    const parsed = parseFloating(code === undefined ? text : String(code));
    const isWhole = code !== undefined || text === '' || parsed?.length === text.length;
    if (!isWhole) this.errors.push(`${text}: invalid number`);
    const zero = { negative: false, mantissa: 0n, exponent: 0 };
    this.out += formatFloating(directive, parsed?.value ?? zero);
  }

  #integer(text: string, letter: string): bigint {
    const code = characterCode(text);
    if (code !== undefined) return BigInt(code);
    const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]*|0[0-7]*|[1-9]\d*)?/.exec(text)!;
    const [whole, sign, digits = ''] = match;
    const isHex = /^0x/i.test(digits);
    if ((whole !== text || (isHex && digits.length === 2)) && text !== '') {
      const kind = isHex ? 'hex ' : /^0./.test(text.trim()) ? 'octal ' : '';
      this.errors.push(`${text}: invalid ${kind}number`);
    }
    const octal = /^0[0-7]/.test(digits) ? `0o${digits}` : digits;
    const value = BigInt(isHex && digits.length === 2 ? 0 : octal || 0) * (sign === '-' ? -1n : 1n);
    const isSigned = letter === 'd' || letter === 'i';
    const [least, most] = isSigned
      ? [-(2n ** 63n), 2n ** 63n - 1n]
      : [-(2n ** 64n), 2n ** 64n - 1n];
    if (value >= least && value <= most) return value;
    this.errors.push(`${text}: Numerical result out of range`);
    return value < 0n ? least : most;
  }

  /** %(format)T: seconds since 1970, or now for -1 and where there is no argument. */
  *#time(p: Process, head: Omit<Directive, 'letter'>, format: string): UserFlow<void> {
    const argument = this.#args.shift();
    const isNow = argument === undefined || argument === '-1' || argument === '-2';
    const seconds = isNow
      ? Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n)
      : Number(this.#integer(argument, 'd'));
    this.out += formatString({ ...head, letter: 's' }, strftime(format || '%X', seconds));
  }
}

/** 'x and "x: the character's code. */
function characterCode(text: string): number | undefined {
  return /^['"]/.test(text) ? (text.codePointAt(1) ?? 0) : undefined;
}
