/**
 * The shell's grammar (POSIX XCU 2.10), by recursive descent over the source.
 *
 *   parseNext(text, at, aliases)   the next complete command line of `text`, and where it ends
 *
 * One line at a time, so that a script runs up to where it stops being one. Beyond POSIX, as bash
 * has it: `[[ ]]`, `(( ))`, `for ((;;))`, `function name`, `time`, `|&`, `&>`, `<<<`, `;&`. Simple
 * commands and redirections are read by `SimpleParser`, [[ ]] by `parse-condition.ts`.
 */
import type { CaseItem, Command, ListItem, Redirect, Word } from './ast.ts';
import { literal, plainText } from './ast.ts';
import { readCondition } from './parse-condition.ts';
import { SimpleParser } from './parse-simple.ts';
import { Incomplete, ShellSyntaxError, Source } from './source.ts';
import { isName, readArithmetic, readQuoted, readWord } from './words.ts';

export type Aliases = (name: string) => string | undefined;

export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly end: number }
  /** Only blank lines and comments were left. */
  | { readonly kind: 'end' }
  | { readonly kind: 'incomplete'; readonly message: string }
  /** `end`: after the line with the error. */
  | {
      readonly kind: 'error';
      readonly message: string;
      readonly line: number;
      readonly end: number;
    };

const RESERVED = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'do',
  'done',
  'case',
  'esac',
  'while',
  'until',
  'for',
  '{',
  '}',
  '!',
  'function',
  '[[',
]);
const COMPOUNDS = new Set(['{', 'if', 'while', 'until', 'for', 'case', 'function', '[[']);
const LIST_ENDS = new Set(['then', 'else', 'elif', 'fi', 'do', 'done', 'esac', '}']);
/** An alias may expand to a line that starts with another; this bounds the chain. */
const MAX_ALIAS_EXPANSIONS = 64;

/** `firstLine`: the line that the text starts on. */
export function parseNext(
  text: string,
  at = 0,
  aliases: Aliases = () => undefined,
  firstLine = 1,
): Parsed {
  const source = new Source(text, at, skipCommands, firstLine);
  const parser = new Parser(source, aliases);
  try {
    const command = parser.line();
    if (!command) return { kind: 'end' };
    return { kind: 'command', command, end: parser.end };
  } catch (caught) {
    if (caught instanceof Incomplete) return { kind: 'incomplete', message: caught.message };
    if (caught instanceof ShellSyntaxError) {
      const newline = text.indexOf('\n', parser.end);
      const end = newline < 0 ? text.length : newline + 1;
      return { kind: 'error', message: caught.message, line: source.line, end };
    }
    throw caught;
  }
}

/** Text as between double quotes: PS1, PS4. */
export function parseQuoted(text: string): Word {
  return readQuoted(new Source(text, 0, skipCommands), '');
}

function skipCommands(source: Source): void {
  new Parser(source, () => undefined).substitution();
}

class Parser {
  readonly #source: Source;
  readonly #simple: SimpleParser;
  readonly #aliases: Aliases;
  /** How much alias expansion has lengthened the text. */
  #grown = 0;
  #aliasExpansions = 0;

  constructor(source: Source, aliases: Aliases) {
    this.#source = source;
    this.#aliases = aliases;
    this.#simple = new SimpleParser(source);
  }

  /** Offset in the text as given. */
  get end(): number {
    return this.#source.at - this.#grown;
  }

