/**
 * test(1), `[ ]` and `[[ ]]`: one expression grammar. In `[[ ]]` the right side of == is a pattern,
 * of =~ a regular expression, and words are not split.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { access, lstat, R_OK, stat, W_OK, X_OK } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { isatty } from '../libc/terminal.ts';
import type { Word } from './ast.ts';
import { plainText } from './ast.ts';
import { expandPattern, expandText } from './expand.ts';
import { matchPattern } from './pattern.ts';
import type { Shell } from './shell.ts';

/** Wrong use: the message, and status 2. */
export class TestError extends Error {
  override name = 'TestError';
}

interface Operand {
  readonly text: string;
  /** For the right side of == in [[ ]]. */
  readonly pattern?: string;
  readonly quoted?: boolean;
}

const UNARY = new Set([...'bcdefghkLnprSstuwxz'].map((letter) => `-${letter}`));
const BINARY = new Set([
  '=',
  '==',
  '!=',
  '<',
  '>',
  '=~',
  '-eq',
  '-ne',
  '-lt',
  '-le',
  '-gt',
  '-ge',
  '-nt',
  '-ot',
  '-ef',
]);

/** `words` without the closing bracket. */
export function* evaluateConditional(shell: Shell, words: readonly Word[]): UserFlow<number> {
  const operands: Operand[] = [];
  for (const word of words) {
    const quoted = plainText(word) === undefined;
    const text = yield* expandText(shell, word);
    operands.push({ text, quoted, pattern: yield* expandPattern(shell, word) });
  }
  return yield* evaluateOperands(shell.p, operands, true, '[[');
}

/** 0 true, 1 false; throws TestError. */
export function* evaluateTest(p: Process, args: readonly string[]): UserFlow<number> {
  return yield* evaluateOperands(
    p,
    args.map((text) => ({ text })),
    false,
    'test',
  );
}

function* evaluateOperands(
  p: Process,
  operands: readonly Operand[],
  extended: boolean,
  name: string,
): UserFlow<number> {
  if (operands.length === 0) return 1;
  const expression = new Expression(p, operands, extended);
  const value = yield* expression.whole();
  if (!expression.ended) {
    throw new TestError(extended ? `${name}: syntax error` : 'too many arguments');
  }
  return value ? 0 : 1;
}

class Expression {
  readonly #p: Process;
  readonly #operands: readonly Operand[];
  readonly #extended: boolean;
  #at = 0;

  constructor(p: Process, operands: readonly Operand[], extended: boolean) {
    this.#p = p;
    this.#operands = operands;
    this.#extended = extended;
  }

  get ended(): boolean {
    return this.#at >= this.#operands.length;
  }

  *whole(): UserFlow<boolean> {
    let value = yield* this.#and();
    while (this.#accept(this.#extended ? '||' : '-o')) {
      const right = yield* this.#and();
      value ||= right;
    }
    return value;
  }

