/**
 * sed's scripts: compiled to a flat list of commands in which `{` and branches know where to go on.
 *
 *   compileSed(source, {extended})    throws SedError, worded as GNU's
 */
import type { Regex } from '../libc/regex/regex.ts';
import { compileRegex, RegexError } from '../libc/regex/regex.ts';
import { CONTROL, escapeAt, expandEscapes } from './sed-escape.ts';

export type Address =
  | { readonly kind: 'line'; readonly number: number }
  /** first~step */
  | { readonly kind: 'step'; readonly first: number; readonly step: number }
  | { readonly kind: 'last' }
  /** Without a regex: the one used last. */
  | { readonly kind: 'regex'; readonly regex: Regex | undefined }
  /** addr,+N and addr,~N */
  | { readonly kind: 'plus' | 'multiple'; readonly number: number };

/** A piece of a replacement: text, a group (0 for &), or a change of case for what follows. */
export type Piece = string | number | { readonly fold: 'L' | 'U' | 'l' | 'u' | 'E' };

export interface Substitution {
  readonly regex: Regex | undefined;
  readonly replacement: readonly Piece[];
  readonly global: boolean;
  readonly occurrence: number;
  readonly print: boolean;
  readonly evaluate: boolean;
  readonly file: string | undefined;
}

export interface SedCommand {
  readonly first?: Address;
  readonly second?: Address;
  readonly negated: boolean;
  readonly name: string;
  /** For s. */
  readonly substitution?: Substitution;
  /** For y. */
  readonly map?: ReadonlyMap<string, string>;
  /** For a, i, c: the text (none: only the end of a line that lacks it); for r, R, w, W, e: the rest of the line; for b, t, T, : the label. */
  readonly text?: string;
  /** For q, Q, l, L. */
  readonly number?: number;
  /** Where { goes on if it is not selected, and b, t, T if they jump. */
  target: number;
}

export class SedError extends Error {
  readonly status: number;
  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Found after the whole script has been read, so it has no place in it. */
class LabelError extends Error {}

export interface CompileOptions {
  readonly extended: boolean;
}

/** `source`: the scripts of all -e and -f, a newline between them. */
export function compileSed(source: string, options: CompileOptions): SedCommand[] {
  const compiler = new Compiler(source, options);
  try {
    return compiler.program();
  } catch (caught) {
    if (caught instanceof LabelError) throw new SedError(caught.message, 4);
    if (!(caught instanceof SedError)) throw caught;
    throw new SedError(`-e expression #1, char ${compiler.at}: ${caught.message}`);
  }
}

class Compiler {
  at = 0;
  readonly #source: string;
  readonly #options: CompileOptions;
  readonly #commands: SedCommand[] = [];
  readonly #labels = new Map<string, number>();

  constructor(source: string, options: CompileOptions) {
    this.#source = source;
    this.#options = options;
  }

