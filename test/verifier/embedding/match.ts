/**
 * Does a run's state, at one instruction, lie in a state that the verifier claimed?
 *
 *   mismatch(claim, run, world, places)    undefined where it does, else the first place that differs
 *
 * The check spends most of its time here: values stay int32 halves, and no closures are made.
 */
import { isScalar, typeText, type Reg } from '../../../bpf/verifier/reg.ts';
import { truncate } from '../../../bpf/verifier/scalar.ts';
import { byteAt, byteKind } from '../../../bpf/verifier/state.ts';
import { tnumText } from '../../../bpf/verifier/tnum.ts';
import { join } from '../../../bpf/verifier/wide.ts';
import type { FrameClaim, StateClaim } from './claims.ts';
import { holdsValue, type World } from './world.ts';

/** A frame as it was when it was last the innermost. */
export class RunFrame {
  /** First slot of its function, in the program as loaded. */
  readonly start: number;
  /** r0 to r10. */
  readonly registers: BigInt64Array;
  /** The same memory: lower half, upper half, lower half … */
  readonly halves: Int32Array;

  constructor(start: number, registers: BigInt64Array) {
    this.start = start;
    this.registers = registers.slice();
    this.halves = new Int32Array(this.registers.buffer);
  }

  /** r10, unsigned. */
  get top(): bigint {
    return BigInt.asUintN(64, this.registers[10]!);
  }
}

/** Registers of the innermost frame to look at; `all`: these, callers' and the stack. */
export type Places = 'all' | readonly number[];

const ALL_REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/** Of a caller, what survives a call. */
const SAVED_REGISTERS = [6, 7, 8, 9];
const NO_REGISTERS: readonly number[] = [];

export function mismatch(
  claim: StateClaim,
  run: readonly RunFrame[],
  world: World,
  places: Places,
): string | undefined {
  const depth = claim.frames.length;
  // A global function is explored on its own: the frames above it are not part of its states.
  const frames = run.length === depth ? run : run.slice(-depth);
  if (frames.length < depth) return 'fewer frames';
  for (let i = 0; i < depth; i++) {
    if (frames[i]!.start !== claim.frames[i]!.start) return 'other functions';
  }
  const tops = frames.map((frame) => frame.top);
  for (let i = depth - 1; i >= 0; i--) {
    const isInnermost = i === depth - 1;
    const registers =
      places === 'all'
        ? isInnermost
          ? ALL_REGISTERS
          : SAVED_REGISTERS
        : isInnermost
          ? places
          : NO_REGISTERS;
    const differs = registersMismatch(claim.frames[i]!, frames[i]!, registers, world, tops, i);
    if (differs !== undefined) return differs;
  }
  if (places !== 'all') return undefined;
  for (let i = 0; i < depth; i++) {
    const differs = stackMismatch(claim.frames[i]!, world, tops, i);
    if (differs !== undefined) return differs;
  }
  return unequal(claim, frames, world, tops);
}

function registersMismatch(
  claim: FrameClaim,
  { halves }: RunFrame,
  registers: readonly number[],
  world: World,
  tops: readonly bigint[],
  frame: number,
): string | undefined {
  for (const regno of registers) {
    const reg = claim.regs[regno]!;
    const lo = halves[2 * regno]!;
    const hi = halves[2 * regno + 1]!;
    if (!world.allows(reg, hi, lo, tops)) return described(`R${regno}`, reg, join(hi, lo), frame);
  }
  return undefined;
}

function described(place: string, reg: Reg, value: bigint, frame: number): string {
  const { scalar: s } = reg;
  const bounds =
    `s64 ${s.smin}..${s.smax} u64 ${s.umin}..${s.umax} ` +
    `s32 ${s.smin32}..${s.smax32} u32 ${s.umin32}..${s.umax32} bits ${tnumText(s.bits)}`;
  const kind = isScalar(reg) ? '' : ` ${typeText(reg)}+${reg.off} range ${reg.range},`;
  return `frame ${frame} ${place} = 0x${value.toString(16)}, claimed${kind} ${bounds}`;
}

/** Spilled registers and zero bytes. */
function stackMismatch(
  { stack }: FrameClaim,
  world: World,
  tops: readonly bigint[],
  frame: number,
): string | undefined {
  const { u8, i32 } = world.ram;
  const top = world.at(tops[frame]!);
  for (let slot = 0; slot < stack.length; slot++) {
    const { reg, bytes } = stack[slot]!;
    if (bytes === 0) continue;
    const at = top - 8 * (slot + 1);
    const place = `fp-${8 * (slot + 1)}`;
    // The frame's top is aligned, and so is each slot.
    const lo = i32[at >> 2]!;
    const hi = i32[(at >> 2) + 1]!;
    const spilled = spilledBytes(bytes);
    if (spilled === 8) {
      if (!world.allows(reg, hi, lo, tops)) return described(place, reg, join(hi, lo), frame);
    } else if (spilled > 0 && isScalar(reg)) {
      const value = BigInt.asUintN(8 * spilled, join(hi, lo));
      if (!holdsValue(truncate(reg.scalar, spilled), value)) {
        return described(`${place}, ${spilled} bytes`, reg, value, frame);
      }
    }
    for (let byte = 0; byte < 8; byte++) {
      // Byte 7 is the one at the lowest address.
      const value = u8[at + 7 - byte];
      if (byteAt(bytes, byte) !== byteKind.ZERO || value === 0) continue;
      return `frame ${frame} ${place} byte ${7 - byte} = ${value}, claimed 0`;
    }
  }
  return undefined;
}

/** From the lowest address on. */
function spilledBytes(bytes: number): number {
  let spilled = 0;
  while (spilled < 8 && byteAt(bytes, 7 - spilled) === byteKind.SPILL) spilled++;
  return spilled;
}

/** Numbers of one id are equal to each other, wherever they are. */
function unequal(
  claim: StateClaim,
  frames: readonly RunFrame[],
  world: World,
  tops: readonly bigint[],
): string | undefined {
  let first: Map<number, { readonly place: string; readonly value: bigint }> | undefined;
  const differs = (id: number, place: string, value: bigint): string | undefined => {
    first ??= new Map();
    const other = first.get(id);
    if (!other) first.set(id, { place, value });
    if (!other || other.value === value) return undefined;
    return `${place} = ${value} differs from ${other.place} = ${other.value}, claimed equal (id ${id})`;
  };
  for (const [i, { regs, stack }] of claim.frames.entries()) {
    for (const regno of i === frames.length - 1 ? ALL_REGISTERS : SAVED_REGISTERS) {
      const reg = regs[regno]!;
      if (reg.id === 0 || !isScalar(reg)) continue;
      const value = BigInt.asUintN(64, frames[i]!.registers[regno]!);
      const why = differs(reg.id, `frame ${i} R${regno}`, value);
      if (why !== undefined) return why;
    }
    for (let slot = 0; slot < stack.length; slot++) {
      const { reg, bytes } = stack[slot]!;
      if (reg.id === 0 || !isScalar(reg) || spilledBytes(bytes) < 8) continue;
      const at = (world.at(tops[i]!) - 8 * (slot + 1)) >> 2;
      const value = join(world.ram.i32[at + 1]!, world.ram.i32[at]!);
      const why = differs(reg.id, `frame ${i} fp-${8 * (slot + 1)}`, value);
      if (why !== undefined) return why;
    }
  }
  return undefined;
}
