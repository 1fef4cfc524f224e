/**
 * Draws prompt and line on a terminal of a given width, and moves its cursor, by ANSI sequences.
 *
 *   display.draw(prompt, chars, cursor)    bytes that make the screen show it
 *   display.finish()                       bytes that leave the cursor below the line
 *
 * A newline goes to the first column too: the terminal's output processing stays on.
 * A drawing starts from where the last one left the cursor, so nothing else may write between.
 */
import { charWidth } from '../libc/text.ts';

interface Position {
  readonly row: number;
  readonly column: number;
}

export class Display {
  #columns: number;
  /** Row of the cursor within the drawing, and the rows it takes. */
  #row = 0;
  #rows = 0;
  #drawn: { prompt: string; text: string; atEnd: boolean } | undefined;

  constructor(columns: number) {
    this.#columns = Math.max(2, columns);
  }

  /** The terminal has a new width, and has rewrapped what it shows as it likes. */
  resize(columns: number): void {
    this.#columns = Math.max(2, columns);
    this.#drawn = undefined;
  }

  /** Start over on a fresh line. */
  reset(): void {
    this.#row = 0;
    this.#rows = 0;
    this.#drawn = undefined;
  }

  draw(prompt: string, chars: readonly string[], cursor: number): string {
    const text = chars.join('');
    const atEnd = cursor === chars.length;
    const appended = this.#appended(prompt, text, atEnd);
    this.#drawn = { prompt, text, atEnd };
    if (appended !== undefined) return appended;
    const prefix = visible(prompt);
    const end = this.#walk([...prefix, ...chars]);
    const at = this.#walk([...prefix, ...chars.slice(0, cursor)]);
    let out = this.#row > 0 ? `\x1b[${this.#row}A` : '';
    out += `\r${prompt}${this.#printed(prefix, chars)}`;
    // In the last column the terminal waits with the wrap; make it happen.
    if (end.column === 0 && end.row > 0) out += '\n';
    out += '\x1b[J';
    if (end.row > at.row) out += `\x1b[${end.row - at.row}A`;
    if (end.column !== at.column || end.row !== at.row) {
      out += '\r';
      if (at.column > 0) out += `\x1b[${at.column}C`;
    }
    this.#row = at.row;
    this.#rows = end.row;
    return out;
  }

  finish(): string {
    const down = this.#rows - this.#row;
    const out = `${down > 0 ? `\x1b[${down}B` : ''}\n`;
    this.reset();
    return out;
  }

  /** Typing at the end of the line needs no redrawing, as long as it stays in its row. */
  #appended(prompt: string, text: string, atEnd: boolean): string | undefined {
    const drawn = this.#drawn;
    if (!drawn?.atEnd || !atEnd || drawn.prompt !== prompt || !text.startsWith(drawn.text)) {
      return undefined;
    }
    const added = [...text.slice(drawn.text.length)];
    const before = this.#walk([...visible(prompt), ...drawn.text]);
    const after = this.#walk([...visible(prompt), ...text]);
    if (after.row !== before.row || before.column === 0) return undefined;
    return added.map(shown).join('');
  }

  /** A wide character that does not fit a row leaves its last cell, which may show something old. */
  #printed(prefix: readonly string[], chars: readonly string[]): string {
    let { column } = this.#walk(prefix);
    return chars
      .map((char) => {
        const width = cells(char);
        const wraps = column + width > this.#columns;
        column = ((wraps ? 0 : column) + width) % this.#columns;
        return `${wraps && charWidth(char) > 1 ? '\x1b[J' : ''}${shown(char)}`;
      })
      .join('');
  }

  /** Where the cursor stands after these characters were printed from the first column. */
  #walk(chars: readonly string[]): Position {
    let row = 0;
    let column = 0;
    for (const char of chars) {
      const width = cells(char);
      if (column + width > this.#columns) {
        row++;
        column = 0;
      }
      column += width;
      if (column === this.#columns) {
        row++;
        column = 0;
      }
    }
    return { row, column };
  }
}

/** Control characters show as ^X. */
function shown(char: string): string {
  const code = char.codePointAt(0)!;
  return code < 0x20 || code === 0x7f ? `^${String.fromCharCode(code ^ 0x40)}` : char;
}

function cells(char: string): number {
  const code = char.codePointAt(0)!;
  return code < 0x20 || code === 0x7f ? 2 : charWidth(char);
}

/** The characters of a prompt that take room: without escape sequences. */
function visible(prompt: string): string[] {
  return [...prompt.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07/g, '')];
}
