/**
 * Basic and extended regular expressions with GNU's additions (\+ \? \| \w \< …), read into nodes.
 *
 *   parseRegex(source, {extended, ignoreCase})    the node and its number of groups
 *   throws RegexError                             worded as glibc's regerror
 */
import type { CharSet, Node } from './ast.ts';
import { ANY, charOf, CLASSES, setOf, WORD } from './ast.ts';

export class RegexError extends Error {
  override name = 'RegexError';
}

export interface SyntaxOptions {
  readonly extended?: boolean;
  readonly ignoreCase?: boolean;
}

/** RE_DUP_MAX of glibc. */
const MAX_REPEAT = 32767;

export function parseRegex(source: string, options: SyntaxOptions): { node: Node; groups: number } {
  const parser = new Parser(source, options);
  return { node: parser.whole(), groups: parser.groups };
}

export function wordSet(negated: boolean): CharSet {
  return setOf(WORD, negated, false);
}

class Parser {
  groups = 0;
  readonly #chars: readonly string[];
  readonly #extended: boolean;
  readonly #ignoreCase: boolean;
  #at = 0;
  #depth = 0;
  /** Groups that are closed: what a back-reference may name. */
  readonly #closed = new Set<number>();

  constructor(source: string, options: SyntaxOptions) {
    this.#chars = [...source];
    this.#extended = options.extended ?? false;
    this.#ignoreCase = options.ignoreCase ?? false;
  }

  whole(): Node {
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw new RegexError('Unmatched ) or \\)');
    return node;
  }

  /** At an operator that basic expressions write with a backslash? */
  #isOperator(char: string): boolean {
    if (this.#extended) return this.#chars[this.#at] === char;
    return this.#chars[this.#at] === '\\' && this.#chars[this.#at + 1] === char;
  }

  #accept(char: string): boolean {
    if (!this.#isOperator(char)) return false;
    this.#at += this.#extended ? 1 : 2;
    return true;
  }

