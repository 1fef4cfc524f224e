/**
 * A process's map of what its addresses mean: areas in ascending order that do not overlap
 * (vm_area_struct), found by binary search, split and merged as mmap, munmap and mprotect ask.
 */
import type { RamOffset } from '../types/units.ts';

/** PROT_* and MAP_* (UAPI asm-generic/mman-common.h). */
export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_SHARED = 0x1;
export const MAP_PRIVATE = 0x2;
export const MAP_SHARED_VALIDATE = 0x3;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_GROWSDOWN = 0x100;
export const MAP_FIXED_NOREPLACE = 0x100000;

/** Where the pages of an area that is not anonymous come from. */
export interface Backing {
  /** As in /proc/PID/maps. */
  readonly path: string;
  readonly inode: number;
  readonly device: number;
  /**
   * Pages that the kernel owns and shares with the process: RAM offset of page `index` of the
   * object, undefined beyond its end (SIGBUS in Linux, a fault here).
   */
  sharedPage?(index: number): RamOffset | undefined;
  /** Private mappings of a file: bytes for page `index`, fewer than a page at the end. */
  readPage?(index: number): Uint8Array;
  /** One more area refers to it (fork, split), or one less. */
  open?(): void;
  close?(): void;
}

export interface Vma {
  readonly start: number;
  readonly end: number;
  readonly prot: number;
  readonly flags: number;
  /** '[heap]', '[stack]' or '' */
  readonly name: string;
  readonly backing?: Backing;
  /** Page of the backing at `start`. */
  readonly page: number;
}

export class VmaList {
  #areas: Vma[] = [];

  get all(): readonly Vma[] {
    return this.#areas;
  }

  find(address: number): Vma | undefined {
    const vma = this.#areas[this.#indexAfter(address) - 1];
    return vma && address < vma.end ? vma : undefined;
  }

  /** Areas that touch [start, end). */
  overlapping(start: number, end: number): readonly Vma[] {
    return this.#areas.filter((vma) => vma.start < end && vma.end > start);
  }

  insert(vma: Vma): void {
    const index = this.#indexAfter(vma.start);
    this.#areas.splice(index, 0, vma);
    this.#mergeAt(index);
    this.#mergeAt(index - 1);
  }

  /** Cut [start, end) out; what sticks out on either side stays. */
  remove(start: number, end: number): readonly Vma[] {
    const cut: Vma[] = [];
    this.#areas = this.#areas.flatMap((vma) => {
      if (vma.end <= start || vma.start >= end) return [vma];
      const from = Math.max(vma.start, start);
      const to = Math.min(vma.end, end);
      cut.push(sliceOf(vma, from, to));
      const kept: Vma[] = [];
      if (vma.start < from) kept.push(sliceOf(vma, vma.start, from));
      if (to < vma.end) kept.push(sliceOf(vma, to, vma.end));
      // The cut-out piece closes the backing once; a split in two keeps it open twice.
      if (kept.length === 2) vma.backing?.open?.();
      if (kept.length === 0) vma.backing?.close?.();
      return kept;
    });
    return cut;
  }

  /** Highest free range of `size` bytes that ends at or below `top`, as Linux's top-down layout. */
  freeRange(size: number, bottom: number, top: number): number | undefined {
    let end = top;
    for (let i = this.#areas.length - 1; i >= 0; i--) {
      const vma = this.#areas[i]!;
      if (vma.start >= end) continue;
      if (vma.end <= end - size) break;
      end = Math.min(end, vma.start);
    }
    return end - size >= bottom ? end - size : undefined;
  }

  isFree(start: number, end: number): boolean {
    return this.overlapping(start, end).length === 0;
  }

  /** Index of the first area that starts above `address`. */
  #indexAfter(address: number): number {
    let low = 0;
    let high = this.#areas.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#areas[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Join anonymous neighbours that differ in nothing. */
  #mergeAt(index: number): void {
    const a = this.#areas[index];
    const b = this.#areas[index + 1];
    if (!a || !b || a.end !== b.start || a.backing || b.backing) return;
    if (a.prot !== b.prot || a.flags !== b.flags || a.name !== b.name) return;
    this.#areas.splice(index, 2, { ...a, end: b.end });
  }
}

function sliceOf(vma: Vma, start: number, end: number): Vma {
  return { ...vma, start, end, page: vma.page + (start - vma.start) / 4096 };
}
