/**
 * A cursor over shell source. Line continuations are taken out here, except inside single quotes
 * and here-documents, whose readers look at `text` themselves.
 */

/** The input ends inside a construct; an interactive shell asks for more. */
export class Incomplete extends Error {
  override name = 'Incomplete';
}

export class ShellSyntaxError extends Error {
  override name = 'ShellSyntaxError';
}

/** Moves a cursor from after `$(` past the commands and the closing parenthesis. */
export type SkipCommands = (source: Source) => void;

/** Deeper nesting of groups and substitutions than this is refused: no program has it. */
const MAX_NESTING = 200;

export class Source {
  text: string;
  at: number;
  readonly skipCommands: SkipCommands;
  readonly #firstLine: number;
  #nesting: number;
  /** A place whose line is known; lines are asked for in increasing order. */
  #known: { readonly at: number; readonly line: number };

  constructor(text: string, at: number, skipCommands: SkipCommands, firstLine = 1, nesting = 0) {
    this.text = text;
    this.at = at;
    this.skipCommands = skipCommands;
    this.#firstLine = firstLine;
    this.#nesting = nesting;
    this.#known = { at: 0, line: firstLine };
  }

  /** A cursor over a piece of this text that was cut out or put together. */
  derive(text: string): Source {
    return new Source(text, 0, this.skipCommands, this.line, this.#nesting);
  }

  /** Read something that may contain more of its kind. */
  nested<T>(read: () => T): T {
    if (++this.#nesting > MAX_NESTING) throw new ShellSyntaxError('nested too deeply');
    try {
      return read();
    } finally {
      this.#nesting--;
    }
  }

  get ended(): boolean {
    this.#skipContinuation();
    return this.at >= this.text.length;
  }

  /** '' at the end. */
  peek(ahead = 0): string {
    if (ahead === 0) this.#skipContinuation();
    return this.text[this.at + ahead] ?? '';
  }

  next(): string {
    this.#skipContinuation();
    return this.text[this.at++] ?? '';
  }

  startsWith(prefix: string): boolean {
    this.#skipContinuation();
    return this.text.startsWith(prefix, this.at);
  }

  /** Line of the cursor. */
  get line(): number {
    const isAhead = this.#known.at <= this.at;
    let { at, line } = isAhead ? this.#known : { at: 0, line: this.#firstLine };
    for (; at < this.at; at++) if (this.text.charCodeAt(at) === 10) line++;
    this.#known = { at, line };
    return line;
  }

  #skipContinuation(): void {
    while (this.text[this.at] === '\\' && this.text[this.at + 1] === '\n') this.at += 2;
  }
}
