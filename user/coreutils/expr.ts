/** expr(1): an expression of arguments, numbers of any size. */
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { compileRegex, RegexError } from '../libc/regex/regex.ts';

class ExprError extends Error {
  readonly status: number;
  constructor(message: string, status = 2) {
    super(message);
    this.status = status;
  }
}

const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['&'],
  ['<', '<=', '=', '==', '!=', '>=', '>'],
  ['+', '-'],
  ['*', '/', '%'],
  [':'],
];

export const expr: Tool = function* (p, args) {
  if (args.length === 1 && (args[0] === '--help' || args[0] === '--version')) {
    yield* getopt(p, args, {
      usage: 'EXPRESSION',
      about:
        'Print the value of EXPRESSION: | & < <= = != >= > + - * / % : ( ), match STRING REGEXP,\n' +
        'substr STRING POS LENGTH, index STRING CHARS, length STRING, + TOKEN.',
      more: 'Exit status is 0 if EXPRESSION is neither null nor 0, 1 if it is, 2 if it is invalid.',
    });
  }
  const words = args[0] === '--' ? args.slice(1) : args;
  if (words.length === 0) {
    yield* p.error('missing operand');
    yield* p.stderr.write("Try 'expr --help' for more information.\n");
    return 2;
  }
  try {
    const parser = new Parser(words);
    const value = parser.whole();
    yield* p.println(value);
    return isNull(value) ? 1 : 0;
  } catch (caught) {
    const isOurs = caught instanceof ExprError || caught instanceof RegexError;
    if (!isOurs) throw caught;
    yield* p.error(caught.message);
    return caught instanceof ExprError ? caught.status : 2;
  }
};

const isInteger = (text: string): boolean => /^-?\d+$/.test(text);
const isNull = (text: string): boolean => text === '' || /^-?0+$/.test(text);

class Parser {
  readonly #words: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  whole(): string {
    const value = this.#level(0);
    const left = this.#words[this.#at];
    if (left !== undefined) throw new ExprError(`syntax error: unexpected argument '${left}'`);
    return value;
  }

  #level(level: number): string {
    const operators = LEVELS[level];
    if (!operators) return this.#primary();
    let left = this.#level(level + 1);
    for (;;) {
      const operator = this.#words[this.#at];
      if (operator === undefined || !operators.includes(operator)) return left;
      this.#at++;
      left = apply(operator, left, this.#level(level + 1));
    }
  }

  #primary(): string {
    const word = this.#next();
    switch (word) {
      case '(': {
        if (++this.#depth > 200) throw new ExprError('syntax error: nested too deeply');
        const value = this.#level(0);
        this.#depth--;
        const close = this.#words[this.#at++];
        if (close === undefined)
          throw new ExprError("syntax error: expecting ')' after '" + this.#words.at(-1) + "'");
        if (close !== ')') throw new ExprError(`syntax error: expecting ')' instead of '${close}'`);
        return value;
      }
      case '+':
        return this.#next();
      case 'length':
        return String([...this.#primary()].length);
      case 'match': {
        const text = this.#primary();
        return apply(':', text, this.#primary());
      }
      case 'index': {
        const text = [...this.#primary()];
        const chars = [...this.#primary()];
        return String(text.findIndex((char) => chars.includes(char)) + 1);
      }
      case 'substr': {
        const text = [...this.#primary()];
        const [from, count] = [this.#primary(), this.#primary()];
        if (!isInteger(from) || !isInteger(count)) return '';
        const start = Number(from);
        return start < 1 || Number(count) < 1
          ? ''
          : text.slice(start - 1, start - 1 + Number(count)).join('');
      }
      case ')':
        throw new ExprError("syntax error: unexpected ')'");
    }
    return word;
  }

  #next(): string {
    const word = this.#words[this.#at++];
    if (word !== undefined) return word;
    throw new ExprError(`syntax error: missing argument after '${this.#words.at(-1)}'`);
  }
}

function apply(operator: string, left: string, right: string): string {
  switch (operator) {
    case '|':
      return isNull(left) ? (isNull(right) ? '0' : right) : left;
    case '&':
      return isNull(left) || isNull(right) ? '0' : left;
    case ':':
      return match(left, right);
  }
  if (LEVELS[2]!.includes(operator)) return compare(operator, left, right) ? '1' : '0';
  if (!isInteger(left) || !isInteger(right)) throw new ExprError('non-integer argument');
  const [a, b] = [BigInt(left), BigInt(right)];
  if ((operator === '/' || operator === '%') && b === 0n) throw new ExprError('division by zero');
  switch (operator) {
    case '+':
      return String(a + b);
    case '-':
      return String(a - b);
    case '*':
      return String(a * b);
    case '/':
      return String(a / b);
    default:
      return String(a % b);
  }
}

function compare(operator: string, left: string, right: string): boolean {
  const numbers = isInteger(left) && isInteger(right);
  const [a, b] = numbers ? [BigInt(left), BigInt(right)] : [left, right];
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case '!=':
      return a !== b;
    default:
      return a === b;
  }
}

/** Anchored at the start; the first group's text, or how many characters matched. */
function match(text: string, pattern: string): string {
  const regex = compileRegex(`^${pattern.startsWith('*') ? '\\' : ''}${pattern}`);
  const found = regex.find(text);
  if (regex.groups > 0) return found?.groups[1] ?? '';
  return String(found ? [...found.groups[0]!].length : 0);
}
