/** sed's scripts: commands with addresses, and what an address or a substitution does to a line. */
import { posixRegExp } from './regex.ts';

export type Address =
  | { readonly kind: 'line'; readonly number: number }
  | { readonly kind: 'last' }
  | { readonly kind: 'regex'; readonly regex: RegExp }
  /** addr1,+N */
  | { readonly kind: 'plus'; readonly number: number };

export interface Substitution {
  readonly regex: RegExp;
  /** Text, and group numbers (0 for &). */
  readonly replacement: readonly (string | number)[];
  readonly global: boolean;
  readonly occurrence: number;
  readonly print: boolean;
}

export interface SedCommand {
  readonly first?: Address;
  readonly second?: Address;
  readonly negated: boolean;
  readonly name: string;
  readonly block?: readonly SedCommand[];
  readonly substitution?: Substitution;
  /** For y. */
  readonly map?: ReadonlyMap<string, string>;
  /** For a, i, c. */
  readonly text?: string;
  /** For q. */
  readonly number?: number;
}

class SedError extends Error {}

/** The commands, or what is wrong with the script. */
export function compileSed(source: string, extended: boolean): SedCommand[] | string {
  const compiler = new Compiler(source, extended);
  try {
    return compiler.block(false);
  } catch (caught) {
    if (caught instanceof SedError) return `char ${compiler.at}: ${caught.message}`;
    throw caught;
  }
}

export function matchesAddress(
  address: Address,
  on: { readonly number: number; readonly isLast: boolean; readonly text: string },
): boolean {
  switch (address.kind) {
    case 'line':
      return on.number === address.number;
    case 'last':
      return on.isLast;
    case 'regex':
      return address.regex.test(on.text);
    case 'plus':
      return false;
  }
}

/** Undefined where nothing matched. */
export function substituteLine(s: Substitution, line: string): string | undefined {
  let seen = 0;
  let changed = false;
  const result = line.replace(s.regex, (...match: unknown[]) => {
    seen++;
    if (seen < s.occurrence || (seen > s.occurrence && !s.global)) return match[0] as string;
    changed = true;
    return s.replacement
      .map((piece) => (typeof piece === 'string' ? piece : ((match[piece] as string) ?? '')))
      .join('');
  });
  return changed ? result : undefined;
}

class Compiler {
  at = 0;
  readonly #source: string;
  readonly #extended: boolean;

  constructor(source: string, extended: boolean) {
    this.#source = source;
    this.#extended = extended;
  }

