/** The parts of the grammar below compounds: blanks, operators, simple commands, redirections. */
import type { ArrayElement, Assignment, Command, Redirect, RedirectOp, Word } from './ast.ts';
import { literal, plainText } from './ast.ts';
import type { Source } from './source.ts';
import { Incomplete, ShellSyntaxError } from './source.ts';
import { atProcess, readQuoted, readSubscript, readWord } from './words.ts';

const OPERATORS = ['&&', '||', ';;&', ';;', ';&', '|&', '&>>', '&>', '|', '&', ';', '(', ')', '\n'];
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
/** Their arguments may be assignments, arrays included. */
const DECLARING = new Set(['declare', 'typeset', 'local', 'export', 'readonly']);
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)(\[|\+?=)/;

interface HereDocument {
  readonly delimiter: string;
  readonly quoted: boolean;
  readonly stripTabs: boolean;
  readonly fill: (body: Word) => void;
}

export class SimpleParser {
  readonly source: Source;
  #hereDocuments: HereDocument[] = [];

  constructor(source: Source) {
    this.source = source;
  }

  command(): Command {
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const redirects: Redirect[] = [];
    const declarations = new Map<number, Assignment>();
    const { source } = this;
    const { line, at: start } = source;
    for (;;) {
      this.blanks();
      const redirect = this.redirect();
      if (redirect) {
        redirects.push(redirect);
        continue;
      }
      const declares = words.length > 0 && DECLARING.has(plainText(words[0]!) ?? '');
      const assignment = words.length === 0 || declares ? this.#assignment() : undefined;
      if (assignment && declares) {
        declarations.set(words.length, assignment);
        words.push([]);
      } else if (assignment) assignments.push(assignment);
      else {
        const word = readWord(source);
        if (!word) break;
        words.push(word);
      }
    }
    if (assignments.length + words.length + redirects.length === 0) this.unexpected();
    const text = source.text.slice(start, source.at).trim();
    const base = { kind: 'simple', assignments, words, redirects, line, text } as const;
    return declarations.size === 0 ? base : { ...base, declarations };
  }

  /** NAME=value, NAME+=value, NAME[subscript]=value, NAME=(…), the name and the sign unquoted. */
  #assignment(): Assignment | undefined {
    const { source } = this;
    source.peek();
    const start = source.at;
    const match = ASSIGNMENT.exec(source.text.slice(start, start + 256));
    if (!match) return undefined;
    const [whole, name = '', sign] = match;
    source.at += whole.length;
    let index: Word | undefined;
    let append = sign === '+=';
    if (sign === '[') {
      index = source.text[source.at] === ']' ? undefined : this.#subscript();
      const follow = /^\+?=/.exec(source.text.slice(source.at, source.at + 2));
      if (!index || !follow) {
        source.at = start;
        return undefined;
      }
      source.at += follow[0].length;
      append = follow[0] === '+=';
    }
    const base = { name, append, ...(index ? { index } : {}) };
    if (source.peek() === '(' && !index) {
      source.at++;
      return { ...base, value: [], elements: this.#elements() };
    }
    return { ...base, value: readWord(source) ?? [] };
  }

  /** After `[`; undefined if no bracket closes it on this line. */
  #subscript(): Word | undefined {
    try {
      return readSubscript(this.source);
    } catch (caught) {
      if (caught instanceof Incomplete) return undefined;
      throw caught;
    }
  }

  /** After `=(`. */
  #elements(): ArrayElement[] {
    const { source } = this;
    const elements: ArrayElement[] = [];
    for (;;) {
      this.skipNewlines();
      if (source.ended) throw new Incomplete("unexpected EOF while looking for matching `)'");
      if (source.peek() === ')') {
        source.at++;
        return elements;
      }
      const start = source.at;
      let key: Word | undefined;
      if (source.peek() === '[') {
        source.at++;
        key = this.#subscript();
        if (key && source.peek() === '=') source.at++;
        else {
          key = undefined;
          source.at = start;
        }
      }
      const value = readWord(source) ?? (key ? [] : undefined);
      if (!value) this.unexpected();
      elements.push({ key, value });
    }
  }

  redirect(): Redirect | undefined {
    const { source } = this;
    if (source.ended) return undefined;
    const digits = /^\d+(?=[<>])/.exec(source.text.slice(source.at, source.at + 12))?.[0] ?? '';
    const rest = source.text.slice(source.at + digits.length, source.at + digits.length + 3);
    const op = REDIRECTS.find((candidate) => rest.startsWith(candidate));
    if (op === undefined || (digits === '' && atProcess(source))) return undefined;
    source.at += digits.length + op.length;
    const fd = digits === '' ? undefined : Number(digits);
    const stripTabs = op === '<<' && source.peek() === '-';
    if (stripTabs) source.next();
    this.blanks();
    const word = readWord(source);
    if (!word) this.unexpected();
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
  readHereDocuments(): void {
    const { source } = this;
    for (const document of this.#hereDocuments.splice(0)) {
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
      document.fill(document.quoted ? [literal(body, true)] : readQuoted(source.derive(body), ''));
    }
  }

  /** Spaces, tabs and a comment. */
  blanks(): void {
    const { source } = this;
    while (source.peek() === ' ' || source.peek() === '\t' || source.peek() === '\r') source.at++;
    if (source.peek() !== '#') return;
    const end = source.text.indexOf('\n', source.at);
    source.at = end < 0 ? source.text.length : end;
  }

  newline(): void {
    this.source.at++;
    this.readHereDocuments();
  }

  skipNewlines(): void {
    this.blanks();
    while (this.source.peek() === '\n') {
      this.newline();
      this.blanks();
    }
  }

  /** The operator at the cursor, '' if there is none. */
  operator(): string {
    if (this.source.ended) return '';
    return OPERATORS.find((operator) => this.source.startsWith(operator)) ?? '';
  }

  unexpected(): never {
    const { source } = this;
    if (source.ended) throw new Incomplete('syntax error: unexpected end of file');
    const operator = this.operator();
    const word = /^[^\s|&;<>()]+/.exec(source.text.slice(source.at))?.[0];
    const token = operator === '\n' ? 'newline' : operator || word || source.peek();
    throw new ShellSyntaxError(`syntax error near unexpected token \`${token}'`);
  }
}
