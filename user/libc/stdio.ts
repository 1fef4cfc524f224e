/**
 * Buffered streams over file descriptors, as stdio has them.
 *
 *   yield* stream.write(text | bytes)    'auto': line-buffered on a tty, else by blocks
 *   yield* stream.flush()                0, or the errno of the first failed write
 *   yield* stream.readLine()             without its newline; undefined at the end
 *   yield* stream.readChunk()            what one read(2) gives; empty at the end
 *
 * Reads and writes go through one buffer in user memory that is allocated on first use.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { errno } from '../../kernel/types/errno.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';
import { concatBytes, decodeText, encodeText } from './text.ts';

/** st_blksize of most files. */
const BLOCK_BYTES = 4096;
/** What cat and cp read at once. */
export const CHUNK_BYTES = 65536;
const TCGETS = 0x5401;
const NEWLINE = 10;

export type Buffering = 'auto' | 'full' | 'line' | 'none';

/** What is read whole lives outside the machine's memory; a file without an end must not fill it. */
const MAX_HELD_BYTES = 64 * 2 ** 20;

export class Stream {
  readonly fd: number;
  readonly #p: Process;
  #buffering: Buffering;
  #out: Uint8Array[] = [];
  #outBytes = 0;
  #in: Uint8Array = new Uint8Array(0);
  #error = 0;
  #block: UserAddress | undefined;
  #blockBytes = 0;

  constructor(p: Process, fd: number, buffering: Buffering) {
    this.#p = p;
    this.fd = fd;
    this.#buffering = buffering;
  }

  /** Negative errno of the first failed read or write; 0 if none failed. */
  get error(): number {
    return this.#error;
  }

  clearError(): void {
    this.#error = 0;
  }

  /** setvbuf(3). */
  setBuffering(mode: Buffering): void {
    this.#buffering = mode;
  }

  *write(data: string | Uint8Array): UserFlow<void> {
    const bytes = typeof data === 'string' ? encodeText(data) : data;
    if (bytes.length === 0) return;
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (this.#buffering === 'auto') {
      this.#buffering = (yield* this.isTerminal()) ? 'line' : 'full';
    }
    const flushNow =
      this.#buffering === 'none' ||
      this.#outBytes >= BLOCK_BYTES ||
      (this.#buffering === 'line' && bytes.includes(NEWLINE));
    if (flushNow) yield* this.flush();
  }

  *flush(): UserFlow<number> {
    if (this.#outBytes > 0) {
      const bytes = this.#out.length === 1 ? this.#out[0]! : concatBytes(this.#out);
      this.#out = [];
      this.#outBytes = 0;
      yield* this.#writeAll(bytes);
    }
    return this.#error;
  }

  /** Bytes up to and with the next newline (or `end`); undefined at the end of the file. */
  *readLineBytes(end = NEWLINE): UserFlow<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const at = this.#in.indexOf(end);
      if (at >= 0) {
        parts.push(this.#in.subarray(0, at + 1));
        this.#in = this.#in.subarray(at + 1);
        return parts.length === 1 ? parts[0]! : concatBytes(parts);
      }
      if (this.#in.length > 0) parts.push(this.#in);
      this.#in = yield* this.#fill();
      if (this.#in.length === 0) return parts.length === 0 ? undefined : concatBytes(parts);
    }
  }

  *readLine(end = NEWLINE): UserFlow<string | undefined> {
    const bytes = yield* this.readLineBytes(end);
    if (!bytes) return undefined;
    return decodeText(bytes[bytes.length - 1] === end ? bytes.subarray(0, -1) : bytes);
  }

  /** Buffered bytes, else what one read gives; empty at the end or on an error (see `error`). */
  *readChunk(): UserFlow<Uint8Array> {
    const buffered = this.#in;
    if (buffered.length > 0) {
      this.#in = new Uint8Array(0);
      return buffered;
    }
    return yield* this.#fill();
  }

  /** To the end of the file. More than a process may hold is -ENOMEM in `error`. */
  *readAll(): UserFlow<Uint8Array> {
    const parts: Uint8Array[] = [];
    let held = 0;
    for (;;) {
      const chunk = yield* this.readChunk();
      if (chunk.length === 0) return concatBytes(parts);
      held += chunk.length;
      if (held > MAX_HELD_BYTES) {
        this.#error ||= -errno.ENOMEM;
        return new Uint8Array(0);
      }
      parts.push(chunk);
    }
  }

  /** isatty(3): the terminal ioctl works. */
  *isTerminal(): UserFlow<boolean> {
    const block = yield* this.#room(64);
    return (yield { kind: 'syscall', nr: NR.ioctl, args: [this.fd, TCGETS, block] }) >= 0;
  }

  /** Give the user-memory buffer back; the descriptor is the caller's to close. */
  dispose(): void {
    if (this.#block !== undefined) this.#p.heap.free(this.#block);
    this.#block = undefined;
    this.#blockBytes = 0;
  }

  *#fill(): UserFlow<Uint8Array> {
    const block = yield* this.#room(CHUNK_BYTES);
    const got = yield { kind: 'syscall', nr: NR.read, args: [this.fd, block, CHUNK_BYTES] };
    if (got < 0) {
      this.#error ||= got;
      return new Uint8Array(0);
    }
    return this.#p.memory.read(block, got).slice();
  }

  *#writeAll(bytes: Uint8Array): UserFlow<void> {
    let at = 0;
    while (at < bytes.length) {
      const chunk = bytes.subarray(at, at + CHUNK_BYTES);
      const block = yield* this.#room(chunk.length);
      this.#p.memory.write(block, chunk);
      const wrote = yield { kind: 'syscall', nr: NR.write, args: [this.fd, block, chunk.length] };
      if (wrote === -errno.EINTR) continue;
      if (wrote < 0) {
        this.#error ||= wrote;
        return;
      }
      at += wrote;
    }
  }

  *#room(sizeBytes: number): UserFlow<UserAddress> {
    if (this.#block === undefined || this.#blockBytes < sizeBytes) {
      this.dispose();
      this.#blockBytes = Math.max(sizeBytes, BLOCK_BYTES);
      this.#block = yield* this.#p.heap.malloc(this.#blockBytes);
    }
    return this.#block;
  }
}
