/**
 * kmalloc: small blocks carved out of pages, large ones straight from the page allocator.
 *
 *   slab.kmalloc(sizeBytes)   at least 8-byte aligned, contents undefined
 *   slab.kfree(offset)        a double free, or a free of what was never allocated, throws Bug
 *   slab.sizeOf(offset)       bytes usable at `offset`, as ksize() has it
 *
 * Size classes are Linux's kmalloc caches (mm/slab_common.c): 8 to 8192 with 96 and 192. A freed
 * block is filled with 0x6b, Linux's POISON_FREE, so that a use after free shows.
 */
import type { RamOffset } from '../types/units.ts';
import { Bug } from '../types/units.ts';
import { PageAllocator } from './page-allocator.ts';

const CLASSES = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192] as const;
const POISON_FREE = 0x6b;
/** A slab is a run of 2^2 pages, so that even an 8 KiB class gets two objects. */
const SLAB_ORDER = 2;
const SLAB_BYTES = 4096 << SLAB_ORDER;

interface SlabRun {
  readonly objectBytes: number;
  readonly used: Uint8Array;
}

export class Slab {
  readonly #u8: Uint8Array;
  readonly #pages: PageAllocator;
  readonly #runs = new Map<number, SlabRun>();
  readonly #free: number[][] = CLASSES.map(() => []);
  /** In blocks that are handed out. */
  usedBytes = 0;

  constructor(u8: Uint8Array, pages: PageAllocator) {
    this.#u8 = u8;
    this.#pages = pages;
  }

  /** Throws OutOfMemory. */
  kmalloc(sizeBytes: number): RamOffset {
    const index = CLASSES.findIndex((bytes) => bytes >= sizeBytes);
    if (index < 0) return this.#pages.alloc(PageAllocator.orderFor(sizeBytes));
    const list = this.#free[index]!;
    if (list.length === 0) this.#grow(index);
    const offset = list.pop()!;
    const run = this.#runs.get(offset - (offset % SLAB_BYTES))!;
    run.used[(offset % SLAB_BYTES) / run.objectBytes] = 1;
    this.usedBytes += run.objectBytes;
    return offset as RamOffset;
  }

  kfree(offset: RamOffset): void {
    if (offset === 0) return;
    const run = this.#runs.get(offset - (offset % SLAB_BYTES));
    if (!run) return this.#pages.free(offset);
    const slot = (offset % SLAB_BYTES) / run.objectBytes;
    if (run.used[slot] !== 1) throw new Bug(`kfree of ${offset.toString(16)}: not allocated`);
    run.used[slot] = 0;
    this.usedBytes -= run.objectBytes;
    this.#u8.fill(POISON_FREE, offset, offset + run.objectBytes);
    this.#free[CLASSES.indexOf(run.objectBytes as (typeof CLASSES)[number])]!.push(offset);
  }

  sizeOf(offset: RamOffset): number | undefined {
    const run = this.#runs.get(offset - (offset % SLAB_BYTES));
    if (!run) return this.#pages.blockBytes(offset);
    return run.used[(offset % SLAB_BYTES) / run.objectBytes] === 1 ? run.objectBytes : undefined;
  }

  /** In slabs, whatever is in use of them. */
  get slabBytes(): number {
    return this.#runs.size * SLAB_BYTES;
  }

  #grow(index: number): void {
    const objectBytes = CLASSES[index]!;
    const start = this.#pages.alloc(SLAB_ORDER);
    const count = Math.floor(SLAB_BYTES / objectBytes);
    this.#runs.set(start, { objectBytes, used: new Uint8Array(count) });
    for (let i = count - 1; i >= 0; i--) this.#free[index]!.push(start + i * objectBytes);
  }
}
