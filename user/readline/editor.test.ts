import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Display } from './display.ts';
import { LineEditor } from './editor.ts';
import { KeyDecoder } from './keys.ts';
import { charWidth } from '../libc/text.ts';

/** Enough of a terminal to see what a display draws: wrapping, CR, LF, CSI A B C J. */
class Screen {
  readonly rows: string[][] = [[]];
  row = 0;
  column = 0;
  readonly #columns: number;

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): void {
    for (let at = 0; at < text.length;) {
      const sequence = /^\x1b\[(\d*)([ABCJm])/.exec(text.slice(at));
      if (sequence) {
        this.#move(sequence[2]!, Number(sequence[1] || 1));
        at += sequence[0].length;
        continue;
      }
      const char = String.fromCodePoint(text.codePointAt(at)!);
      at += char.length;
      if (char === '\r') this.column = 0;
      else if (char === '\n') {
        this.row++;
        this.column = 0;
      } else this.#put(char);
    }
  }

  #put(char: string): void {
    const width = charWidth(char);
    if (this.column + width > this.#columns) {
      this.row++;
      this.column = 0;
    }
    while (this.rows.length <= this.row) this.rows.push([]);
    this.rows[this.row]![this.column] = char;
    for (let i = 1; i < width; i++) this.rows[this.row]![this.column + i] = '';
    this.column += width;
  }

  #move(letter: string, count: number): void {
    if (letter === 'A') this.row -= count;
    else if (letter === 'B') this.row += count;
    else if (letter === 'C') this.column = Math.min(this.#columns - 1, this.column + count);
    else if (letter === 'J') {
      this.rows.length = Math.min(this.rows.length, this.row + 1);
      this.rows[this.row]?.splice(this.column);
    }
  }

  get text(): string {
    return this.rows.map((row) => Array.from(row, (cell) => cell ?? ' ').join('')).join('');
  }
}

function keysOf(bytes: string): string[] {
  const decoder = new KeyDecoder();
  return [...new TextEncoder().encode(bytes)]
    .map((byte) => decoder.feed(byte))
    .filter((key) => key !== undefined)
    .map((key) => (key.kind === 'text' ? key.text : `<${key.name}>`));
}

/** Type `keys`, as a terminal sends them; the line with | at the cursor. */
function type(keys: string, history: string[] = []): string {
  const editor = new LineEditor(history);
  const decoder = new KeyDecoder();
  for (const byte of new TextEncoder().encode(keys)) {
    const key = decoder.feed(byte);
    if (key) editor.key(key);
  }
  const { chars, cursor } = editor;
  return `${chars.slice(0, cursor).join('')}|${chars.slice(cursor).join('')}`;
}

describe('keys', () => {
  it('decodes text, controls, sequences and meta', () => {
    expect(keysOf('aé€😀\x01\r\t\x7f\x1b[A\x1bOD\x1b[3~\x1b[1;5C\x1bb\x1b\x7f')).toEqual([
      'a',
      'é',
      '€',
      '😀',
      '<C-a>',
      '<enter>',
      '<tab>',
      '<backspace>',
      '<up>',
      '<left>',
      '<delete>',
      '<C-right>',
      '<M-b>',
      '<M-backspace>',
    ]);
  });
});

describe('editing', () => {
  it.each([
    ['abc', 'abc|'],
    ['abc\x01X', 'X|abc'],
    ['abc\x02\x02\x04', 'a|c'],
    ['one two three\x17', 'one two |'],
    ['one two\x15x', 'x|'],
    ['one two\x01\x0b', '|'],
    ['one two\x01\x0b\x19\x19', 'one twoone two|'],
    ['a b c\x17\x17\x19', 'a b c|'],
    ['one two\x1bb\x1bb', '|one two'],
    ['one two\x01\x1bf', 'one| two'],
    ['one two\x01\x1bd', '| two'],
    ['ab\x14', 'ba|'],
    ['abc\x1f', 'ab|'],
    ['abc\x7f\x7f', 'a|'],
    ['日本\x02X', '日X|本'],
    ['ab\x1b[D\x1b[D\x1b[Dc', 'c|ab'],
  ])('%j', (keys, line) => {
    expect(type(keys)).toBe(line);
  });

  const history = ['ls -l', 'cat /etc/motd', 'ls /bin'];
  it.each([
    ['\x1b[A', 'ls /bin|'],
    ['\x10\x10', 'cat /etc/motd|'],
    ['draft\x10\x0e', 'draft|'],
    ['\x10\x10\x10\x10\x10', 'ls -l|'],
    ['\x12cat', '|cat /etc/motd'],
    ['\x12ls\x12', '|ls -l'],
    ['x\x12ls\x07', 'x|'],
    ['\x12bin\x05!', 'ls /bin!|'],
    ['echo \x1b.', 'echo /bin|'],
    ['echo \x1b.\x1b.', 'echo /etc/motd|'],
  ])('history: %j', (keys, line) => {
    expect(type(keys, history)).toBe(line);
  });

  it('tells what the caller has to do', () => {
    const editor = new LineEditor([]);
    expect(editor.key({ kind: 'key', name: 'C-d' })).toBe('eof');
    editor.insert('x');
    editor.key({ kind: 'key', name: 'C-a' });
    expect(editor.key({ kind: 'key', name: 'C-d' })).toBe('edited');
    expect(editor.key({ kind: 'key', name: 'enter' })).toBe('accept');
    expect(editor.key({ kind: 'key', name: 'tab' })).toBe('complete');
    expect(editor.key({ kind: 'key', name: 'C-c' })).toBe('interrupt');
  });
});

describe('display', () => {
  const keys = fc.constantFrom(
    'a',
    'bc ',
    '日',
    'é',
    '\x01',
    '\x05',
    '\x02',
    '\x06',
    '\x7f',
    '\x0b',
    '\x17',
    '\x19',
    '\x1bb',
    '\x1bf',
    '\x1f',
  );

  it('shows the line, with the cursor in its place, at any width', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 20 }),
        fc.array(keys, { maxLength: 60 }),
        (width, typed) => {
          const prompt = '\x1b[32m$\x1b[m ';
          const screen = new Screen(width);
          const display = new Display(width);
          const editor = new LineEditor([]);
          const decoder = new KeyDecoder();
          screen.write(display.draw(prompt, editor.chars, editor.cursor));
          for (const byte of new TextEncoder().encode(typed.join(''))) {
            const key = decoder.feed(byte);
            if (!key) continue;
            editor.key(key);
            screen.write(display.draw(prompt, editor.chars, editor.cursor));
          }
          // What a terminal would show of prompt and line, and where typing would go on.
          const whole = new Screen(width);
          whole.write(`$ ${editor.text}`);
          expect(screen.text.trimEnd()).toBe(whole.text.trimEnd());
          const upTo = new Screen(width);
          upTo.write(`$ ${editor.chars.slice(0, editor.cursor).join('')}`);
          const wraps = upTo.column === width;
          expect([screen.row, screen.column]).toEqual(
            wraps ? [upTo.row + 1, 0] : [upTo.row, upTo.column],
          );
        },
      ),
    );
  });

  it('leaves the cursor on a fresh line', () => {
    const screen = new Screen(10);
    const display = new Display(10);
    screen.write(display.draw('$ ', [...'0123456789abc'], 1));
    screen.write(display.finish());
    expect([screen.row, screen.column]).toEqual([2, 0]);
  });
});
