/** less(1): a pager. Keys: space b d u j k g G / n N q, arrows and page keys; -N -S -F -X. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { close, O_CLOEXEC, O_RDONLY, open, read } from '../libc/files.ts';
import { getopt } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { isatty, rawMode, tcgetattr, tcsetattr, windowSize } from '../libc/terminal.ts';
import { charWidth, decodeText } from '../libc/text.ts';
import { KeyDecoder, type Key } from '../readline/keys.ts';
import { eachInput } from './input.ts';
import { posixRegExp } from './regex.ts';

export const less: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'View text a screen at a time.',
    options: [
      { short: 'N', long: 'LINE-NUMBERS', help: 'show line numbers' },
      { short: 'S', long: 'chop-long-lines', help: 'cut lines, do not wrap them' },
      { short: 'F', long: 'quit-if-one-screen', help: 'only print if the text fits the screen' },
      { short: 'R', long: 'RAW-CONTROL-CHARS', help: '(colours always pass)' },
      { short: 'X', long: 'no-init', help: '(accepted)' },
    ],
    more: 'Keys: space/b page, d/u half a page, j/k line, g/G start/end, /PATTERN n N search, q quit.',
  });
  let text = '';
  const status = yield* eachInput(p, o.operands, function* (stream) {
    text += decodeText(yield* stream.readAll());
  });
  const size = yield* windowSize(p, 1);
  const lines = text.replace(/\n$/, '').split('\n');
  if (!size || (o.has('quit-if-one-screen') && lines.length < size.rows)) {
    yield* p.print(text);
    return status;
  }
  // Keys come from the terminal, also where the text came from standard input.
  const fd = (yield* isatty(p, 0)) ? 0 : yield* open(p, '/dev/tty', O_RDONLY | O_CLOEXEC);
  const before = fd < 0 ? fd : yield* tcgetattr(p, fd);
  if (typeof before === 'number') {
    yield* p.print(text);
    return status;
  }
  yield* tcsetattr(p, fd, rawMode(before));
  const title = o.operands.join(' ');
  const pager = new Pager(p, fd, lines, title, o.has('LINE-NUMBERS'), o.has('chop-long-lines'));
  yield* pager.run();
  yield* tcsetattr(p, fd, before);
  if (fd !== 0) yield* close(fd);
  return status;
};

class Pager {
  readonly #p: Process;
  readonly #fd: number;
  readonly #lines: readonly string[];
  readonly #title: string;
  readonly #numbers: boolean;
  readonly #chop: boolean;
  readonly #decoder = new KeyDecoder();
  #top = 0;
  #rows = 24;
  #columns = 80;
  #pattern: RegExp | undefined;
  #message = '';

  constructor(
    p: Process,
    fd: number,
    lines: readonly string[],
    title: string,
    numbers: boolean,
    chop: boolean,
  ) {
    this.#p = p;
    this.#fd = fd;
    this.#lines = lines;
    this.#title = title;
    this.#numbers = numbers;
    this.#chop = chop;
    this.#message = title;
  }

  *run(): UserFlow<void> {
    yield* this.#p.print('\x1b[?1049h');
    for (;;) {
      yield* this.#draw();
      const key = yield* this.#key();
      if (!key) break;
      this.#message = '';
      const name = key.kind === 'text' ? key.text : key.name;
      if (name === 'q' || name === 'Q' || name === 'C-c') break;
      if (name === '/' || name === '?') yield* this.#ask(name === '/');
      else this.#move(name);
    }
    yield* this.#p.print('\x1b[?1049l');
    yield* this.#p.stdout.flush();
  }

  #move(name: string): void {
    const page = Math.max(1, this.#rows - 1);
    const steps: Record<string, number> = {
      ' ': page,
      f: page,
      pagedown: page,
      b: -page,
      pageup: -page,
      d: Math.ceil(page / 2),
      u: -Math.ceil(page / 2),
      j: 1,
      e: 1,
      down: 1,
      enter: 1,
      k: -1,
      y: -1,
      up: -1,
    };
    const step = steps[name];
    if (step !== undefined) this.#goTo(this.#top + step);
    else if (name === 'g' || name === '<' || name === 'home') this.#goTo(0);
    else if (name === 'G' || name === '>' || name === 'end') this.#goTo(this.#lines.length);
    else if (name === 'n') this.#search(1);
    else if (name === 'N') this.#search(-1);
  }

  #goTo(line: number): void {
    const last = Math.max(0, this.#lines.length - (this.#rows - 1));
    this.#top = Math.max(0, Math.min(last, line));
  }

  #search(direction: 1 | -1): void {
    if (!this.#pattern) {
      this.#message = 'No previous regular expression';
      return;
    }
    for (
      let line = this.#top + direction;
      line >= 0 && line < this.#lines.length;
      line += direction
    ) {
      if (!this.#pattern.test(plain(this.#lines[line]!))) continue;
      this.#top = line;
      return;
    }
    this.#message = 'Pattern not found';
  }

  *#ask(forward: boolean): UserFlow<void> {
    let text = '';
    const sign = forward ? '/' : '?';
    for (;;) {
      yield* this.#p.print(`\r\x1b[K${sign}${text}`);
      yield* this.#p.stdout.flush();
      const key = yield* this.#key();
      if (!key || (key.kind === 'key' && key.name === 'C-c')) return;
      if (key.kind === 'text') text += key.text;
      else if (key.name === 'backspace') {
        if (text === '') return;
        text = [...text].slice(0, -1).join('');
      } else if (key.name === 'enter') break;
    }
    if (text !== '') this.#pattern = posixRegExp(text, { extended: true });
    this.#search(forward ? 1 : -1);
  }

  *#key(): UserFlow<Key | undefined> {
    for (;;) {
      const bytes = yield* read(this.#p, this.#fd, 1);
      if (typeof bytes === 'number' || bytes.length === 0) return undefined;
      const key = this.#decoder.feed(bytes[0]!);
      if (key) return key;
    }
  }

  *#draw(): UserFlow<void> {
    const size = yield* windowSize(this.#p, 1);
    this.#rows = size?.rows ?? 24;
    this.#columns = size?.columns ?? 80;
    let out = '\x1b[H\x1b[J';
    let used = 0;
    let line = this.#top;
    for (; line < this.#lines.length && used < this.#rows - 1; line++) {
      const number = this.#numbers ? `${String(line + 1).padStart(7)} ` : '';
      const text = this.#fit(number + this.#highlighted(this.#lines[line]!));
      const rows = this.#chop ? 1 : Math.max(1, Math.ceil(width(text) / this.#columns));
      if (used + rows > this.#rows - 1 && used > 0) break;
      out += `${text}\n`;
      used += rows;
    }
    for (; used < this.#rows - 1; used++) out += '~\n';
    const end = line >= this.#lines.length ? '(END)' : ':';
    const status = this.#message || (end === ':' && this.#top === 0 && this.#title) || end;
    out += status === ':' ? ':' : `\x1b[7m${status}\x1b[27m`;
    yield* this.#p.print(out);
    yield* this.#p.stdout.flush();
  }

  #highlighted(text: string): string {
    if (!this.#pattern) return text;
    const global = new RegExp(this.#pattern.source, `${this.#pattern.flags}g`);
    return text.replace(global, (match) => (match === '' ? '' : `\x1b[7m${match}\x1b[27m`));
  }

  #fit(text: string): string {
    const untabbed = text.replaceAll('\t', '        ');
    if (!this.#chop) return untabbed;
    return [...untabbed].slice(0, this.#columns).join('');
  }
}

function plain(text: string): string {
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '');
}

function width(text: string): number {
  let columns = 0;
  for (const char of plain(text)) columns += charWidth(char);
  return columns;
}