  line(): Command | undefined {
    this.#skipNewlines();
    if (this.#source.ended) return undefined;
    const list = this.#list(false);
    this.#simple.blanks();
    const operator = this.#simple.operator();
    if (operator === '\n') this.#simple.newline();
    else if (operator !== '' || !this.#source.ended) this.#simple.unexpected();
    else this.#simple.readHereDocuments();
    return list;
  }

  /** What stands between `$(` and `)`, which is taken. */
  substitution(): void {
    this.#skipNewlines();
    if (this.#simple.operator() !== ')') this.#list(true);
    this.#expectOperator(')');
  }

  /** Commands separated by ; & and, in a compound, newlines. */
  #list(newlines: boolean): Command {
    const items: ListItem[] = [];
    if (newlines) this.#skipNewlines();
    for (;;) {
      const start = this.#source.at;
      const command = this.#andOr();
      const text = this.#textFrom(start);
      this.#simple.blanks();
      const operator = this.#simple.operator();
      const background = operator === '&';
      items.push({ command, background, text });
      if (operator === ';' || background) this.#source.at++;
      else if (operator === '\n' && newlines) this.#simple.newline();
      else break;
      if (newlines) this.#skipNewlines();
      else this.#simple.blanks();
      if (this.#atListEnd(newlines)) break;
    }
    if (items.length === 1 && !items[0]!.background) return items[0]!.command;
    return { kind: 'list', items };
  }

  #textFrom(start: number): string {
    return this.#source.text.slice(start, this.#source.at).trim();
  }

  #atListEnd(newlines: boolean): boolean {
    if (this.#source.ended) {
      if (newlines) throw new Incomplete('syntax error: unexpected end of file');
      return true;
    }
    const operator = this.#simple.operator();
    if (['\n', ')', ';;', ';&', ';;&'].includes(operator)) return true;
    return LIST_ENDS.has(this.#reserved());
  }

  #andOr(): Command {
    let left = this.#pipeline();
    for (;;) {
      this.#simple.blanks();
      const operator = this.#simple.operator();
      if (operator !== '&&' && operator !== '||') return left;
      this.#source.at += 2;
      this.#skipNewlines();
      left = { kind: operator === '&&' ? 'and' : 'or', left, right: this.#pipeline() };
    }
  }

  #pipeline(): Command {
    this.#simple.blanks();
    const start = this.#source.at;
    const timed = this.#time();
    let negated = false;
    while (this.#reserved() === '!') {
      this.#source.at++;
      this.#simple.blanks();
      negated = !negated;
    }
    const commands = [this.#command()];
    for (;;) {
      this.#simple.blanks();
      const operator = this.#simple.operator();
      if (operator !== '|' && operator !== '|&') break;
      this.#source.at += operator.length;
      if (operator === '|&') {
        const both: Redirect = { fd: 2, op: '>&', target: [literal('1')] };
        commands.push({ kind: 'redirected', command: commands.pop()!, redirects: [both] });
      }
      this.#skipNewlines();
      commands.push(this.#command());
    }
    if (commands.length === 1 && !negated && !timed) return commands[0]!;
    const text = this.#textFrom(start);
    return { kind: 'pipeline', commands, negated, ...(timed ? { timed } : {}), text };
  }

  /** The word `time` before a command. */
  #time(): 'bash' | 'posix' | undefined {
    const { source } = this.#simple;
    source.peek();
    const match = /^time([ \t]+-p)?[ \t]+(?![|&;<>()\n#-])/.exec(
      source.text.slice(source.at, source.at + 64),
    );
    if (!match) return undefined;
    source.at += match[0].length;
    return match[1] === undefined ? 'bash' : 'posix';
  }

  #command(): Command {
    this.#simple.blanks();
    this.#expandAlias();
    const compound = this.#source.nested(() => this.#compound());
    if (!compound) return this.#simple.command();
    const redirects: Redirect[] = [];
    for (;;) {
      this.#simple.blanks();
      const redirect = this.#simple.redirect();
      if (!redirect) break;
      redirects.push(redirect);
    }
    if (redirects.length === 0) return compound;
    return { kind: 'redirected', command: compound, redirects };
  }

  #compound(): Command | undefined {
    const start = this.#source.at;
    if (this.#source.startsWith('((')) {
      this.#source.at += 2;
      const expression = readArithmetic(this.#source);
      if (expression) return { kind: 'arithmetic', expression };
      this.#source.at = start;
    }
    if (this.#simple.operator() === '(') {
      this.#source.at++;
      const body = this.#list(true);
      this.#expectOperator(')');
      return { kind: 'subshell', body, text: this.#textFrom(start) };
    }
    const word = this.#reserved();
    if (word === '') return this.#functionDefinition();
    if (!COMPOUNDS.has(word)) this.#simple.unexpected();
    this.#source.at += word.length;
    switch (word) {
      case '{': {
        const body = this.#list(true);
        this.#expectReserved('}');
        return body;
      }
      case 'if':
        return this.#if();
      case 'while':
      case 'until': {
        const test = this.#list(true);
        return { kind: 'loop', until: word === 'until', test, body: this.#doGroup() };
      }
      case 'for':
        return this.#for(start);
      case 'case':
        return this.#case(start);
      case '[[': {
        const condition = readCondition(this.#source, this.#simple);
        return { kind: 'conditional', condition, text: this.#textFrom(start) };
      }
      default:
        return this.#functionKeyword(start);
    }
  }

  #if(): Command {
    const clauses: { test: Command; body: Command }[] = [];
    let otherwise: Command | undefined;
    for (;;) {
      const test = this.#list(true);
      this.#expectReserved('then');
      clauses.push({ test, body: this.#list(true) });
      this.#skipNewlines();
      const word = this.#reserved();
      if (word === 'elif') {
        this.#source.at += 4;
        continue;
      }
      if (word === 'else') {
        this.#source.at += 4;
        otherwise = this.#list(true);
      }
      this.#expectReserved('fi');
      return { kind: 'if', clauses, otherwise };
    }
  }

  #doGroup(): Command {
    this.#skipNewlines();
    const [open, close] = this.#reserved() === '{' ? ['{', '}'] : ['do', 'done'];
    this.#expectReserved(open);
    const body = this.#list(true);
    this.#expectReserved(close);
    return body;
  }

  #for(start: number): Command {
    this.#simple.blanks();
    if (this.#source.startsWith('((')) return this.#forArithmetic();
    const name = this.#name();
    this.#skipNewlines();
    let words: Word[] | undefined;
    if (/^in(?:[\s;]|$)/.test(this.#source.text.slice(this.#source.at, this.#source.at + 3))) {
      this.#source.at += 2;
      words = [];
      for (;;) {
        this.#simple.blanks();
        const word = readWord(this.#source);
        if (!word) break;
        words.push(word);
      }
    }
    this.#simple.blanks();
    const text = this.#textFrom(start);
    if (this.#simple.operator() === ';') this.#source.at++;
    return { kind: 'for', name, words, body: this.#doGroup(), text };
  }

  #forArithmetic(): Command {
    this.#source.at += 2;
    const start = this.#source.at;
    if (!readArithmetic(this.#source)) this.#simple.unexpected();
    const inner = this.#source.text.slice(start, this.#source.at - 2);
    const [first, second, third, ...more] = inner.split(';').map((text): Word => {
      const source = this.#source.derive(`${text}))`);
      return readArithmetic(source) ?? [];
    });
    if (!first || !second || !third || more.length > 0) {
      throw new ShellSyntaxError('syntax error: arithmetic expression required');
    }
    this.#simple.blanks();
    if (this.#simple.operator() === ';') this.#source.at++;
    return { kind: 'for-arithmetic', expressions: [first, second, third], body: this.#doGroup() };
  }

  #case(start: number): Command {
    this.#simple.blanks();
    const subject = readWord(this.#source);
    if (!subject) this.#simple.unexpected();
    const text = this.#textFrom(start);
    this.#skipNewlines();
    this.#expectReserved('in', true);
    const items: CaseItem[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#reserved() === 'esac') {
        this.#source.at += 4;
        return { kind: 'case', subject, items, text };
      }
      items.push(this.#caseItem());
    }
  }

  #caseItem(): CaseItem {
    if (this.#simple.operator() === '(') this.#source.at++;
    const patterns: Word[] = [];
    for (;;) {
      this.#simple.blanks();
      const pattern = readWord(this.#source);
      if (!pattern) this.#simple.unexpected();
      patterns.push(pattern);
      this.#simple.blanks();
      if (this.#simple.operator() !== '|') break;
      this.#source.at++;
    }
    this.#expectOperator(')');
    this.#skipNewlines();
    const isEmpty = this.#simple.operator().startsWith(';') || this.#reserved() === 'esac';
    const body = isEmpty ? undefined : this.#list(true);
    this.#skipNewlines();
    const operator = this.#simple.operator();
    const end = operator === ';&' || operator === ';;&' ? operator : ';;';
    if (operator === end) this.#source.at += end.length;
    else if (this.#reserved() !== 'esac') this.#simple.unexpected();
    return { patterns, body, end };
  }

  #functionKeyword(start: number): Command {
    this.#simple.blanks();
    const word = readWord(this.#source);
    const name = word && plainText(word);
    if (name === undefined) this.#simple.unexpected();
    this.#simple.blanks();
    if (this.#simple.operator() === '(') {
      this.#source.at++;
      this.#expectOperator(')');
    }
    return this.#functionBody(start, name);
  }

  #functionDefinition(): Command | undefined {
    const start = this.#source.at;
    const match = /^([^\s|&;<>()$`"'\\=#{}!]+)[ \t]*\([ \t]*\)/.exec(
      this.#source.text.slice(start, start + 256),
    );
    if (!match) return undefined;
    this.#source.at += match[0].length;
    return this.#functionBody(start, match[1]!);
  }

  #functionBody(start: number, name: string): Command {
    this.#skipNewlines();
    const body = this.#command();
    return { kind: 'function', name, body, text: this.#textFrom(start) };
  }

  /** Replace an aliased first word by its text. */
  #expandAlias(): void {
    const seen = new Set<string>();
    for (;;) {
      const source = this.#source;
      source.peek();
      const match = /^[^\s|&;<>()$`"'\\=]+/.exec(source.text.slice(source.at, source.at + 256));
      const name = match?.[0];
      if (name === undefined || seen.has(name)) return;
      const text = this.#aliases(name);
      if (text === undefined || ++this.#aliasExpansions > MAX_ALIAS_EXPANSIONS) return;
      seen.add(name);
      const { at } = source;
      source.text = source.text.slice(0, at) + text + source.text.slice(at + name.length);
      this.#grown += text.length - name.length;
      this.#simple.blanks();
    }
  }

  #name(): string {
    const word = readWord(this.#source);
    const name = word && plainText(word);
    if (name === undefined) this.#simple.unexpected();
    if (!isName(name)) throw new ShellSyntaxError(`\`${name}': not a valid identifier`);
    return name;
  }

  #skipNewlines(): void {
    this.#simple.skipNewlines();
  }

  /** The reserved word at the cursor, '' if there is none. */
  #reserved(): string {
    this.#source.peek();
    const match = /^[^\s|&;<>()]+/.exec(
      this.#source.text.slice(this.#source.at, this.#source.at + 16),
    );
    const word = match?.[0] ?? '';
    return RESERVED.has(word) ? word : '';
  }

  #expectReserved(word: string, anyWord = false): void {
    this.#skipNewlines();
    if (this.#source.ended) throw new Incomplete('syntax error: unexpected end of file');
    const here = this.#source.text.slice(this.#source.at, this.#source.at + word.length + 1);
    const matches = anyWord
      ? new RegExp(`^${word}(?:\\s|$)`).test(here)
      : this.#reserved() === word;
    if (!matches) this.#simple.unexpected();
    this.#source.at += word.length;
  }

  #expectOperator(operator: string): void {
    this.#skipNewlines();
    if (this.#source.ended) throw new Incomplete('syntax error: unexpected end of file');
    if (this.#simple.operator() !== operator) this.#simple.unexpected();
    this.#source.at += operator.length;
  }
}
