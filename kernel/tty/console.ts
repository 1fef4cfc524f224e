/**
 * The machine's console: the tty that the terminal in the browser (or on the host's stdin) is
 * connected to.
 *
 *   console.feed(bytes)            keys, through the machine's input record
 *   console.resize(columns, rows)  SIGWINCH to the foreground group
 *   console.onOutput((bytes) => …)    what to show; returns how to stop
 *   console.awaitsInput            somebody waits for a key
 *   console.print(text)            the kernel's own lines, whatever the tty's settings
 */
import { makeDev } from '../fs/inode.ts';
import type { Termios } from './termios.ts';
import { IUTF8, standardTermios } from './termios.ts';
import type { TtyEnvironment } from './tty.ts';
import { Tty } from './tty.ts';

/** TTY_MAJOR and the first serial port's minor (Documentation/admin-guide/devices.txt). */
export const CONSOLE_DEVICE = makeDev(4, 64);
const CONSOLE_NAME = 'ttyS0';

/** What is written before somebody listens is kept, up to this much. */
const BACKLOG_BYTES = 1 << 20;

export class ConsoleTty {
  readonly tty: Tty;
  #listeners: ((bytes: Uint8Array) => void)[] = [];
  #backlog: Uint8Array[] = [];
  #backlogBytes = 0;

  constructor(environment: TtyEnvironment) {
    // differs: a serial line has a speed; this one shows bytes at once and is never full.
    const driver = { room: () => 65536, write: (bytes: Uint8Array) => this.#show(bytes) };
    this.tty = new Tty(CONSOLE_NAME, CONSOLE_DEVICE, environment, driver, consoleTermios);
    this.tty.windowSize = { rows: 24, columns: 80, xPixels: 0, yPixels: 0 };
  }

  /** Called with what the terminal is to show; the first listener also gets what came before it. */
  onOutput(listener: (bytes: Uint8Array) => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    for (const bytes of this.#backlog) listener(bytes);
    this.#backlog = [];
    this.#backlogBytes = 0;
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  /** Somebody sleeps until a key is pressed, and all typed so far has been read. */
  get awaitsInput(): boolean {
    return this.tty.readers.hasWaiters && this.tty.inputIsEmpty;
  }

  feed(bytes: Uint8Array): void {
    this.tty.feed(bytes);
  }

  resize(columns: number, rows: number): void {
    this.tty.setWindowSize({ rows, columns, xPixels: 0, yPixels: 0 });
  }

  print(text: string): void {
    this.#show(new TextEncoder().encode(text.replaceAll('\n', '\r\n')));
  }

  #show(bytes: Uint8Array): void {
    for (const listener of this.#listeners) listener(bytes);
    if (this.#listeners.length > 0) return;
    if (this.#backlogBytes + bytes.length > BACKLOG_BYTES) return;
    this.#backlog.push(bytes);
    this.#backlogBytes += bytes.length;
  }
}

/** The terminals that get connected here speak UTF-8. */
function consoleTermios(): Termios {
  const termios = standardTermios();
  return { ...termios, iflag: termios.iflag | IUTF8 };
}
