/** test(1) and `[ ]`: the expression that a list of arguments makes. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Process } from '../libc/process.ts';
import {
  BINARY_OPERATORS,
  compareIntegers,
  TestError,
  testFiles,
  testInteger,
  testUnary,
  UNARY_OPERATORS,
} from './test-operators.ts';

export { TestError } from './test-operators.ts';

/** 0 true, 1 false; throws TestError. Without the closing bracket. */
export function* evaluateTest(p: Process, args: readonly string[]): UserFlow<number> {
  if (args.length === 0) return 1;
  const expression = new Expression(p, args);
  const value = yield* expression.whole();
  if (!expression.ended) throw new TestError('too many arguments');
  return value ? 0 : 1;
}

class Expression {
  readonly #p: Process;
  readonly #args: readonly string[];
  #at = 0;

  constructor(p: Process, args: readonly string[]) {
    this.#p = p;
    this.#args = args;
  }

  get ended(): boolean {
    return this.#at >= this.#args.length;
  }

  *whole(): UserFlow<boolean> {
    let value = yield* this.#and();
    while (this.#accept('-o')) {
      const right = yield* this.#and();
      value ||= right;
    }
    return value;
  }

  *#and(): UserFlow<boolean> {
    let value = yield* this.#not();
    while (this.#accept('-a')) {
      const right = yield* this.#not();
      value &&= right;
    }
    return value;
  }

  *#not(): UserFlow<boolean> {
    const isOperator = this.#args[this.#at] === '!' && this.#at + 1 < this.#args.length;
    if (isOperator && !this.#isBinaryAt(this.#at + 1)) {
      this.#at++;
      return !(yield* this.#not());
    }
    return yield* this.#primary();
  }

  *#primary(): UserFlow<boolean> {
    const left = this.#args.length - this.#at;
    if (this.#args[this.#at] === '(' && left > 1 && !this.#isBinaryAt(this.#at + 1)) {
      this.#at++;
      const value = yield* this.whole();
      if (!this.#accept(')')) throw new TestError("`)' expected");
      return value;
    }
    if (this.#isBinaryAt(this.#at + 1)) {
      const first = this.#next();
      const operator = this.#next();
      return yield* this.#binary(first, operator, this.#next());
    }
    const word = this.#next();
    if (this.ended || !word.startsWith('-')) return word !== '';
    if (UNARY_OPERATORS.has(word)) return yield* testUnary(this.#p, word, this.#next());
    // Two words of which the first looks like an operator.
    if (left === 2) throw new TestError(`${word}: unary operator expected`);
    return true;
  }

  *#binary(left: string, operator: string, right: string): UserFlow<boolean> {
    switch (operator) {
      case '=':
      case '==':
        return left === right;
      case '!=':
        return left !== right;
      case '<':
        return left < right;
      case '>':
        return left > right;
      case '-nt':
      case '-ot':
      case '-ef':
        return yield* testFiles(this.#p, left, operator, right);
    }
    return compareIntegers(testInteger(left), operator, testInteger(right));
  }

  /** Is there a binary operator at `at`, with an operand after it? */
  #isBinaryAt(at: number): boolean {
    const operator = this.#args[at];
    if (operator === undefined || at + 1 >= this.#args.length || operator === '=~') return false;
    return BINARY_OPERATORS.has(operator);
  }

  #accept(text: string): boolean {
    if (this.#args[this.#at] !== text) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    const arg = this.#args[this.#at++];
    if (arg === undefined) throw new TestError('argument expected');
    return arg;
  }
}
