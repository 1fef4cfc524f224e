/**
 * Steps of the conditional jumps: to slot `t` if the condition holds, else to `n`. One closure a
 * condition, for the reason given in alu.ts.
 */
import type { Condition, RowOf } from '../isa/row.ts';
import { less64 } from './arithmetic.ts';
import type { Step } from './alu.ts';
import type { Cpu } from './cpu.ts';

type Branch64 = (r: BigInt64Array, d: number, s: number, n: number, t: number) => Step;

const BRANCH64: Record<Condition, Branch64> = {
  eq: (r, d, s, n, t) => () => (r[d]! === r[s]! ? t : n),
  ne: (r, d, s, n, t) => () => (r[d]! !== r[s]! ? t : n),
  gt: (r, d, s, n, t) => () => (less64(r[s]!, r[d]!) ? t : n),
  ge: (r, d, s, n, t) => () => (less64(r[d]!, r[s]!) ? n : t),
  lt: (r, d, s, n, t) => () => (less64(r[d]!, r[s]!) ? t : n),
  le: (r, d, s, n, t) => () => (less64(r[s]!, r[d]!) ? n : t),
  sgt: (r, d, s, n, t) => () => (r[d]! > r[s]! ? t : n),
  sge: (r, d, s, n, t) => () => (r[d]! >= r[s]! ? t : n),
  slt: (r, d, s, n, t) => () => (r[d]! < r[s]! ? t : n),
  sle: (r, d, s, n, t) => () => (r[d]! <= r[s]! ? t : n),
  set: (r, d, s, n, t) => () => ((r[d]! & r[s]!) !== 0n ? t : n),
};

interface Halves {
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
}
type Branch32 = (h: Halves, d: number, s: number, n: number, t: number) => Step;

/** `d` and `s` are indexes of low halves. */
const BRANCH32: Record<Condition, Branch32> = {
  eq:
    ({ u32: u }, d, s, n, t) =>
    () =>
      u[d]! === u[s]! ? t : n,
  ne:
    ({ u32: u }, d, s, n, t) =>
    () =>
      u[d]! !== u[s]! ? t : n,
  gt:
    ({ u32: u }, d, s, n, t) =>
    () =>
      u[d]! > u[s]! ? t : n,
  ge:
    ({ u32: u }, d, s, n, t) =>
    () =>
      u[d]! >= u[s]! ? t : n,
  lt:
    ({ u32: u }, d, s, n, t) =>
    () =>
      u[d]! < u[s]! ? t : n,
  le:
    ({ u32: u }, d, s, n, t) =>
    () =>
      u[d]! <= u[s]! ? t : n,
  sgt:
    ({ i32: i }, d, s, n, t) =>
    () =>
      i[d]! > i[s]! ? t : n,
  sge:
    ({ i32: i }, d, s, n, t) =>
    () =>
      i[d]! >= i[s]! ? t : n,
  slt:
    ({ i32: i }, d, s, n, t) =>
    () =>
      i[d]! < i[s]! ? t : n,
  sle:
    ({ i32: i }, d, s, n, t) =>
    () =>
      i[d]! <= i[s]! ? t : n,
  set:
    ({ u32: u }, d, s, n, t) =>
    () =>
      (u[d]! & u[s]!) !== 0 ? t : n,
};

export function branchStep(
  cpu: Cpu,
  row: RowOf<'branch'>,
  d: number,
  s: number,
  n: number,
  t: number,
): Step {
  if (row.width === 64) return BRANCH64[row.condition](cpu.registers, d, s, n, t);
  return BRANCH32[row.condition](cpu, 2 * d, 2 * s, n, t);
}
