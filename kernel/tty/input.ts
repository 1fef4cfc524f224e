/**
 * The input side of the N_TTY line discipline: typed bytes are edited, echoed and made into lines.
 *
 *   input.receive(byte)         one byte from the terminal
 *   input.take(count)           bytes for a reader: a line, or part of one, in canonical mode
 *   input.available, input.hasRoom, input.flush()
 *
 * Echo goes through `terminal.echo`, signals through `terminal.signal`. The buffer holds 4096
 * bytes, as Linux's; a line that is being typed may be edited until its end arrives.
 */
import type { Termios } from './termios.ts';
import * as t from './termios.ts';
import { SIGINT, SIGQUIT, SIGTSTP } from '../sched/signal.ts';

/** What the input side asks of its tty. */
export interface Terminal {
  readonly termios: Termios;
  /** Where the cursor is. */
  readonly column: number;
  /** Bytes to show, subject to output processing. */
  echo(...bytes: number[]): void;
  /** To the foreground process group; `flush` first throws away queued input and output. */
  signal(signal: number, flush: boolean): void;
  /** ^S and ^Q. */
  setStopped(stopped: boolean): void;
  readonly stopped: boolean;
}

/** drivers/tty/n_tty.c, N_TTY_BUF_SIZE. */
const BUFFER_BYTES = 4096;
const BELL = 7;
const BACKSPACE = 8;
const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const CARET = 0x5e;

/** What a buffered byte is besides data. */
const PLAIN = 0;
const LINE_END = 1;
/** The place of an EOF character: ends a line without being part of it. */
const END_OF_FILE = 2;

export class TtyInput {
  readonly #terminal: Terminal;
  #bytes: number[] = [];
  #marks: number[] = [];
  /** Bytes before this one belong to complete lines; behind it is the line being typed. */
  #lineStart = 0;
  /** Column where the line being typed began, for erasing tabs. */
  #startColumn = 0;
  #literalNext = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get #canonical(): boolean {
    return (this.#terminal.termios.lflag & t.ICANON) !== 0;
  }

  /** Bytes that a read could have now: complete lines in canonical mode, else all. */
  get available(): number {
    return this.#canonical ? this.#lineStart : this.#bytes.length;
  }

