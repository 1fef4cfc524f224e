/**
 * Access to registers, with its marks: a read travels up the tree of states until a write screens
 * it off, so that a checkpoint knows which places its continuation depends on.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { reject, type Checker } from './checker.ts';
import { UNINIT_REG, isScalar, typeText, type Reg } from './reg.ts';
import { FP, live, type Slot } from './state.ts';

/** The place is read: its ancestors are marked, up to where it was written. */
export function markRead(c: Checker, slot: Slot, mark: number): void {
  if ((slot.live & live.WRITTEN) === 0) markReadFrom(c, slot.parent, mark);
}

/** The same of `at` itself and its ancestors. */
export function markReadFrom(c: Checker, first: Slot | undefined, mark: number): void {
  let at = first;
  let steps = 0;
  while (at) {
    if ((at.live & live.DONE) !== 0) {
      const { reg } = at;
      const value = BigInt.asIntN(64, reg.scalar.bits.value);
      const line = `verifier BUG type ${typeText(reg)} var_off ${value} off ${reg.off}`;
      reject(c, errno.EFAULT, 'verifier-bug', line);
    }
    // Marked already: so are its ancestors, as the chain never changes.
    if ((at.live & live.READ) === mark || (at.live & live.READ64) !== 0) break;
    at.live |= mark;
    if (mark === live.READ64) at.live &= ~live.READ32;
    steps++;
    if ((at.live & live.WRITTEN) !== 0) break;
    at = at.parent;
  }
  c.longestMarkWalk = Math.max(c.longestMarkWalk, steps);
}

const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;

/** All 64 bits of the register count, as far as the instruction reads it. */
function reads64(insn: Insn, reg: Reg): boolean {
  const { code } = insn;
  switch (code & 7) {
    case CLASS.JMP:
      // A call between subprograms reads nothing itself.
      return !((code & 0xf0) === 0x80 && insn.src === 1);
    case CLASS.ALU:
      return (code & 0xf0) === 0xd0 && insn.imm === 64;
    case CLASS.JMP32:
      return false;
    case CLASS.STX:
      return !isScalar(reg) || (code & 0x18) === 0x18;
    default:
      return true;
  }
}

export function scratchReg(c: Checker, regno: number): void {
  c.scratchedRegs |= 1 << regno;
}

export function scratchSlot(c: Checker, slot: number): void {
  if (c.log.states) c.scratchedSlots |= 1n << BigInt(slot);
}

function existing(c: Checker, regno: number): Slot {
  if (regno > FP)
    reject(c, errno.EINVAL, 'invalid-register', `R${regno} is invalid`, { reg: regno });
  scratchReg(c, regno);
  return c.regs[regno]!;
}

/** The register as an operand: it must have been written. */
export function sourceReg(c: Checker, regno: number): Slot {
  const slot = existing(c, regno);
  if (slot.reg.kind === '?') {
    reject(c, errno.EACCES, 'uninitialised-register', `R${regno} !read_ok`, { reg: regno });
  }
  if (regno !== FP) {
    markRead(c, slot, reads64(c.current, slot.reg) ? live.READ64 : live.READ32);
  }
  return slot;
}

/** The register as a destination; its content is up to the caller. */
export function destReg(c: Checker, regno: number): Slot {
  const slot = existing(c, regno);
  if (regno === FP) reject(c, errno.EACCES, 'frame-pointer-write', 'frame pointer is read only');
  slot.live |= live.WRITTEN;
  return slot;
}

/** The register as a destination of an unknown value. */
export function destUnknown(c: Checker, regno: number): Slot {
  const slot = destReg(c, regno);
  c.forget(slot);
  return slot;
}

/** r0 to r5 of the caller (`regs`) hold nothing after a call. */
export function clobberCallerSaved(c: Checker, regs: readonly Slot[]): void {
  for (let regno = 0; regno <= 5; regno++) {
    const slot = regs[regno]!;
    c.forget(slot);
    slot.reg = UNINIT_REG;
    destReg(c, regno);
  }
}
