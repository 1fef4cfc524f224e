import { describe, expect, it } from 'vitest';
import { Ram } from '../ram/ram.ts';
import * as t from './struct.ts';
import { Bug, type Ns, type RamOffset } from './units.ts';

const Inner = t.struct('inner', { a: t.u8, b: t.u32 });
const Outer = t.struct('outer', {
  flag: t.bool,
  small: t.i16,
  big: t.i64,
  next: t.pointer('outer'),
  name: t.charArray(6),
  inner: t.embed(Inner),
  list: t.array(t.u16, 3),
  when: t.nsTime,
});

describe('struct', () => {
  it('lays members out as C does on LP64', () => {
    expect(Inner.size).toBe(8);
    expect(Outer.offsets).toEqual({
      flag: 0,
      small: 2,
      big: 8,
      next: 16,
      name: 24,
      inner: 32,
      list: 40,
      when: 48,
    });
    expect([Outer.size, Outer.align]).toEqual([56, 8]);
  });

  it('reads and writes members through a view that can be moved', () => {
    const ram = new Ram(2 ** 20, 0);
    const [one, two] = [Outer.alloc(ram), Outer.alloc(ram)];
    one.small = -2;
    one.big = -(2n ** 63n);
    one.next = two.offset;
    one.name = 'eth0-longer';
    one.when = (2 ** 40 + 7) as Ns;
    two.name = 'lo';
    expect(one.small).toBe(-2);
    expect(one.big).toBe(-(2n ** 63n));
    expect(one.next).toBe(two.offset);
    expect(ram.readU64((one.offset + 16) as RamOffset)).toBe(ram.kernelAddress(two.offset));
    expect(one.name).toBe('eth0-');
    expect(one.when).toBe(2 ** 40 + 7);
    expect(one.inner).toBe(one.offset + 32);
    one.offset = two.offset;
    expect(one.name).toBe('lo');
    one.next = 0 as RamOffset;
    expect(ram.readU64((two.offset + 16) as RamOffset)).toBe(0n);
  });

  it('views structs of the UAPI over plain bytes', () => {
    const bytes = new Uint8Array(20).subarray(4);
    const inner = Inner.over(bytes);
    inner.a = 0x1ff;
    inner.b = 0x01020304;
    expect([...bytes.subarray(0, 8)]).toEqual([0xff, 0, 0, 0, 4, 3, 2, 1]);
    expect(inner.b).toBe(0x01020304);
  });

  it('takes sizes and offsets of Linux where a struct is declared in part', () => {
    const part = t.struct('part', { a: t.u32, b: t.u64 }, { offsets: { b: 40 }, size: 128 });
    expect([part.offsets.b, part.size]).toEqual([40, 128]);
    expect(() => t.struct('bad', { a: t.u64, b: t.u32 }, { offsets: { b: 4 } })).toThrow(Bug);
  });
});