  program(): SedCommand[] {
    const open: number[] = [];
    for (;;) {
      this.#skip(/[\s;]/);
      if (this.at >= this.#source.length) break;
      if (this.#peek() === '#') {
        this.#skip(/[^\n]/);
        continue;
      }
      const command = this.#command();
      if (command.name === '}') {
        const start = open.pop();
        if (start === undefined) throw new SedError("unexpected `}'");
        this.#commands[start]!.target = this.#commands.length;
        continue;
      }
      if (command.name === ':') {
        if (this.#labels.has(command.text!)) throw new SedError(`duplicate label`);
        this.#labels.set(command.text!, this.#commands.length);
        continue;
      }
      if (command.name === '{') open.push(this.#commands.length);
      this.#commands.push(command);
    }
    if (open.length > 0) {
      this.at = 0;
      throw new SedError("unmatched `{'");
    }
    for (const command of this.#commands) {
      if (!'btT'.includes(command.name)) continue;
      const target = command.text === '' ? this.#commands.length : this.#labels.get(command.text!);
      if (target === undefined) {
        throw new LabelError(`can't find label for jump to \`${command.text}'`);
      }
      command.target = target;
    }
    return this.#commands;
  }

  #peek(): string {
    return this.#source[this.at] ?? '';
  }

  #command(): SedCommand {
    const first = this.#address(false);
    let second: Address | undefined;
    if (first) {
      this.#skip(/[ \t]/);
      if (this.#peek() === ',') {
        this.at++;
        this.#skip(/[ \t]/);
        second = this.#address(true);
        if (!second) throw new SedError("unexpected `,'");
      }
      const isZero = first.kind === 'line' && first.number === 0;
      if (isZero && second?.kind !== 'regex') throw new SedError('invalid usage of line address 0');
    }
    this.#skip(/[ \t]/);
    let negated = false;
    while (this.#peek() === '!') {
      this.at++;
      negated = true;
      this.#skip(/[ \t]/);
    }
    const name = this.#peek();
    this.at++;
    const base = {
      ...(first ? { first } : {}),
      ...(second ? { second } : {}),
      negated,
      name,
      target: 0,
    };
    switch (name) {
      case '{':
        return base;
      case '}':
        if (first) throw new SedError('} doesn’t want any addresses');
        this.#end();
        return base;
      case ':': {
        if (first) throw new SedError(': doesn’t want any addresses');
        this.#skip(/[ \t]/);
        const text = /^[^\n;]*/.exec(this.#source.slice(this.at))![0].trimEnd();
        if (text === '') throw new SedError('":" lacks a label');
        this.at += text.length;
        return { ...base, text };
      }
      case 's':
        return { ...base, substitution: this.#substitution() };
      case 'y':
        return { ...base, map: this.#map() };
      case 'a':
      case 'i':
      case 'c':
        if (/^[ \t]*\\$/.test(this.#source.slice(this.at))) {
          this.at = this.#source.length;
          return base;
        }
        return { ...base, text: this.#text() };
      case 'b':
      case 't':
      case 'T': {
        this.#skip(/[ \t]/);
        const text = /^[^\n;}]*/.exec(this.#source.slice(this.at))![0].trimEnd();
        this.at += text.length;
        return { ...base, text };
      }
      case 'r':
      case 'R':
      case 'w':
      case 'W': {
        const text = this.#restOfLine();
        if (text === '') throw new SedError('missing filename in r/R/w/W commands');
        return { ...base, text };
      }
      case 'e':
        return { ...base, text: this.#restOfLine() };
      case 'v':
        this.#skip(/[^\n;]/);
        return base;
      case 'q':
      case 'Q':
      case 'l':
      case 'L': {
        if (second && (name === 'q' || name === 'Q')) {
          throw new SedError('command only uses one address');
        }
        this.#skip(/[ \t]/);
        const digits = /^\d*/.exec(this.#source.slice(this.at))![0];
        this.at += digits.length;
        this.#end();
        return digits === '' ? base : { ...base, number: Number(digits) };
      }
      case '':
        throw new SedError('missing command');
    }
    if (!'pPdDnNhHgGxzF='.includes(name)) throw new SedError(`unknown command: \`${name}'`);
    this.#end();
    return base;
  }

  /** Nothing but the end of the command may follow. */
  #end(): void {
    this.#skip(/[ \t]/);
    const next = this.#peek();
    if (next === '' || '\n;}#'.includes(next)) return;
    throw new SedError('extra characters after command');
  }

  #restOfLine(): string {
    this.#skip(/[ \t]/);
    const text = /^[^\n]*/.exec(this.#source.slice(this.at))![0];
    this.at += text.length;
    return text;
  }

  #address(afterComma: boolean): Address | undefined {
    const rest = this.#source.slice(this.at);
    const number = /^(\d+)(?:~(\d+))?/.exec(rest);
    if (number) {
      this.at += number[0].length;
      const first = Number(number[1]);
      if (number[2] === undefined) return { kind: 'line', number: first };
      const step = Number(number[2]);
      return step === 0 ? { kind: 'line', number: first } : { kind: 'step', first, step };
    }
    const offset = afterComma ? /^([+~])(\d+)/.exec(rest) : null;
    if (offset) {
      this.at += offset[0].length;
      return { kind: offset[1] === '+' ? 'plus' : 'multiple', number: Number(offset[2]) };
    }
    if (rest.startsWith('$')) {
      this.at++;
      return { kind: 'last' };
    }
    const custom = rest.startsWith('\\');
    if (!custom && !rest.startsWith('/')) return undefined;
    this.at += custom ? 2 : 1;
    const text = this.#delimited(custom ? rest[1]! : '/', 'unterminated address regex');
    const flags = /^[IM]*/.exec(this.#source.slice(this.at))![0];
    this.at += flags.length;
    return { kind: 'regex', regex: this.#regex(text, flags) };
  }

  #substitution(): Substitution {
    const delimiter = this.#peek();
    this.at++;
    if (delimiter === '' || delimiter === '\n' || delimiter === '\\') {
      throw new SedError("unterminated `s' command");
    }
    const pattern = this.#delimited(delimiter, "unterminated `s' command");
    const replacement = this.#replacement(delimiter);
    let flags = '';
    let digits = '';
    let file: string | undefined;
    for (;;) {
      const char = this.#peek();
      if (/[gpiIeMm]/.test(char)) {
        if ('gp'.includes(char) && flags.includes(char)) {
          throw new SedError(`multiple \`${char}' options to \`s' command`);
        }
        flags += char;
      } else if (/\d/.test(char)) {
        digits += char;
        if (digits === '0') throw new SedError("number option to `s' command may not be zero");
      } else break;
      this.at++;
    }
    if (this.#peek() === 'w') {
      this.at++;
      file = this.#restOfLine();
      if (file === '') throw new SedError('missing filename in r/R/w/W commands');
    } else {
      this.#skip(/[ \t]/);
      const next = this.#peek();
      if (next !== '' && !'\n;}#'.includes(next)) throw new SedError("unknown option to `s'");
    }
    const regex = this.#regex(pattern, flags);
    const most = Math.max(0, ...replacement.filter((piece) => typeof piece === 'number'));
    if (regex && most > regex.groups) {
      throw new SedError(`invalid reference \\${most} on \`s' command's RHS`);
    }
    return {
      regex,
      replacement,
      global: flags.includes('g'),
      occurrence: digits === '' ? 1 : Number(digits),
      print: flags.includes('p'),
      evaluate: flags.includes('e'),
      file,
    };
  }

  #map(): Map<string, string> {
    const delimiter = this.#peek();
    this.at++;
    const sets = [0, 1].map(() => {
      const text = this.#delimited(delimiter, "unterminated `y' command", true);
      return [
        ...text.replace(/\\([^])/g, (whole, char: string) => {
          if (char === '\\' || char === delimiter) return char;
          return CONTROL[char] ?? whole;
        }),
      ];
    });
    const [from, to] = sets as [string[], string[]];
    if (from.length !== to.length) {
      throw new SedError("strings for `y' command are different lengths");
    }
    this.#end();
    return new Map(from.map((char, index) => [char, to[index]!]));
  }

  #regex(source: string, flags: string): Regex | undefined {
    if (source === '') return undefined;
    const text = expandEscapes(source);
    try {
      return compileRegex(text, {
        extended: this.#options.extended,
        ignoreCase: /[iI]/.test(flags),
        multiline: /[mM]/.test(flags),
      });
    } catch (caught) {
      if (caught instanceof RegexError) throw new SedError(caught.message);
      throw caught;
    }
  }

  /** Up to the delimiter, which is taken; an escaped delimiter is itself. */
  #delimited(delimiter: string, unterminated: string, isPlain = false): string {
    let out = '';
    let bracket = -1;
    for (;;) {
      const char = this.#source[this.at++];
      if (char === undefined || (char === '\n' && isPlain)) throw new SedError(unterminated);
      if (char === '\\' && bracket < 0) {
        const next = this.#source[this.at++] ?? '';
        out += next === delimiter && !isPlain ? next : `\\${next}`;
        continue;
      }
      if (!isPlain && char === '[' && bracket < 0) bracket = out.length;
      else if (char === ']' && bracket >= 0 && !/^\[\^?$/.test(out.slice(bracket))) bracket = -1;
      if (char === delimiter && bracket < 0) return out;
      out += char;
    }
  }

  #replacement(delimiter: string): Piece[] {
    const pieces: Piece[] = [];
    const add = (text: string): void => {
      const last = pieces.at(-1);
      if (typeof last === 'string') pieces[pieces.length - 1] = last + text;
      else pieces.push(text);
    };
    for (;;) {
      const char = this.#source[this.at++];
      if (char === undefined) throw new SedError("unterminated `s' command");
      if (char === delimiter) return pieces;
      if (char === '&') {
        pieces.push(0);
        continue;
      }
      if (char !== '\\') {
        add(char);
        continue;
      }
      const next = this.#source[this.at++];
      if (next === undefined) throw new SedError("unterminated `s' command");
      if (/\d/.test(next)) pieces.push(Number(next));
      else if (/[LUluE]/.test(next)) pieces.push({ fold: next as 'L' });
      else if (next === delimiter || next === '\n') add(next);
      else {
        const escape = escapeAt(this.#source, this.at - 2);
        if (escape) {
          this.at += escape.length - 2;
          add(escape.char);
        } else add(next);
      }
    }
  }

  /** After a, i, c: `a\` newline text, or `a text` on the line; a backslash keeps a newline. */
  #text(): string {
    this.#skip(/[ \t]/);
    if (this.at >= this.#source.length) throw new SedError("expected \\ after `a', `c' or `i'");
    if (this.#peek() === '\\') {
      this.at++;
      const blanks = /^[ \t]*\n/.exec(this.#source.slice(this.at));
      if (blanks) this.at += blanks[0].length;
    }
    let out = '';
    while (this.at < this.#source.length) {
      const char = this.#source[this.at++]!;
      if (char === '\n') break;
      if (char !== '\\') {
        out += char;
        continue;
      }
      const escape = escapeAt(this.#source, this.at - 1);
      if (escape && this.#source[this.at] !== 'n') {
        this.at += escape.length - 1;
        out += escape.char;
      } else out += this.#source[this.at++] ?? '';
    }
    return out;
  }

  #skip(what: RegExp): void {
    while (this.at < this.#source.length && what.test(this.#source[this.at]!)) this.at++;
  }
}
