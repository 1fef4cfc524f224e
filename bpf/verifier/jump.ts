/**
 * Conditional jumps: decided where what is known decides them, else explored both ways, each with
 * what the comparison tells.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import type { Condition } from '../isa/row.ts';
import { reject, type Checker } from './checker.ts';
import { sourceReg } from './live.ts';
import { settleNull } from './null.ts';
import { classOf, cls, conditionOf, isRegSource, jmp, opOf } from './opcode.ts';
import { learnPacketRange, packetBranchTaken } from './packet.ts';
import { markPrecise } from './precision.ts';
import { printInsnState } from './print.ts';
import {
  isAnyPacketPointer,
  isNeverNull,
  isPlain,
  mayBeNull,
  withScalar,
  type Reg,
} from './reg.ts';
import { pushSpeculative } from './sanitize.ts';
import type { Scalar } from './scalar.ts';
import { branchTaken, flipCondition, isConstAt, refine, refineEqual } from './scalar-branch.ts';
import type { Tnum } from './tnum.ts';
import { copyContent, forEachReg, topFrame, type Slot, type State } from './state.ts';

type Width = 32 | 64;

/** Leaves `c.insn` at the instruction before the one to go on with. */
export function checkJump(c: Checker, insn: Insn): void {
  const op = opOf(insn.code);
  const condition = conditionOf(insn.code);
  if (condition === undefined || op > jmp.LAST) {
    const line = `invalid BPF_JMP/JMP32 opcode ${op.toString(16)}`;
    return reject(c, errno.EINVAL, 'unknown-opcode', line);
  }
  const width: Width = classOf(insn.code) === cls.JMP32 ? 32 : 64;
  const operands = checkOperands(c, insn);
  const taken = decide(c, insn, operands, condition, width);
  if (taken !== undefined) {
    follow(c, insn, operands, taken);
    return;
  }
  const other = c.pushPath(c.insn + insn.off + 1, c.insn, false);
  learn(c, insn, other, condition, width);
  if (c.log.states) printInsnState(c);
}

interface Operands {
  readonly dst: Slot;
  readonly src: Slot | undefined;
}

function checkOperands(c: Checker, insn: Insn): Operands {
  const dst = sourceReg(c, insn.dst);
  const reserved = 'BPF_JMP/JMP32 uses reserved fields';
  if (!isRegSource(insn.code)) {
    if (insn.src !== 0) reject(c, errno.EINVAL, 'reserved-field', reserved);
    return { dst, src: undefined };
  }
  if (insn.imm !== 0) reject(c, errno.EINVAL, 'reserved-field', reserved);
  const src = sourceReg(c, insn.src);
  const bothPacket = isAnyPacketPointer(dst.reg) && isAnyPacketPointer(src.reg);
  if (!bothPacket && c.leaksPointer(src.reg)) {
    const line = `R${insn.src} pointer comparison prohibited`;
    reject(c, errno.EACCES, 'pointer-comparison', line, { reg: insn.src });
  }
  return { dst, src };
}

/** Whether the jump is taken, as far as that is known. */
function decide(
  c: Checker,
  insn: Insn,
  { dst, src }: Operands,
  condition: Condition,
  width: Width,
): boolean | undefined {
  if (!src) return comparedWith(dst.reg, c.immediate.bits, condition, width);
  if (isPlain(src.reg, 'scalar') && isConstAt(src.reg.scalar, width)) {
    return comparedWith(dst.reg, src.reg.scalar.bits, condition, width);
  }
  if (width === 64 && isAnyPacketPointer(dst.reg) && isAnyPacketPointer(src.reg)) {
    return packetBranchTaken(dst.reg, src.reg, condition);
  }
  return undefined;
}

function comparedWith(
  reg: Reg,
  value: Tnum,
  condition: Condition,
  width: Width,
): boolean | undefined {
  if (isPlain(reg, 'scalar')) return branchTaken(reg.scalar, value, condition, width);
  // A pointer that cannot be NULL differs from 0.
  const isZero = value.valueLo === 0 && (width === 32 || value.valueHi === 0);
  if (!isNeverNull(reg) || !isZero) return undefined;
  if (condition === 'eq') return false;
  return condition === 'ne' ? true : undefined;
}

