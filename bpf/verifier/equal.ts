/**
 * When is a state covered by one that was explored before? Where the old one allowed at least as
 * much in every place that its continuation read. Numbers whose exact value does not matter are
 * always covered.
 */
import type { Checker } from './checker.ts';
import { hasSpinLock } from './map-fields.ts';
import type { KeptFrame } from './kept-frame.ts';
import { frameIncludes } from './includes.ts';
import { isPlain, sameReg, sameTarget, type Reg } from './reg.ts';
import { rangeWithin } from './scalar.ts';
import {
  FP,
  byteAt,
  byteKind,
  isSpill,
  live,
  type Frame,
  type KeptState,
  type Slot,
  type StackSlot,
  type State,
} from './state.ts';
import { isConst, sameTnum, tnumHolds } from './tnum.ts';

/** Ids of the old state and the ids that stand for them in the current one. */
type IdMap = Map<number, number>;

function idsAgree(ids: IdMap, old: number, cur: number): boolean {
  const known = ids.get(old);
  if (known !== undefined) return known === cur;
  ids.set(old, cur);
  return true;
}

/** Each number of the current scalar is one that the old one had. */
const scalarCovered = (old: Reg, cur: Reg): boolean =>
  rangeWithin(old.scalar, cur.scalar) && tnumHolds(old.scalar.bits, cur.scalar.bits);

function regCovered(c: Checker, oldSlot: Slot, curSlot: Slot, ids: IdMap): boolean {
  if ((oldSlot.live & live.READ) === 0) return true;
  const old = oldSlot.reg;
  const cur = curSlot.reg;
  const equal = sameReg(old, cur);
  if (isPlain(old, 'fp')) return equal && old.frame === cur.frame;
  if (equal) return true;
  if (old.kind === '?') return true;
  if (cur.kind === '?') return false;
  switch (old.kind) {
    case 'scalar':
      if (c.exploreAluLimits) return false;
      if (!isPlain(cur, 'scalar')) return false;
      return (!oldSlot.precise && c.relaxesNumbers) || scalarCovered(old, cur);
    case 'map_key':
    case 'map_value':
      if (!sameTarget(old, cur)) return false;
      // One of several copies may have been null-checked since: the same must hold here.
      if (old.flags !== 0) return idsAgree(ids, old.id, cur.id);
      // differs: 6.1 does not tell pointers to different locks apart (fixed in 6.2).
      if (old.kind === 'map_value' && hasSpinLock(old.map!) && !idsAgree(ids, old.id, cur.id)) {
        if (!c.asLinux) return false;
        c.erred = true;
      }
      return scalarCovered(old, cur);
    case 'pkt':
    case 'pkt_meta':
      return packetCovered(old, cur, ids);
    default:
      return false;
  }
}

function packetCovered(old: Reg, cur: Reg, ids: IdMap): boolean {
  if (cur.kind !== old.kind || cur.flags !== old.flags) return false;
  if (old.range < 0 || cur.range < 0 ? old.range !== cur.range : old.range > cur.range) {
    return false;
  }
  if (old.off !== cur.off) return false;
  if (old.id !== 0 && !idsAgree(ids, old.id, cur.id)) return false;
  return scalarCovered(old, cur);
}

function stackCovered(c: Checker, old: KeptFrame, cur: Frame, ids: IdMap): boolean {
  for (let index = 0; index < old.stack.length; index++) {
    if ((old.stack.marksAt(index) & live.READ) === 0) continue;
    if (!slotCovered(c, old.stack.at(index)!, cur.stack[index], ids)) return false;
  }
  return true;
}

function slotCovered(c: Checker, old: StackSlot, cur: StackSlot | undefined, ids: IdMap): boolean {
  if (old.bytes === 0) return true;
  if (old.bytes !== cur?.bytes) {
    for (let byte = 0; byte < 8; byte++) if (!byteCovered(c, old, cur, byte)) return false;
  }
  if (!cur) return true;
  if (isSpill(old) && isSpill(cur)) return regCovered(c, old, cur, ids);
  if (dynptrCovered(old, cur, ids)) return true;
  if (c.asLinux) c.erred = true;
  return c.asLinux;
}

function byteCovered(
  c: Checker,
  old: StackSlot,
  cur: StackSlot | undefined,
  byte: number,
): boolean {
  const was = byteAt(old.bytes, byte);
  if (was === byteKind.INVALID) return true;
  if (c.allowUninitStack && was === byteKind.MISC) return true;
  if (!cur) return false;
  const is = byteAt(cur.bytes, byte);
  return was === is || (was === byteKind.MISC && is === byteKind.ZERO);
}

