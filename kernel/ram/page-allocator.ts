/**
 * Buddy allocator over RAM's 4 KiB pages.
 *
 *   pages.alloc(order)      2^order contiguous pages, aligned to their size
 *   pages.free(offset)      give a block back; a double or foreign free throws Bug
 *   pages.allocExact(n)     n contiguous pages, as Linux's alloc_pages_exact; pages.freeExact
 *
 * State lives outside RAM, so a guest that scribbles over its pages cannot corrupt the allocator.
 * Lowest address first among equal blocks: allocation order is deterministic.
 */
import type { RamOffset } from '../types/units.ts';
import { Bug } from '../types/units.ts';

const PAGE_SHIFT = 12;
/** Linux's MAX_ORDER is 11 (6.1); ours is larger, since big maps are contiguous here. */
const ORDERS = 20;
const NOT_A_BLOCK = 0;
const FREE = 1;
const USED = 2;

/** No block of the wanted size is left; kernel paths turn it into -ENOMEM. */
export class OutOfMemory extends Error {
  override name = 'OutOfMemory';
}

export class PageAllocator {
  readonly #firstPage: number;
  readonly #endPage: number;
  /** Per page, for the first page of a block: FREE or USED, and the block's order. */
  readonly #state: Uint8Array;
  readonly #order: Uint8Array;
  /** Free blocks per order, as a stack of page numbers; stale entries are skipped on pop. */
  readonly #free: number[][] = Array.from({ length: ORDERS }, () => []);
  #freePages = 0;

  constructor(startBytes: number, endBytes: number) {
    this.#firstPage = Math.ceil(startBytes / (1 << PAGE_SHIFT));
    this.#endPage = Math.floor(endBytes / (1 << PAGE_SHIFT));
    this.#state = new Uint8Array(this.#endPage);
    this.#order = new Uint8Array(this.#endPage);
    const blocks: [page: number, order: number][] = [];
    let page = this.#firstPage;
    while (page < this.#endPage) {
      let order = ORDERS - 1;
      while (page % 2 ** order !== 0 || page + 2 ** order > this.#endPage) order--;
      blocks.push([page, order]);
      page += 2 ** order;
    }
    for (const [start, order] of blocks.reverse()) this.#pushFree(start, order);
  }

  get freeBytes(): number {
    return this.#freePages * 2 ** PAGE_SHIFT;
  }

  get totalBytes(): number {
    return (this.#endPage - this.#firstPage) * 2 ** PAGE_SHIFT;
  }

  /** Order of the smallest block that holds `sizeBytes`. */
  static orderFor(sizeBytes: number): number {
    const pages = Math.max(1, Math.ceil(sizeBytes / 2 ** PAGE_SHIFT));
    return Math.ceil(Math.log2(pages));
  }

  /** 2^order pages, contents undefined. Throws OutOfMemory. */
  alloc(order = 0): RamOffset {
    for (let have = order; have < ORDERS; have++) {
      const page = this.#popFree(have);
      if (page === undefined) continue;
      for (let split = have; split > order; split--) {
        this.#pushFree(page + 2 ** (split - 1), split - 1);
      }
      this.#state[page] = USED;
      this.#order[page] = order;
      return (page * 2 ** PAGE_SHIFT) as RamOffset;
    }
    throw new OutOfMemory(`no free block of ${2 ** order} pages`);
  }

  free(offset: RamOffset): void {
    let page = offset / 2 ** PAGE_SHIFT;
    if (this.#state[page] !== USED) {
      throw new Bug(`free of page ${page}, which is not the start of an allocated block`);
    }
    let order = this.#order[page]!;
    this.#state[page] = NOT_A_BLOCK;
    while (order < ORDERS - 1) {
      const size = 2 ** order;
      const buddy = Math.floor(page / size) % 2 === 0 ? page + size : page - size;
      if (buddy < this.#firstPage || buddy + size > this.#endPage) break;
      if (this.#state[buddy] !== FREE || this.#order[buddy] !== order) break;
      this.#state[buddy] = NOT_A_BLOCK;
      this.#freePages -= size;
      page = Math.min(page, buddy);
      order++;
    }
    this.#pushFree(page, order);
  }

  /** `count` contiguous pages; what rounding up to a block would waste is given back at once. */
  allocExact(count: number): RamOffset {
    const order = PageAllocator.orderFor(count * 2 ** PAGE_SHIFT);
    const offset = this.alloc(order);
    const first = offset / 2 ** PAGE_SHIFT;
    for (let page = first; page < first + 2 ** order; page++) {
      this.#state[page] = USED;
      this.#order[page] = 0;
    }
    this.freeExact((offset + count * 2 ** PAGE_SHIFT) as RamOffset, 2 ** order - count);
    return offset;
  }

  /** Gives `count` pages of an allocExact back. */
  freeExact(offset: RamOffset, count: number): void {
    for (let i = 0; i < count; i++) this.free((offset + i * 2 ** PAGE_SHIFT) as RamOffset);
  }

  /** Bytes in the allocated block that starts at `offset`; undefined if none does. */
  blockBytes(offset: RamOffset): number | undefined {
    const page = offset / 2 ** PAGE_SHIFT;
    return this.#state[page] === USED ? 2 ** (PAGE_SHIFT + this.#order[page]!) : undefined;
  }

  #pushFree(page: number, order: number): void {
    this.#state[page] = FREE;
    this.#order[page] = order;
    this.#free[order]!.push(page);
    this.#freePages += 2 ** order;
  }

  #popFree(order: number): number | undefined {
    const list = this.#free[order]!;
    for (let page = list.pop(); page !== undefined; page = list.pop()) {
      if (this.#state[page] !== FREE || this.#order[page] !== order) continue;
      this.#state[page] = NOT_A_BLOCK;
      this.#freePages -= 2 ** order;
      return page;
    }
    return undefined;
  }
}
