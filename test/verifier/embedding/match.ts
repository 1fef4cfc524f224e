/**
 * Does a run's state, at one instruction, lie in a state that the verifier claimed?
 *
 *   mismatch(claim, run, world, places)    undefined where it does, else the first place that differs
 */
import { isScalar, typeText, type Reg } from '../../../bpf/verifier/reg.ts';
import { truncate } from '../../../bpf/verifier/scalar.ts';
import { byteAt, byteKind } from '../../../bpf/verifier/state.ts';
import { tnumText } from '../../../bpf/verifier/tnum.ts';
import type { FrameClaim, StateClaim } from './claims.ts';
import { holds, type World } from './world.ts';

export interface RunFrame {
  /** First slot of its function, in the program as loaded. */
  readonly start: number;
  /** r0 to r10 when the frame was last the innermost. */
  readonly registers: BigInt64Array;
}

/** Registers of the innermost frame to look at; `all`: these, callers' and the stack. */
export type Places = 'all' | readonly number[];

export function mismatch(
  claim: StateClaim,
  run: readonly RunFrame[],
  world: World,
  places: Places,
): string | undefined {
  // A global function is explored on its own: the frames above it are not part of its states.
  const frames = run.slice(-claim.frames.length);
  if (frames.length < claim.frames.length) return 'fewer frames';
  for (const [i, frame] of frames.entries()) {
    if (frame.start !== claim.frames[i]!.start) return 'other functions';
  }
  const tops = frames.map(({ registers }) => BigInt.asUintN(64, registers[10]!));
  const innermost = frames.length - 1;
  const check = (frame: number, regno: number): string | undefined => {
    const reg = claim.frames[frame]!.regs[regno]!;
    const value = frames[frame]!.registers[regno]!;
    return world.allows(reg, value, tops) ? undefined : described(`R${regno}`, reg, value, frame);
  };
  if (places !== 'all') return first(places, (regno) => check(innermost, regno));
  return (
    first([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], (regno) => check(innermost, regno)) ??
    first(frames.keys(), (frame) => {
      // Of a caller, what survives a call.
      const below = frame < innermost ? first([6, 7, 8, 9], (r) => check(frame, r)) : undefined;
      return below ?? stackMismatch(claim.frames[frame]!, tops[frame]!, world, tops, frame);
    }) ??
    unequal(claim, frames)
  );
}

function first<T>(items: Iterable<T>, check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = check(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function described(place: string, reg: Reg, value: bigint, frame: number): string {
  const { scalar: s } = reg;
  const bounds =
    `s64 ${s.smin}..${s.smax} u64 ${s.umin}..${s.umax} ` +
    `s32 ${s.smin32}..${s.smax32} u32 ${s.umin32}..${s.umax32} bits ${tnumText(s.bits)}`;
  const kind = isScalar(reg) ? '' : ` ${typeText(reg)}+${reg.off} range ${reg.range},`;
  const hex = BigInt.asUintN(64, value).toString(16);
  return `frame ${frame} ${place} = 0x${hex}, claimed${kind} ${bounds}`;
}

/** Spilled registers and zero bytes. */
function stackMismatch(
  frame: FrameClaim,
  top: bigint,
  world: World,
  tops: readonly bigint[],
  number: number,
): string | undefined {
  return first(frame.stack.entries(), ([slot, { reg, bytes }]) => {
    const address = top - BigInt(8 * (slot + 1));
    const place = `fp-${8 * (slot + 1)}`;
    // Byte 7 is the one at the lowest address.
    let spilled = 0;
    while (spilled < 8 && byteAt(bytes, 7 - spilled) === byteKind.SPILL) spilled++;
    if (spilled === 8) {
      const value = world.read(address, 8);
      if (!world.allows(reg, value, tops)) return described(place, reg, value, number);
    } else if (spilled > 0 && isScalar(reg)) {
      const value = world.read(address, spilled);
      const low = truncate(reg.scalar, spilled);
      if (!holds(low, value)) return described(`${place}, ${spilled} bytes`, reg, value, number);
    }
    for (let byte = 0; byte < 8; byte++) {
      if (byteAt(bytes, byte) !== byteKind.ZERO) continue;
      const value = world.read(address + BigInt(7 - byte), 1);
      if (value !== 0n) return `frame ${number} ${place} byte ${7 - byte} = ${value}, claimed 0`;
    }
    return undefined;
  });
}

/** Numbers of one id are equal to each other. */
function unequal(claim: StateClaim, frames: readonly RunFrame[]): string | undefined {
  const values = new Map<number, bigint>();
  const innermost = frames.length - 1;
  return first(claim.frames[innermost]!.regs.entries(), ([regno, reg]) => {
    if (!isScalar(reg) || reg.id === 0) return undefined;
    const value = frames[innermost]!.registers[regno]!;
    const other = values.get(reg.id);
    values.set(reg.id, value);
    return other === undefined || other === value
      ? undefined
      : `R${regno} = ${value} differs from ${other}, claimed equal (id ${reg.id})`;
  });
}
