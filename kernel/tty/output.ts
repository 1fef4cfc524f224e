/**
 * Output processing of a tty (OPOST): what a program writes, as the terminal gets it. Keeps the
 * cursor column, which ONOCR, tab expansion and erasing on the input side need.
 */
import type { Termios } from './termios.ts';
import { OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS } from './termios.ts';

const NEWLINE = 10;
const RETURN = 13;
const TAB = 9;
const BACKSPACE = 8;
const SPACE = 32;

export class OutputProcessor {
  column = 0;

  /** The bytes that one byte becomes, appended to `out`. */
  process(byte: number, termios: Termios, out: number[]): void {
    const { oflag } = termios;
    if (!(oflag & OPOST)) {
      out.push(byte);
      return;
    }
    switch (byte) {
      case NEWLINE:
        if (oflag & ONLRET) this.column = 0;
        if (oflag & ONLCR) {
          this.column = 0;
          out.push(RETURN);
        }
        out.push(NEWLINE);
        return;
      case RETURN:
        if (oflag & ONOCR && this.column === 0) return;
        this.column = 0;
        out.push(oflag & OCRNL ? NEWLINE : RETURN);
        return;
      case TAB: {
        const width = 8 - (this.column & 7);
        this.column += width;
        if ((oflag & TABDLY) === XTABS) for (let i = 0; i < width; i++) out.push(SPACE);
        else out.push(TAB);
        return;
      }
      case BACKSPACE:
        if (this.column > 0) this.column--;
        out.push(BACKSPACE);
        return;
      default:
        if (oflag & OLCUC && byte >= 0x61 && byte <= 0x7a) out.push(byte - 32);
        else out.push(byte);
        // Continuation bytes of UTF-8 take no column.
        if (byte >= SPACE && byte !== 0x7f && (byte & 0xc0) !== 0x80) this.column++;
    }
  }
}
