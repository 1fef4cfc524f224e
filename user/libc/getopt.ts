/**
 * getopt_long(3) from a table, with the --help text made from the same table.
 *
 *   const o = yield* getopt(p, args, { usage: '[OPTION]... [FILE]...', about: '…', options: [
 *     { short: 'n', long: 'lines', arg: 'NUM', help: 'print the first NUM lines' } ] });
 *   o.has('lines'); o.value('lines'); o.operands
 *
 * An option goes by its long name, or by its letter if it has none. Errors are worded as GNU's.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { Exit, type Process } from './process.ts';
import { padRight } from './text.ts';

export interface Option {
  readonly short?: string;
  readonly long?: string;
  /** Name of its argument; an option without one takes none. */
  readonly arg?: string;
  /** The argument may be left out; where it is given, it is joined (--color=WHEN, -iSUFFIX). */
  readonly optional?: true;
  readonly help: string;
}

export interface OptionSpec {
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly about: string;
  readonly options?: readonly Option[];
  /** The first operand ends the options, as for env or timeout. */
  readonly stopAtOperand?: true;
  /** Exit status on bad usage; 1 if not said. */
  readonly badUsage?: number;
  /** Text after the options. */
  readonly more?: string;
  /** -5 as an option of this name with the value '5' (head, tail). */
  readonly number?: string;
}

export class Options {
  readonly operands: string[] = [];
  /** In the order given. */
  readonly given: { readonly name: string; readonly value: string }[] = [];

  has(name: string): boolean {
    return this.given.some((option) => option.name === name);
  }

  /** The last one given. */
  value(name: string): string | undefined {
    return this.given.findLast((option) => option.name === name)?.value;
  }

  values(name: string): string[] {
    return this.given.filter((option) => option.name === name).map((option) => option.value);
  }
}

export function* getopt(p: Process, args: readonly string[], spec: OptionSpec): UserFlow<Options> {
  const parsed = parseOptions(args, spec);
  if (typeof parsed === 'string') {
    yield* p.error(parsed);
    yield* p.stderr.write(`Try '${p.name} --help' for more information.\n`);
    throw new Exit(spec.badUsage ?? 1);
  }
  if (parsed.has('help')) {
    yield* p.print(helpText(p.name, spec));
    throw new Exit(0);
  }
  if (parsed.has('version')) {
    yield* p.print(`${p.name} (skep)\n`);
    throw new Exit(0);
  }
  return parsed;
}

/** Complain about operands and exit as getopt does. */
export function* usageError(p: Process, text: string, status = 1): UserFlow<never> {
  yield* p.error(text);
  yield* p.stderr.write(`Try '${p.name} --help' for more information.\n`);
  throw new Exit(status);
}

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[], spec: OptionSpec): Options | string {
  const out = new Options();
  const options = spec.options ?? [];
  const keyOf = (option: Option): string => option.long ?? option.short!;
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === '--') {
      at++;
      break;
    }
    if (arg.startsWith('--')) {
      const [name, inline] = splitOnce(arg.slice(2), '=');
      if (name === 'help' || name === 'version') {
        out.given.push({ name, value: '' });
        continue;
      }
      const matches = options.filter((option) => option.long?.startsWith(name));
      const exact = matches.find((option) => option.long === name);
      const option = exact ?? matches[0];
      if (!option) return `unrecognized option '--${name}'`;
      if (!exact && matches.length > 1) {
        const names = matches.map((match) => `'--${match.long}'`).join(' ');
        return `option '--${name}' is ambiguous; possibilities: ${names}`;
      }
      if (option.arg === undefined) {
        if (inline !== undefined) return `option '--${option.long}' doesn't allow an argument`;
        out.given.push({ name: keyOf(option), value: '' });
      } else if (inline !== undefined || option.optional) {
        out.given.push({ name: keyOf(option), value: inline ?? '' });
      } else {
        const value = args[++at];
        if (value === undefined) return `option '--${option.long}' requires an argument`;
        out.given.push({ name: keyOf(option), value });
      }
      continue;
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (spec.stopAtOperand) break;
      out.operands.push(arg);
      continue;
    }
    if (spec.number !== undefined && /^-\d+$/.test(arg)) {
      out.given.push({ name: spec.number, value: arg.slice(1) });
      continue;
    }
    for (let i = 1; i < arg.length; i++) {
      const letter = arg[i]!;
      const option = options.find((candidate) => candidate.short === letter);
      if (!option) return `invalid option -- '${letter}'`;
      if (option.arg === undefined) {
        out.given.push({ name: keyOf(option), value: '' });
        continue;
      }
      const rest = arg.slice(i + 1);
      if (option.optional) {
        out.given.push({ name: keyOf(option), value: rest });
        break;
      }
      const value = rest !== '' ? rest : args[++at];
      if (value === undefined) return `option requires an argument -- '${letter}'`;
      out.given.push({ name: keyOf(option), value });
      break;
    }
  }
  out.operands.push(...args.slice(at));
  return out;
}

export function helpText(name: string, spec: OptionSpec): string {
  const lines = [`Usage: ${name} ${spec.usage}`.trimEnd(), ...spec.about.split('\n')];
  const rows = [
    ...(spec.options ?? []),
    { long: 'help', help: 'display this help and exit' },
    { long: 'version', help: 'output version information and exit' },
  ];
  lines.push('');
  for (const option of rows as Option[]) {
    const argument = option.arg === undefined ? '' : option.arg;
    const short = option.short ? `-${option.short}` : '   ';
    const long = option.long
      ? `--${option.long}${argument && (option.optional ? `[=${argument}]` : `=${argument}`)}`
      : '';
    const head = option.long
      ? `  ${short}${option.short ? ', ' : ' '}${long}`
      : `  ${short}${argument && ` ${argument}`}`;
    const [first = '', ...more] = option.help.split('\n');
    if (head.length > 27) lines.push(head, ' '.repeat(29) + first);
    else lines.push(padRight(head, 29) + first);
    for (const line of more) lines.push(' '.repeat(29) + line);
  }
  if (spec.more) lines.push('', ...spec.more.split('\n'));
  return `${lines.join('\n')}\n`;
}

/** 'a=b=c' by '=' -> ['a', 'b=c']; without the separator the second is undefined. */
export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
