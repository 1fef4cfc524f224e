/**
 * Arithmetic instructions: on numbers (scalar-alu.ts) and on pointers, where only adding and
 * subtracting numbers makes a pointer again.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import type { AluOperation } from '../isa/row.ts';
import { rowOf } from '../isa/table.ts';
import { reject, type Checker } from './checker.ts';
import { signExtended } from './sign-extend.ts';
import { destReg, destUnknown, sourceReg } from './live.ts';
import { alu, classOf, cls, isRegSource, opOf } from './opcode.ts';
import { adjustPointer } from './pointer-alu.ts';
import { markPrecise } from './precision.ts';
import { isScalar, scalarReg, withId, withScalar } from './reg.ts';
import { sanitizeScalar } from './sanitize.ts';
import { aluConst, aluScalar, isContradictory, isKnown } from './scalar-alu.ts';
import {
  UNKNOWN_SCALAR,
  draftOf,
  sync,
  unknownDraft,
  wordScalar,
  zeroExtend32,
  type Scalar,
} from './scalar.ts';
import type { Slot } from './state.ts';

const OPERATIONS: Readonly<Record<number, AluOperation>> = {
  0x00: 'add',
  0x10: 'sub',
  0x20: 'mul',
  0x30: 'div',
  0x40: 'or',
  0x50: 'and',
  0x60: 'lsh',
  0x70: 'rsh',
  0x90: 'mod',
  0xa0: 'xor',
  0xc0: 'arsh',
};

const widthOf = (insn: Insn): 32 | 64 => (classOf(insn.code) === cls.ALU64 ? 64 : 32);

function reservedFields(c: Checker, name: string): never {
  return reject(c, errno.EINVAL, 'reserved-field', `${name} uses reserved fields`);
}

export function checkAlu(c: Checker, insn: Insn): void {
  switch (opOf(insn.code)) {
    case alu.NEG:
      if (isRegSource(insn.code) || insn.src !== 0 || insn.off !== 0 || insn.imm !== 0) {
        reservedFields(c, 'BPF_NEG');
      }
      checkUnary(c, insn);
      break;
    case alu.END:
      // `bswap` is of the 64-bit class and came with v4; its row says whether it is one.
      if (
        insn.src !== 0 ||
        insn.off !== 0 ||
        (insn.imm !== 16 && insn.imm !== 32 && insn.imm !== 64) ||
        (widthOf(insn) === 64 && c.env.level === '6.1')
      ) {
        reservedFields(c, 'BPF_END');
      }
      checkUnary(c, insn);
      break;
    case alu.MOV:
      checkMove(c, insn);
      break;
    case 0xe0:
    case 0xf0: {
      const line = `invalid BPF_ALU opcode ${opOf(insn.code).toString(16)}`;
      reject(c, errno.EINVAL, 'unknown-opcode', line);
      break;
    }
    default:
      checkBinary(c, insn);
  }
}

/** Negation and byte swaps: nothing is known of the result. */
function checkUnary(c: Checker, insn: Insn): void {
  const { reg } = sourceReg(c, insn.dst);
  if (c.leaksPointer(reg)) {
    const line = `R${insn.dst} pointer arithmetic prohibited`;
    reject(c, errno.EACCES, 'pointer-arithmetic', line, { reg: insn.dst });
  }
  destUnknown(c, insn.dst);
}

/** Sign-extending moves have the width in `off` (v4). */
const isSignExtending = (c: Checker, insn: Insn): boolean =>
  c.env.level !== '6.1' && rowOf(insn)?.kind === 'movsx';

function checkMove(c: Checker, insn: Insn): void {
  const extends_ = isSignExtending(c, insn);
  if (isRegSource(insn.code)) {
    if (insn.imm !== 0 || (insn.off !== 0 && !extends_)) reservedFields(c, 'BPF_MOV');
    sourceReg(c, insn.src);
  } else if (insn.src !== 0 || insn.off !== 0) {
    reservedFields(c, 'BPF_MOV');
  }
  const dst = destReg(c, insn.dst);
  if (!isRegSource(insn.code)) {
    c.forget(dst);
    dst.reg = scalarReg(widthOf(insn) === 64 ? c.immediate : wordScalar(insn.imm));
    return;
  }
  const src = c.regs[insn.src]!;
  if (extends_) moveSignExtended(c, insn, dst, src);
  else if (widthOf(insn) === 64) moveWhole(c, dst, src);
  else moveLow(c, insn, dst, src);
}

function moveWhole(c: Checker, dst: Slot, src: Slot): void {
  // One id for both: what a comparison tells of one, it tells of the other.
  if (isScalar(src.reg) && src.reg.id === 0) src.reg = withId(src.reg, c.newId());
  dst.reg = src.reg;
  dst.precise = src.precise;
}

function moveLow(c: Checker, insn: Insn, dst: Slot, src: Slot): void {
  if (c.leaksPointer(src.reg)) {
    const line = `R${insn.src} partial copy of pointer`;
    reject(c, errno.EACCES, 'pointer-leak', line, { reg: insn.src, what: 'partial copy' });
  }
  if (isScalar(src.reg)) {
    dst.precise = src.precise;
    dst.reg = withScalar(src.reg, lowHalf(src.reg.scalar), 0);
  } else {
    c.forget(dst);
    dst.reg = scalarReg(lowHalf(UNKNOWN_SCALAR));
  }
}

