/**
 * pointer + number and pointer - number. A known number goes into the fixed offset, an unknown one
 * into the variable part, within limits that keep both from overflowing.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { signOf } from './alu.ts';
import { reject, type Checker } from './checker.ts';
import { S64_MAX, S64_MIN, U64_MAX, fitsS32, fitsS64 } from './int.ts';
import { classOf, cls, opOf } from './opcode.ts';
import type { ReasonCode } from './reasons.ts';
import { isPacketPointer, isPlain, mayBeNull, typeText, type Reg } from './reg.ts';
import { MAX_VAR_OFF } from './region.ts';
import { checkResultBounds, sanitizePointer, type Sanitizing } from './sanitize.ts';
import { draftOf, forget32, sync, type Draft } from './scalar.ts';
import { isContradictory } from './scalar-alu.ts';
import { addTnum, isConst, subTnum } from './tnum.ts';

const LIMIT = BigInt(MAX_VAR_OFF);
const ADD = 0x00;
const SUB = 0x10;

/** `pointerIsDst`: dst op= number; else dst was the number and becomes the pointer. */
export function adjustPointer(
  c: Checker,
  insn: Insn,
  pointer: Reg,
  offset: Reg,
  pointerIsDst: boolean,
): void {
  const slot = c.regs[insn.dst]!;
  const op = opOf(insn.code);
  if (isContradictory(offset.scalar, 64)) {
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
  checkSane(c, offset, pointer);
  checkSane(c, pointer, pointer);
  if (pointerIsDst) {
    const draft = draftOf(pointer.scalar);
    forget32(draft);
    slot.reg = { ...pointer, scalar: draft };
  }
  const commit = isSanitized(op)
    ? sanitizePointer(c, insn, pointer, offset, pointerIsDst)
    : undefined;
  slot.reg = compute(c, insn, pointer, offset, pointerIsDst);
  checkSane(c, slot.reg, pointer);
  const draft = draftOf(slot.reg.scalar);
  sync(draft);
  slot.reg = { ...slot.reg, scalar: draft };
  checkResultBounds(c, insn.dst);
  finish(commit, slot.reg);
}

const isSanitized = (op: number): boolean => op === ADD || op === SUB;
const finish = (commit: Sanitizing | undefined, result: Reg): void => commit?.(result);

function refuse(c: Checker, line: string): never {
  return reject(c, errno.EACCES, 'pointer-arithmetic', line);
}

/** Kinds of pointers that must not be moved. */
function checkKind(c: Checker, insn: Insn, pointer: Reg, offset: Reg): void {
  const text = typeText(pointer);
  if (mayBeNull(pointer)) {
    const line = `R${insn.dst} pointer arithmetic on ${text} prohibited, null-check it first`;
    reject(c, errno.EACCES, 'missing-null-check', line);
  }
  const known = isConst(offset.scalar.bits);
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
      refuse(c, `R${insn.dst} pointer arithmetic on ${text} prohibited`);
      return;
    default:
      return;
  }
  // Adding nothing changes nothing.
  if (known && offset.scalar.smin === 0n && opOf(insn.code) === ADD) return;
  refuse(c, `R${insn.dst} pointer arithmetic on ${text} prohibited`);
}

/** Offsets stay far from overflow. `reg` is an offset, or a pointer with one. */
function checkSane(c: Checker, reg: Reg, pointer: Reg): void {
  const type = typeText(pointer);
  const { bits, smin } = reg.scalar;
  const insane = (reason: ReasonCode, line: string) => reject(c, errno.EINVAL, reason, line);
  const value = BigInt.asIntN(64, bits.value);
  if (isConst(bits) && (value >= LIMIT || value <= -LIMIT)) {
    insane('offset-too-large', `math between ${type} pointer and ${value} is not allowed`);
  }
  if (reg.off >= MAX_VAR_OFF || reg.off <= -MAX_VAR_OFF) {
    insane('offset-too-large', `${type} pointer offset ${reg.off} is not allowed`);
  }
  if (smin === S64_MIN) {
    const line = `math between ${type} pointer and register with unbounded min value is not allowed`;
    insane('unbounded-offset', line);
  }
  if (smin >= LIMIT || smin <= -LIMIT) {
    insane('offset-too-large', `value ${smin} makes ${type} pointer be out of bounds`);
  }
}

function compute(c: Checker, insn: Insn, pointer: Reg, offset: Reg, pointerIsDst: boolean): Reg {
  const d = draftOf(pointer.scalar);
  // 32-bit bounds of a pointer's offset are not tracked.
  forget32(d);
  const known = isConst(offset.scalar.bits);
  switch (opOf(insn.code)) {
    case ADD: {
      const sum = BigInt(pointer.off) + offset.scalar.smin;
      if (known && fitsS32(sum)) return { ...pointer, off: Number(sum), scalar: d };
      addRange(d, pointer, offset);
      d.bits = addTnum(pointer.scalar.bits, offset.scalar.bits);
      if (!isPacketPointer(pointer)) return { ...pointer, scalar: d };
      // Another base than before: what was known of the packet behind it is not.
      return { ...pointer, scalar: d, id: c.newId(), range: 0 };
    }
    case SUB: {
      if (!pointerIsDst) refuse(c, `R${insn.dst} tried to subtract pointer from scalar`);
      if (isPlain(pointer, 'fp')) {
        refuse(c, `R${insn.dst} subtraction from stack pointer prohibited`);
      }
      const difference = BigInt(pointer.off) - offset.scalar.smin;
      if (known && fitsS32(difference)) {
        return { ...pointer, off: Number(difference), scalar: d };
      }
      subtractRange(d, pointer, offset);
      d.bits = subTnum(pointer.scalar.bits, offset.scalar.bits);
      if (!isPacketPointer(pointer)) return { ...pointer, scalar: d };
      const range = offset.scalar.smin < 0n ? 0 : pointer.range;
      return { ...pointer, scalar: d, id: c.newId(), range };
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

function addRange(d: Draft, pointer: Reg, offset: Reg): void {
  const a = pointer.scalar;
  const b = offset.scalar;
  const signedFits = fitsS64(a.smin + b.smin) && fitsS64(a.smax + b.smax);
  d.smin = signedFits ? a.smin + b.smin : S64_MIN;
  d.smax = signedFits ? a.smax + b.smax : S64_MAX;
  const unsignedFits = a.umin + b.umin <= U64_MAX && a.umax + b.umax <= U64_MAX;
  d.umin = unsignedFits ? a.umin + b.umin : 0n;
  d.umax = unsignedFits ? a.umax + b.umax : U64_MAX;
}

function subtractRange(d: Draft, pointer: Reg, offset: Reg): void {
  const a = pointer.scalar;
  const b = offset.scalar;
  const signedFits = fitsS64(a.smin - b.smax) && fitsS64(a.smax - b.smin);
  d.smin = signedFits ? a.smin - b.smax : S64_MIN;
  d.smax = signedFits ? a.smax - b.smin : S64_MAX;
  const unsignedFits = a.umin >= b.umax;
  d.umin = unsignedFits ? a.umin - b.umax : 0n;
  d.umax = unsignedFits ? a.umax - b.umin : U64_MAX;
}
