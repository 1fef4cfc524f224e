/** Terminals: termios, window size, foreground process group (ioctl_tty(2)). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { syscall } from './files.ts';
import { layout } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';

export const TCGETS = 0x5401;
export const TCSETS = 0x5402;
export const TCSETSW = 0x5403;
export const TIOCSCTTY = 0x540e;
export const TIOCGPGRP = 0x540f;
export const TIOCSPGRP = 0x5410;
export const TIOCGWINSZ = 0x5413;
export const TIOCSWINSZ = 0x5414;

/** The kernel's `struct termios` (UAPI asm-generic/termbits.h): 19 control characters. */
export const TermiosLayout = layout({
  iflag: 'u32',
  oflag: 'u32',
  cflag: 'u32',
  lflag: 'u32',
  line: 'u8',
  cc: 19,
});
export type Termios = ReturnType<typeof TermiosLayout.decode>;

/** Flags by the names that stty gives them (UAPI asm-generic/termbits.h). */
export const IFLAGS = {
  ignbrk: 0o1,
  brkint: 0o2,
  ignpar: 0o4,
  parmrk: 0o10,
  inpck: 0o20,
  istrip: 0o40,
  inlcr: 0o100,
  igncr: 0o200,
  icrnl: 0o400,
  ixon: 0o2000,
  ixoff: 0o10000,
  iuclc: 0o1000,
  ixany: 0o4000,
  imaxbel: 0o20000,
  iutf8: 0o40000,
} as const;
export const OFLAGS = {
  opost: 0o1,
  olcuc: 0o2,
  ocrnl: 0o10,
  onlcr: 0o4,
  onocr: 0o20,
  onlret: 0o40,
} as const;
export const LFLAGS = {
  isig: 0o1,
  icanon: 0o2,
  iexten: 0o100000,
  echo: 0o10,
  echoe: 0o20,
  echok: 0o40,
  echonl: 0o100,
  noflsh: 0o200,
  tostop: 0o400,
  echoctl: 0o1000,
  echoprt: 0o2000,
  echoke: 0o4000,
} as const;
/** Index of a control character in c_cc. */
export const CC = {
  intr: 0,
  quit: 1,
  erase: 2,
  kill: 3,
  eof: 4,
  time: 5,
  min: 6,
  swtch: 7,
  start: 8,
  stop: 9,
  susp: 10,
  eol: 11,
  rprnt: 12,
  discard: 13,
  werase: 14,
  lnext: 15,
  eol2: 16,
} as const;

export function* tcgetattr(p: Process, fd: number): UserFlow<Termios | number> {
  const mark = p.mark();
  const address = yield* p.take(TermiosLayout.size);
  const result = yield* syscall(NR.ioctl, fd, TCGETS, address);
  const value =
    result < 0 ? result : TermiosLayout.decode(p.memory.read(address, TermiosLayout.size));
  p.release(mark);
  return value;
}

export function* tcsetattr(p: Process, fd: number, termios: Termios): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeBytes(TermiosLayout.encode(termios));
  const result = yield* syscall(NR.ioctl, fd, TCSETSW, address);
  p.release(mark);
  return result;
}

export function* isatty(p: Process, fd: number): UserFlow<boolean> {
  return typeof (yield* tcgetattr(p, fd)) !== 'number';
}

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

const Winsize = layout({ rows: 'u16', columns: 'u16', xpixel: 'u16', ypixel: 'u16' });

/** Undefined where `fd` is no terminal. A terminal that does not know its size has 80x24. */
export function* windowSize(p: Process, fd: number): UserFlow<WindowSize | undefined> {
  const mark = p.mark();
  const address = yield* p.take(Winsize.size);
  const result = yield* syscall(NR.ioctl, fd, TIOCGWINSZ, address);
  const size = Winsize.decode(p.memory.read(address, Winsize.size));
  p.release(mark);
  if (result < 0) return undefined;
  return { rows: size.rows || 24, columns: size.columns || 80 };
}

export function* setWindowSize(p: Process, fd: number, size: WindowSize): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeBytes(Winsize.encode(size));
  const result = yield* syscall(NR.ioctl, fd, TIOCSWINSZ, address);
  p.release(mark);
  return result;
}

export function* tcgetpgrp(p: Process, fd: number): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.take(4);
  const result = yield* syscall(NR.ioctl, fd, TIOCGPGRP, address);
  const group = result < 0 ? result : p.memory.readU32(address);
  p.release(mark);
  return group;
}

export function* tcsetpgrp(p: Process, fd: number, group: number): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.take(4);
  p.memory.writeU32(address, group);
  const result = yield* syscall(NR.ioctl, fd, TIOCSPGRP, address);
  p.release(mark);
  return result;
}

/** Characters one by one, no echo, no signals: what editors and pagers set. */
export function rawMode(termios: Termios): Termios {
  const cc = termios.cc.slice();
  cc[CC.min] = 1;
  cc[CC.time] = 0;
  return {
    ...termios,
    iflag: termios.iflag & ~(IFLAGS.icrnl | IFLAGS.inlcr | IFLAGS.ixon),
    lflag: termios.lflag & ~(LFLAGS.icanon | LFLAGS.echo | LFLAGS.isig | LFLAGS.iexten),
    cc,
  };
}
