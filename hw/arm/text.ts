/** Decoded instructions in the syntax of Arm's manual, with its preferred aliases, as LLVM prints them. */
import type { ArmInsn } from './decode.ts';
import { registerName, SP, ZR } from './registers.ts';

/** @param targetText what a relative branch or a literal shows for the offset that it means */
export function armText(insn: ArmInsn, targetText: (offset: number) => string): string {
  const [name, operands] = parts(insn, targetText);
  return operands.length === 0 ? name : `${name} ${operands.join(', ')}`;
}

type Parts = readonly [name: string, operands: readonly string[]];

function parts(insn: ArmInsn, targetText: (offset: number) => string): Parts {
  const { mnemonic, widthBits, target } = insn;
  const reg = (register: number | undefined): string => registerName(register!, widthBits);
  switch (mnemonic) {
    case 'add':
    case 'adds':
    case 'sub':
    case 'subs':
    case 'and':
    case 'ands':
    case 'bic':
    case 'bics':
    case 'orr':
    case 'orn':
    case 'eor':
    case 'eon':
      return insn.rm === undefined ? withImmediate(insn) : withShifted(insn);
    case 'movn':
    case 'movz':
    case 'movk':
      return moveWide(insn);
    case 'sbfm':
    case 'ubfm':
      return bitfield(insn);
    case 'lslv':
    case 'lsrv':
    case 'asrv':
    case 'rorv':
      return [mnemonic.slice(0, 3), [reg(insn.rd), reg(insn.rn), reg(insn.rm)]];
    case 'udiv':
    case 'sdiv':
      return [mnemonic, [reg(insn.rd), reg(insn.rn), reg(insn.rm)]];
    case 'rev16':
    case 'rev32':
    case 'rev':
      return [mnemonic, [reg(insn.rd), reg(insn.rn)]];
    case 'madd':
    case 'msub': {
      const factors = [reg(insn.rd), reg(insn.rn), reg(insn.rm)];
      if (insn.ra === ZR) return [mnemonic === 'madd' ? 'mul' : 'mneg', factors];
      return [mnemonic, [...factors, reg(insn.ra)]];
    }
    case 'b':
    case 'bl':
      return [mnemonic, [targetText(target!)]];
    case 'b.cond':
      return [`b.${ALIASED_CONDITIONS[insn.condition!] ?? insn.condition}`, [targetText(target!)]];
    case 'cbz':
    case 'cbnz':
      return [mnemonic, [reg(insn.rn), targetText(target!)]];
    case 'br':
    case 'blr':
      return [mnemonic, [reg(insn.rn)]];
    case 'ret':
      return [mnemonic, insn.rn === 30 ? [] : [reg(insn.rn)]];
    case 'brk':
      return [mnemonic, [hex(insn.imm!)]];
    case 'ldp':
    case 'stp':
      return [mnemonic, [reg(insn.rd), reg(insn.ra), ...address(insn)]];
    case 'ldr':
    case 'str':
      return [accessName(insn), [reg(insn.rd), ...address(insn, targetText)]];
    case 'ldxr':
    case 'stxr':
    case 'cas':
    case 'swp':
    case 'ldadd':
    case 'ldclr':
    case 'ldeor':
    case 'ldset':
      return atomic(insn);
    default:
      return [mnemonic, []];
  }
}

const ALIASED_CONDITIONS: Readonly<Record<string, string>> = { cs: 'hs', cc: 'lo' };

const hex = (value: bigint): string => `#0x${value.toString(16)}`;

function withImmediate({ mnemonic, widthBits, rd, rn, imm, amount }: ArmInsn): Parts {
  const reg = (register: number): string => registerName(register, widthBits);
  if (amount === undefined) {
    const value = hex(imm!);
    if (mnemonic === 'ands' && rd === ZR) return ['tst', [reg(rn!), value]];
    if (mnemonic === 'orr' && rn === ZR && !isMoveWide(imm!, widthBits)) {
      return ['mov', [reg(rd!), signedText(imm!, widthBits)]];
    }
    return [mnemonic, [reg(rd!), reg(rn!), value]];
  }
  const value = [`#${imm! >> BigInt(amount)}`, ...(amount > 0 ? [`lsl #${amount}`] : [])];
  if (rd === ZR && mnemonic === 'subs') return ['cmp', [reg(rn!), ...value]];
  if (rd === ZR && mnemonic === 'adds') return ['cmn', [reg(rn!), ...value]];
  const isMove = mnemonic === 'add' && imm === 0n && amount === 0 && (rd === SP || rn === SP);
  if (isMove) return ['mov', [reg(rd!), reg(rn!)]];
  return [mnemonic, [reg(rd!), reg(rn!), ...value]];
}

const signedText = (value: bigint, widthBits: 32 | 64): string =>
  `#${BigInt.asIntN(widthBits, value)}`;

