/**
 * Precision: which scalars' exact values matter. Most do not, and states that differ only in those
 * can be pruned. Where a value does matter (pointer offset, decided branch, size argument), the
 * path is walked back, instruction by instruction and state by state, and everything that the value
 * came from is marked in the checkpoints on the way.
 *
 * Marks in the current state do not count: it is either dropped or becomes a checkpoint, where its
 * marks are forgotten until a later state asks for them (`forgetPrecision`).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { reject, type Checker } from './checker.ts';
import { isCallbackHelper } from './helper-facts.ts';
import {
  CMPXCHG,
  classOf,
  cls,
  isAluClass,
  isFetch,
  isJumpClass,
  isRegSource,
  jmp,
  alu,
  mode,
  modeOf,
  opOf,
} from './opcode.ts';
import { stateText } from './print.ts';
import { isPlain } from './reg.ts';
import {
  FP,
  MAIN_CALLSITE,
  MAX_STACK,
  forEachScalar,
  isSpill,
  slotOf,
  type AnyState,
} from './state.ts';
import { WALKED_EVERY, Wanted } from './walked-path.ts';

const MAX_SLOTS = MAX_STACK / 8;

/** The register of the current frame is used for its exact value. */
export function markPrecise(c: Checker, regno: number): void {
  backtrack(c, c.frame.frameno, new Wanted(1 << regno));
}

export function markRegPrecise(c: Checker, frame: number, regno: number): void {
  backtrack(c, frame, new Wanted(1 << regno));
}

export function markSlotPrecise(c: Checker, frame: number, slot: number): void {
  const place = c.state.frames[frame]!.stack[slot]!;
  if (!isSpill(place) || !isPlain(place.reg, 'scalar')) return;
  const wanted = new Wanted(0);
  wanted.addSlot(slot);
  backtrack(c, frame, wanted);
}

export function forgetPrecision(state: AnyState): void {
  forEachScalar(state, (slot) => {
    slot.precise = false;
  });
}

/** `conservative`: the walk cannot tell; all scalars on the path become precise. */
type Step = 'ok' | 'conservative';

function backtrack(c: Checker, frame: number, wanted: Wanted): void {
  if (!c.bpfCapable) return;
  const regno = wanted.regs === 0 ? -1 : 31 - Math.clz32(wanted.regs);
  if (regno >= 0 && !isPlain(c.state.frames[frame]!.regs[regno]!.reg, 'scalar')) {
    reject(c, errno.EFAULT, 'verifier-bug');
  }
  let state: AnyState = c.state;
  let last = c.insn;
  let first = c.state.firstInsn;
  let isUse = true;
  // Not where the log tells each step; callers' registers are asked for at the end of a path only.
  let remembers = !c.log.tellsAll && frame === c.frame.frameno;
  for (;;) {
    if (c.log.tellsAll) c.log.write(`last_idx ${last} first_idx ${first}\n`);
    if (last < 0) {
      atFunctionEntry(c, state, wanted);
      return;
    }
    // Behind the last jump that was not walked yet.
    let jumps = state.jumps.length;
    for (let at = last; ;) {
      // The instruction that uses the value needs no looking at.
      const step: Step = isUse ? 'ok' : stepBack(c, at, wanted);
      isUse = false;
      if (step === 'conservative') {
        markAllPrecise(state);
        return;
      }
      if (wanted.isEmpty) return;
      if (remembers && at % WALKED_EVERY === 0) {
        if (c.walked.covers(state, jumps * c.insns.length + at, wanted)) return;
      }
      const atStart = at === state.firstInsn;
      if (atStart && (jumps === 0 || (jumps === 2 && state.jumps[1] === at))) break;
      if (jumps > 0 && state.jumps[jumps - 1] === at) {
        at = state.jumps[jumps - 2]!;
        jumps -= 2;
      } else {
        at--;
      }
      if (at < 0 || at >= c.insns.length) {
        reject(c, errno.EFAULT, 'verifier-bug', `BUG backtracking idx ${at}`);
      }
    }
    if (!state.parent) return;
    state = state.parent;
    remembers = false;
    const news = markWanted(c, state, frame, wanted);
    if (news === undefined) return;
    if (wanted.isEmpty || !news) return;
    last = state.lastInsn;
    first = state.firstInsn;
  }
}

/** The start of a global function: its arguments are where values come from. */
function atFunctionEntry(c: Checker, state: AnyState, wanted: Wanted): void {
  const frame = state.frames[0]!;
  const isGlobalEntry =
    state.frames.length === 1 && frame.subprog > 0 && frame.callsite === MAIN_CALLSITE;
  const onlyArguments = !wanted.hasSlots && (wanted.regs & ~0x3e) === 0;
  if (!isGlobalEntry || !onlyArguments) {
    const line =
      `BUG backtracing func entry subprog ${frame.subprog} ` +
      wanted.text('reg_mask ', 'stack_mask ');
    reject(c, errno.EFAULT, 'verifier-bug', line);
  }
  for (let regno = 1; regno <= 5; regno++) {
    const slot = frame.regs.at(regno)!;
    if ((wanted.regs & (1 << regno)) !== 0 && isPlain(slot.reg, 'scalar')) slot.precise = true;
  }
}

/**
 * Marks what is wanted in a checkpoint. True where something was not marked before; undefined where
 * a slot is not there, so that everything had to be marked.
 */
