/**
 * What unprivileged programs have to be held to because CPUs run ahead of branches: pointer
 * arithmetic whose result could leave its object under speculation is masked or refused, and the
 * paths that only speculation takes are explored, too.
 *
 * skep's engines do not speculate, so no masks are emitted (differs: xlated has none); what is
 * refused, and what is explored, is 6.1's.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { Rejected, reject, type Checker } from './checker.ts';
import { isRegSource, opOf } from './opcode.ts';
import { isPlain, type Reg } from './reg.ts';
import { checkMapValue } from './region.ts';
import type { Scalar } from './scalar.ts';
import { MAX_STACK, topFrame } from './state.ts';
import { isConst, tnumText } from './tnum.ts';

/** How the arithmetic of one instruction would have to be masked. */
const MASK_SRC = 1;
const MASK_DST = 2;
const NEGATIVE = 4;
const NON_POINTER = 8;
const IMMEDIATE = 16;

const canSkip = (c: Checker, insn: Insn): boolean => c.bypassSpecV1 || !isRegSource(insn.code);

type Reason = 'bounds' | 'type' | 'paths' | 'limit';

function refuse(c: Checker, insn: Insn, reason: Reason): never {
  const rule = 'pointer arithmetic with it prohibited for !root';
  const { dst, src } = insn;
  const verb = opOf(insn.code) === 0 ? 'add' : 'sub';
  const line = {
    bounds: `R${src} has unknown scalar with mixed signed bounds, ${rule}`,
    type: `R${dst} has pointer with unsupported alu operation, ${rule}`,
    paths: `R${dst} tried to ${verb} from different maps, paths or scalars, ${rule}`,
    limit: `R${dst} tried to ${verb} beyond pointer bounds, ${rule}`,
  }[reason];
  return reject(c, errno.EACCES, 'unprivileged-pointer-arithmetic', line);
}

/** False where another path needs another mask at this instruction. */
function record(c: Checker, state: number, limit: number): boolean {
  const aux = c.aux(c.insn);
  if (aux.aluState !== 0 && (aux.aluState !== state || aux.aluLimit !== limit)) return false;
  aux.aluState = state;
  aux.aluLimit = limit;
  return true;
}

/** number += number: must not be pointer arithmetic on another path. */
export function sanitizeScalar(c: Checker, insn: Insn): void {
  if (canSkip(c, insn)) return;
  if (!record(c, NON_POINTER, 0)) refuse(c, insn, 'paths');
}

/** How far the pointer may move in the direction it moves; or why that cannot be said. */
function limitOf(pointer: Reg, toLeft: boolean): number | Reason {
  let limit: number;
  let max: number;
  if (isPlain(pointer, 'fp')) {
    max = MAX_STACK + (toLeft ? 1 : 0);
    limit = -(Number(BigInt.asIntN(32, pointer.scalar.bits.value)) + pointer.off) >>> 0;
  } else if (isPlain(pointer, 'map_value')) {
    max = pointer.map!.spec.valueBytes;
    const moved = toLeft ? pointer.scalar.smin : pointer.scalar.umax;
    limit = Number(BigInt.asUintN(32, moved + BigInt(pointer.off)));
  } else {
    return 'type';
  }
  return limit >= max ? 'limit' : limit;
}

/** Called with the pointer that the operation made, to narrow the mask. */
export type Sanitizing = (result: Reg) => void;

export function sanitizePointer(
  c: Checker,
  insn: Insn,
  pointer: Reg,
  offset: Scalar,
  pointerIsDst: boolean,
): Sanitizing | undefined {
  if (canSkip(c, insn)) return undefined;
  const isImm = isConst(offset.bits);
  if (c.state.speculative) {
    if (!isImm) pushMasked(c, insn, pointer, pointerIsDst);
    return undefined;
  }
  const isNegative = offset.sminHi < 0;
  if (!isImm && isNegative !== offset.smaxHi < 0) refuse(c, insn, 'bounds');
  const toLeft = (opOf(insn.code) === 0) === isNegative;
  const limit = limitOf(pointer, toLeft);
  if (typeof limit !== 'number') return refuse(c, insn, limit);
  const state =
    (isNegative ? NEGATIVE : 0) | (isImm ? IMMEDIATE : 0) | (pointerIsDst ? MASK_SRC : MASK_DST);
  if (!isImm) c.exploreAluLimits = true;
  // What is recorded in the end is the narrowed limit; here it is only compared with itself.
  if (!isImm) pushMasked(c, insn, pointer, pointerIsDst);
  return (result) => {
    const after = limitOf(result, toLeft);
    if (typeof after !== 'number') refuse(c, insn, after);
    else if (!record(c, state, Math.abs((limit - after) | 0))) {
      refuse(c, insn, 'paths');
    }
  };
}

/** Under speculation the mask may have zeroed the offset: the pointer did not move. */
function pushMasked(c: Checker, insn: Insn, pointer: Reg, pointerIsDst: boolean): void {
  const slot = c.regs[insn.dst]!;
  const before = slot.reg;
  if (!pointerIsDst) slot.reg = pointer;
  c.pushPath(c.insn + 1, c.insn, true);
  slot.reg = before;
}

/** The result must lie in its object even if nothing is accessed through it. */
export function checkResultBounds(c: Checker, regno: number): void {
  if (c.bypassSpecV1) return;
  const { reg } = c.regs[regno]!;
  if (isPlain(reg, 'fp')) checkStackResult(c, regno, reg);
  else if (isPlain(reg, 'map_value')) checkMapResult(c, regno, reg);
}

function checkStackResult(c: Checker, regno: number, reg: Reg): void {
  const off = reg.off + Number(BigInt.asIntN(32, reg.scalar.bits.value));
  const refuseStack = (line: string) =>
    reject(c, errno.EACCES, 'unprivileged-pointer-arithmetic', line);
  if (!isConst(reg.scalar.bits)) {
    const bits = tnumText(reg.scalar.bits);
    refuseStack(`R${regno} variable stack access prohibited for !root, var_off=${bits} off=${off}`);
  }
  if (off >= 0 || off < -MAX_STACK) {
    refuseStack(
      `R${regno} stack pointer arithmetic goes out of range, prohibited for !root; off=${off}`,
    );
  }
}

function checkMapResult(c: Checker, regno: number, reg: Reg): void {
  try {
    checkMapValue(c, regno, reg.off, 1, false, 'helper');
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    const line = `R${regno} pointer arithmetic of map value goes out of range, prohibited for !root`;
    reject(c, errno.EACCES, 'unprivileged-pointer-arithmetic', line);
  }
}

/** A branch that is never taken is still run ahead on: its other side, operands unknown. */
export function pushSpeculative(c: Checker, insn: Insn, to: number): void {
  const state = c.pushPath(to, c.insn, true);
  const { regs } = topFrame(state);
  for (const regno of isRegSource(insn.code) ? [insn.dst, insn.src] : [insn.dst]) {
    c.forget(regs[regno]!);
  }
}
