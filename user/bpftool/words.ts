/** The words of a bpftool command, taken from the left; keywords may be cut short. */
export class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get left(): number {
    return this.#words.length - this.#at;
  }

  /** '' where nothing is left. */
  peek(): string {
    return this.#words[this.#at] ?? '';
  }

  next(): string {
    return this.#words[this.#at++] ?? '';
  }

  get previous(): string {
    return this.#words[this.#at - 1] ?? '';
  }

  get rest(): readonly string[] {
    return this.#words.slice(this.#at);
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** The next word is `keyword` or the start of it. */
  is(keyword: string): boolean {
    return this.left > 0 && isPrefix(this.peek(), keyword);
  }

  /** The same, and it is taken. */
  accept(keyword: string): boolean {
    if (!this.is(keyword)) return false;
    this.#at++;
    return true;
  }
}

export function isPrefix(word: string, keyword: string): boolean {
  return keyword.startsWith(word);
}

/** strtoul with base 0; undefined where something else is in the text. */
export function parseUnsigned(text: string, base = 0): number | undefined {
  if (base === 16) return /^(0[xX])?[0-9a-fA-F]+$/.test(text) ? parseInt(text, 16) : undefined;
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return parseInt(text, 16);
  if (/^0[0-7]*$/.test(text)) return parseInt(text, 8);
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
