/** The expression of `[[ … ]]`: words are not split, and < > && || ( ) are its operators. */
import type { Condition, Word } from './ast.ts';
import { plainText } from './ast.ts';
import type { SimpleParser } from './parse-simple.ts';
import type { Source } from './source.ts';
import { Incomplete } from './source.ts';
import { BINARY_OPERATORS, UNARY_OPERATORS } from './test-operators.ts';
import { readRegexWord, readWord } from './words.ts';

/** After `[[`, up to and with `]]`. */
export function readCondition(source: Source, simple: SimpleParser): Condition {
  const reader = new Reader(source, simple);
  const condition = reader.or();
  reader.close();
  return condition;
}

class Reader {
  readonly #source: Source;
  readonly #simple: SimpleParser;

  constructor(source: Source, simple: SimpleParser) {
    this.#source = source;
    this.#simple = simple;
  }

  or(): Condition {
    let left = this.#and();
    while (this.#accept('||')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  close(): void {
    const word = this.#word();
    if (plainText(word) !== ']]') this.#simple.unexpected();
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#accept('&&')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Condition {
    this.#skip();
    if (/^!\s/.test(this.#source.text.slice(this.#source.at, this.#source.at + 2))) {
      this.#source.at++;
      return { kind: 'not', inner: this.#not() };
    }
    if (!this.#accept('(')) return this.#primary();
    const inner = this.#source.nested(() => this.or());
    if (!this.#accept(')')) this.#simple.unexpected();
    return inner;
  }

  #primary(): Condition {
    const first = this.#word();
    const op = plainText(first);
    if (op === ']]') this.#simple.unexpected();
    if (op !== undefined && UNARY_OPERATORS.has(op) && !this.#atBinary()) {
      return { kind: 'unary', op, word: this.#operand() };
    }
    const binary = this.#binaryOperator();
    if (binary === undefined) return { kind: 'word', word: first };
    if (binary !== '=~') return { kind: 'binary', op: binary, left: first, right: this.#operand() };
    this.#skip();
    return { kind: 'binary', op: '=~', left: first, right: readRegexWord(this.#source) };
  }

  #atBinary(): boolean {
    const { at } = this.#source;
    const found = this.#binaryOperator() !== undefined;
    this.#source.at = at;
    return found;
  }

  #binaryOperator(): string | undefined {
    this.#skip();
    const rest = this.#source.text.slice(this.#source.at, this.#source.at + 8);
    const op = /^(?:[<>]|=~|==|!=|=|-[a-z]+)(?=[\s(]|$)/.exec(rest)?.[0];
    if (op === undefined || !BINARY_OPERATORS.has(op)) return undefined;
    this.#source.at += op.length;
    return op;
  }

  #operand(): Word {
    const word = this.#word();
    if (plainText(word) === ']]') this.#simple.unexpected();
    return word;
  }

  #word(): Word {
    this.#skip();
    const word = readWord(this.#source);
    if (!word) this.#simple.unexpected();
    return word;
  }

  #accept(operator: string): boolean {
    this.#skip();
    if (!this.#source.startsWith(operator)) return false;
    this.#source.at += operator.length;
    return true;
  }

  #skip(): void {
    this.#simple.skipNewlines();
    if (this.#source.ended) throw new Incomplete('syntax error: unexpected end of file');
  }
}