function markWanted(
  c: Checker,
  state: AnyState,
  frameno: number,
  wanted: Wanted,
): boolean | undefined {
  const frame = state.frames[frameno]!;
  let news = false;
  for (let regno = 0; regno <= FP; regno++) {
    if ((wanted.regs & (1 << regno)) === 0) continue;
    const slot = frame.regs.at(regno)!;
    if (!isPlain(slot.reg, 'scalar')) {
      wanted.regs &= ~(1 << regno);
      continue;
    }
    if (!slot.precise) news = true;
    slot.precise = true;
  }
  for (let index = 0; index < MAX_SLOTS && wanted.hasSlots; index++) {
    if (!wanted.has(index)) continue;
    const slot = frame.stack.at(index);
    if (!slot) {
      // Written through another register than r10, which the walk back does not follow.
      markAllPrecise(state);
      return undefined;
    }
    if (!isSpill(slot) || !isPlain(slot.reg, 'scalar')) {
      wanted.removeSlot(index);
      continue;
    }
    if (!slot.precise) news = true;
    slot.precise = true;
  }
  if (c.log.tellsAll) {
    const had = news ? "didn't have" : 'already had';
    c.log.write(`parent ${had} ${wanted.text()} marks:${stateText(c, frame, true)}\n`);
  }
  return news;
}

/** Every scalar of every state above this one; above one that was done, all are. */
export function markAllPrecise(state: AnyState): void {
  for (let at = state.parent; at && !at.allPrecise; at = at.parent) {
    at.allPrecise = true;
    forEachScalar(at, (slot) => {
      slot.precise = true;
    });
  }
}

/** What was wanted after the instruction becomes what is wanted before it. */
function stepBack(c: Checker, at: number, wanted: Wanted): Step {
  const insn = c.insns[at]!;
  if (insn.code === 0) return 'ok';
  if (c.log.tellsAll) {
    c.log.write(`${wanted.text()} before ${at}: ${c.disasm(at)}\n`);
  }
  const { code } = insn;
  if (isAluClass(code)) return backAlu(insn, wanted);
  if (classOf(code) === cls.LDX || isFetch(insn)) return backLoad(c, at, insn, wanted);
  if (classOf(code) === cls.STX || classOf(code) === cls.ST) return backStore(c, insn, wanted);
  if (isJumpClass(code)) return backJump(c, insn, wanted);
  // A ld_imm64 is a source; packet loads are not followed.
  if ((wanted.regs & (1 << insn.dst)) === 0) return 'ok';
  wanted.regs &= ~(1 << insn.dst);
  return modeOf(code) === mode.IND || modeOf(code) === mode.ABS ? 'conservative' : 'ok';
}

function backAlu({ code, dst, src }: Insn, wanted: Wanted): Step {
  if ((wanted.regs & (1 << dst)) === 0) return 'ok';
  const op = opOf(code);
  if (op === alu.END || op === alu.NEG) return 'ok';
  if (op === alu.MOV) wanted.regs &= ~(1 << dst);
  if (isRegSource(code)) wanted.regs |= 1 << src;
  return 'ok';
}

function slotAt(c: Checker, off: number): number {
  // C's division: an offset of 0 or more gives slot 0.
  const index = off >= 0 ? Math.trunc((-off - 1) / 8) : slotOf(off);
  if (index < 0 || index >= MAX_SLOTS) {
    reject(c, errno.EFAULT, 'verifier-bug', `BUG spi ${index}`);
  }
  return index;
}

function backLoad(c: Checker, at: number, insn: Insn, wanted: Wanted): Step {
  const atomic = classOf(insn.code) === cls.STX;
  const loaded = !atomic ? insn.dst : insn.imm === CMPXCHG ? 0 : insn.src;
  const base = atomic ? insn.dst : insn.src;
  if ((wanted.regs & (1 << loaded)) === 0) return 'ok';
  wanted.regs &= ~(1 << loaded);
  // Only the stack keeps what is known of a scalar.
  if (base === FP) wanted.addSlot(slotAt(c, insn.off));
  else if (c.asLinux && mayBeStack(c, at)) c.erred = true;
  return 'ok';
}

/** 6.1 does not go on to the slot where the stack is read through another register than r10. */
function mayBeStack(c: Checker, slot: number): boolean {
  const { pointer } = c.learned(slot);
  return pointer === 'stack' || pointer === 'mixed';
}

function backStore(c: Checker, insn: Insn, wanted: Wanted): Step {
  // A scalar as an address: the difference of two pointers took part.
  if ((wanted.regs & (1 << insn.dst)) !== 0) return 'conservative';
  if (insn.dst !== FP) return 'ok';
  const slot = slotAt(c, insn.off);
  if (!wanted.has(slot)) return 'ok';
  wanted.removeSlot(slot);
  if (classOf(insn.code) === cls.STX) wanted.regs |= 1 << insn.src;
  return 'ok';
}

function backJump(c: Checker, insn: Insn, wanted: Wanted): Step {
  const { code, dst, src, imm } = insn;
  switch (opOf(code)) {
    case jmp.CALL:
      if (src === 1 || (src === 2 && imm === 0)) return 'conservative';
      if (src === 0 && isCallbackHelper(imm)) return 'conservative';
      wanted.regs &= ~1;
      if ((wanted.regs & 0x3f) !== 0) {
        // Arguments were clobbered by the call: nothing after it can want them.
        reject(c, errno.EFAULT, 'verifier-bug', `BUG regs ${wanted.regs.toString(16)}`);
      }
      return 'ok';
    case jmp.EXIT:
      return 'conservative';
    case jmp.JA:
      return 'ok';
    default: {
      const both = (1 << dst) | (1 << src);
      if (isRegSource(code) && (wanted.regs & both) !== 0) wanted.regs |= both;
      return 'ok';
    }
  }
}
