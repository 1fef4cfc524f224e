/**
 * One reading of an iterator (what BPF_ITER_CREATE's descriptor stands for): the program runs for
 * each object and writes into a seq_file, whose text is read (kernel/bpf/bpf_iter.c, 6.1).
 *
 *   const iteration = new BpfIteration(runtime, session, program, cursor)
 *   iteration.read(sizeBytes)      bytes, none at the end, or -errno
 *   iteration.free()
 */
import { errno } from '../../kernel/types/errno.ts';
import { BpfIterMeta, SeqFileStruct } from '../../kernel/types/seq-file.ts';
import type { SeqFileView } from '../../kernel/types/seq-file.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';

/** PAGE_SIZE << 3: what one object may write at most. */
const BUFFER_BYTES = 8 * 4096;
/** MAX_ITER_OBJECTS: without a byte of text after so many, the reader is let go (-EAGAIN). */
const MAX_OBJECTS = 1_000_000;
/** Most arguments that a target has. */
const MAX_ARGS = 4;

/** Goes over a target's objects; where it stands survives objects that come and go. */
export interface IterCursor {
  /** The object's arguments as kernel addresses, in order; undefined at the end. */
  current(): readonly bigint[] | undefined;
  advance(): void;
  /** The program has seen the object: what was made up for it may go. */
  done?(): void;
  free(): void;
}

/** What reading needs of the program that runs. */
export interface IterProgram {
  run(ctx: RamOffset): number;
}

export class BpfIteration {
  readonly #runtime: BpfRuntime;
  readonly #program: IterProgram;
  readonly #cursor: IterCursor;
  readonly #argCount: number;
  readonly #seq: SeqFileView;
  readonly #meta;
  readonly #ctx: RamOffset;
  readonly #buffer: RamOffset;
  #seqNum = 0n;
  /** The program has been told of the end. */
  #ended = false;

  constructor(
    runtime: BpfRuntime,
    sessionId: bigint,
    program: IterProgram,
    cursor: IterCursor,
    argCount: number,
  ) {
    const { ram } = runtime;
    this.#runtime = runtime;
    this.#program = program;
    this.#cursor = cursor;
    this.#argCount = argCount;
    this.#buffer = ram.kzalloc(BUFFER_BYTES);
    this.#seq = SeqFileStruct.alloc(ram);
    this.#meta = BpfIterMeta.alloc(ram);
    this.#ctx = ram.kzalloc(MAX_ARGS * 8);
    this.#seq.buf = this.#buffer;
    this.#seq.size = BigInt(BUFFER_BYTES);
    this.#meta.seq = this.#seq.offset;
    this.#meta.session_id = sessionId;
    ram.writePointer(this.#ctx, this.#meta.offset);
  }

  /** bpf_seq_read */
  read(sizeBytes: number): Uint8Array | number {
    if (this.#count > 0) return this.#take(sizeBytes);
    this.#seq.from = 0n;
    let object = this.#cursor.current();
    let shown = 0;
    while (object) {
      const before = this.#count;
      const failed = this.#show(object);
      if (failed < 0) {
        this.#count = before;
        if (before === 0) return failed;
        return this.#take(sizeBytes);
      }
      this.#cursor.advance();
      object = this.#cursor.current();
      if (object) this.#seqNum++;
      if (this.#count >= sizeBytes) break;
      if (++shown >= MAX_OBJECTS) {
        if (this.#count === 0) return -errno.EAGAIN;
        break;
      }
    }
    if (!object && !this.#ended) {
      const before = this.#count;
      this.#run([]);
      if (this.#overflowed) {
        this.#count = before;
        if (before === 0) return -errno.E2BIG;
      } else this.#ended = true;
    }
    return this.#take(sizeBytes);
  }

  free(): void {
    const { ram } = this.#runtime;
    this.#cursor.free();
    for (const block of [this.#buffer, this.#seq.offset, this.#meta.offset, this.#ctx]) {
      ram.kfree(block);
    }
  }

  /** 0, or why the object's text cannot stay. */
  #show(object: readonly bigint[]): number {
    const result = this.#run(object);
    this.#cursor.done?.();
    // 1 asks for the same object again.
    if (result !== 0) return -errno.EAGAIN;
    return this.#overflowed ? -errno.E2BIG : 0;
  }

  #run(args: readonly bigint[]): number {
    const { ram } = this.#runtime;
    this.#meta.seq_num = this.#seqNum;
    for (let i = 0; i < this.#argCount; i++) {
      ram.writeU64((this.#ctx + 8 * (i + 1)) as RamOffset, args[i] ?? 0n);
    }
    return this.#program.run(this.#ctx);
  }

  get #count(): number {
    return Number(this.#seq.count);
  }

  set #count(count: number) {
    this.#seq.count = BigInt(count);
  }

  get #overflowed(): boolean {
    return this.#seq.count === this.#seq.size;
  }

  #take(sizeBytes: number): Uint8Array {
    const from = Number(this.#seq.from);
    const bytes = Math.min(this.#count, sizeBytes);
    const text = this.#runtime.ram.bytes((this.#buffer + from) as RamOffset, bytes).slice();
    this.#count -= bytes;
    this.#seq.from = BigInt(from + bytes);
    return text;
  }
}
