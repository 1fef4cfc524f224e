/**
 * The state of a line being edited, and what each key does to it: emacs keys, kill ring, undo,
 * history, incremental search. No terminal and no kernel here; `display.ts` draws it.
 *
 *   editor.key(key)     what the caller has to do: nothing, take the line, complete, …
 */
import type { Key } from './keys.ts';

export type Outcome = 'edited' | 'accept' | 'eof' | 'interrupt' | 'complete' | 'clear' | 'bell';

interface Snapshot {
  readonly chars: readonly string[];
  readonly cursor: number;
}

/** Incremental search through the history (C-r). */
interface Search {
  query: string;
  index: number;
  failing: boolean;
  readonly before: Snapshot;
}

export class LineEditor {
  readonly #history: readonly string[];
  #chars: string[] = [];
  #cursor = 0;
  #undo: Snapshot[] = [];
  #kill = '';
  /** The last key killed text, so the next kill adds to it. */
  #killing = false;
  /** Position in the history; its length means the line that is being written. */
  #index: number;
  #draft = '';
  #search: Search | undefined;
  #lastYankDepth = 0;

  constructor(history: readonly string[], kill = '') {
    this.#history = history;
    this.#index = history.length;
    this.#kill = kill;
  }

  get text(): string {
    return this.#chars.join('');
  }

  /** In characters (code points), 0 to their number. */
  get cursor(): number {
    return this.#cursor;
  }

  get chars(): readonly string[] {
    return this.#chars;
  }

  /** Killed text, to be given to the next line's editor. */
  get killed(): string {
    return this.#kill;
  }

  /** What stands before the line while searching; undefined otherwise. */
  get searchPrompt(): string | undefined {
    if (!this.#search) return undefined;
    const failing = this.#search.failing ? 'failed ' : '';
    return `(${failing}reverse-i-search)\`${this.#search.query}': `;
  }

  key(key: Key): Outcome {
    if (this.#search) {
      const outcome = this.#searchKey(key);
      if (outcome) return outcome;
    }
    const wasKilling = this.#killing;
    this.#killing = false;
    if (key.kind === 'key' && key.name !== 'M-.') this.#lastYankDepth = 0;
    if (key.kind === 'text') {
      this.insert(key.text);
      return 'edited';
    }
    return this.#named(key.name, wasKilling);
  }

  insert(text: string): void {
    this.#save();
    const chars = [...text];
    this.#chars.splice(this.#cursor, 0, ...chars);
    this.#cursor += chars.length;
  }

  /** Replace the characters from `start` to the cursor. */
  replace(start: number, text: string): void {
    this.#save();
    const chars = [...text];
    this.#chars.splice(start, this.#cursor - start, ...chars);
    this.#cursor = start + chars.length;
  }

  #named(name: string, wasKilling: boolean): Outcome {
    const end = this.#chars.length;
    switch (name) {
      case 'enter':
        return 'accept';
      case 'tab':
        return 'complete';
      case 'C-c':
        return 'interrupt';
      case 'C-l':
        return 'clear';
      case 'C-d':
        if (end === 0) return 'eof';
        return this.#delete(this.#cursor, this.#cursor + 1);
      case 'delete':
        return this.#delete(this.#cursor, this.#cursor + 1);
      case 'backspace':
        return this.#delete(this.#cursor - 1, this.#cursor);
      case 'C-a':
      case 'home':
        return this.#move(0);
      case 'C-e':
      case 'end':
        return this.#move(end);
      case 'C-b':
      case 'left':
        return this.#move(this.#cursor - 1);
      case 'C-f':
      case 'right':
        return this.#move(this.#cursor + 1);
      case 'M-b':
      case 'C-left':
      case 'M-left':
        return this.#move(this.#wordStart());
      case 'M-f':
      case 'C-right':
      case 'M-right':
        return this.#move(this.#wordEnd());
      case 'C-k':
        return this.#killRange(this.#cursor, end, wasKilling);
      case 'C-u':
        return this.#killRange(0, this.#cursor, wasKilling);
      case 'C-w':
        return this.#killRange(this.#blankStart(), this.#cursor, wasKilling);
      case 'M-backspace':
        return this.#killRange(this.#wordStart(), this.#cursor, wasKilling);
      case 'M-d':
        return this.#killRange(this.#cursor, this.#wordEnd(), wasKilling);
      case 'C-y':
        this.insert(this.#kill);
        return 'edited';
      case 'C-t':
        return this.#transpose();
      case 'C-_':
        return this.#undoOne();
      case 'C-p':
      case 'up':
        return this.#goHistory(this.#index - 1);
      case 'C-n':
      case 'down':
        return this.#goHistory(this.#index + 1);
      case 'M-<':
        return this.#goHistory(0);
      case 'M->':
        return this.#goHistory(this.#history.length);
      case 'M-.':
        return this.#yankLastArgument();
      case 'C-r':
        this.#search = {
          query: '',
          index: this.#history.length,
          failing: false,
          before: { chars: [...this.#chars], cursor: this.#cursor },
        };
        return 'edited';
      default:
        return 'bell';
    }
  }

  #save(): void {
    this.#undo.push({ chars: [...this.#chars], cursor: this.#cursor });
  }

  #undoOne(): Outcome {
    const snapshot = this.#undo.pop();
    if (!snapshot) return 'bell';
    this.#restore(snapshot);
    return 'edited';
  }

