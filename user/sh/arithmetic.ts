/**
 * Shell arithmetic: C's integer expressions on 64-bit values (POSIX XCU 2.6.4), with `**`, `++`
 * and `base#digits` as bash has them.
 *
 *   evaluate(text, variables)   the value; throws ArithmeticError with bash's wording
 */
export class ArithmeticError extends Error {
  override name = 'ArithmeticError';
}

export interface ArithmeticVariables {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  /** Elements of arrays, where there are any. */
  getElement?(name: string, subscript: string): string | undefined;
  setElement?(name: string, subscript: string, value: string): void;
}

/** A variable's value is an expression itself; this bounds a=b b=a, and parentheses. */
const MAX_DEPTH = 64;
const TOKEN =
  /\s*(?:(\d+#[0-9a-zA-Z@_]+|0[xX][0-9a-fA-F]+|\d+)|([A-Za-z_][A-Za-z0-9_]*(?:\[(?:[^[\]]|\[[^\]]*\])*\])?)|(<<=|>>=|\*\*|\+\+|--|&&|\|\||<<|>>|[-+*/%&|^=!<>]=|[-+*/%&|^=!<>~?:(),]))/y;

const BINARY: Readonly<Record<string, { level: number; apply(a: bigint, b: bigint): bigint }>> = {
  '|': { level: 3, apply: (a, b) => a | b },
  '^': { level: 4, apply: (a, b) => a ^ b },
  '&': { level: 5, apply: (a, b) => a & b },
  '==': { level: 6, apply: (a, b) => truth(a === b) },
  '!=': { level: 6, apply: (a, b) => truth(a !== b) },
  '<': { level: 7, apply: (a, b) => truth(a < b) },
  '>': { level: 7, apply: (a, b) => truth(a > b) },
  '<=': { level: 7, apply: (a, b) => truth(a <= b) },
  '>=': { level: 7, apply: (a, b) => truth(a >= b) },
  '<<': { level: 8, apply: (a, b) => a << (b & 63n) },
  '>>': { level: 8, apply: (a, b) => a >> (b & 63n) },
  '+': { level: 9, apply: (a, b) => a + b },
  '-': { level: 9, apply: (a, b) => a - b },
  '*': { level: 10, apply: (a, b) => a * b },
  '/': { level: 10, apply: (a, b) => a / nonZero(b) },
  '%': { level: 10, apply: (a, b) => a % nonZero(b) },
};

function truth(value: boolean): bigint {
  return value ? 1n : 0n;
}

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new ArithmeticError('division by 0');
  return value;
}

export function evaluate(text: string, variables: ArithmeticVariables, depth = 0): bigint {
  if (depth > MAX_DEPTH) throw new ArithmeticError('expression recursion level exceeded');
  if (text.trim() === '') return 0n;
  return new Evaluator(text, variables, depth).whole();
}

class Evaluator {
  readonly #text: string;
  readonly #variables: ArithmeticVariables;
  readonly #depth: number;
  readonly #tokens: string[] = [];
  #at = 0;
  /** Greater than 0 in the branch of ?:, && or || that is not taken: no assignment there. */
  #skipping = 0;
  #nesting = 0;

  constructor(text: string, variables: ArithmeticVariables, depth: number) {
    this.#text = text;
    this.#variables = variables;
    this.#depth = depth;
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
      this.#tokens.push(match[1] ?? match[2] ?? match[3]!);
      end = TOKEN.lastIndex;
    }
    if (text.slice(end).trim() !== '') this.#fail(text.slice(end).trim());
  }

  whole(): bigint {
    const value = this.#comma();
    if (this.#at < this.#tokens.length) this.#fail(this.#tokens.slice(this.#at).join(' '));
    return value;
  }

  #fail(token: string): never {
    throw new ArithmeticError(
      `${this.#text}: syntax error in expression (error token is "${token}")`,
    );
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  #accept(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }

  #comma(): bigint {
    let value = this.#assignment();
    while (this.#accept(',')) value = this.#assignment();
    return value;
  }

  #assignment(): bigint {
    const name = this.#peek();
    const op = this.#tokens[this.#at + 1] ?? '';
    const isAssignment = op.endsWith('=') && !['==', '!=', '<=', '>='].includes(op);
    if (!/^[A-Za-z_]/.test(name) || !isAssignment) return this.#ternary();
    this.#at += 2;
    const right = this.#assignment();
    if (op === '=') return this.#store(name, right);
    return this.#store(name, BINARY[op.slice(0, -1)]!.apply(this.#load(name), right));
  }

  #ternary(): bigint {
    const condition = this.#or();
    if (!this.#accept('?')) return condition;
    const then = this.#maybe(condition !== 0n, () => this.#comma());
    if (!this.#accept(':')) this.#fail(this.#peek());
    const otherwise = this.#maybe(condition === 0n, () => this.#assignment());
    return condition !== 0n ? then : otherwise;
  }

  #or(): bigint {
    let left = this.#and();
    while (this.#accept('||')) {
      const right = this.#maybe(left === 0n, () => this.#and());
      left = truth(left !== 0n || right !== 0n);
    }
    return left;
  }

  #and(): bigint {
    let left = this.#binary(3);
    while (this.#accept('&&')) {
      const right = this.#maybe(left !== 0n, () => this.#binary(3));
      left = truth(left !== 0n && right !== 0n);
    }
    return left;
  }

  #maybe(taken: boolean, parse: () => bigint): bigint {
    if (!taken) this.#skipping++;
    const value = parse();
    if (!taken) this.#skipping--;
    return value;
  }

  #binary(level: number): bigint {
    let left = this.#power();
    for (;;) {
      const row = BINARY[this.#peek()];
      if (!row || row.level < level) return left;
      this.#at++;
      const right = this.#binary(row.level + 1);
      left = this.#skipping > 0 ? 0n : wrap(row.apply(left, right));
    }
  }

  #power(): bigint {
    const base = this.#unary();
    if (!this.#accept('**')) return base;
    const exponent = this.#power();
    if (exponent < 0n) throw new ArithmeticError('exponent less than 0');
    let result = 1n;
    let square = base;
    for (let rest = exponent; rest > 0n; rest >>= 1n) {
      if (rest & 1n) result = wrap(result * square);
      square = wrap(square * square);
    }
    return result;
  }

  #unary(): bigint {
    const token = this.#peek();
    this.#at++;
    switch (token) {
      case '+':
        return this.#unary();
      case '-':
        return wrap(-this.#unary());
      case '!':
        return truth(this.#unary() === 0n);
      case '~':
        return wrap(~this.#unary());
      case '++':
      case '--': {
        const name = this.#peek();
        if (!/^[A-Za-z_]/.test(name)) this.#fail(name);
        this.#at++;
        return this.#store(name, this.#load(name) + (token === '++' ? 1n : -1n));
      }
      case '(': {
        if (++this.#nesting > MAX_DEPTH) this.#fail(token);
        const value = this.#comma();
        this.#nesting--;
        if (!this.#accept(')')) this.#fail(this.#peek());
        return value;
      }
    }
    if (/^\d/.test(token)) return this.#number(token);
    if (!/^[A-Za-z_]/.test(token)) this.#fail(token);
    const value = this.#load(token);
    if (this.#accept('++')) this.#store(token, value + 1n);
    else if (this.#accept('--')) this.#store(token, value - 1n);
    return value;
  }

  #number(token: string): bigint {
    if (/^0[xX]/.test(token)) return wrap(BigInt(token));
    const based = /^(\d+)#(.+)$/.exec(token);
    if (based) {
      const base = BigInt(based[1]!);
      let value = 0n;
      for (const char of based[2]!) {
        const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_';
        const lower = base <= 36n ? char.toLowerCase() : char;
        const digit = BigInt(digits.indexOf(lower));
        if (digit < 0n || digit >= base) {
          throw new ArithmeticError(
            `${token}: value too great for base (error token is "${token}")`,
          );
        }
        value = value * base + digit;
      }
      return wrap(value);
    }
    if (/^0[0-9]/.test(token)) {
      if (/[89]/.test(token)) {
        throw new ArithmeticError(`${token}: value too great for base (error token is "${token}")`);
      }
      return wrap(BigInt(`0o${token.slice(1)}`));
    }
    return wrap(BigInt(token));
  }

  #load(name: string): bigint {
    const [base, subscript] = splitSubscript(name);
    const variables = this.#variables;
    const text =
      subscript === undefined ? variables.get(base) : variables.getElement?.(base, subscript);
    return evaluate(text ?? '', variables, this.#depth + 1);
  }

  #store(name: string, value: bigint): bigint {
    const wrapped = wrap(value);
    if (this.#skipping > 0) return wrapped;
    const [base, subscript] = splitSubscript(name);
    if (subscript === undefined) this.#variables.set(base, wrapped.toString());
    else this.#variables.setElement?.(base, subscript, wrapped.toString());
    return wrapped;
  }
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** 'a[i]' -> ['a', 'i']. */
function splitSubscript(name: string): [string, string | undefined] {
  const at = name.indexOf('[');
  return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1, -1)];
}
