/**
 * pointer + number and pointer - number. A known number goes into the fixed offset, an unknown one
 * into the variable part, within limits that keep both from overflowing.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { signOf } from './alu.ts';
import { reject, type Checker } from './checker.ts';
import { S32_MAX, S32_MIN } from './int.ts';
import { classOf, cls, opOf } from './opcode.ts';
import type { ReasonCode } from './reasons.ts';
import {
  isPacketPointer,
  isPlain,
  mayBeNull,
  typeText,
  withReg,
  withScalar,
  type Reg,
} from './reg.ts';
import { MAX_VAR_OFF } from './region.ts';
import { checkResultBounds, sanitizePointer, type Sanitizing } from './sanitize.ts';
import { draftOf, forget32, sync, type Draft, type Scalar } from './scalar.ts';
import { add64, isContradictory, sub64 } from './scalar-alu.ts';
import { addTnum, isConst, subTnum } from './tnum.ts';
import { SIGN, toNumber } from './wide.ts';

const ADD = 0x00;
const SUB = 0x10;

/** `pointerIsDst`: dst op= number; else dst was the number and becomes the pointer. */
export function adjustPointer(
  c: Checker,
  insn: Insn,
  pointer: Reg,
  offset: Scalar,
  pointerIsDst: boolean,
): void {
  const slot = c.regs[insn.dst]!;
  const op = opOf(insn.code);
  if (isContradictory(offset, 64)) {
    c.forget(slot);
    return;
  }
  if (classOf(insn.code) !== cls.ALU64) {
    if (op === SUB && c.allowPtrLeaks) {
      c.forget(slot);
      return;
    }
    refuse(c, `R${insn.dst} 32-bit pointer arithmetic prohibited`);
  }
  checkKind(c, insn, pointer, offset);
  slot.reg = pointer;
  if (!pointerIsDst) {
    // 6.1 copies the whole place, with its marks.
    const { live, precise, parent } = c.regs[insn.src]!;
    Object.assign(slot, { live, precise, parent });
  }
  checkSane(c, offset, 0, pointer);
  checkSane(c, pointer.scalar, pointer.off, pointer);
  if (pointerIsDst) {
    const draft = draftOf(pointer.scalar);
    forget32(draft);
    slot.reg = withScalar(pointer, draft);
  }
  const commit = isSanitized(op)
    ? sanitizePointer(c, insn, pointer, offset, pointerIsDst)
    : undefined;
  const draft = draftOf(pointer.scalar);
  slot.reg = compute(c, insn, pointer, offset, pointerIsDst, draft);
  checkSane(c, draft, slot.reg.off, pointer);
  sync(draft);
  checkResultBounds(c, insn.dst);
  finish(commit, slot.reg);
}

const isSanitized = (op: number): boolean => op === ADD || op === SUB;
const finish = (commit: Sanitizing | undefined, result: Reg): void => commit?.(result);

function refuse(c: Checker, line: string): never {
  return reject(c, errno.EACCES, 'pointer-arithmetic', line);
}

/** Kinds of pointers that must not be moved. */
function checkKind(c: Checker, insn: Insn, pointer: Reg, offset: Scalar): void {
  if (mayBeNull(pointer)) {
    const text = typeText(pointer);
    const line = `R${insn.dst} pointer arithmetic on ${text} prohibited, null-check it first`;
    reject(c, errno.EACCES, 'missing-null-check', line);
  }
  const known = isConst(offset.bits);
  switch (pointer.kind) {
    case 'flow_keys':
      if (known) return;
      break;
    case 'map_ptr':
      break;
    case 'pkt_end':
    case 'sock':
    case 'sock_common':
    case 'tcp_sock':
    case 'xdp_sock':
      refuse(c, `R${insn.dst} pointer arithmetic on ${typeText(pointer)} prohibited`);
      return;
    default:
      return;
  }
  // Adding nothing changes nothing.
  if (known && offset.smin === 0n && opOf(insn.code) === ADD) return;
  refuse(c, `R${insn.dst} pointer arithmetic on ${typeText(pointer)} prohibited`);
}

/** Offsets stay far from overflow: `scalar` is a number, or a pointer's beside its fixed `off`. */
function checkSane(c: Checker, scalar: Scalar, off: number, pointer: Reg): void {
  const { bits, sminHi, sminLo } = scalar;
  const smin = toNumber(sminHi, sminLo);
  const isFar = (value: number) => value >= MAX_VAR_OFF || value <= -MAX_VAR_OFF;
  const insane = (reason: ReasonCode, line: string) => reject(c, errno.EINVAL, reason, line);
  if (isConst(bits) && isFar(toNumber(bits.valueHi, bits.valueLo))) {
    const value = BigInt.asIntN(64, bits.value);
    const line = `math between ${typeText(pointer)} pointer and ${value} is not allowed`;
    insane('offset-too-large', line);
  }
  if (isFar(off)) {
    insane('offset-too-large', `${typeText(pointer)} pointer offset ${off} is not allowed`);
  }
  if (sminHi === SIGN && sminLo === 0) {
    const line =
      `math between ${typeText(pointer)} pointer and register ` +
      'with unbounded min value is not allowed';
    insane('unbounded-offset', line);
  }
  if (isFar(smin)) {
    const line = `value ${scalar.smin} makes ${typeText(pointer)} pointer be out of bounds`;
    insane('offset-too-large', line);
  }
}

const fitsS32 = (value: number): boolean => value >= S32_MIN && value <= S32_MAX;

/** `d`: the pointer's scalar, which becomes the result's. */
function compute(
  c: Checker,
  insn: Insn,
  pointer: Reg,
  offset: Scalar,
  pointerIsDst: boolean,
  d: Draft,
): Reg {
  // 32-bit bounds of a pointer's offset are not tracked.
  forget32(d);
  const known = isConst(offset.bits);
  const distance = toNumber(offset.sminHi, offset.sminLo);
  switch (opOf(insn.code)) {
    case ADD: {
      const off = pointer.off + distance;
      if (known && fitsS32(off)) return withReg(pointer, { off, scalar: d });
      add64(d, offset);
      d.bits = addTnum(pointer.scalar.bits, offset.bits);
      if (!isPacketPointer(pointer)) return withScalar(pointer, d);
      // Another base than before: what was known of the packet behind it is not.
      return withReg(pointer, { scalar: d, id: c.newId(), range: 0 });
    }
    case SUB: {
      if (!pointerIsDst) refuse(c, `R${insn.dst} tried to subtract pointer from scalar`);
      if (isPlain(pointer, 'fp')) {
        refuse(c, `R${insn.dst} subtraction from stack pointer prohibited`);
      }
      const off = pointer.off - distance;
      if (known && fitsS32(off)) return withReg(pointer, { off, scalar: d });
      sub64(d, offset);
      d.bits = subTnum(pointer.scalar.bits, offset.bits);
      if (!isPacketPointer(pointer)) return withScalar(pointer, d);
      const range = offset.sminHi < 0 ? 0 : pointer.range;
      return withReg(pointer, { scalar: d, id: c.newId(), range });
    }
    case 0x40:
    case 0x50:
    case 0xa0:
      return refuse(c, `R${insn.dst} bitwise operator ${signOf(insn.code)} on pointer prohibited`);
    default:
      return refuse(
        c,
        `R${insn.dst} pointer arithmetic with ${signOf(insn.code)} operator prohibited`,
      );
  }
}