  #restore(snapshot: Snapshot): void {
    this.#chars = [...snapshot.chars];
    this.#cursor = snapshot.cursor;
  }

  #move(to: number): Outcome {
    if (to < 0 || to > this.#chars.length) return 'bell';
    this.#cursor = to;
    return 'edited';
  }

  #delete(from: number, to: number): Outcome {
    if (from < 0 || to > this.#chars.length) return 'bell';
    this.#save();
    this.#chars.splice(from, to - from);
    this.#cursor = from;
    return 'edited';
  }

  #killRange(from: number, to: number, append: boolean): Outcome {
    const text = this.#chars.slice(from, to).join('');
    if (text !== '') {
      const backwards = to === this.#cursor && from < this.#cursor;
      if (!append) this.#kill = text;
      else this.#kill = backwards ? text + this.#kill : this.#kill + text;
      this.#delete(from, to);
    }
    this.#killing = true;
    return 'edited';
  }

  #transpose(): Outcome {
    const at = Math.min(this.#cursor, this.#chars.length - 1);
    if (at < 1) return 'bell';
    this.#save();
    const left = this.#chars[at - 1]!;
    this.#chars[at - 1] = this.#chars[at]!;
    this.#chars[at] = left;
    this.#cursor = at + 1;
    return 'edited';
  }

  #wordStart(): number {
    let at = this.#cursor;
    while (at > 0 && !isWordChar(this.#chars[at - 1]!)) at--;
    while (at > 0 && isWordChar(this.#chars[at - 1]!)) at--;
    return at;
  }

  #wordEnd(): number {
    let at = this.#cursor;
    while (at < this.#chars.length && !isWordChar(this.#chars[at]!)) at++;
    while (at < this.#chars.length && isWordChar(this.#chars[at]!)) at++;
    return at;
  }

  /** Start of the blank-separated word before the cursor (C-w). */
  #blankStart(): number {
    let at = this.#cursor;
    while (at > 0 && this.#chars[at - 1] === ' ') at--;
    while (at > 0 && this.#chars[at - 1] !== ' ') at--;
    return at;
  }

  #goHistory(index: number): Outcome {
    if (index < 0 || index > this.#history.length || index === this.#index) return 'bell';
    if (this.#index === this.#history.length) this.#draft = this.text;
    this.#index = index;
    this.#setText(index === this.#history.length ? this.#draft : this.#history[index]!);
    return 'edited';
  }

  #setText(text: string): void {
    this.#chars = [...text];
    this.#cursor = this.#chars.length;
    this.#undo = [];
  }

  /** Last word of the previous line; pressed again, of the one before. */
  #yankLastArgument(): Outcome {
    const line = this.#history[this.#history.length - 1 - this.#lastYankDepth];
    const word = line?.trimEnd().split(/\s+/).at(-1);
    if (!word) return 'bell';
    if (this.#lastYankDepth > 0) this.#undoOne();
    this.#lastYankDepth++;
    this.insert(word);
    return 'edited';
  }

  /** Undefined: the search is over and the key means what it always means. */
  #searchKey(key: Key): Outcome | undefined {
    const search = this.#search!;
    if (key.kind === 'text') {
      search.query += key.text;
      return this.#find(Math.min(search.index, this.#history.length - 1));
    }
    switch (key.name) {
      case 'C-r':
        return this.#find(search.index - 1);
      case 'backspace':
        search.query = [...search.query].slice(0, -1).join('');
        return this.#find(this.#history.length - 1);
      case 'C-g':
        this.#restore(search.before);
        this.#search = undefined;
        return 'edited';
      default:
        if (search.index < this.#history.length) this.#index = search.index;
        this.#search = undefined;
        return undefined;
    }
  }

  /** The newest line at or before `from` that holds the query. */
  #find(from: number): Outcome {
    const search = this.#search!;
    for (let index = from; index >= 0; index--) {
      const line = this.#history[index]!;
      const at = line.lastIndexOf(search.query);
      if (at < 0 || search.query === '') continue;
      search.index = index;
      search.failing = false;
      this.#chars = [...line];
      this.#cursor = [...line.slice(0, at)].length;
      return 'edited';
    }
    search.failing = search.query !== '';
    return search.failing ? 'bell' : 'edited';
  }
}

function isWordChar(char: string): boolean {
  return /[\p{L}\p{N}_]/u.test(char);
}
