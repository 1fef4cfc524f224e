/**
 * The machine's physical memory: one WebAssembly.Memory, sized at boot, never grown.
 *
 *   new Ram(sizeBytes, reservedBytes)   the memory, its views and its allocators
 *   ram.kernelAddress(offset)           RamOffset -> 64-bit kernel virtual address
 *   ram.offsetOf(address)               and back; undefined outside RAM
 *   ram.pages / ram.slab                page allocator and kmalloc
 *
 * Kernel virtual address = KERNEL_BASE + offset, so the low 32 bits of a kernel pointer are the
 * offset itself. The first 64 KiB are never mapped: NULL and small bad pointers stay telling.
 */
import type { KernelAddress, RamOffset } from '../types/units.ts';
import { PageAllocator } from './page-allocator.ts';
import { Slab } from './slab.ts';

/** Start of Linux's direct map on x86-64 without KASLR (Documentation/x86/x86_64/mm.rst). */
export const KERNEL_BASE = 0xffff_8880_0000_0000n;
/** High word of every kernel address. */
export const KERNEL_BASE_HIGH = 0xffff_8880;
export const PAGE_SIZE = 4096;
/** Nothing below this offset is ever handed out. */
export const NULL_GUARD_BYTES = 65536;

export class Ram {
  readonly memory: WebAssembly.Memory;
  readonly sizeBytes: number;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u16: Uint16Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly u64: BigUint64Array<ArrayBuffer>;
  /** For unaligned access; always pass `true` (the machine is little-endian). */
  readonly view: DataView<ArrayBuffer>;
  readonly pages: PageAllocator;
  readonly slab: Slab;

  /**
   * @param sizeBytes multiple of 64 KiB, at most 4 GiB
   * @param reservedBytes low part that is not handed to the page allocator: the NULL guard and the
   *   C core's static data and stack
   */
  constructor(sizeBytes: number, reservedBytes: number) {
    const wasmPages = sizeBytes / 65536;
    this.memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages });
    const buffer = this.memory.buffer;
    this.sizeBytes = sizeBytes;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
    this.pages = new PageAllocator(Math.max(reservedBytes, NULL_GUARD_BYTES), sizeBytes);
    this.slab = new Slab(this.u8, this.pages);
  }

  /** Allocated and not freed: whole pages, and blocks of kmalloc. Tests for leaks compare it. */
  get usedBytes(): number {
    const { slabBytes, usedBytes } = this.slab;
    return this.sizeBytes - this.pages.freeBytes - slabBytes + usedBytes;
  }

  kernelAddress(offset: RamOffset): KernelAddress {
    return (offset === 0 ? 0n : KERNEL_BASE + BigInt(offset)) as KernelAddress;
  }

  /** Offset of a kernel address, or undefined if it is not one of this RAM's. */
  offsetOf(address: bigint): RamOffset | undefined {
    const offset = BigInt.asUintN(64, address) - KERNEL_BASE;
    if (offset < BigInt(NULL_GUARD_BYTES) || offset >= BigInt(this.sizeBytes)) return undefined;
    return Number(offset) as RamOffset;
  }

  /** A view, not a copy. */
  bytes(offset: RamOffset, sizeBytes: number): Uint8Array<ArrayBuffer> {
    return this.u8.subarray(offset, offset + sizeBytes);
  }

  /** A zeroed, 8-byte aligned block. Throws OutOfMemory. Free with kfree. */
  kzalloc(sizeBytes: number): RamOffset {
    const offset = this.slab.kmalloc(sizeBytes);
    this.u8.fill(0, offset, offset + sizeBytes);
    return offset;
  }

  kfree(offset: RamOffset): void {
    this.slab.kfree(offset);
  }

  readU64(offset: RamOffset): bigint {
    return this.view.getBigUint64(offset, true);
  }

  writeU64(offset: RamOffset, value: bigint): void {
    this.view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  }

  /** Store a kernel pointer (NULL for 0) at `offset`. */
  writePointer(offset: RamOffset, target: RamOffset): void {
    this.view.setUint32(offset, target, true);
    this.view.setUint32(offset + 4, target === 0 ? 0 : KERNEL_BASE_HIGH, true);
  }

  /** The offset in a stored kernel pointer; 0 for NULL. */
  readPointer(offset: RamOffset): RamOffset {
    return this.view.getUint32(offset, true) as RamOffset;
  }
}
