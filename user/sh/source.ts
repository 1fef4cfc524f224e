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

export class Source {
  text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
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

  /** 1-based line of the cursor. */
  get line(): number {
    let line = 1;
    for (let i = 0; i < this.at; i++) if (this.text.charCodeAt(i) === 10) line++;
    return line;
  }

  #skipContinuation(): void {
    while (this.text[this.at] === '\\' && this.text[this.at + 1] === '\n') this.at += 2;
  }
}