  #choice(): Node {
    const branches = [this.#sequence()];
    while (this.#accept('|')) branches.push(this.#sequence());
    return branches.length === 1 ? branches[0]! : { kind: 'choice', branches };
  }

  #sequence(): Node {
    const items: Node[] = [];
    for (;;) {
      if (this.#at >= this.#chars.length || this.#isOperator('|')) break;
      if (this.#isOperator(')')) {
        if (this.#depth === 0) throw new RegexError('Unmatched ) or \\)');
        break;
      }
      // A star with nothing before it is itself in a basic expression.
      const isStart = items.every((item) => item.kind === 'assert' && item.what === 'line start');
      items.push(this.#repeats(this.#atom(isStart), isStart));
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  #atom(isStart: boolean): Node {
    const char = this.#chars[this.#at]!;
    if (this.#accept('(')) {
      const index = ++this.groups;
      this.#depth++;
      const item = this.#choice();
      if (!this.#accept(')')) throw new RegexError('Unmatched ( or \\(');
      this.#depth--;
      this.#closed.add(index);
      return { kind: 'group', index, item };
    }
    this.#at++;
    switch (char) {
      case '[':
        return { kind: 'char', set: this.#bracket() };
      case '.':
        return { kind: 'char', set: ANY };
      case '^':
        if (this.#extended || isStart) return { kind: 'assert', what: 'line start' };
        break;
      case '$':
        if (this.#extended || this.#atSequenceEnd()) return { kind: 'assert', what: 'line end' };
        break;
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        if (this.#extended) {
          this.#at--;
          return { kind: 'sequence', items: [] };
        }
        break;
    }
    return { kind: 'char', set: charOf(char, this.#ignoreCase) };
  }

  #atSequenceEnd(): boolean {
    return this.#at >= this.#chars.length || this.#isOperator(')') || this.#isOperator('|');
  }

  #escape(): Node {
    const char = this.#chars[this.#at++];
    switch (char) {
      case undefined:
        throw new RegexError('Trailing backslash');
      case 'w':
      case 'W':
        return { kind: 'char', set: wordSet(char === 'W') };
      case 's':
      case 'S':
        return { kind: 'char', set: setOf(CLASSES.space!, char === 'S', false) };
      case 'b':
        return { kind: 'assert', what: 'word edge' };
      case 'B':
        return { kind: 'assert', what: 'no word edge' };
      case '<':
        return { kind: 'assert', what: 'word start' };
      case '>':
        return { kind: 'assert', what: 'word end' };
      case '`':
        return { kind: 'assert', what: 'text start' };
      case "'":
        return { kind: 'assert', what: 'text end' };
      case '{':
        if (!this.#extended) throw new RegexError('Invalid preceding regular expression');
    }
    if (/[1-9]/.test(char)) {
      const index = Number(char);
      if (!this.#closed.has(index)) throw new RegexError('Invalid back reference');
      return { kind: 'back', index };
    }
    return { kind: 'char', set: charOf(char, this.#ignoreCase) };
  }

  /** The * + ? {…} after an atom. */
  #repeats(atom: Node, isStart: boolean): Node {
    let node = atom;
    const starIsPlain =
      !this.#extended && isStart && atom.kind === 'assert' && atom.what === 'line start';
    for (;;) {
      if (this.#chars[this.#at] === '*' && !starIsPlain) {
        this.#at++;
        node = repeat(node, 0, Infinity);
      } else if (this.#accept('+')) node = repeat(node, 1, Infinity);
      else if (this.#accept('?')) node = repeat(node, 0, 1);
      else if (this.#isOperator('{')) {
        const counts = this.#interval();
        if (!counts) return node;
        node = repeat(node, counts.min, counts.max);
      } else return node;
    }
  }

  /** {n}, {n,}, {n,m}, {,m}; in an extended expression anything else is plain text. */
  #interval(): { min: number; max: number } | undefined {
    const start = this.#at + (this.#extended ? 1 : 2);
    const text = this.#chars.slice(start).join('');
    const match = (this.#extended ? /^(\d*)(,?)(\d*)\}/ : /^(\d*)(,?)(\d*)\\\}/).exec(text);
    if (!match || (match[1] === '' && match[2] === '')) {
      if (!this.#extended) {
        const isOpen = !text.includes('\\}');
        throw new RegexError(isOpen ? 'Unmatched \\{' : 'Invalid content of \\{\\}');
      }
      return undefined;
    }
    const [whole, low = '', comma = '', high = ''] = match;
    this.#at = start + whole.length;
    const min = low === '' ? 0 : Number(low);
    const max = comma === '' ? min : high === '' ? Infinity : Number(high);
    if (min > max) throw new RegexError('Invalid content of \\{\\}');
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) {
      throw new RegexError('Regular expression too big');
    }
    return { min, max };
  }

  /** After `[`. */
  #bracket(): CharSet {
    const negated = this.#chars[this.#at] === '^';
    if (negated) this.#at++;
    let inside = '';
    for (let first = true; ; first = false) {
      const char = this.#chars[this.#at];
      if (char === undefined) throw new RegexError('Unmatched [, [^, [:, [., or [=');
      if (char === ']' && !first) break;
      const kind = char === '[' ? this.#chars[this.#at + 1] : undefined;
      if (kind === ':') {
        const name = this.#named(':');
        if (!(name in CLASSES)) throw new RegexError('Invalid character class name');
        // With case ignored, one case stands for both.
        inside += CLASSES[this.#ignoreCase && /^(upper|lower)$/.test(name) ? 'alpha' : name]!;
        continue;
      }
      const from = kind === '.' || kind === '=' ? this.#named(kind) : this.#chars[this.#at++]!;
      if (this.#chars[this.#at] === '-' && !/^[\]]?$/.test(this.#chars[this.#at + 1] ?? '')) {
        this.#at++;
        const isNamed = this.#chars[this.#at] === '[' && this.#chars[this.#at + 1] === '.';
        const to = isNamed ? this.#named('.') : this.#chars[this.#at++]!;
        if (from.codePointAt(0)! > to.codePointAt(0)!) throw new RegexError('Invalid range end');
        inside += `${inClass(from)}-${inClass(to)}`;
      } else inside += inClass(from);
    }
    this.#at++;
    return setOf(inside, negated, this.#ignoreCase);
  }

  /** [:name:], [.x.] or [=x=]: what stands between. */
  #named(mark: string): string {
    let end = this.#at + 2;
    while (end < this.#chars.length) {
      if (this.#chars[end] === mark && this.#chars[end + 1] === ']') {
        const name = this.#chars.slice(this.#at + 2, end).join('');
        this.#at = end + 2;
        if (mark !== ':' && [...name].length !== 1) {
          throw new RegexError('Invalid collation character');
        }
        return name;
      }
      end++;
    }
    throw new RegexError('Unmatched [, [^, [:, [., or [=');
  }
}

function inClass(char: string): string {
  return `\\u{${char.codePointAt(0)!.toString(16)}}`;
}

function repeat(item: Node, min: number, max: number): Node {
  return { kind: 'repeat', item, min, max };
}
