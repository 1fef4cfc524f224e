/**
 * Terminal settings: flags and control characters of UAPI asm-generic/termbits.h, with their C
 * names, and struct termios and struct winsize as the ioctls carry them.
 */

export const IGNBRK = 0o1;
export const BRKINT = 0o2;
export const ISTRIP = 0o40;
export const INLCR = 0o100;
export const IGNCR = 0o200;
export const ICRNL = 0o400;
export const IUCLC = 0o1000;
export const IXON = 0o2000;
export const IXANY = 0o4000;
export const IXOFF = 0o10000;
export const IMAXBEL = 0o20000;
export const IUTF8 = 0o40000;

export const OPOST = 0o1;
export const OLCUC = 0o2;
export const ONLCR = 0o4;
export const OCRNL = 0o10;
export const ONOCR = 0o20;
export const ONLRET = 0o40;
export const TABDLY = 0o14000;
export const XTABS = 0o14000;

export const B38400 = 0o17;
export const CS8 = 0o60;
export const CREAD = 0o200;
export const HUPCL = 0o2000;

export const ISIG = 0o1;
export const ICANON = 0o2;
export const ECHO = 0o10;
export const ECHOE = 0o20;
export const ECHOK = 0o40;
export const ECHONL = 0o100;
export const NOFLSH = 0o200;
export const TOSTOP = 0o400;
export const ECHOCTL = 0o1000;
export const ECHOKE = 0o4000;
export const IEXTEN = 0o100000;

export const VINTR = 0;
export const VQUIT = 1;
export const VERASE = 2;
export const VKILL = 3;
export const VEOF = 4;
export const VTIME = 5;
export const VMIN = 6;
export const VSTART = 8;
export const VSTOP = 9;
export const VSUSP = 10;
export const VEOL = 11;
export const VREPRINT = 12;
export const VWERASE = 14;
export const VLNEXT = 15;
export const VEOL2 = 16;
/** NCCS of the kernel's struct termios. */
export const NCCS = 19;
/** A control character of this value is switched off (_POSIX_VDISABLE). */
export const DISABLED_CHAR = 0;

export interface Termios {
  iflag: number;
  oflag: number;
  cflag: number;
  lflag: number;
  line: number;
  /** NCCS bytes, indexed by V*. */
  cc: Uint8Array;
}

/** INIT_C_CC of asm-generic/termios.h: ^C ^\ DEL ^U ^D, MIN 1, ^Q ^S ^Z, ^R ^O ^W ^V. */
const INIT_CC = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];

/** drivers/tty/tty_io.c, tty_std_termios. */
export function standardTermios(): Termios {
  return {
    iflag: ICRNL | IXON,
    oflag: OPOST | ONLCR,
    cflag: B38400 | CS8 | CREAD | HUPCL,
    lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    line: 0,
    cc: Uint8Array.from(INIT_CC),
  };
}

/** sizeof(struct termios): four flag words, c_line, c_cc[19]. */
export const TERMIOS_BYTES = 36;

export function encodeTermios(termios: Termios): Uint8Array {
  const bytes = new Uint8Array(TERMIOS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, termios.iflag, true);
  view.setUint32(4, termios.oflag, true);
  view.setUint32(8, termios.cflag, true);
  view.setUint32(12, termios.lflag, true);
  view.setUint8(16, termios.line);
  bytes.set(termios.cc, 17);
  return bytes;
}

export function decodeTermios(bytes: Uint8Array): Termios {
  const view = new DataView(bytes.buffer, bytes.byteOffset, TERMIOS_BYTES);
  return {
    iflag: view.getUint32(0, true),
    oflag: view.getUint32(4, true),
    cflag: view.getUint32(8, true),
    lflag: view.getUint32(12, true),
    line: view.getUint8(16),
    cc: bytes.slice(17, 17 + NCCS),
  };
}

export interface WindowSize {
  rows: number;
  columns: number;
  xPixels: number;
  yPixels: number;
}

/** sizeof(struct winsize): four u16. */
export const WINSIZE_BYTES = 8;

export function encodeWindowSize(size: WindowSize): Uint8Array {
  const { rows, columns, xPixels, yPixels } = size;
  return new Uint8Array(Uint16Array.of(rows, columns, xPixels, yPixels).buffer);
}

export function decodeWindowSize(view: DataView): WindowSize {
  return {
    rows: view.getUint16(0, true),
    columns: view.getUint16(2, true),
    xPixels: view.getUint16(4, true),
    yPixels: view.getUint16(6, true),
  };
}
