/**
 * Receive buffers, one page each, kept for reuse as a page_pool does: a page that comes back goes
 * out again without the page allocator.
 */
import type { Ram } from '../ram/ram.ts';
import type { RamOffset } from '../types/units.ts';

/** Pages kept for reuse (PP_ALLOC_CACHE_SIZE and the ring behind it, include/net/page_pool.h). */
const MAX_KEPT = 1152;

export class PagePool {
  readonly #ram: Ram;
  readonly #kept = new Uint32Array(MAX_KEPT);
  #count = 0;
  /** The queue is down: what still comes back is not kept. */
  #drained = false;
  /** Pages handed out and not back yet. */
  inflight = 0;

  constructor(ram: Ram) {
    this.#ram = ram;
  }

  /** Contents undefined. Throws OutOfMemory. */
  get(): RamOffset {
    this.#drained = false;
    const page = this.#count > 0 ? this.#kept[--this.#count]! : this.#ram.pages.alloc(0);
    this.inflight++;
    return page as RamOffset;
  }

  put(page: RamOffset): void {
    this.inflight--;
    if (this.#count < MAX_KEPT && !this.#drained) this.#kept[this.#count++] = page;
    else this.#ram.pages.free(page);
  }

  /** Give the kept pages back; those in flight follow when they return. */
  drain(): void {
    this.#drained = true;
    while (this.#count > 0) this.#ram.pages.free(this.#kept[--this.#count]! as RamOffset);
  }
}
