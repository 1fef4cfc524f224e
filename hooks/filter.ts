/**
 * Event filters, in tracefs's language: `prev_pid == 5 && (next_comm ~ "ba*" || prio < 100)`.
 *
 *   parseFilter(text, event)   a RecordFilter, or {error, position} as Linux's parser reports it
 *
 * Comparisons == != < <= > >= & on numbers, == != ~ (glob) on strings; && || ! and parentheses.
 * Linux's words for errors (kernel/trace/trace_events_filter.c) are kept, tools show them.
 */
import type { AnyTraceEvent } from './trace-event.ts';
import { COMMON_FIELDS } from './trace-event.ts';
import type { FieldReader } from './record-reader.ts';
import type { RecordFilter } from './tracepoint.ts';

export interface FilterError {
  readonly error: string;
  /** Where in the text, counted from 0. */
  readonly position: number;
}

type Predicate = (record: FieldReader) => boolean;

class SyntaxError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

export function parseFilter(text: string, event: AnyTraceEvent): RecordFilter | FilterError {
  try {
    const parser = new Parser(text, event);
    const matches = parser.parse();
    return { text, matches };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { error: error.message, position: error.position };
  }
}

/** The text that the `filter` file shows after a failed write, with a caret where Linux puts it. */
export function filterErrorText(text: string, { error, position }: FilterError): string {
  return `${text}\n${' '.repeat(position + 1)}^\nparse_error: ${error}\n`;
}

const COMPARISONS = ['==', '!=', '<=', '>=', '<', '>', '&', '~'] as const;
type Comparison = (typeof COMPARISONS)[number];

class Parser {
  readonly #text: string;
  readonly #event: AnyTraceEvent;
  #at = 0;

  constructor(text: string, event: AnyTraceEvent) {
    this.#text = text;
    this.#event = event;
  }

  parse(): Predicate {
    const predicate = this.#or();
    this.#skipSpace();
    if (this.#at < this.#text.length) {
      throw new SyntaxError(
        this.#text[this.#at] === ')' ? "Too many ')'" : 'Invalid filter',
        this.#at,
      );
    }
    return predicate;
  }

  #or(): Predicate {
    let left = this.#and();
    while (this.#accept('||')) {
      const first = left;
      const second = this.#and();
      left = (record) => first(record) || second(record);
    }
    return left;
  }

  #and(): Predicate {
    let left = this.#unary();
    while (this.#accept('&&')) {
      const first = left;
      const second = this.#unary();
      left = (record) => first(record) && second(record);
    }
    return left;
  }

  #unary(): Predicate {
    if (this.#accept('!')) {
      const inner = this.#unary();
      return (record) => !inner(record);
    }
    if (this.#accept('(')) {
      const inner = this.#or();
      if (!this.#accept(')')) throw new SyntaxError("Too few ')'", this.#at);
      return inner;
    }
    return this.#comparison();
  }

  #comparison(): Predicate {
    this.#skipSpace();
    const word = /^[A-Za-z_]\w*/.exec(this.#text.slice(this.#at))?.[0];
    if (!word) throw new SyntaxError('Invalid filter', this.#at);
    this.#at += word.length;
    const name = word.toLowerCase() === 'comm' && !this.#has(word) ? 'COMM' : word;
    const field = [...COMMON_FIELDS, ...this.#event.fields].find((f) => f.name === name);
    if (!field) throw new SyntaxError('Field not found', this.#at);
    this.#skipSpace();
    const operatorAt = this.#at;
    const operator = COMPARISONS.find((op) => this.#text.startsWith(op, this.#at));
    if (!operator) throw new SyntaxError('Invalid operator', operatorAt);
    this.#at += operator.length;
    const isText = field.dynamic || (field.type === 'char' && field.count !== undefined);
    if (isText) return this.#compareText(name, operator, operatorAt);
    return this.#compareNumber(name, operator, operatorAt);
  }

  #has(name: string): boolean {
    return this.#event.fields.some((field) => field.name === name);
  }

  #compareText(name: string, operator: Comparison, operatorAt: number): Predicate {
    if (operator !== '==' && operator !== '!=' && operator !== '~') {
      throw new SyntaxError('Illegal operation for field type', operatorAt);
    }
    this.#skipSpace();
    const start = this.#at;
    const quote = this.#text[start];
    if (quote !== '"' && quote !== "'") throw new SyntaxError('Missing quote', start);
    const end = this.#text.indexOf(quote, start + 1);
    if (end < 0) throw new SyntaxError('Missing quote', start);
    const pattern = this.#text.slice(start + 1, end);
    this.#at = end + 1;
    if (operator === '~') {
      const glob = globMatcher(pattern);
      return (record) => glob(record.text(name));
    }
    const equal = operator === '==';
    return (record) => (record.text(name) === pattern) === equal;
  }

  #compareNumber(name: string, operator: Comparison, operatorAt: number): Predicate {
    if (operator === '~') {
      throw new SyntaxError('Illegal operation for field type', operatorAt);
    }
    this.#skipSpace();
    const digits = /^-?(0[xX][0-9a-fA-F]+|\d+)/.exec(this.#text.slice(this.#at))?.[0];
    if (!digits) throw new SyntaxError('Illegal integer value', this.#at);
    this.#at += digits.length;
    const value = digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits);
    switch (operator) {
      case '==':
        return (record) => record.big(name) === value;
      case '!=':
        return (record) => record.big(name) !== value;
      case '<':
        return (record) => record.big(name) < value;
      case '<=':
        return (record) => record.big(name) <= value;
      case '>':
        return (record) => record.big(name) > value;
      case '>=':
        return (record) => record.big(name) >= value;
      case '&':
        return (record) => (record.big(name) & value) !== 0n;
    }
  }

  #accept(token: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #skipSpace(): void {
    while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at]!)) this.#at++;
  }
}

/** Shell-like globs as the filter engine has them: *, ? and [set]. */
function globMatcher(pattern: string): (text: string) => boolean {
  const source = pattern.replace(/[.+^${}()|\\]|\*|\?/g, (char) =>
    char === '*' ? '.*' : char === '?' ? '.' : `\\${char}`,
  );
  let expression: RegExp;
  try {
    expression = new RegExp(`^${source}$`, 's');
  } catch {
    // An unclosed set is taken literally.
    return (text) => text === pattern;
  }
  return (text) => expression.test(text);
}
