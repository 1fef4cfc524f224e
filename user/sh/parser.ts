/**
 * The shell's grammar (POSIX XCU 2.10), by recursive descent over the source.
 *
 *   parseNext(text, at, aliases)   the next complete command line of `text`, and where it ends
 *
 * One line at a time, so that a script runs up to where it stops being one. Beyond POSIX: `[[ ]]`,
 * `(( ))`, `function name`, `|&`, `&>`, `<<<`.
 */
import type { CaseItem, Command, ListItem, Redirect, RedirectOp, Word } from './ast.ts';
import { literal, plainText } from './ast.ts';
import { Incomplete, ShellSyntaxError, Source } from './source.ts';
import { isName, readArithmetic, readQuoted, readWord } from './words.ts';

export type Aliases = (name: string) => string | undefined;

export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly end: number }
  /** Only blank lines and comments were left. */
  | { readonly kind: 'end' }
  | { readonly kind: 'incomplete'; readonly message: string }
  | { readonly kind: 'error'; readonly message: string; readonly end: number };

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
const OPERATORS = ['&&', '||', ';;', '|&', '&>>', '&>', '|', '&', ';', '(', ')', '\n'];
const REDIRECTS: readonly RedirectOp[] = [
  '&>>',
  '<<<',
  '&>',
  '>>',
  '>|',
  '>&',
  '<>',
  '<&',
  '<<',
  '<',
  '>',
];
/** An alias may expand to a line that starts with another; this bounds the chain. */
const MAX_ALIAS_EXPANSIONS = 64;

export function parseNext(text: string, at = 0, aliases: Aliases = () => undefined): Parsed {
  const parser = new Parser(text, at, aliases);
  try {
    const command = parser.line();
    if (!command) return { kind: 'end' };
    return { kind: 'command', command, end: parser.end };
  } catch (caught) {
    if (caught instanceof Incomplete) return { kind: 'incomplete', message: caught.message };
    if (caught instanceof ShellSyntaxError) {
      return { kind: 'error', message: caught.message, end: parser.end };
    }
    throw caught;
  }
}

interface HereDocument {
  readonly delimiter: string;
  readonly quoted: boolean;
  readonly stripTabs: boolean;
  readonly fill: (body: Word) => void;
}

class Parser {
  readonly #source: Source;
  readonly #aliases: Aliases;
  /** How much alias expansion has lengthened the text. */
  #grown = 0;
  #aliasExpansions = 0;
  #hereDocuments: HereDocument[] = [];

  constructor(text: string, at: number, aliases: Aliases) {
    this.#source = new Source(text, at);
    this.#aliases = aliases;
  }

  /** Offset in the text as given. */
  get end(): number {
    return this.#source.at - this.#grown;
  }

