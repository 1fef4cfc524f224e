/**
 * Comparing packet pointers: with the end of the packet (or metadata with its start), which tells
 * how many bytes are there to be accessed.
 */
import type { Insn } from '../isa/insn.ts';
import type { Condition } from '../isa/row.ts';
import type { Checker } from './checker.ts';
import { exceedsPacket } from './region.ts';
import {
  AT_PKT_END,
  BEYOND_PKT_END,
  isAnyPacketPointer,
  isPlain,
  withReg,
  type Reg,
  type RegKind,
} from './reg.ts';
import { flipCondition } from './scalar-branch.ts';
import { forEachReg, topFrame, type State } from './state.ts';
import { isConstOf } from './tnum.ts';

/** Decided where the pointer is known to be at or past the end. */
export function packetBranchTaken(dst: Reg, src: Reg, condition: Condition): boolean | undefined {
  let pointer = dst;
  let how = condition;
  if (!isPlain(src, 'pkt_end')) {
    if (!isPlain(dst, 'pkt_end')) return undefined;
    pointer = src;
    how = flipCondition(condition);
  }
  if (pointer.range >= 0) return undefined;
  const beyond = pointer.range === BEYOND_PKT_END;
  switch (how) {
    case 'le':
    case 'gt':
      return beyond ? how === 'gt' : undefined;
    case 'lt':
    case 'ge':
      return beyond || pointer.range === AT_PKT_END ? how === 'ge' : undefined;
    default:
      return undefined;
  }
}

/** The packet's start as the context has it, not moved. */
const isStart = (reg: Reg): boolean =>
  isPlain(reg, 'pkt') && reg.id === 0 && reg.off === 0 && isConstOf(reg.scalar.bits, 0n);

/** `a` moves towards the fixed bound `b`. */
const isBounded = (a: Reg, b: Reg): boolean =>
  (isPlain(a, 'pkt') && isPlain(b, 'pkt_end')) || (isPlain(a, 'pkt_meta') && isStart(b));

/**
 * Ranges on both sides of `dst condition src`; false where it compares no packet pointer with its
 * bound. The current state is the one that does not jump, `other` the one that does.
 */
export function learnPacketRange(
  c: Checker,
  insn: Insn,
  other: State,
  condition: Condition,
): boolean {
  const dst = c.reg(insn.dst);
  const src = c.reg(insn.src);
  let pointer = dst;
  let regno = insn.dst;
  let how = condition;
  if (!isBounded(dst, src)) {
    if (!isBounded(src, dst)) return false;
    pointer = src;
    regno = insn.src;
    how = flipCondition(condition);
  }
  // pointer > end, or >=: the jump goes where the packet is too short.
  const jumpsOut = how === 'gt' || how === 'ge';
  if (!jumpsOut && how !== 'lt' && how !== 'le') return false;
  const inside = jumpsOut ? c.state : other;
  const outside = jumpsOut ? other : c.state;
  // `<` leaves out the end itself: one byte more is inside. Its opposite side is at the end.
  const strictInside = how === 'ge' || how === 'lt';
  extendRange(inside, pointer, pointer.kind, strictInside);
  markOutside(outside, regno, strictInside ? AT_PKT_END : BEYOND_PKT_END);
  return true;
}

/** Every pointer of the same base can reach as far as `pointer` is known to be inside. */
function extendRange(state: State, pointer: Reg, kind: RegKind, strict: boolean): void {
  if (pointer.off < 0 || (pointer.off === 0 && strict)) return;
  if (exceedsPacket(pointer)) return;
  const range = pointer.off + (strict ? 1 : 0);
  forEachReg(state, (slot) => {
    const { reg } = slot;
    if (!isPlain(reg, kind) || reg.id !== pointer.id || reg.range >= range) return;
    slot.reg = withReg(reg, { range });
  });
}

function markOutside(state: State, regno: number, range: number): void {
  const slot = topFrame(state).regs[regno]!;
  if (isPlain(slot.reg, 'pkt')) slot.reg = withReg(slot.reg, { range });
}

/** The packet may have moved: every pointer into it is a number now. */
export function forgetPacketPointers(c: Checker): void {
  forEachReg(c.state, (slot) => {
    if (isAnyPacketPointer(slot.reg)) c.forget(slot);
  });
}
