/**
 * The page frames behind user memory, counted by how many address spaces map each: fork shares
 * them until one side writes.
 */
import { PAGE_SIZE } from '../ram/ram.ts';
import type { Ram } from '../ram/ram.ts';
import type { RamOffset } from '../types/units.ts';
import { Bug } from '../types/units.ts';

export class UserPages {
  readonly ram: Ram;
  /** A page was faulted in: what that costs, and who counts it. */
  onFault: () => void = () => {};
  readonly #references: Uint16Array;

  constructor(ram: Ram) {
    this.ram = ram;
    this.#references = new Uint16Array(ram.sizeBytes / PAGE_SIZE);
  }

  /** A zeroed page with one reference. Throws OutOfMemory. */
  alloc(): RamOffset {
    const page = this.ram.pages.alloc();
    this.ram.u8.fill(0, page, page + PAGE_SIZE);
    this.#references[page / PAGE_SIZE] = 1;
    return page;
  }

  references(page: RamOffset): number {
    return this.#references[page / PAGE_SIZE]!;
  }

  get(page: RamOffset): void {
    this.#references[page / PAGE_SIZE]!++;
  }

  put(page: RamOffset): void {
    const left = --this.#references[page / PAGE_SIZE]!;
    if (left === 65535) throw new Bug(`user page ${page.toString(16)} freed twice`);
    if (left === 0) this.ram.pages.free(page);
  }
}