function follow(c: Checker, insn: Insn, { dst, src }: Operands, taken: boolean): void {
  if (isPlain(dst.reg, 'scalar')) markPrecise(c, insn.dst);
  if (src && isPlain(src.reg, 'scalar')) markPrecise(c, insn.src);
  if (!c.bypassSpecV1) {
    pushSpeculative(c, insn, taken ? c.insn + 1 : c.insn + insn.off + 1);
  }
  if (c.log.states) printInsnState(c);
  if (taken) c.insn += insn.off;
}

/** `other` is the state of the taken side, the current one goes on behind the jump. */
function learn(c: Checker, insn: Insn, other: State, condition: Condition, width: Width): void {
  const { regs } = c;
  const otherRegs = topFrame(other).regs;
  const dst = regs[insn.dst]!;
  const otherDst = otherRegs[insn.dst]!;
  const isScalarDst = isPlain(dst.reg, 'scalar');
  if (isRegSource(insn.code)) {
    const src = regs[insn.src]!;
    if (isScalarDst && isPlain(src.reg, 'scalar')) {
      learnFromRegs(dst, src, otherDst, otherRegs[insn.src]!, condition, width);
      if (src.reg.id !== 0) {
        spreadEqual(c.state, src);
        spreadEqual(other, otherRegs[insn.src]!);
      }
    }
  } else if (isScalarDst) {
    split(dst, otherDst, c.immediate.bits, condition, width);
  }
  if (isPlain(dst.reg, 'scalar') && dst.reg.id !== 0) {
    spreadEqual(c.state, dst);
    spreadEqual(other, otherDst);
  }
  const isNullCheck =
    width === 64 &&
    !isRegSource(insn.code) &&
    insn.imm === 0 &&
    (condition === 'eq' || condition === 'ne') &&
    mayBeNull(dst.reg);
  if (isNullCheck) {
    settleNull(c.state, insn.dst, condition === 'ne');
    settleNull(other, insn.dst, condition === 'eq');
    return;
  }
  if (width === 64 && isRegSource(insn.code) && learnPacketRange(c, insn, other, condition)) return;
  if (c.leaksPointer(c.reg(insn.dst))) {
    const line = `R${insn.dst} pointer comparison prohibited`;
    reject(c, errno.EACCES, 'pointer-comparison', line, { reg: insn.dst });
  }
}

const setScalar = (slot: Slot, scalar: Scalar): void => {
  slot.reg = withScalar(slot.reg, scalar);
};

/** `slot` on this side, `otherSlot` on the taken one, compared with a known value. */
function split(slot: Slot, otherSlot: Slot, value: Tnum, condition: Condition, width: Width): void {
  const { taken, fallThrough } = refine(slot.reg.scalar, value, condition, width);
  setScalar(slot, fallThrough);
  setScalar(otherSlot, taken);
}

function learnFromRegs(
  dst: Slot,
  src: Slot,
  otherDst: Slot,
  otherSrc: Slot,
  condition: Condition,
  width: Width,
): void {
  const a = dst.reg.scalar;
  const b = src.reg.scalar;
  if (isConstAt(b, width)) {
    split(dst, otherDst, b.bits, condition, width);
  } else if (isConstAt(a, width)) {
    const flipped = flipCondition(condition);
    split(src, otherSrc, a.bits, flipped, width);
  } else if (width === 64 && condition === 'eq') {
    const [first, second] = refineEqual(b, a);
    setScalar(otherSrc, first);
    setScalar(otherDst, second);
  } else if (width === 64 && condition === 'ne') {
    const [first, second] = refineEqual(b, a);
    setScalar(src, first);
    setScalar(dst, second);
  }
}

/** Every copy of a number learns what was learnt of one. */
function spreadEqual(state: State, known: Slot): void {
  const { id } = known.reg;
  forEachReg(state, (slot) => {
    if (isPlain(slot.reg, 'scalar') && slot.reg.id === id) copyContent(slot, known);
  });
}
