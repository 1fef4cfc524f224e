/** Where control goes behind an instruction, for hw/cpu/jit/control-flow.ts. */
import type { Flow, PlacedImage } from '../cpu/jit/control-flow.ts';
import { decodeInsn, Undecodable, type ArmInsn } from './decode.ts';

export function flowOf(insn: ArmInsn, image: PlacedImage): Flow {
  const { mnemonic, target } = insn;
  switch (mnemonic) {
    case 'ret':
      return { kind: 'return' };
    case 'brk':
      return { kind: 'trap' };
    case 'br':
      return { kind: 'indirect' };
    case 'b':
      return { kind: 'jump', target: target! };
    case 'b.cond':
    case 'cbz':
    case 'cbnz':
      return { kind: 'branch', target: target! };
    case 'bl':
      return { kind: 'call', target: target! };
    case 'blr':
      return { kind: 'call', target: Number(calledAddress(insn, image) - image.address) };
    default:
      return { kind: 'next' };
  }
}

const MASK = 0xffffn;

/**
 * The address that the instructions right before a blr put into its register, which is all that a
 * JIT's calls do. The simulator checks, when it gets there, that it holds it.
 */
function calledAddress(call: ArmInsn, { bytes }: PlacedImage): bigint {
  const pieces: ArmInsn[] = [];
  for (let at = call.offset - 4; at >= 0; at -= 4) {
    const insn = decodeInsn(bytes, at);
    if (!/^mov[nzk]$/.test(insn.mnemonic) || insn.rd !== call.rn || insn.widthBits !== 64) break;
    pieces.unshift(insn);
    if (insn.mnemonic !== 'movk') return valueOf(pieces);
  }
  throw new Undecodable(`offset ${call.offset.toString(16)}: a call of nobody knows what`);
}

function valueOf(pieces: readonly ArmInsn[]): bigint {
  let value = 0n;
  for (const { mnemonic, imm, amount } of pieces) {
    const shift = BigInt(amount!);
    if (mnemonic === 'movk') value = (value & ~(MASK << shift)) | (imm! << shift);
    else value = mnemonic === 'movn' ? ~(imm! << shift) : imm! << shift;
  }
  return BigInt.asUintN(64, value);
}
