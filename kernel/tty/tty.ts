/**
 * A terminal as its processes have it: settings, window, session, and the line discipline between
 * them and the driver (a console, or the master of a pty).
 *
 *   tty.feed(bytes)      what the terminal sends: typed keys
 *   tty.open(flags)      FileOps of one open of its device
 *   tty.hangUp(…)        the line is gone
 *   driver.write(bytes)  what the terminal gets to show
 */
import type { FsEnvironment } from '../fs/vfs.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import type { ControllingTty } from '../sched/process.ts';
import { SIGWINCH } from '../sched/signal.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { Ns, Pid } from '../types/units.ts';
import { O_NOCTTY, O_NONBLOCK } from '../fs/fcntl.ts';
import type { Terminal } from './input.ts';
import { TtyInput } from './input.ts';
import type { JobControl } from './job-control.ts';
import { adoptOnOpen, hangUpSession } from './job-control.ts';
import { OutputProcessor } from './output.ts';
import type { Termios, WindowSize } from './termios.ts';
import { ICANON, standardTermios, VMIN, VTIME } from './termios.ts';
import { TtyFile } from './tty-file.ts';

export interface TtyEnvironment extends FsEnvironment {
  readonly jobs: JobControl;
}

/** The other side of a tty. */
export interface TtyDriver {
  /** Bytes that `write` would take now. */
  room(): number;
  write(bytes: Uint8Array): void;
  /** Throw away what was written and not shown yet. */
  flushOutput?(): void;
  /** The line discipline has taken input, so `inboundRoom` has grown. */
  inboundDrained?(): void;
  /** True once the other side is closed for good: reads give -EIO. */
  readonly closed?: boolean;
  /** Opens of the device went from none to one, or back. */
  opened?(): void;
  lastClosed?(): void;
}

/** drivers/tty/tty_buffer.c, TTYB_DEFAULT_MEM_LIMIT. */
const INBOUND_BYTES = 65536;
/** The longest thing that one byte becomes on output: a tab of eight blanks. */
const LONGEST_OUTPUT = 8;
const TENTH_OF_A_SECOND_NS = 100_000_000;

export class Tty implements ControllingTty, Terminal {
  /** As in /dev: 'ttyS0', 'pts/0'. */
  readonly name: string;
  /** Device number of its node. */
  readonly device: number;
  readonly environment: TtyEnvironment;
  readonly driver: TtyDriver;
  termios: Termios;
  windowSize: WindowSize = { rows: 0, columns: 0, xPixels: 0, yPixels: 0 };
  session: Pid | 0 = 0;
  foregroundPgid = 0;
  stopped = false;
  exclusive = false;
  /** Counts hang-ups: files opened before the last one are dead. */
  generation = 0;
  readonly input = new TtyInput(this);
  readonly readers: WaitQueue;
  readonly writers: WaitQueue;
  readonly #output = new OutputProcessor();
  #inbound: Uint8Array[] = [];
  #inboundBytes = 0;
  /** Echo that waits for room, or for ^Q. */
  #pendingEcho: number[] = [];
  #opens = 0;

  readonly #initialTermios: () => Termios;

  constructor(
    name: string,
    device: number,
    environment: TtyEnvironment,
    driver: TtyDriver,
    initialTermios = standardTermios,
  ) {
    this.#initialTermios = initialTermios;
    this.termios = initialTermios();
    this.name = name;
    this.device = device;
    this.environment = environment;
    this.driver = driver;
    this.readers = new WaitQueue(environment.sleeper);
    this.writers = new WaitQueue(environment.sleeper);
  }

