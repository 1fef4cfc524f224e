/** seq(1). Numbers are exact decimals as they are written, so no rounding shows. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { parseFloating } from '../libc/floating.ts';
import { formatFloating } from '../libc/format.ts';
import { helpText, type OptionSpec } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';

const SPEC: OptionSpec = {
  usage:
    '[OPTION]... LAST\n   or: seq [OPTION]... FIRST LAST\n   or: seq [OPTION]... FIRST INCREMENT LAST',
  about: 'Print numbers from FIRST to LAST, in steps of INCREMENT.',
  options: [
    { short: 'f', long: 'format', arg: 'FORMAT', help: 'use printf style floating-point FORMAT' },
    { short: 's', long: 'separator', arg: 'STRING', help: 'use STRING to separate numbers' },
    { short: 'w', long: 'equal-width', help: 'equalize width by padding with leading zeroes' },
  ],
};

/** value / 10 ** places. */
interface Decimal {
  readonly value: bigint;
  readonly places: number;
}

/** More decimal places than this are not of this world. */
const MAX_PLACES = 1000;

function parseDecimal(text: string): Decimal | undefined {
  if (/^\s*[+-]?0[xX][0-9a-fA-F]+$/.test(text)) {
    const negative = text.includes('-');
    const value = BigInt(text.replace(/[+\s-]/g, ''));
    return { value: negative ? -value : value, places: 0 };
  }
  const match = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match || (!match[2] && !match[3])) return undefined;
  const [, sign, integer = '', fraction = '', power = '0'] = match;
  let value = BigInt(integer + fraction) * (sign === '-' ? -1n : 1n);
  let places = fraction.length - Number(power);
  if (Math.abs(places) > MAX_PLACES) return undefined;
  if (places < 0) {
    value *= 10n ** BigInt(-places);
    places = 0;
  }
  return { value, places };
}

function scaleTo({ value, places }: Decimal, wanted: number): bigint {
  return value * 10n ** BigInt(wanted - places);
}

function textOf(value: bigint, places: number): string {
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(places + 1, '0');
  const point = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return negative ? `-${point}` : point;
}

/** FIRST and INCREMENT may be negative, so options are told from numbers by hand. */
function parseArguments(args: readonly string[]): {
  numbers: string[];
  given: Map<string, string>;
  wrong?: string;
} {
  const numbers: string[] = [];
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    const long = /^--(format|separator|equal-width|help|version)(?:=([^]*))?$/.exec(arg);
    const short = /^-([fsw])([^]*)$/.exec(arg);
    if (arg === '--') {
      numbers.push(...args.slice(at + 1));
      break;
    }
    if (long) {
      const takes = long[1] === 'format' || long[1] === 'separator';
      given.set(long[1]!, long[2] ?? (takes ? (args[++at] ?? '') : ''));
    } else if (short) {
      const name = { f: 'format', s: 'separator', w: 'equal-width' }[short[1]!]!;
      if (name === 'equal-width') {
        given.set(name, '');
        continue;
      }
      const value = short[2] !== '' ? short[2]! : args[++at];
      if (value === undefined) {
        return { numbers, given, wrong: `option requires an argument -- '${short[1]}'` };
      }
      given.set(name, value);
    } else if (/^-[^\d.]/.test(arg)) {
      const what = arg.startsWith('--')
        ? `unrecognized option '${arg}'`
        : `invalid option -- '${arg[1]}'`;
      return { numbers, given, wrong: what };
    } else numbers.push(arg);
  }
  return { numbers, given };
}

function* wrongUsage(p: Process, text: string): UserFlow<number> {
  yield* p.error(text);
  yield* p.stderr.write("Try 'seq --help' for more information.\n");
  return 1;
}

export const seq: Tool = function* (p, args) {
  const { numbers, given, wrong } = parseArguments(args);
  if (wrong !== undefined) return yield* wrongUsage(p, wrong);
  if (given.has('help')) {
    yield* p.print(helpText(p.name, SPEC));
    return 0;
  }
  if (numbers.length === 0) return yield* wrongUsage(p, 'missing operand');
  if (numbers.length > 3) return yield* wrongUsage(p, `extra operand '${numbers[3]}'`);
  const decimals: Decimal[] = [];
  for (const text of numbers) {
    const decimal = parseDecimal(text);
    if (!decimal) return yield* wrongUsage(p, `invalid floating point argument: '${text}'`);
    decimals.push(decimal);
  }
  const last = decimals.at(-1)!;
  const first = decimals.length > 1 ? decimals[0]! : { value: 1n, places: 0 };
  const step = decimals.length > 2 ? decimals[1]! : { value: 1n, places: 0 };
  if (step.value === 0n) {
    return yield* wrongUsage(p, `invalid Zero increment value: '${numbers[1]}'`);
  }
  const places = Math.max(first.places, step.places, last.places);
  const shown = Math.max(first.places, step.places);
  const [from, by, to] = [first, step, last].map((decimal) => scaleTo(decimal, places)) as [
    bigint,
    bigint,
    bigint,
  ];
  const drop = 10n ** BigInt(places - shown);
  const format = given.get('format');
  const print = format === undefined ? undefined : formatter(format);
  if (typeof print === 'string') return yield* wrongUsage(p, print);
  const equal = given.has('equal-width');
  const ends = [from, from + ((to - from) / by) * by].map(
    (end) => textOf(end / drop, shown).length,
  );
  const width = equal ? Math.max(...ends) : 0;
  const separator = given.get('separator') ?? '\n';
  let isFirst = true;
  for (let value = from; by > 0n ? value <= to : value >= to; value += by) {
    const plain = textOf(value / drop, shown);
    let text = print ? print(textOf(value, places)) : plain;
    if (text.length < width) {
      const negative = text.startsWith('-');
      text =
        (negative ? '-' : '') +
        text.slice(negative ? 1 : 0).padStart(width - (negative ? 1 : 0), '0');
    }
    yield* p.print(isFirst ? text : separator + text);
    isFirst = false;
    if (p.stdout.error < 0) return 1;
  }
  if (!isFirst) yield* p.print('\n');
  return 0;
};

/** What -f does to a number, or what is wrong with it. */
function formatter(format: string): ((text: string) => string) | string {
  const pieces = format.split(/(%%|%[-0+ #']*\d*(?:\.\d*)?[aefgAEFG])/);
  const directives = pieces.filter((piece) => /^%[^%]/.test(piece));
  if (directives.length === 0) return `format '${format}' has no % directive`;
  if (directives.length > 1) return `format '${format}' has too many % directives`;
  const match = /^%([-0+ #']*)(\d*)(?:\.(\d*))?([a-zA-Z])$/.exec(directives[0]!)!;
  const directive = {
    flags: match[1]!,
    width: Number(match[2]),
    precision: match[3] === undefined ? undefined : Number(match[3]),
    letter: match[4]!,
  };
  return (text) =>
    pieces
      .map((piece) => {
        if (piece === '%%') return '%';
        if (!/^%[^%]/.test(piece)) return piece;
        return formatFloating(directive, parseFloating(text)!.value);
      })
      .join('');
}
