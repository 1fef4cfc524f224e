/**
 * Memory that a helper (or a global function) is passed: all of it must be accessible for what the
 * helper does with it.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ArgContext } from './args.ts';
import { reject, type Checker } from './checker.ts';
import { checkAccess } from './mem.ts';
import { checkBuffer } from './mem-kinds.ts';
import { notNull } from './null.ts';
import { markPrecise } from './precision.ts';
import { flag, isNull, mayBeNull, typeText } from './reg.ts';
import {
  MAX_VAR_OFF,
  checkMapPermission,
  checkMapValue,
  checkPacket,
  checkRegion,
} from './region.ts';
import { initialisedRange } from './stack-range.ts';
import { isConst } from './tnum.ts';
import { umaxOf } from './scalar.ts';

export interface MemRules {
  readonly write: boolean;
  readonly zeroAllowed: boolean;
  readonly arg?: ArgContext | undefined;
}

export function checkMem(c: Checker, regno: number, bytes: number, rules: MemRules): void {
  const reg = c.reg(regno);
  const { write, zeroAllowed, arg } = rules;
  const refuseWrite = () => {
    const line = `R${regno} cannot write into ${typeText(reg)}`;
    reject(c, errno.EACCES, 'read-only-memory', line, { reg: regno, write: true });
  };
  switch (reg.kind) {
    case 'pkt':
    case 'pkt_meta':
      checkPacket(c, regno, reg.off, bytes, zeroAllowed);
      return;
    case 'map_key':
      if (write) refuseWrite();
      checkRegion(c, regno, reg.off, bytes, reg.map!.spec.keyBytes, false);
      return;
    case 'map_value':
      checkMapPermission(c, regno, reg.off, bytes, write);
      checkMapValue(c, regno, reg.off, bytes, zeroAllowed, 'helper');
      return;
    case 'mem':
      if (write && (reg.flags & flag.RDONLY) !== 0) refuseWrite();
      checkRegion(c, regno, reg.off, bytes, reg.memBytes, zeroAllowed);
      return;
    case 'buf':
      if (write && (reg.flags & flag.RDONLY) !== 0) refuseWrite();
      checkBuffer(c, reg, regno, reg.off, bytes);
      return;
    case 'fp':
      initialisedRange(c, regno, reg.off, bytes, { zeroAllowed, by: 'helper', arg });
      return;
    case 'ctx':
      if (c.ops.plainCtx) {
        if (bytes === 0 && !zeroAllowed)
          reject(c, errno.EACCES, 'zero-sized-access', undefined, { reg: regno });
        if (bytes > 0) checkAccess(c, regno, bytes - 1, 1, { write, value: undefined });
        return;
      }
      break;
  }
  // Nothing at all may be passed as NULL, whatever the pointer type.
  if (zeroAllowed && bytes === 0 && isNull(reg)) return;
  const reason = mayBeNull(reg) ? 'missing-null-check' : 'argument-type';
  reject(c, errno.EACCES, reason, `R${regno} type=${typeText(reg)} expected=fp`, {
    reg: regno,
    wanted: 'fp',
  });
}

/** `regno` holds the size of the memory that the register before it points at. */
export function checkMemOfSize(c: Checker, regno: number, rules: MemRules): void {
  const { scalar } = c.reg(regno);
  const { write, zeroAllowed, arg } = rules;
  if (arg) arg.maxSize = scalar.umax;
  // The helper may fill less than the most: then the rest must be initialised.
  const rawArg = isConst(scalar.bits) ? arg : undefined;
  if (scalar.sminHi < 0) {
    const line = `R${regno} min value is negative, either use unsigned or 'var &= const'`;
    reject(c, errno.EACCES, 'negative-size', line, { reg: regno, end: 'min' });
  }
  if ((scalar.uminHi | scalar.uminLo) === 0)
    checkMem(c, regno - 1, 0, { write, zeroAllowed, arg: rawArg });
  if (umaxOf(scalar) >= MAX_VAR_OFF) {
    const line = `R${regno} unbounded memory access, use 'var &= const' or 'if (var < const)'`;
    reject(c, errno.EACCES, 'unbounded-size', line, { reg: regno, end: 'max' });
  }
  checkMem(c, regno - 1, umaxOf(scalar), { write, zeroAllowed, arg: rawArg });
  markPrecise(c, regno);
}

/** Memory of a fixed size, or NULL, for reading and writing: an argument of a global function. */
export function checkMemArgument(c: Checker, regno: number, bytes: number): void {
  const slot = c.regs[regno]!;
  if (isNull(slot.reg)) return;
  const before = slot.reg;
  if (mayBeNull(before)) slot.reg = notNull(before);
  checkMem(c, regno, bytes, { write: false, zeroAllowed: true });
  checkMem(c, regno, bytes, { write: true, zeroAllowed: true });
  slot.reg = before;
}
