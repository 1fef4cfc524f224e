/** clear(1), reset(1), stty(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import {
  CC,
  IFLAGS,
  LFLAGS,
  OFLAGS,
  rawMode,
  setWindowSize,
  tcgetattr,
  tcsetattr,
  type Termios,
  windowSize,
} from '../libc/terminal.ts';

export const clear: Tool = function* (p, args) {
  yield* getopt(p, args, { usage: '', about: 'Clear the terminal screen.' });
  yield* p.print('\x1b[H\x1b[2J\x1b[3J');
  return 0;
};

/** What a fresh terminal has (drivers/tty/tty_io.c, tty_std_termios; n_tty's usual flags). */
function sane(termios: Termios): Termios {
  const cc = termios.cc.slice();
  cc.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0]);
  return {
    ...termios,
    iflag:
      IFLAGS.icrnl | IFLAGS.ixon | IFLAGS.brkint | IFLAGS.imaxbel | (termios.iflag & IFLAGS.iutf8),
    oflag: OFLAGS.opost | OFLAGS.onlcr,
    lflag:
      LFLAGS.isig |
      LFLAGS.icanon |
      LFLAGS.iexten |
      LFLAGS.echo |
      LFLAGS.echoe |
      LFLAGS.echok |
      LFLAGS.echoctl |
      LFLAGS.echoke,
    cc,
  };
}

export const reset: Tool = function* (p, args) {
  yield* getopt(p, args, { usage: '', about: 'Bring the terminal back to a sane state.' });
  const termios = yield* tcgetattr(p, 0);
  if (typeof termios === 'object') yield* tcsetattr(p, 0, sane(termios));
  yield* p.print('\x1bc\x1b[!p\x1b[?3;4l\x1b[4l\x1b>\x1b[H\x1b[2J');
  return 0;
};

const HELP = `Usage: stty [-a] [SETTING]...
Print or change terminal characteristics.

  -a                print all current settings
  SETTING           [-]NAME for a flag (echo, icanon, isig, icrnl, onlcr, ...)
                    NAME CHAR for a special character (intr ^C, erase ^H, ...)
                    sane, raw, cooked, size, rows N, cols N
`;

export const stty: Tool = function* (p, args) {
  if (args.includes('--help')) {
    yield* p.print(HELP);
    return 0;
  }
  const before = yield* tcgetattr(p, 0);
  if (typeof before === 'number') {
    yield* p.error(`'standard input': ${strerror(before)}`);
    return 1;
  }
  if (args.length === 0 || (args.length === 1 && args[0] === '-a')) {
    yield* show(p, before, args.length === 1);
    return 0;
  }
  let termios = before;
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    const name = word.replace(/^-/, '');
    const on = name === word;
    if (word === 'size') {
      const size = yield* windowSize(p, 0);
      yield* p.println(`${size?.rows ?? 0} ${size?.columns ?? 0}`);
    } else if (['rows', 'cols', 'columns'].includes(word)) {
      const size = (yield* windowSize(p, 0)) ?? { rows: 24, columns: 80 };
      const value = Number(args[++at]);
      yield* setWindowSize(
        p,
        0,
        word === 'rows' ? { ...size, rows: value } : { ...size, columns: value },
      );
    } else if (word === 'sane' || word === 'cooked' || word === '-raw') termios = sane(termios);
    else if (word === 'raw') {
      const raw = rawMode(termios);
      termios = {
        ...raw,
        oflag: raw.oflag & ~OFLAGS.opost,
        lflag: raw.lflag | (termios.lflag & LFLAGS.echo),
      };
    } else if (name in IFLAGS) {
      termios = { ...termios, iflag: flip(termios.iflag, IFLAGS[name as keyof typeof IFLAGS], on) };
    } else if (name in OFLAGS) {
      termios = { ...termios, oflag: flip(termios.oflag, OFLAGS[name as keyof typeof OFLAGS], on) };
    } else if (name in LFLAGS) {
      termios = { ...termios, lflag: flip(termios.lflag, LFLAGS[name as keyof typeof LFLAGS], on) };
    } else if (word in CC) {
      const cc = termios.cc.slice();
      cc[CC[word as keyof typeof CC]] = controlOf(word, args[++at] ?? '');
      termios = { ...termios, cc };
    } else {
      yield* p.error(`invalid argument '${word}'`);
      return 1;
    }
  }
  const failed = termios === before ? 0 : yield* tcsetattr(p, 0, termios);
  if (failed < 0) yield* p.error(`'standard input': ${strerror(failed)}`);
  return failed < 0 ? 1 : 0;
};

function flip(flags: number, bit: number, on: boolean): number {
  return on ? flags | bit : flags & ~bit;
}

function controlOf(name: string, text: string): number {
  if (name === 'min' || name === 'time') return Number(text);
  if (text === 'undef' || text === '^-' || text === '') return 0;
  if (text === '^?') return 127;
  if (/^\^./.test(text)) return text.charCodeAt(1) & 0x1f;
  return text.charCodeAt(0);
}

function controlText(code: number): string {
  if (code === 0) return '<undef>';
  if (code === 127) return '^?';
  return code < 32 ? `^${String.fromCharCode(code + 64)}` : String.fromCharCode(code);
}

function* show(p: Process, termios: Termios, all: boolean): UserFlow<void> {
  const size = yield* windowSize(p, 0);
  const place = all ? ` rows ${size?.rows ?? 0}; columns ${size?.columns ?? 0};` : '';
  yield* p.println(`speed 38400 baud;${place} line = ${termios.line};`);
  const standard = sane(termios);
  const numeric = ['min', 'time'];
  const chars = Object.entries(CC)
    .filter(
      ([name, index]) =>
        !numeric.includes(name) &&
        name !== 'swtch' &&
        (all || termios.cc[index] !== standard.cc[index]),
    )
    .map(([name, index]) => `${name} = ${controlText(termios.cc[index]!)};`);
  if (all) chars.push(`min = ${termios.cc[CC.min]};`, `time = ${termios.cc[CC.time]};`);
  yield* wrapped(p, chars);
  const groups = [
    [IFLAGS, termios.iflag, standard.iflag],
    [OFLAGS, termios.oflag, standard.oflag],
    [LFLAGS, termios.lflag, standard.lflag],
  ] as const;
  for (const [names, flags, usual] of groups) {
    const words = Object.entries(names)
      .filter(([, bit]) => all || (flags & bit) !== (usual & bit))
      .map(([name, bit]) => (flags & bit ? name : `-${name}`));
    yield* wrapped(p, words);
  }
}

function* wrapped(p: Process, words: readonly string[]): UserFlow<void> {
  let line = '';
  for (const word of words) {
    if (line.length + word.length + 1 > 80) {
      yield* p.println(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  if (line !== '') yield* p.println(line);
}