  line(): Command | undefined {
    this.#skipNewlines();
    if (this.#source.ended) return undefined;
    const list = this.#list(false);
    this.#blanks();
    const operator = this.#operator();
    if (operator === '\n') {
      this.#source.at++;
      this.#readHereDocuments();
    } else if (operator !== '' || !this.#source.ended) this.#unexpected();
    else if (this.#hereDocuments.length > 0) this.#readHereDocuments();
    return list;
  }

  /** Commands separated by ; & and, in a compound, newlines. */
  #list(newlines: boolean): Command {
    const items: ListItem[] = [];
    if (newlines) this.#skipNewlines();
    for (;;) {
      const start = this.#source.at;
      const command = this.#andOr();
      const text = this.#source.text.slice(start, this.#source.at).trim();
      this.#blanks();
      const operator = this.#operator();
      const background = operator === '&';
      items.push({ command, background, text });
      if (operator === ';' || background) this.#source.at++;
      else if (operator === '\n' && newlines) this.#newline();
      else break;
      if (newlines) this.#skipNewlines();
      else this.#blanks();
      if (this.#atListEnd(newlines)) break;
    }
    if (items.length === 1 && !items[0]!.background) return items[0]!.command;
    return { kind: 'list', items };
  }

  #atListEnd(newlines: boolean): boolean {
    if (this.#source.ended) {
      if (newlines) throw new Incomplete('syntax error: unexpected end of file');
      return true;
    }
    const operator = this.#operator();
    if (operator === '\n' || operator === ')' || operator === ';;') return true;
    return ['then', 'else', 'elif', 'fi', 'do', 'done', 'esac', '}'].includes(this.#reserved());
  }

  #andOr(): Command {
    let left = this.#pipeline();
    for (;;) {
      this.#blanks();
      const operator = this.#operator();
      if (operator !== '&&' && operator !== '||') return left;
      this.#source.at += 2;
      this.#skipNewlines();
      left = { kind: operator === '&&' ? 'and' : 'or', left, right: this.#pipeline() };
    }
  }

  #pipeline(): Command {
    this.#blanks();
    let negated = false;
    while (this.#reserved() === '!') {
      this.#source.at++;
      this.#blanks();
      negated = !negated;
    }
    const commands = [this.#command()];
    for (;;) {
      this.#blanks();
      const operator = this.#operator();
      if (operator !== '|' && operator !== '|&') break;
      this.#source.at += operator.length;
      if (operator === '|&') {
        const both: Redirect = { fd: 2, op: '>&', target: [literal('1')] };
        commands.push({ kind: 'redirected', command: commands.pop()!, redirects: [both] });
      }
      this.#skipNewlines();
      commands.push(this.#command());
    }
    if (commands.length === 1 && !negated) return commands[0]!;
    return { kind: 'pipeline', commands, negated };
  }

  #command(): Command {
    this.#blanks();
    this.#expandAlias();
    const compound = this.#compound();
    if (!compound) return this.#simple();
    const redirects: Redirect[] = [];
    for (;;) {
      this.#blanks();
      const redirect = this.#redirect();
      if (!redirect) break;
      redirects.push(redirect);
    }
    if (redirects.length === 0) return compound;
    return { kind: 'redirected', command: compound, redirects };
  }

  #compound(): Command | undefined {
    if (this.#source.startsWith('((')) {
      const start = this.#source.at;
      this.#source.at += 2;
      const expression = readArithmetic(this.#source);
      if (expression) return { kind: 'arithmetic', expression };
      this.#source.at = start;
    }
    if (this.#operator() === '(') {
      this.#source.at++;
      const body = this.#list(true);
      this.#expectOperator(')');
      return { kind: 'subshell', body };
    }
    const word = this.#reserved();
    if (word === '') return this.#functionDefinition();
    if (!['{', 'if', 'while', 'until', 'for', 'case', 'function', '[['].includes(word)) {
      this.#unexpected();
    }
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
        return this.#for();
      case 'case':
        return this.#case();
      case '[[':
        return this.#conditional();
      default: {
        this.#blanks();
        const name = this.#name();
        this.#blanks();
        if (this.#operator() === '(') {
          this.#source.at++;
          this.#expectOperator(')');
        }
        this.#skipNewlines();
        return { kind: 'function', name, body: this.#command() };
      }
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
    this.#expectReserved('do');
    const body = this.#list(true);
    this.#expectReserved('done');
    return body;
  }

  #for(): Command {
    this.#blanks();
    const name = this.#name();
    this.#skipNewlines();
    let words: Word[] | undefined;
    if (/^in[\s;]/.test(this.#source.text.slice(this.#source.at, this.#source.at + 3))) {
      this.#source.at += 2;
      words = [];
      for (;;) {
        this.#blanks();
        const word = readWord(this.#source);
        if (!word) break;
        words.push(word);
      }
    }
    this.#blanks();
    if (this.#operator() === ';') this.#source.at++;
    this.#skipNewlines();
    return { kind: 'for', name, words, body: this.#doGroup() };
  }

  #case(): Command {
    this.#blanks();
    const subject = readWord(this.#source);
    if (!subject) this.#unexpected();
    this.#skipNewlines();
    this.#expectReserved('in', true);
    const items: CaseItem[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#reserved() === 'esac') {
        this.#source.at += 4;
        return { kind: 'case', subject, items };
      }
      if (this.#operator() === '(') this.#source.at++;
      const patterns: Word[] = [];
      for (;;) {
        this.#blanks();
        const pattern = readWord(this.#source);
        if (!pattern) this.#unexpected();
        patterns.push(pattern);
        this.#blanks();
        if (this.#operator() !== '|') break;
        this.#source.at++;
      }
      this.#expectOperator(')');
      this.#skipNewlines();
      const isEmpty = this.#operator() === ';;' || this.#reserved() === 'esac';
      items.push({ patterns, body: isEmpty ? undefined : this.#list(true) });
      this.#skipNewlines();
      if (this.#operator() === ';;') this.#source.at += 2;
    }
  }

  /** After `[[`: words and the operators < > && || ( ), which are plain words here. */
  #conditional(): Command {
    const words: Word[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#source.ended) throw new Incomplete('syntax error: unexpected end of file');
      const word = readWord(this.#source);
      if (word) {
        if (plainText(word) === ']]') return { kind: 'conditional', words };
        words.push(word);
        continue;
      }
      const operator = this.#operator();
      const text = ['&&', '||', '(', ')'].includes(operator) ? operator : this.#source.peek();
      if (!['&&', '||', '(', ')', '<', '>', '|'].includes(text)) this.#unexpected();
      this.#source.at += text.length;
      words.push([literal(text)]);
    }
  }

  #functionDefinition(): Command | undefined {
    const match = /^([A-Za-z_][\w.:-]*)[ \t]*\([ \t]*\)/.exec(
      this.#source.text.slice(this.#source.at, this.#source.at + 256),
    );
    if (!match) return undefined;
    this.#source.at += match[0].length;
    this.#skipNewlines();
    return { kind: 'function', name: match[1]!, body: this.#command() };
  }

  #simple(): Command {
    const assignments: { name: string; append: boolean; value: Word }[] = [];
    const words: Word[] = [];
    const redirects: Redirect[] = [];
    const line = this.#source.line;
    for (;;) {
      this.#blanks();
      const redirect = this.#redirect();
      if (redirect) {
        redirects.push(redirect);
        continue;
      }
      const word = readWord(this.#source);
      if (!word) break;
      const assignment = words.length === 0 ? assignmentOf(word) : undefined;
      if (assignment) assignments.push(assignment);
      else words.push(word);
    }
    if (assignments.length + words.length + redirects.length === 0) this.#unexpected();
    return { kind: 'simple', assignments, words, redirects, line };
  }

  #redirect(): Redirect | undefined {
    const source = this.#source;
    const digits = /^\d+(?=[<>])/.exec(source.text.slice(source.at, source.at + 12))?.[0] ?? '';
    const rest = source.text.slice(source.at + digits.length, source.at + digits.length + 3);
    const op = REDIRECTS.find((candidate) => rest.startsWith(candidate));
    if (op === undefined) return undefined;
    source.at += digits.length + op.length;
    const fd = digits === '' ? undefined : Number(digits);
    const stripTabs = op === '<<' && source.peek() === '-';
    if (stripTabs) source.next();
    this.#blanks();
    const word = readWord(source);
    if (!word) this.#unexpected();
    if (op !== '<<') return { fd, op, target: word };
    const redirect: { fd: number | undefined; op: RedirectOp; target: Word } = {
      fd,
      op,
      target: [],
    };
    this.#hereDocuments.push({
      delimiter: word.map((part) => (part.kind === 'literal' ? part.text : '')).join(''),
      quoted: word.some((part) => part.kind === 'literal' && part.quoted),
      stripTabs,
      fill: (body) => {
        redirect.target = body;
      },
    });
    return redirect;
  }

  /** At the start of the line after the one that announced them. */
  #readHereDocuments(): void {
    const source = this.#source;
    for (const document of this.#hereDocuments) {
      let body = '';
      for (;;) {
        if (source.at >= source.text.length) {
          throw new Incomplete(
            `here-document delimited by end-of-file (wanted \`${document.delimiter}')`,
          );
        }
        const end = source.text.indexOf('\n', source.at);
        const raw = source.text.slice(source.at, end < 0 ? source.text.length : end);
        source.at = end < 0 ? source.text.length : end + 1;
        const line = document.stripTabs ? raw.replace(/^\t+/, '') : raw;
        if (line === document.delimiter) break;
        body += `${line}\n`;
      }
      document.fill(document.quoted ? [literal(body, true)] : readQuoted(new Source(body), ''));
    }
    this.#hereDocuments = [];
  }

  /** Replace an aliased first word by its text. */
  #expandAlias(): void {
    const seen = new Set<string>();
    for (;;) {
      const source = this.#source;
      source.peek();
      const match = /^[^\s|&;<>()$`"'\\=]+/.exec(source.text.slice(source.at));
      const name = match?.[0];
      if (name === undefined || seen.has(name)) return;
      const text = this.#aliases(name);
      if (text === undefined || ++this.#aliasExpansions > MAX_ALIAS_EXPANSIONS) return;
      seen.add(name);
      const { at } = source;
      source.text = source.text.slice(0, at) + text + source.text.slice(at + name.length);
      this.#grown += text.length - name.length;
      this.#blanks();
    }
  }

  #name(): string {
    const word = readWord(this.#source);
    const name = word && plainText(word);
    if (name === undefined) this.#unexpected();
    if (!isName(name)) throw new ShellSyntaxError(`\`${name}': not a valid identifier`);
    return name;
  }

  /** Spaces, tabs and a comment. */
  #blanks(): void {
    const source = this.#source;
    while (source.peek() === ' ' || source.peek() === '\t' || source.peek() === '\r') source.at++;
    if (source.peek() !== '#') return;
    const end = source.text.indexOf('\n', source.at);
    source.at = end < 0 ? source.text.length : end;
  }

  #newline(): void {
    this.#source.at++;
    this.#readHereDocuments();
  }

  #skipNewlines(): void {
    this.#blanks();
    while (this.#source.peek() === '\n') {
      this.#newline();
      this.#blanks();
    }
  }

  /** The operator at the cursor, '' if there is none. */
  #operator(): string {
    if (this.#source.ended) return '';
    return OPERATORS.find((operator) => this.#source.startsWith(operator)) ?? '';
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
    if (!matches) this.#unexpected();
    this.#source.at += word.length;
  }

  #expectOperator(operator: string): void {
    this.#skipNewlines();
    if (this.#source.ended) throw new Incomplete('syntax error: unexpected end of file');
    if (this.#operator() !== operator) this.#unexpected();
    this.#source.at += operator.length;
  }

  #unexpected(): never {
    if (this.#source.ended) throw new Incomplete('syntax error: unexpected end of file');
    const operator = this.#operator();
    const word = /^[^\s|&;<>()]+/.exec(this.#source.text.slice(this.#source.at))?.[0];
    const redirect = this.#source.peek();
    const token = operator === '\n' ? 'newline' : operator || word || redirect;
    const end = this.#source.text.indexOf('\n', this.#source.at);
    this.#source.at = end < 0 ? this.#source.text.length : end + 1;
    throw new ShellSyntaxError(`syntax error near unexpected token \`${token}'`);
  }
}

/** NAME=value or NAME+=value, the name and the sign unquoted. */
export function assignmentOf(
  word: Word,
): { name: string; append: boolean; value: Word } | undefined {
  const first = word[0];
  if (first?.kind !== 'literal' || first.quoted) return undefined;
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(\+?)=/.exec(first.text);
  if (!match) return undefined;
  const rest = first.text.slice(match[0].length);
  return {
    name: match[1]!,
    append: match[2] === '+',
    value: rest === '' ? word.slice(1) : [literal(rest), ...word.slice(1)],
  };
}
