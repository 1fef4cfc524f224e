/** Decoded instructions in AT&T syntax, as objdump and bpftool print them (GNU binutils 2.40). */
import type { Operand, X86Insn } from './decode.ts';
import { registerName } from './registers.ts';

const CONDITIONS = [
  'o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g',
] as const; // prettier-ignore
const SUFFIX = { 8: 'b', 16: 'w', 32: 'l', 64: 'q' } as const;

/** @param targetText what a relative jump or call shows for the offset that it leads to */
export function attText(insn: X86Insn, targetText: (offset: number) => string): string {
  const { operands, target, lock, widthBits } = insn;
  // Source first.
  const texts = [...operands].reverse().map((operand) => operandText(operand, widthBits));
  if (target !== undefined) texts.push(targetText(target));
  if (insn.mnemonic === 'nop' && operands.length === 0 && widthBits === 16) texts.push('%ax,%ax');
  // A shift by one is printed without its count.
  if (isByOne(insn)) texts.shift();
  if (insn.mnemonic === 'jmp-indirect') texts[0] = `*${texts[0]}`;
  const name = `${lock ? 'lock ' : ''}${attMnemonic(insn)}`;
  return texts.length === 0 ? name : `${name.padEnd(6)} ${texts.join(',')}`;
}

/** D1 has no byte for the count, C1 has one. */
const isByOne = (insn: X86Insn): boolean => {
  const [, count] = insn.operands;
  return count?.kind === 'immediate' && count.implied === true;
};

function attMnemonic(insn: X86Insn): string {
  const { mnemonic, operands, widthBits, condition } = insn;
  const [dst, src] = operands;
  switch (mnemonic) {
    case 'jcc':
      return `j${CONDITIONS[condition]}`;
    case 'jmp-indirect':
      return 'jmp';
    case 'cqo':
      return widthBits === 64 ? 'cqto' : 'cltd';
    case 'movsxd':
      return 'movslq';
    case 'movzx':
    case 'movsx': {
      const from = src?.kind === 'immediate' || src === undefined ? 32 : src.bits;
      return `mov${mnemonic === 'movzx' ? 'z' : 's'}${SUFFIX[from]}${SUFFIX[widthBits]}`;
    }
    case 'mov': {
      const isWide = src?.kind === 'immediate' && insn.length === 10;
      if (isWide) return 'movabs';
      break;
    }
    case 'nop':
      if (operands.length > 0) return `nop${SUFFIX[widthBits]}`;
      return widthBits === 16 ? 'xchg' : 'nop';
  }
  const hasRegister = operands.some(({ kind }) => kind === 'register');
  return dst?.kind === 'memory' && !hasRegister ? mnemonic + SUFFIX[widthBits] : mnemonic;
}

function operandText(operand: Operand, widthBits: 8 | 16 | 32 | 64): string {
  switch (operand.kind) {
    case 'register':
      return `%${registerName(operand.register, operand.bits)}`;
    case 'immediate':
      return `$0x${BigInt.asUintN(widthBits, operand.value).toString(16)}`;
    case 'memory': {
      const { base, index, scale, displacement, short } = operand;
      const sign = displacement < 0 ? '-' : '';
      const number = short ? '' : `${sign}0x${Math.abs(displacement).toString(16)}`;
      const scaled = index === undefined ? '' : `,%${registerName(index, 64)},${scale}`;
      return `${number}(%${registerName(base, 64)}${scaled})`;
    }
  }
}