  /** FIONREAD: end-of-file marks are no bytes. */
  get readableBytes(): number {
    let count = 0;
    for (let i = 0; i < this.available; i++) if (this.#marks[i] !== END_OF_FILE) count++;
    return count;
  }

  /** False while readers must drain complete lines (or raw bytes) first. */
  get hasRoom(): boolean {
    if (this.#bytes.length < BUFFER_BYTES - 1) return true;
    // A line too long for the buffer is cut, not waited for: nobody could ever read it.
    return this.#canonical && this.#lineStart === 0;
  }

  flush(): void {
    this.#bytes = [];
    this.#marks = [];
    this.#lineStart = 0;
    this.#literalNext = false;
  }

  /** ICANON was switched: what is there becomes readable. */
  modeChanged(): void {
    this.#lineStart = this.#bytes.length;
    this.#literalNext = false;
  }

  take(count: number): Uint8Array {
    if (!this.#canonical) {
      const taken = Uint8Array.from(this.#bytes.splice(0, count));
      this.#marks.splice(0, taken.length);
      this.#lineStart = Math.max(0, this.#lineStart - taken.length);
      return taken;
    }
    let length = 0;
    while (length < count && length < this.#lineStart && this.#marks[length] === PLAIN) length++;
    let used = length;
    if (length < this.#lineStart && this.#marks[length] === END_OF_FILE) {
      // Also when it follows right after the bytes asked for, so that no empty read comes later.
      used++;
    } else if (length < count && length < this.#lineStart) {
      used = ++length;
    }
    const taken = Uint8Array.from(this.#bytes.slice(0, length));
    this.#bytes.splice(0, used);
    this.#marks.splice(0, used);
    this.#lineStart -= used;
    return taken;
  }

  receive(byte: number): void {
    const { termios } = this.#terminal;
    const { iflag, lflag, cc } = termios;
    let c = byte;
    if (iflag & t.ISTRIP) c &= 0x7f;
    if (iflag & t.IUCLC && lflag & t.IEXTEN && c >= 0x41 && c <= 0x5a) c += 32;
    const is = (index: number): boolean => c === cc[index] && c !== t.DISABLED_CHAR;
    if (this.#literalNext) {
      this.#literalNext = false;
      this.#add(c);
      return;
    }
    if (iflag & t.IXON) {
      if (is(t.VSTART)) return this.#terminal.setStopped(false);
      if (is(t.VSTOP)) return this.#terminal.setStopped(true);
    }
    if (this.#terminal.stopped && iflag & t.IXON && iflag & t.IXANY) {
      this.#terminal.setStopped(false);
    }
    if (lflag & t.ISIG) {
      if (is(t.VINTR)) return this.#signal(SIGINT, c);
      if (is(t.VQUIT)) return this.#signal(SIGQUIT, c);
      if (is(t.VSUSP)) return this.#signal(SIGTSTP, c);
    }
    if (c === RETURN) {
      if (iflag & t.IGNCR) return;
      if (iflag & t.ICRNL) c = NEWLINE;
    } else if (c === NEWLINE && iflag & t.INLCR) {
      c = RETURN;
    }
    if (lflag & t.ICANON && this.#edit(c, is)) return;
    this.#add(c);
  }

  /** Canonical mode's special characters; false if `c` is an ordinary one. */
  #edit(c: number, is: (index: number) => boolean): boolean {
    const { lflag } = this.#terminal.termios;
    const extended = (lflag & t.IEXTEN) !== 0;
    if (is(t.VERASE)) this.#erase('character', c);
    else if (is(t.VKILL)) this.#erase('line', c);
    else if (extended && is(t.VWERASE)) this.#erase('word', c);
    else if (extended && is(t.VLNEXT)) {
      this.#literalNext = true;
      if (lflag & t.ECHO && lflag & t.ECHOCTL) this.#terminal.echo(CARET, BACKSPACE);
    } else if (extended && lflag & t.ECHO && is(t.VREPRINT)) {
      this.#echo(c);
      this.#terminal.echo(NEWLINE);
      for (const typed of this.#bytes.slice(this.#lineStart)) this.#echo(typed);
    } else if (c === NEWLINE) {
      if (lflag & (t.ECHO | t.ECHONL)) this.#terminal.echo(NEWLINE);
      this.#endLine(c, LINE_END);
    } else if (is(t.VEOF)) {
      this.#endLine(t.DISABLED_CHAR, END_OF_FILE);
    } else if (is(t.VEOL) || (extended && is(t.VEOL2))) {
      if (lflag & t.ECHO) this.#echoTyped(c);
      this.#endLine(c, LINE_END);
    } else return false;
    return true;
  }

  #signal(signal: number, c: number): void {
    const { lflag, iflag } = this.#terminal.termios;
    this.#terminal.signal(signal, !(lflag & t.NOFLSH));
    if (iflag & t.IXON) this.#terminal.setStopped(false);
    if (lflag & t.ECHO) this.#echo(c);
  }

  #add(c: number): void {
    const { lflag, iflag } = this.#terminal.termios;
    if (this.#bytes.length >= BUFFER_BYTES - 1) {
      if (iflag & t.IMAXBEL) this.#terminal.echo(BELL);
      return;
    }
    if (lflag & t.ECHO) this.#echoTyped(c);
    this.#bytes.push(c);
    this.#marks.push(PLAIN);
  }

  #endLine(c: number, mark: number): void {
    // A full buffer keeps one byte back for this.
    this.#bytes.push(c);
    this.#marks.push(mark);
    this.#lineStart = this.#bytes.length;
  }

  #echoTyped(c: number): void {
    if (c === NEWLINE) {
      this.#terminal.echo(NEWLINE);
      return;
    }
    if (this.#bytes.length === this.#lineStart) this.#startColumn = this.#terminal.column;
    this.#echo(c);
  }

  #echo(c: number): void {
    const asCaret = this.#terminal.termios.lflag & t.ECHOCTL && isControl(c) && c !== TAB;
    if (asCaret) this.#terminal.echo(CARET, c ^ 0x40);
    else this.#terminal.echo(c);
  }

  #erase(what: 'character' | 'word' | 'line', c: number): void {
    if (this.#bytes.length === this.#lineStart) return;
    const { lflag } = this.#terminal.termios;
    const echo = (lflag & t.ECHO) !== 0;
    const visually = t.ECHOE | t.ECHOK | t.ECHOKE;
    if (what === 'line' && (!echo || (lflag & visually) !== visually)) {
      this.#bytes.length = this.#marks.length = this.#lineStart;
      if (!echo) return;
      this.#echo(c);
      if (lflag & t.ECHOK) this.#terminal.echo(NEWLINE);
      return;
    }
    let seenWord = false;
    while (this.#bytes.length > this.#lineStart) {
      const start = this.#lastCharacter();
      const first = this.#bytes[start]!;
      if (what === 'word') {
        if (isWordByte(first)) seenWord = true;
        else if (seenWord) break;
      }
      this.#bytes.length = this.#marks.length = start;
      if (echo) {
        if (what === 'character' && !(lflag & t.ECHOE)) this.#echo(c);
        else this.#rubOut(first);
      }
      if (what === 'character') break;
    }
  }

  /** Where the last character of the line being typed begins: UTF-8 may take several bytes. */
  #lastCharacter(): number {
    let start = this.#bytes.length - 1;
    if (!(this.#terminal.termios.iflag & t.IUTF8)) return start;
    while (start > this.#lineStart && (this.#bytes[start]! & 0xc0) === 0x80) start--;
    return start;
  }

  /** Take a character off the screen; what is left of the line is in the buffer. */
  #rubOut(c: number): void {
    const { lflag } = this.#terminal.termios;
    if (c === TAB) {
      let column = this.#startColumn;
      for (const typed of this.#bytes.slice(this.#lineStart)) {
        if (typed === TAB) column += 8 - (column & 7);
        else if (isControl(typed)) column += lflag & t.ECHOCTL ? 2 : 0;
        else if ((typed & 0xc0) !== 0x80) column++;
      }
      const width = 8 - (column & 7);
      for (let i = 0; i < width; i++) this.#terminal.echo(BACKSPACE);
      return;
    }
    const cells = isControl(c) ? (lflag & t.ECHOCTL ? 2 : 0) : 1;
    for (let i = 0; i < cells; i++) this.#terminal.echo(BACKSPACE, SPACE, BACKSPACE);
  }
}

const isControl = (c: number): boolean => c < SPACE || c === 0x7f;

/** As Linux's isalnum has it (Latin-1 letters count), and the underscore. */
function isWordByte(c: number): boolean {
  return (
    (c >= 0x30 && c <= 0x39) ||
    (c >= 0x41 && c <= 0x5a) ||
    (c >= 0x61 && c <= 0x7a) ||
    c === 0x5f ||
    (c >= 0xc0 && c !== 0xd7 && c !== 0xf7)
  );
}
