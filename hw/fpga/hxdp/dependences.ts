/**
 * Which operations of a stretch of code may not change places: Bernstein's conditions, for registers
 * and memory.
 */
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { callsPacketHelper, type MemoryUse, type Op } from './ops.ts';

/** How far behind operation `from` an operation must come: rows, 0 being the same one. */
export interface Dependence {
  readonly from: number;
  readonly rows: 0 | 1;
  /** The value is forwarded: on another lane it is there a row later only. */
  readonly forwarded: boolean;
}

const R10 = 10;

/** For each operation, what it depends on among those before it. Control is left to the caller. */
export function dependences(program: VerifiedProgram, ops: readonly Op[]): Dependence[][] {
  const versions = baseVersions(ops);
  return ops.map((op, to) => {
    const found: Dependence[] = [];
    for (let from = 0; from < to; from++) {
      const rows = rowsBetween(program, ops[from]!, op, versions[from]!, versions[to]!);
      if (rows === undefined) continue;
      // The helpers' bus takes arguments as the row computes them.
      const isArgument = op.kind === 'call' && ops[from]!.kind === 'compute' && rows === 1;
      const early = isArgument && (ops[from]!.writes & op.reads) !== 0 && !stores(ops[from]!);
      const raw = (ops[from]!.writes & op.reads) !== 0;
      found.push({ from, rows: early ? 0 : rows, forwarded: raw && !early });
    }
    return found;
  });
}

const stores = ({ memory }: Op): boolean => memory.some(({ isStore }) => isStore);

/** How often the base of each access was written before, so that equal bases can be told. */
function baseVersions(ops: readonly Op[]): number[][] {
  const written = new Array<number>(R10 + 1).fill(0);
  return ops.map((op) => {
    const versions = op.memory.map(({ base }) => written[base]!);
    for (let register = 0; register <= R10; register++) {
      if ((op.writes >> register) & 1) written[register]!++;
    }
    return versions;
  });
}

/** undefined: none; 0: not before it; 1: behind it. */
function rowsBetween(
  program: VerifiedProgram,
  a: Op,
  b: Op,
  versionsA: readonly number[],
  versionsB: readonly number[],
): 0 | 1 | undefined {
  if ((a.writes & b.reads) !== 0 || (a.writes & b.writes) !== 0) return 1;
  const memory = memoryRows(program, a, b, versionsA, versionsB);
  if (memory === 1) return 1;
  // What is overwritten in a row is read before.
  return (a.reads & b.writes) !== 0 ? 0 : memory;
}

function memoryRows(
  program: VerifiedProgram,
  a: Op,
  b: Op,
  versionsA: readonly number[],
  versionsB: readonly number[],
): 0 | 1 | undefined {
  if (a.kind === 'call' && b.kind === 'call') return 1;
  if (a.kind === 'call')
    return b.memory.some((use) => callTouches(program, a, use)) ? 1 : undefined;
  if (b.kind === 'call')
    return a.memory.some((use) => callTouches(program, b, use)) ? 1 : undefined;
  if (a.kind === 'guard' || b.kind === 'guard') return undefined;
  let rows: 0 | 1 | undefined;
  a.memory.forEach((first, i) => {
    b.memory.forEach((second, j) => {
      if (!first.isStore && !second.isStore) return;
      const sameBase = first.base === second.base && versionsA[i] === versionsB[j];
      if (!mayOverlap(first, second, sameBase)) return;
      rows = first.isStore ? 1 : (rows ?? 0);
    });
  });
  return rows;
}

/** Helpers read the stack and map values, and write map values; some change the packet. */
function callTouches(program: VerifiedProgram, call: Op, use: MemoryUse): boolean {
  if (use.space !== 'packet' && use.space !== 'ctx' && use.space !== 'packet_meta') return true;
  return use.isStore || callsPacketHelper(program, call);
}

/** Spaces that never overlap each other. */
const APART: readonly string[] = ['stack', 'packet', 'map_value', 'ctx'];

function mayOverlap(a: MemoryUse, b: MemoryUse, sameBase: boolean): boolean {
  if (a.space !== b.space && APART.includes(a.space) && APART.includes(b.space)) return false;
  if (!sameBase) return true;
  return a.from < b.to && b.from < a.to;
}
