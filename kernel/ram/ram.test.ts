import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bug, type RamOffset } from '../types/units.ts';
import { OutOfMemory, PageAllocator } from './page-allocator.ts';
import { KERNEL_BASE, NULL_GUARD_BYTES, Ram } from './ram.ts';

const MIB = 2 ** 20;

describe('Ram', () => {
  it('translates kernel addresses both ways and refuses what is not RAM', () => {
    const ram = new Ram(MIB, 0);
    const offset = ram.kzalloc(64);
    expect(ram.kernelAddress(offset)).toBe(KERNEL_BASE + BigInt(offset));
    expect(ram.offsetOf(ram.kernelAddress(offset))).toBe(offset);
    /** A register holds it as a signed number. */
    expect(ram.offsetOf(BigInt.asIntN(64, ram.kernelAddress(offset)))).toBe(offset);
    expect(ram.kernelAddress(0 as RamOffset)).toBe(0n);
    for (const bad of [0n, 0x1000n, KERNEL_BASE, KERNEL_BASE + BigInt(MIB), 0x7fff_0000_0000n]) {
      expect(ram.offsetOf(bad)).toBeUndefined();
    }
  });

  it('never hands out the NULL guard', () => {
    const ram = new Ram(MIB, 0);
    const seen: number[] = [];
    expect(() => {
      for (;;) seen.push(ram.pages.alloc());
    }).toThrow(OutOfMemory);
    expect(Math.min(...seen)).toBe(NULL_GUARD_BYTES);
    expect(seen).toHaveLength((MIB - NULL_GUARD_BYTES) / 4096);
  });
});

describe('PageAllocator', () => {
  it('never overlaps blocks, aligns them, and merges all of them again', () => {
    const operations = fc.array(fc.tuple(fc.boolean(), fc.nat(4), fc.nat()), { maxLength: 200 });
    fc.assert(
      fc.property(operations, (steps) => {
        const pages = new PageAllocator(5 * 4096, 200 * 4096);
        const before = pages.freeBytes;
        const live: { start: number; bytes: number }[] = [];
        for (const [isFree, order, pick] of steps) {
          if (isFree && live.length > 0) {
            const [block] = live.splice(pick % live.length, 1);
            pages.free(block!.start as RamOffset);
            continue;
          }
          let start: number;
          try {
            start = pages.alloc(order);
          } catch (error) {
            expect(error).toBeInstanceOf(OutOfMemory);
            continue;
          }
          const bytes = 4096 << order;
          expect(start % bytes).toBe(0);
          expect(start).toBeGreaterThanOrEqual(5 * 4096);
          expect(start + bytes).toBeLessThanOrEqual(200 * 4096);
          for (const other of live) {
            expect(start + bytes <= other.start || other.start + other.bytes <= start).toBe(true);
          }
          live.push({ start, bytes });
        }
        const held = live.reduce((sum, block) => sum + block.bytes, 0);
        expect(pages.freeBytes).toBe(before - held);
        for (const block of live) pages.free(block.start as RamOffset);
        /** 64 to 128 is the largest aligned run in 5..200, whole only if everything merged. */
        expect(pages.alloc(6)).toBe(64 * 4096);
      }),
    );
  });

  it('refuses a double free and a free inside a block', () => {
    const pages = new PageAllocator(0, 64 * 4096);
    const block = pages.alloc(2);
    expect(() => pages.free((block + 4096) as RamOffset)).toThrow(Bug);
    pages.free(block);
    expect(() => pages.free(block)).toThrow(Bug);
  });
});

describe('Slab', () => {
  it('gives distinct blocks of at least the size asked for, and detects double frees', () => {
    const ram = new Ram(4 * MIB, 0);
    const sizes = [1, 8, 9, 64, 65, 100, 192, 193, 4096, 8192, 8193, 100_000];
    const blocks = sizes.flatMap((size) =>
      Array.from({ length: 5 }, () => ({ size, at: ram.slab.kmalloc(size) })),
    );
    const sorted = [...blocks].sort((a, b) => a.at - b.at);
    sorted.forEach((block, i) => {
      expect(ram.slab.sizeOf(block.at)).toBeGreaterThanOrEqual(block.size);
      const next = sorted[i + 1];
      if (next) expect(block.at + block.size).toBeLessThanOrEqual(next.at);
    });
    for (const { at } of blocks) ram.kfree(at);
    expect(() => ram.kfree(blocks[0]!.at)).toThrow(Bug);
    expect(() => ram.kfree(blocks.at(-1)!.at)).toThrow(Bug);
  });

  it('poisons what was freed', () => {
    const ram = new Ram(MIB, 0);
    const at = ram.kzalloc(32);
    ram.kfree(at);
    expect([...ram.bytes(at, 32)]).toEqual(new Array(32).fill(0x6b));
  });
});
