/**
 * Steps of loads, stores and atomics. Every access is checked against RAM, whatever the verifier
 * proved: the reference must not be fooled by a verifier's mistake. Alignment does not matter.
 */
import type { AtomicOperation, RowOf } from '../isa/row.ts';
import { add64 } from './arithmetic.ts';
import type { Step } from './alu.ts';
import type { Cpu } from './cpu.ts';

/** dst = *(src + off) */
export function loadStep(
  cpu: Cpu,
  row: RowOf<'load'>,
  d: number,
  s: number,
  offset: number,
  n: number,
): Step {
  if (row.probe) return probeStep(cpu, row, d, s, offset, n);
  const off = BigInt(offset);
  const { registers: r, i32, u32, ram } = cpu;
  const { view, u8 } = ram;
  const low = 2 * d;
  const high = low + 1;
  if (row.signed) {
    switch (row.bytes) {
      case 1:
        return () => {
          const value = view.getInt8(cpu.address(s, off, 1));
          i32[low] = value;
          i32[high] = value >> 31;
          return n;
        };
      case 2:
        return () => {
          const value = view.getInt16(cpu.address(s, off, 2), true);
          i32[low] = value;
          i32[high] = value >> 31;
          return n;
        };
      default:
        return () => {
          const value = view.getInt32(cpu.address(s, off, 4), true);
          i32[low] = value;
          i32[high] = value >> 31;
          return n;
        };
    }
  }
  switch (row.bytes) {
    case 1:
      return () => ((u32[low] = u8[cpu.address(s, off, 1)]!), (u32[high] = 0), n);
    case 2:
      return () => ((u32[low] = view.getUint16(cpu.address(s, off, 2), true)), (u32[high] = 0), n);
    case 4:
      return () => ((u32[low] = view.getUint32(cpu.address(s, off, 4), true)), (u32[high] = 0), n);
    case 8:
      return () => ((r[d] = view.getBigInt64(cpu.address(s, off, 8), true)), n);
  }
}

/** A load that yields 0 where the plain one would fault. */
function probeStep(
  cpu: Cpu,
  row: RowOf<'load'>,
  d: number,
  s: number,
  offset: number,
  n: number,
): Step {
  const load = loadStep(cpu, { ...row, probe: false }, d, s, offset, n);
  const off = BigInt(offset);
  return () => {
    if (cpu.probe(s, off, row.bytes) !== 0) return load();
    cpu.registers[d] = 0n;
    return n;
  };
}

/** *(dst + off) = src */
export function storeStep(
  cpu: Cpu,
  row: RowOf<'store'>,
  d: number,
  s: number,
  offset: number,
  n: number,
): Step {
  const off = BigInt(offset);
  const { registers: r, u32, ram } = cpu;
  const { view, u8 } = ram;
  const low = 2 * s;
  switch (row.bytes) {
    case 1:
      return () => ((u8[cpu.address(d, off, 1)] = u32[low]!), n);
    case 2:
      return () => (view.setUint16(cpu.address(d, off, 2), u32[low]!, true), n);
    case 4:
      return () => (view.setUint32(cpu.address(d, off, 4), u32[low]!, true), n);
    case 8:
      return () => (view.setBigInt64(cpu.address(d, off, 8), r[s]!, true), n);
  }
}

type Update = (old: bigint, operand: bigint, r0: bigint) => bigint;

/** The value that is stored; cmpxchg compares in the width of the access. */
const UPDATE: Record<AtomicOperation, Update> = {
  add: (old, operand) => add64(old, operand),
  or: (old, operand) => old | operand,
  and: (old, operand) => old & operand,
  xor: (old, operand) => old ^ operand,
  xchg: (_, operand) => operand,
  cmpxchg: (old, operand, r0) => (old === r0 ? operand : old),
};

/** On *(dst + off). 32-bit values are zero-extended, as are the old values that `fetch` returns. */
export function atomicStep(
  cpu: Cpu,
  row: RowOf<'atomic'>,
  d: number,
  s: number,
  offset: number,
  n: number,
): Step {
  const off = BigInt(offset);
  const { registers: r, u32 } = cpu;
  const { view } = cpu.ram;
  const update = UPDATE[row.operation];
  const fetchInto = row.operation === 'cmpxchg' ? 0 : s;
  if (row.bytes === 8) {
    return () => {
      const at = cpu.address(d, off, 8);
      const old = view.getBigInt64(at, true);
      view.setBigInt64(at, update(old, r[s]!, r[0]!), true);
      if (row.fetch) r[fetchInto] = old;
      return n;
    };
  }
  return () => {
    const at = cpu.address(d, off, 4);
    const old = view.getUint32(at, true);
    const value = update(BigInt(old), BigInt(u32[2 * s]!), BigInt(u32[0]!));
    view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
    if (row.fetch) cpu.setRegister32(fetchInto, old);
    return n;
  };
}
