/**
 * Steps of the arithmetic instructions: `aluStep` and friends make, for one instruction, a closure
 * that executes it and returns the next slot. `d` and `s` are register numbers, `n` the next slot.
 *
 * Each operation is a closure of its own, though they look alike: an operation passed in as an
 * argument would box every intermediate bigint and make the interpreter five times slower.
 */
import type { AluOperation, RowOf } from '../isa/row.ts';
import * as a from './arithmetic.ts';
import type { Cpu } from './cpu.ts';

export type Step = () => number;

type Alu64 = (r: BigInt64Array, d: number, s: number, n: number) => Step;

const ALU64: Record<AluOperation, Alu64> = {
  add: (r, d, s, n) => () => ((r[d] = a.add64(r[d]!, r[s]!)), n),
  sub: (r, d, s, n) => () => ((r[d] = a.sub64(r[d]!, r[s]!)), n),
  mul: (r, d, s, n) => () => ((r[d] = a.mul64(r[d]!, r[s]!)), n),
  div: (r, d, s, n) => () => ((r[d] = a.div64(r[d]!, r[s]!)), n),
  sdiv: (r, d, s, n) => () => ((r[d] = a.sdiv64(r[d]!, r[s]!)), n),
  mod: (r, d, s, n) => () => ((r[d] = a.mod64(r[d]!, r[s]!)), n),
  smod: (r, d, s, n) => () => ((r[d] = a.smod64(r[d]!, r[s]!)), n),
  or: (r, d, s, n) => () => ((r[d] = r[d]! | r[s]!), n),
  and: (r, d, s, n) => () => ((r[d] = r[d]! & r[s]!), n),
  xor: (r, d, s, n) => () => ((r[d] = r[d]! ^ r[s]!), n),
  lsh: (r, d, s, n) => () => ((r[d] = a.lsh64(r[d]!, r[s]!)), n),
  rsh: (r, d, s, n) => () => ((r[d] = a.rsh64(r[d]!, r[s]!)), n),
  arsh: (r, d, s, n) => () => ((r[d] = a.arsh64(r[d]!, r[s]!)), n),
  mov: (r, d, s, n) => () => ((r[d] = r[s]!), n),
};

type Alu32 = (u: Uint32Array, d: number, s: number, n: number) => Step;

/** On halves: `d` and `s` are the low halves' indexes; the upper half of dst becomes 0. */
const ALU32: Record<AluOperation, Alu32> = {
  add: (u, d, s, n) => () => ((u[d] = u[d]! + u[s]!), (u[d + 1] = 0), n),
  sub: (u, d, s, n) => () => ((u[d] = u[d]! - u[s]!), (u[d + 1] = 0), n),
  mul: (u, d, s, n) => () => ((u[d] = Math.imul(u[d]!, u[s]!)), (u[d + 1] = 0), n),
  div: (u, d, s, n) => () => ((u[d] = a.div32(u[d]!, u[s]!)), (u[d + 1] = 0), n),
  sdiv: (u, d, s, n) => () => ((u[d] = a.sdiv32(u[d]!, u[s]!)), (u[d + 1] = 0), n),
  mod: (u, d, s, n) => () => ((u[d] = a.mod32(u[d]!, u[s]!)), (u[d + 1] = 0), n),
  smod: (u, d, s, n) => () => ((u[d] = a.smod32(u[d]!, u[s]!)), (u[d + 1] = 0), n),
  or: (u, d, s, n) => () => ((u[d] = u[d]! | u[s]!), (u[d + 1] = 0), n),
  and: (u, d, s, n) => () => ((u[d] = u[d]! & u[s]!), (u[d + 1] = 0), n),
  xor: (u, d, s, n) => () => ((u[d] = u[d]! ^ u[s]!), (u[d + 1] = 0), n),
  lsh: (u, d, s, n) => () => ((u[d] = u[d]! << u[s]!), (u[d + 1] = 0), n),
  rsh: (u, d, s, n) => () => ((u[d] = u[d]! >>> u[s]!), (u[d + 1] = 0), n),
  arsh: (u, d, s, n) => () => ((u[d] = (u[d]! | 0) >> u[s]!), (u[d + 1] = 0), n),
  mov: (u, d, s, n) => () => ((u[d] = u[s]!), (u[d + 1] = 0), n),
};

export function aluStep(cpu: Cpu, row: RowOf<'alu'>, d: number, s: number, n: number): Step {
  if (row.width === 64) return ALU64[row.operation](cpu.registers, d, s, n);
  return ALU32[row.operation](cpu.u32, 2 * d, 2 * s, n);
}

export function negStep(cpu: Cpu, row: RowOf<'neg'>, d: number, n: number): Step {
  const { registers: r, u32: u } = cpu;
  if (row.width === 64) return () => ((r[d] = a.neg64(r[d]!)), n);
  return () => ((u[2 * d] = -u[2 * d]!), (u[2 * d + 1] = 0), n);
}

export function movsxStep(cpu: Cpu, row: RowOf<'movsx'>, d: number, s: number, n: number): Step {
  const { i32 } = cpu;
  const shift = 32 - row.bits;
  const wide = row.width === 64;
  return () => {
    const value = (i32[2 * s]! << shift) >> shift;
    i32[2 * d] = value;
    i32[2 * d + 1] = wide ? value >> 31 : 0;
    return n;
  };
}

/** The machine is little-endian: `le` only truncates. */
export function endianStep(cpu: Cpu, row: RowOf<'endian'>, d: number, n: number): Step {
  const { u32: u } = cpu;
  const low = 2 * d;
  const high = low + 1;
  const swaps = row.order !== 'le';
  switch (row.bits) {
    case 16:
      return swaps
        ? () => ((u[low] = a.swap16(u[low]!)), (u[high] = 0), n)
        : () => ((u[low] = u[low]! & 0xffff), (u[high] = 0), n);
    case 32:
      return swaps
        ? () => ((u[low] = a.swap32(u[low]!)), (u[high] = 0), n)
        : () => ((u[high] = 0), n);
    case 64:
      if (!swaps) return () => n;
      return () => {
        const value = a.swap32(u[high]!);
        u[high] = a.swap32(u[low]!);
        u[low] = value;
        return n;
      };
  }
}