/** differs: 6.1 compares dynptrs as if they were plain data (fixed in 6.3). */
function dynptrCovered(old: StackSlot, cur: StackSlot, ids: IdMap): boolean {
  if (byteAt(old.bytes, 0) !== byteKind.DYNPTR) return true;
  return (
    old.reg.dynptr === cur.reg.dynptr &&
    old.reg.dynptrFirst === cur.reg.dynptrFirst &&
    idsAgree(ids, old.reg.id, cur.reg.id)
  );
}

/** What the callers of a callback had when it was first called must be the same. */
function entriesEqual(old: KeptFrame, cur: Frame): boolean {
  const before = old.callerAtEntry;
  const now = cur.callerAtEntry;
  if (before === now) return true;
  if (!before || !now || before.length !== now.length) return false;
  return before.every(
    (frame, index) => frameIncludes(frame, now[index]!) && frameIncludes(now[index]!, frame),
  );
}

export function stateCovered(c: Checker, old: KeptState, cur: State): boolean {
  if (old.frames.length !== cur.frames.length) return false;
  // What only speculation reaches says nothing of real runs.
  if (old.speculative && !cur.speculative) return false;
  if (old.activeLock !== cur.activeLock) return false;
  // differs: 6.1 starts a new map for each frame, though ids go across frames (fixed in 6.2).
  const ids: IdMap = new Map();
  let forgotten = false;
  for (let i = 0; i < old.frames.length; i++) {
    if (c.asLinux && ids.size > 0) {
      forgotten = true;
      ids.clear();
    }
    const was = old.frames[i]!;
    const is = cur.frames[i]!;
    if (was.callsite !== is.callsite) return false;
    for (let regno = 0; regno < was.regs.length; regno++) {
      if (!regCovered(c, was.regs.at(regno)!, is.regs[regno]!, ids)) return false;
    }
    if (!stackCovered(c, was, is, ids) || !was.refs.equals(is.refs)) return false;
    if (!entriesEqual(was, is)) return false;
  }
  if (!c.asLinux) return equalitiesHold(c, old, cur);
  if (forgotten || !equalitiesHold(c, old, cur)) c.erred = true;
  return true;
}

/**
 * Numbers that are known to be equal to each other learn from each other's comparisons. Where one
 * of them matters exactly, the current state must have the same equalities.
 *
 * differs: 6.1 does not look at this (fixed in 6.5), and accepts an unchecked number in the place
 * of one whose copy was checked.
 */
function equalitiesHold(c: Checker, old: KeptState, cur: State): boolean {
  const groups = new Map<number, { members: number; precise: boolean }>();
  const isMember = (slot: Slot) =>
    isPlain(slot.reg, 'scalar') && slot.reg.id !== 0 && (slot.live & live.READ) !== 0;
  let wanted = false;
  forEachPair(old, cur, (slot) => {
    if (!isMember(slot)) return;
    const group = groups.get(slot.reg.id) ?? { members: 0, precise: false };
    group.members++;
    group.precise ||= slot.precise || !c.relaxesNumbers;
    groups.set(slot.reg.id, group);
    if (group.members > 1 && group.precise) wanted = true;
  });
  if (!wanted) return true;
  const ids: IdMap = new Map();
  let holds = true;
  forEachPair(old, cur, (oldSlot, curSlot) => {
    if (!isMember(oldSlot)) return;
    const group = groups.get(oldSlot.reg.id)!;
    if (group.members < 2 || !group.precise) return;
    if (curSlot.reg.id === 0 && !bothConst(oldSlot.reg, curSlot.reg)) holds = false;
    else if (curSlot.reg.id !== 0 && !idsAgree(ids, oldSlot.reg.id, curSlot.reg.id)) holds = false;
  });
  return holds;
}

/** A constant needs no copy to learn from. */
const bothConst = (old: Reg, cur: Reg): boolean =>
  isConst(old.scalar.bits) &&
  isConst(cur.scalar.bits) &&
  sameTnum(old.scalar.bits, cur.scalar.bits);

function forEachPair(old: KeptState, cur: State, visit: (a: Slot, b: Slot) => void): void {
  old.frames.forEach((frame, index) => {
    const other = cur.frames[index]!;
    for (let regno = 0; regno <= FP; regno++) visit(frame.regs.at(regno)!, other.regs[regno]!);
    for (let at = 0; at < frame.stack.length; at++) {
      const slot = frame.stack.at(at)!;
      const otherSlot = other.stack[at];
      if (otherSlot && isSpill(slot)) visit(slot, otherSlot);
    }
  });
}

/** Quick test for a loop that gets nowhere: the registers are the same, bit for bit. */
export function sameRegisters(old: KeptState, cur: State): boolean {
  if (old.frames.length !== cur.frames.length) return false;
  const a = old.frames[old.frames.length - 1]!.regs;
  const b = cur.frames[cur.frames.length - 1]!.regs;
  for (let regno = 0; regno < a.length; regno++) {
    if (!sameReg(a.at(regno)!.reg, b[regno]!.reg)) return false;
  }
  return true;
}