function lowHalf(scalar: Scalar): Scalar {
  const draft = draftOf(scalar);
  zeroExtend32(draft);
  sync(draft);
  return draft;
}

function moveSignExtended(c: Checker, insn: Insn, dst: Slot, src: Slot): void {
  if (c.leaksPointer(src.reg)) {
    const line = `R${insn.src} sign-extension part of pointer`;
    reject(c, errno.EACCES, 'pointer-leak', line, { reg: insn.src, what: 'partial copy' });
  }
  const scalar = isScalar(src.reg) ? src.reg.scalar : UNKNOWN_SCALAR;
  const precise = isScalar(src.reg) && src.precise;
  c.forget(dst);
  dst.precise ||= precise;
  const extended = signExtended(scalar, insn.off as 8 | 16 | 32);
  dst.reg = scalarReg(widthOf(insn) === 64 ? extended : lowHalf(extended));
}

/** Signed division and modulo have off 1 (v4). */
const isSignedDivision = (c: Checker, insn: Insn): boolean => {
  const op = opOf(insn.code);
  return c.env.level !== '6.1' && (op === alu.DIV || op === alu.MOD) && insn.off === 1;
};

function checkBinary(c: Checker, insn: Insn): void {
  const op = opOf(insn.code);
  const offOk = insn.off === 0 || isSignedDivision(c, insn);
  if (isRegSource(insn.code)) {
    if (insn.imm !== 0 || !offOk) reservedFields(c, 'BPF_ALU');
    sourceReg(c, insn.src);
  } else if (insn.src !== 0 || !offOk) {
    reservedFields(c, 'BPF_ALU');
  }
  sourceReg(c, insn.dst);
  if (!isRegSource(insn.code)) {
    if ((op === alu.DIV || op === alu.MOD) && insn.imm === 0) {
      reject(c, errno.EINVAL, 'division-by-zero', 'div by zero');
    }
    const isShift = op === alu.LSH || op === alu.RSH || op === alu.ARSH;
    if (isShift && (insn.imm < 0 || insn.imm >= widthOf(insn))) {
      reject(c, errno.EINVAL, 'invalid-shift', `invalid shift ${insn.imm}`);
    }
  }
  destReg(c, insn.dst);
  adjust(c, insn);
}

/** `+=`, `&=` … as the log names an operation. */
const SIGNS: Readonly<Record<number, string>> = {
  0x00: '+=',
  0x10: '-=',
  0x20: '*=',
  0x30: '/=',
  0x40: '|=',
  0x50: '&=',
  0x60: '<<=',
  0x70: '>>=',
  0x90: '%=',
  0xa0: '^=',
  0xc0: 's>>=',
};
export const signOf = (code: number): string => SIGNS[opOf(code)] ?? '';

function adjust(c: Checker, insn: Insn): void {
  const dst = c.regs[insn.dst]!;
  const isPointerDst = !isScalar(dst.reg);
  // It is another number now than those that it was equal to.
  if (!isPointerDst && dst.reg.id !== 0) dst.reg = withId(dst.reg, 0);
  if (!isRegSource(insn.code)) {
    const operand = c.immediate;
    if (isPointerDst) adjustPointer(c, insn, dst.reg, operand, true);
    else adjustScalar(c, insn, dst, operand);
    return;
  }
  const src = c.regs[insn.src]!;
  if (!isScalar(src.reg)) {
    if (isPointerDst) {
      subtractPointers(c, insn, dst);
      return;
    }
    markPrecise(c, insn.dst);
    adjustPointer(c, insn, src.reg, dst.reg.scalar, false);
    return;
  }
  if (isPointerDst) {
    markPrecise(c, insn.src);
    adjustPointer(c, insn, dst.reg, src.reg.scalar, true);
    return;
  }
  if (dst.precise) markPrecise(c, insn.src);
  adjustScalar(c, insn, dst, src.reg.scalar);
}

/** The difference of two pointers is a number, any other operation on two makes no sense. */
function subtractPointers(c: Checker, insn: Insn, dst: Slot): void {
  if (opOf(insn.code) === 0x10 && c.allowPtrLeaks) {
    c.forget(dst);
    return;
  }
  const line = `R${insn.dst} pointer ${signOf(insn.code)} pointer prohibited`;
  reject(c, errno.EACCES, 'pointer-arithmetic', line, { reg: insn.dst });
}

function adjustScalar(c: Checker, insn: Insn, dst: Slot, src: Scalar): void {
  const operation = OPERATIONS[opOf(insn.code)]!;
  const width = widthOf(insn);
  const tracksUnknown = operation === 'add' || operation === 'sub' || operation === 'and';
  if (isContradictory(src, width) || (!tracksUnknown && !isKnown(src, width))) {
    c.forget(dst);
    return;
  }
  if (operation === 'add' || operation === 'sub') sanitizeScalar(c, insn);
  const known = aluConst(operation, width, dst.reg.scalar, src);
  if (known) {
    dst.reg = withScalar(dst.reg, known);
    return;
  }
  let draft = aluScalar(operation, width, dst.reg.scalar, src);
  if (!draft) {
    c.forget(dst);
    draft = unknownDraft();
  }
  if (width === 32) zeroExtend32(draft);
  sync(draft);
  dst.reg = withScalar(dst.reg, draft);
}
