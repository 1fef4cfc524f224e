/**
 * Checkpoints. At jump targets and after calls the state is compared with those kept there: where
 * one covers it, this path needs no more exploring. Otherwise it may be kept itself; how often that
 * is done, and when a useless one is dropped, follows 6.1, as it decides how many instructions are
 * processed.
 */
import { errno } from '../../kernel/types/errno.ts';
import { insnMark, reject, type Checker } from './checker.ts';
import { sameRegisters, stateCovered } from './equal.ts';
import type { KeptFrame } from './kept-frame.ts';
import { markReadFrom } from './live.ts';
import { forgetPrecision, markRegPrecise, markSlotPrecise } from './precision.ts';
import { printSourceLine } from './print.ts';
import { UNINIT_REG, isPlain } from './reg.ts';
import {
  FIRST_SAVED,
  FP,
  isSpill,
  keptCopy,
  live,
  topFrame,
  type Checkpoint,
  type Frame,
  type KeptState,
  type Slot,
} from './state.ts';

/** Without CAP_BPF no more states than this are kept (BPF_COMPLEXITY_LIMIT_STATES). */
const MAX_STATES = 64;

function bucketIndex(c: Checker, insn: number): number {
  const hash = (insn ^ topFrame(c.state).callsite) >>> 0;
  return hash % c.insns.length;
}

function bucketOf(c: Checker, insn: number): Checkpoint[] {
  return c.explored[bucketIndex(c, insn)] ?? [];
}

/**
 * Jumps on a path since its last checkpoint after which it gets another in any case.
 * differs: 6.1 has no such limit. Where one way out of a loop keeps making checkpoints, the other,
 * which the counts since the last one never reach, takes its history round after round, and each walk
 * back goes through all of it: the verifier hangs (6.12 limits it to 40). Rarely more than a few tens
 * otherwise, so counts stay those of 6.1.
 */
const MAX_JUMPS = 128;

/** Without CAP_BPF nobody walks back: all is precise. */
function recordJump(c: Checker): void {
  if (!c.bpfCapable) return;
  if ((c.marks[c.insn]! & insnMark.JUMP_POINT) !== 0) c.state.jumps.push(c.prevInsn, c.insn);
}

/** True where the current state is covered and the path ends here. */
export function isCovered(c: Checker): boolean {
  const cur = c.state;
  const { insn } = c;
  cur.lastInsn = c.prevInsn;
  if ((c.marks[insn]! & insnMark.PRUNE_POINT) === 0 || !c.prunes) {
    recordJump(c);
    return false;
  }
  const jumps = c.jumps - c.jumpsAtCheckpoint;
  const processed = c.processed - c.processedAtCheckpoint;
  let keep = c.testStateFreq || (jumps >= 2 && processed >= 8);
  const bucket = bucketOf(c, insn);
  cleanFinished(c, bucket, insn);
  let seen = 0;
  for (let index = bucket.length - 1; index >= 0; index--) {
    const point = bucket[index]!;
    seen++;
    if (point.state.insn !== insn) continue;
    if (point.state.branches > 0) {
      refuseEndlessLoop(c, point.state);
      // In a loop every round's state is another: keep few.
      if (jumps < 20 && processed < 100) keep = false;
    } else if (stateCovered(c, point.state, cur)) {
      point.hits++;
      c.recorder?.covered(c, point.state);
      inherit(c, point.state);
      return true;
    }
    if (keep) point.misses++;
    if (point.misses > point.hits * 3 + 3) {
      bucket.splice(index, 1);
      if (isClean(point.state)) c.peakStates--;
    }
  }
  c.maxStatesPerInsn = Math.max(c.maxStatesPerInsn, seen);
  if (cur.jumps.length >= 2 * MAX_JUMPS) keep = true;
  if (!keep || (!c.bpfCapable && seen > MAX_STATES)) recordJump(c);
  else keepState(c);
  return false;
}

function refuseEndlessLoop(c: Checker, old: KeptState): void {
  const frame = topFrame(old);
  // Entered anew from a timer: the same state is no loop, but it is not finished either.
  if (frame.inAsyncCallback && frame.asyncEntries !== c.frame.asyncEntries) return;
  if (!sameRegisters(old, c.state) || !stateCovered(c, old, c.state)) return;
  printSourceLine(c, c.insn, '; ');
  reject(c, errno.EINVAL, 'infinite-loop', `infinite loop detected at insn ${c.insn}`);
}

