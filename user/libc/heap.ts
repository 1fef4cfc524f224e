/**
 * malloc and free over brk(2), and the scratch stack that syscall wrappers put arguments on.
 *
 *   yield* heap.malloc(size)        16-byte aligned, contents undefined
 *   heap.free(address)
 *   heap.fork(memory)               the child's allocator after fork: same addresses, own state
 *
 * The bookkeeping lives outside user memory, so a stray store cannot corrupt it.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';
import { NR } from './nr.ts';

const ALIGN = 16;
/** Grow the heap by at least this much; glibc's M_TOP_PAD is 128 KiB. */
const GROW_BYTES = 128 * 1024;

/** brk(2) refused; a process that does not catch it ends with a message. */
export class OutOfUserMemory extends Error {
  override name = 'OutOfUserMemory';
}

export class Heap {
  /** Address of the first byte never handed out, and the end of what brk has given. */
  #top = 0;
  #end = 0;
  readonly #sizes = new Map<number, number>();
  readonly #free = new Map<number, number[]>();

  *malloc(sizeBytes: number): UserFlow<UserAddress> {
    const size = roundUp(Math.max(1, sizeBytes));
    const list = this.#free.get(size);
    let address = list?.pop();
    if (address === undefined) {
      if (this.#top + size > this.#end) yield* this.#grow(size);
      address = this.#top;
      this.#top += size;
    }
    this.#sizes.set(address, size);
    return address as UserAddress;
  }

  free(address: UserAddress): void {
    const size = this.#sizes.get(address);
    if (size === undefined) throw new Bug(`free of 0x${address.toString(16)}: not allocated`);
    this.#sizes.delete(address);
    const list = this.#free.get(size);
    if (list) list.push(address);
    else this.#free.set(size, [address]);
  }

  /** After fork the memory is a copy, so the child's heap starts with the same blocks. */
  fork(): Heap {
    const child = new Heap();
    child.#top = this.#top;
    child.#end = this.#end;
    for (const [address, size] of this.#sizes) child.#sizes.set(address, size);
    for (const [size, list] of this.#free) child.#free.set(size, [...list]);
    return child;
  }

  *#grow(sizeBytes: number): UserFlow<void> {
    if (this.#end === 0) {
      this.#end = yield { kind: 'syscall', nr: NR.brk, args: [0] };
      this.#top = roundUp(this.#end);
    }
    const wanted = this.#top + Math.max(sizeBytes, GROW_BYTES);
    const end = yield { kind: 'syscall', nr: NR.brk, args: [wanted] };
    if (end < wanted) throw new OutOfUserMemory(`brk of ${sizeBytes} bytes refused`);
    this.#end = end;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