  *#and(): UserFlow<boolean> {
    let value = yield* this.#not();
    while (this.#accept(this.#extended ? '&&' : '-a')) {
      const right = yield* this.#not();
      value &&= right;
    }
    return value;
  }

  *#not(): UserFlow<boolean> {
    const isOperator = this.#peek() === '!' && this.#at + 1 < this.#operands.length;
    if (isOperator && !this.#isBinaryAt(this.#at + 1)) {
      this.#at++;
      return !(yield* this.#not());
    }
    return yield* this.#primary();
  }

  *#primary(): UserFlow<boolean> {
    if (this.#peek() === '(' && !this.#isBinaryAt(this.#at + 1)) {
      this.#at++;
      const value = yield* this.whole();
      if (!this.#accept(')')) throw new TestError("`)' expected");
      return value;
    }
    if (this.#isBinaryAt(this.#at + 1)) {
      const left = this.#next();
      const operator = this.#next().text;
      return yield* this.#binary(left.text, operator, this.#next());
    }
    const hasOperand = this.#at + 1 < this.#operands.length;
    if (UNARY.has(this.#peek()) && hasOperand) {
      const operator = this.#next().text;
      return yield* this.#unary(operator, this.#next().text);
    }
    return this.#next().text !== '';
  }

  *#unary(operator: string, operand: string): UserFlow<boolean> {
    const p = this.#p;
    switch (operator) {
      case '-n':
        return operand !== '';
      case '-z':
        return operand === '';
      case '-r':
        return (yield* access(p, operand, R_OK)) >= 0;
      case '-w':
        return (yield* access(p, operand, W_OK)) >= 0;
      case '-x':
        return (yield* access(p, operand, X_OK)) >= 0;
      case '-t':
        return yield* isatty(p, integer(operand));
    }
    const isLink = operator === '-L' || operator === '-h';
    const status = yield* isLink ? lstat(p, operand) : stat(p, operand);
    if (typeof status === 'number') return false;
    const type = status.mode & 0o170000;
    switch (operator) {
      case '-e':
        return true;
      case '-s':
        return status.size > 0;
      case '-f':
        return type === 0o100000;
      case '-d':
        return type === 0o040000;
      case '-b':
        return type === 0o060000;
      case '-c':
        return type === 0o020000;
      case '-p':
        return type === 0o010000;
      case '-S':
        return type === 0o140000;
      case '-L':
      case '-h':
        return type === 0o120000;
      case '-u':
        return (status.mode & 0o4000) !== 0;
      case '-g':
        return (status.mode & 0o2000) !== 0;
      default:
        return (status.mode & 0o1000) !== 0;
    }
  }

  *#binary(left: string, operator: string, right: Operand): UserFlow<boolean> {
    switch (operator) {
      case '=':
      case '==':
      case '!=': {
        const matches =
          this.#extended && right.pattern !== undefined
            ? matchPattern(right.pattern, left)
            : left === right.text;
        return matches === (operator !== '!=');
      }
      case '=~':
        return matchRegExp(left, right.text);
      case '<':
        return left < right.text;
      case '>':
        return left > right.text;
      case '-nt':
      case '-ot':
      case '-ef': {
        const a = yield* stat(this.#p, left);
        const b = yield* stat(this.#p, right.text);
        if (operator === '-ef') {
          return (
            typeof a === 'object' && typeof b === 'object' && a.ino === b.ino && a.dev === b.dev
          );
        }
        const time = (status: typeof a): number =>
          typeof status === 'number' ? -1 : status.mtimeSec * 1e9 + status.mtimeNsec;
        return operator === '-nt' ? time(a) > time(b) : time(a) < time(b);
      }
    }
    const a = integer(left);
    const b = integer(right.text);
    switch (operator) {
      case '-eq':
        return a === b;
      case '-ne':
        return a !== b;
      case '-lt':
        return a < b;
      case '-le':
        return a <= b;
      case '-gt':
        return a > b;
      default:
        return a >= b;
    }
  }

  /** Is there a binary operator at `at`, with operands on both sides? */
  #isBinaryAt(at: number): boolean {
    const operator = this.#operands[at];
    if (!operator || at + 1 >= this.#operands.length) return false;
    if (operator.text === '=~' && !this.#extended) return false;
    return BINARY.has(operator.text) && !operator.quoted;
  }

  #peek(): string {
    const operand = this.#operands[this.#at];
    return operand && !operand.quoted ? operand.text : '';
  }

  #accept(text: string): boolean {
    if (this.ended || this.#peek() !== text) return false;
    this.#at++;
    return true;
  }

  #next(): Operand {
    const operand = this.#operands[this.#at++];
    if (!operand) throw new TestError('argument expected');
    return operand;
  }
}

function matchRegExp(text: string, source: string): boolean {
  try {
    return new RegExp(source, 's').test(text);
  } catch {
    throw new TestError(`${source}: invalid regular expression`);
  }
}

function integer(text: string): number {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new TestError(`${text}: integer expression expected`);
  return Number(text);
}