  block(nested: boolean): SedCommand[] {
    const commands: SedCommand[] = [];
    for (;;) {
      this.#skip(/[\s;]/);
      if (this.at >= this.#source.length) {
        if (nested) throw new SedError("unmatched `{'");
        return commands;
      }
      if (this.#source[this.at] === '}') {
        if (!nested) throw new SedError("unexpected `}'");
        this.at++;
        return commands;
      }
      if (this.#source[this.at] === '#') {
        this.#skip(/[^\n]/);
        continue;
      }
      commands.push(this.#command());
    }
  }

  #command(): SedCommand {
    const first = this.#address();
    let second: Address | undefined;
    if (first && this.#source[this.at] === ',') {
      this.at++;
      this.#skip(/ /);
      second = this.#address(true);
      if (!second) throw new SedError("unexpected `,'");
    }
    this.#skip(/ /);
    const negated = this.#source[this.at] === '!';
    if (negated) this.at++;
    this.#skip(/ /);
    const name = this.#source[this.at++] ?? '';
    const base = { ...(first ? { first } : {}), ...(second ? { second } : {}), negated, name };
    switch (name) {
      case '{':
        return { ...base, block: this.block(true) };
      case 's':
        return { ...base, substitution: this.#substitution() };
      case 'y': {
        const delimiter = this.#source[this.at++] ?? '';
        const from = [...this.#delimited(delimiter, 'y')];
        const to = [...this.#delimited(delimiter, 'y')];
        if (from.length !== to.length) {
          throw new SedError("strings for `y' command are different lengths");
        }
        return { ...base, map: new Map(from.map((char, index) => [char, to[index]!])) };
      }
      case 'a':
      case 'i':
      case 'c':
        return { ...base, text: this.#text() };
      case 'q':
      case 'Q': {
        const digits = /^ *(\d*)/.exec(this.#source.slice(this.at))!;
        this.at += digits[0].length;
        return { ...base, number: Number(digits[1]) };
      }
      case '':
        throw new SedError('missing command');
    }
    if (!'pPdDnNhHgGx='.includes(name)) throw new SedError(`unknown command: \`${name}'`);
    return base;
  }

  #address(afterComma = false): Address | undefined {
    const rest = this.#source.slice(this.at);
    const number = (afterComma ? /^(\+?)(\d+)/ : /^()(\d+)/).exec(rest);
    if (number) {
      this.at += number[0].length;
      return { kind: number[1] ? 'plus' : 'line', number: Number(number[2]) };
    }
    if (rest.startsWith('$')) {
      this.at++;
      return { kind: 'last' };
    }
    const custom = rest.startsWith('\\');
    if (!custom && !rest.startsWith('/')) return undefined;
    this.at += custom ? 2 : 1;
    const text = this.#delimited(custom ? rest[1]! : '/', 'address regex');
    const ignoreCase = this.#source[this.at] === 'I';
    if (ignoreCase) this.at++;
    return { kind: 'regex', regex: this.#regex(text, ignoreCase, false) };
  }

  #substitution(): Substitution {
    const delimiter = this.#source[this.at++] ?? '';
    const pattern = this.#delimited(delimiter, 's');
    const replacement = this.#delimited(delimiter, 's', true);
    const flags = /^[gpiI0-9]*/.exec(this.#source.slice(this.at))![0];
    this.at += flags.length;
    const digits = /\d+/.exec(flags)?.[0];
    return {
      regex: this.#regex(pattern, /[iI]/.test(flags), true),
      replacement: parseReplacement(replacement),
      global: flags.includes('g'),
      occurrence: digits === undefined ? 1 : Number(digits),
      print: flags.includes('p'),
    };
  }

  #regex(source: string, ignoreCase: boolean, global: boolean): RegExp {
    const regex = posixRegExp(source, { extended: this.#extended, ignoreCase, global });
    if (!regex) throw new SedError('Invalid regular expression');
    return regex;
  }

  /** Up to the delimiter, which is taken; an escaped delimiter is itself. */
  #delimited(delimiter: string, command: string, keepEscapes = false): string {
    let out = '';
    let inBracket = false;
    for (;;) {
      const char = this.#source[this.at++];
      if (char === undefined) {
        throw new SedError(
          command === 'address regex'
            ? `unterminated ${command}`
            : `unterminated \`${command}' command`,
        );
      }
      if (char === '\\') {
        const next = this.#source[this.at++] ?? '';
        out += next === delimiter && !keepEscapes ? next : `\\${next}`;
        continue;
      }
      if (char === '[' && command !== 'y' && !keepEscapes) inBracket = true;
      if (char === ']') inBracket = false;
      if (char === delimiter && !inBracket) return out;
      out += char;
    }
  }

  /** After a, i, c: `a\` newline text, or `a text` on the line. */
  #text(): string {
    this.#skip(/ /);
    if (this.#source[this.at] === '\\') {
      this.at++;
      this.#skip(/[ \n]/);
    }
    let out = '';
    while (this.at < this.#source.length) {
      const char = this.#source[this.at++]!;
      if (char === '\n') break;
      out += char === '\\' ? (this.#source[this.at++] ?? '') : char;
    }
    return out;
  }

  #skip(what: RegExp): void {
    while (this.at < this.#source.length && what.test(this.#source[this.at]!)) this.at++;
  }
}

function parseReplacement(text: string): (string | number)[] {
  const out: (string | number)[] = [];
  for (const match of text.matchAll(/\\([0-9])|\\(n|t)|\\([^])|(&)|([^\\&]+)/g)) {
    const [, group, control, escaped, whole, plain] = match;
    if (group !== undefined) out.push(Number(group));
    else if (control !== undefined) out.push(control === 'n' ? '\n' : '\t');
    else if (whole !== undefined) out.push(0);
    else out.push(escaped ?? plain!);
  }
  return out;
}