  open(flags: number, canBecomeControlling = true): TtyFile | number {
    if (this.driver.closed) return -errno.EIO;
    if (this.exclusive) return -errno.EBUSY;
    if (this.#opens++ === 0) this.driver.opened?.();
    if (canBecomeControlling && !(flags & O_NOCTTY)) adoptOnOpen(this, this.environment.jobs);
    return new TtyFile(this);
  }

  get isOpen(): boolean {
    return this.#opens > 0;
  }

  close(): void {
    if (--this.#opens > 0) return;
    this.exclusive = false;
    this.driver.lastClosed?.();
  }

  // --- from the terminal ---

  /** Bytes that `feed` may still be given before its caller should wait. */
  get inboundRoom(): number {
    return Math.max(0, INBOUND_BYTES - this.#inboundBytes);
  }

  /** Nothing typed waits for a reader. */
  get inputIsEmpty(): boolean {
    return this.#inboundBytes === 0 && this.input.available === 0;
  }

  feed(bytes: Uint8Array): void {
    this.#inbound.push(bytes);
    this.#inboundBytes += bytes.length;
    this.#pump();
  }

  #pump(): void {
    const before = this.#inboundBytes;
    while (this.#inbound.length > 0 && this.input.hasRoom) {
      const chunk = this.#inbound[0]!;
      let used = 0;
      while (used < chunk.length && this.input.hasRoom) this.input.receive(chunk[used++]!);
      this.#inboundBytes -= used;
      if (used === chunk.length) this.#inbound.shift();
      else this.#inbound[0] = chunk.subarray(used);
    }
    this.flushEcho();
    if (this.input.available > 0) this.readers.wakeAll();
    if (this.#inboundBytes < before) this.driver.inboundDrained?.();
  }

  // --- Terminal: what the input side asks for ---

  get column(): number {
    return this.#output.column;
  }

  echo(...bytes: number[]): void {
    for (const byte of bytes) this.#output.process(byte, this.termios, this.#pendingEcho);
  }

  signal(signal: number, flush: boolean): void {
    if (flush) {
      // What the terminal would have shown already if the bytes had come one by one.
      this.flushEcho();
      this.input.flush();
      this.#pendingEcho = [];
      this.driver.flushOutput?.();
    }
    if (this.foregroundPgid !== 0) {
      this.environment.jobs.signalGroup(this.foregroundPgid, signal);
    }
  }

  setStopped(stopped: boolean): void {
    if (this.stopped === stopped) return;
    this.stopped = stopped;
    if (!stopped) this.outputDrained();
  }

  /** Room to write again: held echo goes out, sleeping writers go on. */
  outputDrained(): void {
    this.flushEcho();
    this.writers.wakeAll();
  }

  flushEcho(): void {
    if (this.stopped || this.#pendingEcho.length === 0) return;
    const now = this.#pendingEcho.splice(0, this.driver.room());
    if (now.length > 0) this.driver.write(Uint8Array.from(now));
  }

  // --- for readers and writers; TtyFile calls these ---

  /** Bytes that make a read return: VMIN's, or one. */
  get minimum(): number {
    if (this.termios.lflag & ICANON) return 1;
    return Math.max(1, this.termios.cc[VMIN]!);
  }

  take(count: number): Uint8Array {
    const data = this.input.take(count);
    this.#pump();
    return data;
  }

  read(count: number, flags: number, isDead: () => boolean): MaySleep<Uint8Array | number> {
    if (isDead() || count === 0) return new Uint8Array(0);
    if (this.input.available >= this.minimum) return this.take(count);
    const raw = !(this.termios.lflag & ICANON);
    if (raw && this.input.available >= count) return this.take(count);
    if (this.driver.closed && this.input.available === 0) return -errno.EIO;
    const instant = raw && this.termios.cc[VMIN] === 0 && this.termios.cc[VTIME] === 0;
    if (instant) return this.take(count);
    if (flags & O_NONBLOCK) return this.input.available > 0 ? this.take(count) : -errno.EAGAIN;
    return this.#readLater(count, isDead);
  }

  /**
   * VMIN and VTIME (termios(3)): with a minimum the timer runs from byte to byte, else it bounds
   * the wait for the first one.
   */
  *#readLater(count: number, isDead: () => boolean): KernelFlow<Uint8Array | number> {
    const { sleeper } = this.environment;
    const canonical = (this.termios.lflag & ICANON) !== 0;
    const timeNs = canonical ? 0 : this.termios.cc[VTIME]! * TENTH_OF_A_SECOND_NS;
    const betweenBytes = !canonical && this.termios.cc[VMIN]! > 0;
    const parts: Uint8Array[] = [];
    let length = 0;
    const done = () => Uint8Array.from(parts.flatMap((part) => [...part]));
    for (;;) {
      const ready = () => this.input.available > 0 || isDead() || this.driver.closed === true;
      const timed = timeNs > 0 && (!betweenBytes || length > 0);
      const why = yield* this.readers.wait(ready, {
        interruptible: true,
        ...(timed ? { untilNs: (sleeper.clock() + timeNs) as Ns } : {}),
      });
      if (why === 'timeout') return done();
      if (why === 'signal') return length > 0 ? done() : -errno.ERESTARTSYS;
      if (this.input.available === 0) {
        if (length > 0 || isDead()) return done();
        return -errno.EIO;
      }
      const wasCanonical = (this.termios.lflag & ICANON) !== 0;
      const part = this.take(count - length);
      parts.push(part);
      length += part.length;
      if (wasCanonical || length >= this.minimum || length === count) return done();
    }
  }

  /** The bytes of `data` that could be written now. */
  put(data: Uint8Array): number {
    if (this.stopped) return 0;
    this.flushEcho();
    const out: number[] = [];
    const room = this.driver.room();
    let used = 0;
    while (used < data.length && out.length + LONGEST_OUTPUT <= room) {
      this.#output.process(data[used++]!, this.termios, out);
    }
    if (out.length > 0) this.driver.write(Uint8Array.from(out));
    return used;
  }

  get canWrite(): boolean {
    return !this.stopped && this.driver.room() >= LONGEST_OUTPUT;
  }

  // --- settings ---

  setTermios(termios: Termios): void {
    const switched = (this.termios.lflag ^ termios.lflag) & ICANON;
    this.termios = termios;
    if (switched) this.input.modeChanged();
    this.#pump();
    // What makes a read return may have changed.
    this.readers.wakeAll();
  }

  flushInput(): void {
    this.#inbound = [];
    this.#inboundBytes = 0;
    this.input.flush();
    this.driver.inboundDrained?.();
  }

  setWindowSize(size: WindowSize): void {
    const old = this.windowSize;
    const same =
      old.rows === size.rows &&
      old.columns === size.columns &&
      old.xPixels === size.xPixels &&
      old.yPixels === size.yPixels;
    if (same) return;
    this.windowSize = size;
    if (this.foregroundPgid !== 0) {
      this.environment.jobs.signalGroup(this.foregroundPgid, SIGWINCH);
    }
  }

  // --- the end ---

  sessionLeaderExited(sid: Pid): void {
    if (this.session === sid) this.hangUp(true);
  }

  hangUp(sessionEnds: boolean): void {
    this.generation++;
    hangUpSession(this, this.environment.jobs, sessionEnds);
    this.input.flush();
    this.#pendingEcho = [];
    this.stopped = false;
    this.termios = this.#initialTermios();
    this.readers.wakeAll();
    this.writers.wakeAll();
  }
}