/** What the covering state's continuation read and needed exactly, the current path is asked for. */
function inherit(c: Checker, old: KeptState): void {
  old.frames.forEach((frame, index) => {
    const cur = c.state.frames[index]!;
    const isTop = index === old.frames.length - 1;
    for (let regno = isTop ? 0 : FIRST_SAVED; regno < FP; regno++) {
      inheritReads(c, frame.regs.at(regno)!, cur.regs[regno]!);
    }
    const slots = Math.min(frame.stack.length, cur.stack.length);
    for (let at = 0; at < slots; at++) inheritReads(c, frame.stack.at(at)!, cur.stack[at]!);
  });
  recordJump(c);
  for (let index = old.frames.length - 1; index >= 0; index--) {
    const frame = old.frames[index]!;
    for (let regno = 0; regno < FP; regno++) {
      if (!isNeeded(frame.regs.at(regno)!)) continue;
      if (c.log.all) c.log.write(`frame ${index}: propagating r${regno}\n`);
      markRegPrecise(c, index, regno);
    }
    for (let at = 0; at < frame.stack.length; at++) {
      const slot = frame.stack.at(at)!;
      if (!isSpill(slot) || !isNeeded(slot)) continue;
      if (c.log.all) c.log.write(`frame ${index}: propagating fp${-8 * (at + 1)}\n`);
      markSlotPrecise(c, index, at);
    }
  }
}

const isNeeded = (slot: Slot): boolean =>
  isPlain(slot.reg, 'scalar') && slot.precise && (slot.live & live.READ) !== 0;

function inheritReads(c: Checker, from: Slot, to: Slot): void {
  const wanted = from.live & live.READ;
  const has = to.live & live.READ;
  if (has === live.READ64 || wanted === 0 || has === wanted) return;
  markReadFrom(c, to, wanted);
}

const isClean = (state: KeptState): boolean =>
  (state.frames[0]!.regs.at(0)!.live & live.DONE) !== 0;

/**
 * States whose paths are all explored get no more marks: what was not read is cleared, so that it
 * compares with anything.
 */
function cleanFinished(c: Checker, bucket: readonly Checkpoint[], insn: number): void {
  for (const { state } of bucket) {
    if (state.branches > 0 || state.insn !== insn) continue;
    if (state.frames.length !== c.state.frames.length) continue;
    if (!state.frames.every((frame, i) => frame.callsite === c.state.frames[i]!.callsite)) continue;
    if (!isClean(state)) clean(c, state);
  }
}

function clean(c: Checker, state: KeptState): void {
  for (const frame of state.frames) {
    for (let regno = 0; regno < FP; regno++) cleanSlot(c, frame.regs.at(regno)!);
    frame.stack.finish();
  }
}

function cleanSlot(c: Checker, slot: Slot): void {
  const wasRead = (slot.live & live.READ) !== 0;
  slot.live |= live.DONE;
  if (wasRead) return;
  // A caller's is forgotten by these marks.
  if (slot.reg !== UNINIT_REG) slot.reg = UNINIT_REG;
  slot.precise = !c.bpfCapable;
}

/** Places of the frame become children of the parent's, registers from `first` on. */
function descend(frame: Frame, parent: KeptFrame, first: number): void {
  for (let regno = 0; regno < FP; regno++) {
    const slot = frame.regs[regno]!;
    if (regno >= first) slot.parent = parent.regs.at(regno)!;
    slot.live = live.NONE;
  }
  for (const slot of frame.stack) {
    slot.live = live.NONE;
    slot.kept = parent.stack;
  }
}

/** The current state becomes a checkpoint; the path goes on as its child. */
function keepState(c: Checker): void {
  const cur = c.state;
  c.totalStates++;
  c.peakStates++;
  c.jumpsAtCheckpoint = c.jumps;
  c.processedAtCheckpoint = c.processed;
  if (c.bpfCapable) forgetPrecision(cur);
  const kept = keptCopy(cur);
  kept.insn = c.insn;
  const point = { state: kept, misses: 0, hits: 0 };
  const index = bucketIndex(c, c.insn);
  const bucket = c.explored[index];
  // Most have one: a list that grows would have room for many.
  if (bucket) bucket.push(point);
  else c.explored[index] = [point];
  cur.parent = kept;
  cur.firstInsn = c.insn;
  cur.jumps = [];
  // Only r6 to r9 of callers are alive; writes so far are not writes of the child.
  for (let index = 0; index < cur.frames.length; index++) {
    const isTop = index === cur.frames.length - 1;
    descend(cur.frames[index]!, kept.frames[index]!, isTop ? 0 : FIRST_SAVED);
  }
}