/** Whether movz or movn could hold it, whose alias comes first. */
function isMoveWide(value: bigint, widthBits: 32 | 64): boolean {
  const fits = (bits: bigint): boolean => {
    for (let shift = 0n; shift < widthBits; shift += 16n) {
      if ((bits & ~(0xffffn << shift)) === 0n) return true;
    }
    return false;
  };
  return fits(value) || fits(BigInt.asUintN(widthBits, ~value));
}

function withShifted({ mnemonic, widthBits, rd, rn, rm, shift, amount }: ArmInsn): Parts {
  const reg = (register: number | undefined): string => registerName(register!, widthBits);
  const isPlain = amount === 0 && shift === 'lsl';
  const second = [reg(rm), ...(isPlain ? [] : [`${shift} #${amount}`])];
  if (rd === ZR) {
    const compare = { subs: 'cmp', adds: 'cmn', ands: 'tst' }[mnemonic];
    if (compare !== undefined) return [compare, [reg(rn), ...second]];
  }
  if (rn === ZR) {
    if (mnemonic === 'orr' && isPlain) return ['mov', [reg(rd), reg(rm)]];
    const unary = { sub: 'neg', subs: 'negs', orn: 'mvn' }[mnemonic];
    if (unary !== undefined) return [unary, [reg(rd), ...second]];
  }
  return [mnemonic, [reg(rd), reg(rn), ...second]];
}

function moveWide({ mnemonic, widthBits, rd, imm, amount }: ArmInsn): Parts {
  const reg = registerName(rd!, widthBits);
  const shifted = imm! << BigInt(amount!);
  const hasAlias =
    mnemonic !== 'movk' &&
    (imm !== 0n || amount === 0) &&
    !(mnemonic === 'movn' && widthBits === 32 && imm === 0xffffn);
  if (!hasAlias) {
    const by = amount === 0 ? [] : [`lsl #${amount}`];
    return [mnemonic, [reg, `#${imm}`, ...by]];
  }
  return ['mov', [reg, signedText(mnemonic === 'movn' ? ~shifted : shifted, widthBits)]];
}

function bitfield({ mnemonic, widthBits, rd, rn, immr, imms }: ArmInsn): Parts {
  const [r, s] = [immr!, imms!];
  const operands = [registerName(rd!, widthBits), registerName(rn!, widthBits)];
  const last = widthBits - 1;
  const field = (name: string, at: number, count: number): Parts => [
    name,
    [...operands, `#${at}`, `#${count}`],
  ];
  const inserted = (widthBits - r) % widthBits;
  const isSigned = mnemonic === 'sbfm';
  if (s === last) return [isSigned ? 'asr' : 'lsr', [...operands, `#${r}`]];
  if (!isSigned && s + 1 === r) return ['lsl', [...operands, `#${last - s}`]];
  if (s < r) return field(isSigned ? 'sbfiz' : 'ubfiz', inserted, s + 1);
  const extended = { 7: 'b', 15: 'h', 31: 'w' }[s];
  // Zero-extension is written of 32 bits only.
  if (r === 0 && extended !== undefined && (isSigned || widthBits === 32)) {
    return [`${isSigned ? 's' : 'u'}xt${extended}`, [operands[0]!, registerName(rn!, 32)]];
  }
  return field(isSigned ? 'sbfx' : 'ubfx', r, s - r + 1);
}

function accessName({ mnemonic, bytes, signed, addressing }: ArmInsn): string {
  if (addressing === 'literal') return mnemonic;
  const suffix = { 1: 'b', 2: 'h', 4: signed ? 'w' : '', 8: '' }[bytes!];
  return `${mnemonic}${signed ? 's' : ''}${suffix}`;
}

function address(
  { rn, rm, imm, addressing, target }: ArmInsn,
  targetText?: (offset: number) => string,
): readonly string[] {
  if (addressing === 'literal') return [targetText!(target!)];
  const base = registerName(rn!, 64);
  switch (addressing) {
    case 'index':
      return [`[${base}, ${registerName(rm!, 64)}]`];
    case 'pre':
      return [`[${base}, #${imm}]!`];
    case 'post':
      return [`[${base}]`, `#${imm}`];
    default:
      return [imm === undefined || imm === 0n ? `[${base}]` : `[${base}, #${imm}]`];
  }
}

function atomic({ mnemonic, widthBits, rd, rn, rs, acquire, release }: ArmInsn): Parts {
  const reg = (register: number | undefined): string => registerName(register!, widthBits);
  const base = `[${registerName(rn!, 64)}]`;
  if (mnemonic === 'ldxr') return [acquire ? 'ldaxr' : 'ldxr', [reg(rd), base]];
  if (mnemonic === 'stxr') {
    return [release ? 'stlxr' : 'stxr', [registerName(rs!, 32), reg(rd), base]];
  }
  const order = `${acquire ? 'a' : ''}${release ? 'l' : ''}`;
  const isStore = mnemonic.startsWith('ld') && rd === ZR && !acquire;
  if (isStore) return [`st${mnemonic.slice(2)}${order}`, [reg(rs), base]];
  return [`${mnemonic}${order}`, [reg(rs), reg(rd), base]];
}
