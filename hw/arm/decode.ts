/**
 * AArch64 instructions from their words (Arm ARM, chapter C4), as far as JITs of BPF use them. Knows
 * nothing of the code generator: what it decodes is what is there.
 *
 *   decodeInsn(bytes, offset)   the instruction; throws Undecodable for what it does not know
 */
import { CONDITIONS, type ConditionCode } from './assembler.ts';
import { decodeLogical } from './logical-immediate.ts';
import { SP, ZR } from './registers.ts';

export type Shift = 'lsl' | 'lsr' | 'asr' | 'ror';

export interface ArmInsn {
  readonly offset: number;
  readonly length: 4;
  readonly word: number;
  /** The manual's, of no alias, in lower case; `b.cond` with a condition. */
  readonly mnemonic: string;
  /** Of the registers that are computed with or transferred. */
  readonly widthBits: 32 | 64;
  /** Destination, or what is transferred (Rt). */
  readonly rd?: number;
  /** First operand, or base of an address. */
  readonly rn?: number;
  /** Second operand, or index of an address. */
  readonly rm?: number;
  /** What a product is added to, or the second register of a pair. */
  readonly ra?: number;
  /** Status of an exclusive store, operand of an atomic access. */
  readonly rs?: number;
  /** Immediate operand, as it is computed with; of an address its offset. */
  readonly imm?: bigint;
  /** Of rm, or of a move's 16 bits, by `amount`. */
  readonly shift?: Shift;
  readonly amount?: number;
  /** Of bitfields. */
  readonly immr?: number;
  readonly imms?: number;
  readonly condition?: ConditionCode;
  /** Of an access; each, of a pair. */
  readonly bytes?: 1 | 2 | 4 | 8;
  readonly signed?: boolean;
  readonly addressing?: 'offset' | 'pre' | 'post' | 'index' | 'literal' | 'base';
  /** Of atomic accesses. */
  readonly acquire?: boolean;
  readonly release?: boolean;
  /** Offset that a relative branch or literal means. */
  readonly target?: number;
}

export class Undecodable extends Error {
  override name = 'Undecodable';
}

type Fields = Omit<ArmInsn, 'offset' | 'length' | 'word' | 'target'> & {
  /** From the instruction. */
  readonly distance?: number;
};

export function decodeInsn(bytes: Uint8Array, offset: number): ArmInsn {
  if (offset % 4 !== 0 || offset + 4 > bytes.length) {
    throw new Undecodable(`offset ${offset.toString(16)}: no instruction can be there`);
  }
  const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
  const fields = decodeWord(word);
  if (fields === undefined) {
    throw new Undecodable(`offset ${offset.toString(16)}: ${word.toString(16).padStart(8, '0')}`);
  }
  const { distance, ...rest } = fields;
  const at = { offset, length: 4, word } as const;
  return distance === undefined
    ? { ...at, ...rest }
    : { ...at, ...rest, target: offset + distance };
}

/** `count` bits from bit `at` on. */
const bits = (word: number, at: number, count: number): number =>
  (word >>> at) & (count === 32 ? -1 : (1 << count) - 1);
const signed = (value: number, count: number): number => (value << (32 - count)) >> (32 - count);

const orZero = (register: number): number => (register === SP ? ZR : register);
const orStack = (register: number): number => register;

/** By bits 28 to 25, the top-level groups. */
function decodeWord(word: number): Fields | undefined {
  switch (bits(word, 25, 4)) {
    case 0b1000:
    case 0b1001:
      return dataImmediate(word);
    case 0b1010:
    case 0b1011:
      return branch(word);
    case 0b0101:
    case 0b1101:
      return dataRegister(word);
    case 0b0100:
    case 0b0110:
    case 0b1100:
    case 0b1110:
      return access(word);
    default:
      return undefined;
  }
}

const rd = (word: number): number => bits(word, 0, 5);
const rn = (word: number): number => bits(word, 5, 5);
const rm = (word: number): number => bits(word, 16, 5);
const widthOf = (word: number): 32 | 64 => (word >>> 31 === 1 ? 64 : 32);

const ADD_SUB = ['add', 'adds', 'sub', 'subs'] as const;
const LOGICAL = ['and', 'orr', 'eor', 'ands'] as const;
const LOGICAL_NOT = ['bic', 'orn', 'eon', 'bics'] as const;
const MOVE_WIDE = ['movn', undefined, 'movz', 'movk'] as const;
const BITFIELD = ['sbfm', undefined, 'ubfm', undefined] as const;
const SHIFTS = ['lsl', 'lsr', 'asr', 'ror'] as const;

function dataImmediate(word: number): Fields | undefined {
  const widthBits = widthOf(word);
  const opc = bits(word, 29, 2);
  switch (bits(word, 23, 3)) {
    case 0b010: {
      const mnemonic = ADD_SUB[opc]!;
      const setsFlags = (opc & 1) === 1;
      const amount = bits(word, 22, 1) === 1 ? 12 : 0;
      return {
        mnemonic,
        widthBits,
        rd: setsFlags ? orZero(rd(word)) : orStack(rd(word)),
        rn: orStack(rn(word)),
        imm: BigInt(bits(word, 10, 12)) << BigInt(amount),
        amount,
      };
    }
    case 0b100: {
      const imm = decodeLogical(bits(word, 22, 1), bits(word, 16, 6), bits(word, 10, 6), widthBits);
      if (imm === undefined) return undefined;
      const mnemonic = LOGICAL[opc]!;
      const to = mnemonic === 'ands' ? orZero(rd(word)) : orStack(rd(word));
      return { mnemonic, widthBits, rd: to, rn: orZero(rn(word)), imm };
    }
    case 0b101: {
      const mnemonic = MOVE_WIDE[opc];
      const amount = 16 * bits(word, 21, 2);
      if (mnemonic === undefined || amount >= widthBits) return undefined;
      return { mnemonic, widthBits, rd: orZero(rd(word)), imm: BigInt(bits(word, 5, 16)), amount };
    }
    case 0b110: {
      const mnemonic = BITFIELD[opc];
      const [immr, imms] = [bits(word, 16, 6), bits(word, 10, 6)];
      const n = bits(word, 22, 1);
      if (mnemonic === undefined || n !== word >>> 31) return undefined;
      if (immr >= widthBits || imms >= widthBits) return undefined;
      return { mnemonic, widthBits, rd: orZero(rd(word)), rn: orZero(rn(word)), immr, imms };
    }
    default:
      return undefined;
  }
}

const HINTS: Readonly<Record<number, string>> = {
  0: 'nop',
  25: 'paciasp',
  29: 'autiasp',
  34: 'bti c',
  36: 'bti j',
  38: 'bti jc',
};

function branch(word: number): Fields | undefined {
  if (bits(word, 26, 5) === 0b00101) {
    const distance = 4 * signed(bits(word, 0, 26), 26);
    return { mnemonic: word >>> 31 === 1 ? 'bl' : 'b', widthBits: 64, distance };
  }
  if (bits(word, 25, 6) === 0b011010) {
    return {
      mnemonic: bits(word, 24, 1) === 1 ? 'cbnz' : 'cbz',
      widthBits: widthOf(word),
      rn: orZero(rd(word)),
      distance: 4 * signed(bits(word, 5, 19), 19),
    };
  }
  if (bits(word, 24, 8) === 0x54 && bits(word, 4, 1) === 0) {
    const condition = CONDITIONS[bits(word, 0, 4)];
    if (condition === undefined) return undefined;
    const distance = 4 * signed(bits(word, 5, 19), 19);
    return { mnemonic: 'b.cond', widthBits: 64, condition, distance };
  }
  if ((word & 0xffe0_001f) >>> 0 === 0xd420_0000) {
    return { mnemonic: 'brk', widthBits: 64, imm: BigInt(bits(word, 5, 16)) };
  }
  if ((word & 0xffff_f01f) >>> 0 === 0xd503_201f) {
    const mnemonic = HINTS[bits(word, 5, 7)];
    return mnemonic === undefined ? undefined : { mnemonic, widthBits: 64 };
  }
  if (word === 0xd503_3bbf) return { mnemonic: 'dmb ish', widthBits: 64 };
  const jump = { 0xd61f_0000: 'br', 0xd63f_0000: 'blr', 0xd65f_0000: 'ret' }[
    (word & 0xffff_fc1f) >>> 0
  ];
  return jump === undefined ? undefined : { mnemonic: jump, widthBits: 64, rn: orZero(rn(word)) };
}

const TWO_SOURCES: Readonly<Record<number, string>> = {
  2: 'udiv',
  3: 'sdiv',
  8: 'lslv',
  9: 'lsrv',
  10: 'asrv',
  11: 'rorv',
};

function dataRegister(word: number): Fields | undefined {
  const widthBits = widthOf(word);
  const opc = bits(word, 29, 2);
  const operands = { widthBits, rd: orZero(rd(word)), rn: orZero(rn(word)), rm: orZero(rm(word)) };
  const shifted = { shift: SHIFTS[bits(word, 22, 2)]!, amount: bits(word, 10, 6) };
  switch (bits(word, 24, 5)) {
    case 0b01010: {
      if (shifted.amount >= widthBits) return undefined;
      const mnemonic = (bits(word, 21, 1) === 1 ? LOGICAL_NOT : LOGICAL)[opc]!;
      return { mnemonic, ...operands, ...shifted };
    }
    case 0b01011: {
      // With bit 21 set the register would be extended.
      if (bits(word, 21, 1) === 1 || shifted.shift === 'ror') return undefined;
      if (shifted.amount >= widthBits) return undefined;
      return { mnemonic: ADD_SUB[opc]!, ...operands, ...shifted };
    }
    case 0b11011: {
      if (opc !== 0 || bits(word, 21, 3) !== 0) return undefined;
      const mnemonic = bits(word, 15, 1) === 1 ? 'msub' : 'madd';
      return { mnemonic, ...operands, ra: orZero(bits(word, 10, 5)) };
    }
    case 0b11010:
      if (bits(word, 21, 3) !== 0b110 || bits(word, 29, 1) !== 0) return undefined;
      if (bits(word, 30, 1) === 1) return oneSource(word, widthBits);
      return twoSources(word, operands);
    default:
      return undefined;
  }
}

function twoSources(word: number, operands: Omit<Fields, 'mnemonic'>): Fields | undefined {
  const mnemonic = TWO_SOURCES[bits(word, 10, 6)];
  return mnemonic === undefined ? undefined : { mnemonic, ...operands };
}

function oneSource(word: number, widthBits: 32 | 64): Fields | undefined {
  if (bits(word, 16, 5) !== 0) return undefined;
  const byOpcode = widthBits === 64 ? ['rev16', 'rev32', 'rev'] : ['rev16', 'rev', undefined];
  const mnemonic = byOpcode[bits(word, 10, 6) - 1];
  if (mnemonic === undefined) return undefined;
  return { mnemonic, widthBits, rd: orZero(rd(word)), rn: orZero(rn(word)) };
}

function access(word: number): Fields | undefined {
  // Vector registers have bit 26.
  if (bits(word, 26, 1) === 1) return undefined;
  switch (bits(word, 27, 3)) {
    case 0b001:
      return exclusive(word);
    case 0b011:
      return literal(word);
    case 0b101:
      return pair(word);
    case 0b111:
      return single(word);
    default:
      return undefined;
  }
}

const BYTES = [1, 2, 4, 8] as const;

function exclusive(word: number): Fields | undefined {
  if (bits(word, 24, 6) !== 0b001000) return undefined;
  const bytes = BYTES[bits(word, 30, 2)]!;
  if (bytes < 4 || bits(word, 10, 5) !== 0b11111) return undefined;
  const operands = {
    widthBits: bytes === 8 ? 64 : 32,
    rd: orZero(rd(word)),
    rn: orStack(rn(word)),
    bytes,
    addressing: 'base',
  } as const;
  const load = bits(word, 22, 1) === 1;
  const ordered = bits(word, 15, 1) === 1;
  const rs = orZero(rm(word));
  if (bits(word, 23, 1) === 1) {
    if (bits(word, 21, 1) === 0) return undefined;
    return { mnemonic: 'cas', ...operands, rs, acquire: load, release: ordered };
  }
  if (bits(word, 21, 1) === 1) return undefined;
  if (load) {
    if (rs !== ZR) return undefined;
    return { mnemonic: 'ldxr', ...operands, acquire: ordered, release: false };
  }
  // What is constrained unpredictable is nothing that one may rely on.
  const { rd: stored, rn: base } = operands;
  if (rs !== ZR && (rs === stored || rs === base)) return undefined;
  return { mnemonic: 'stxr', ...operands, rs, acquire: false, release: ordered };
}

function literal(word: number): Fields | undefined {
  if (bits(word, 24, 8) !== 0x58) return undefined;
  return {
    mnemonic: 'ldr',
    widthBits: 64,
    rd: orZero(rd(word)),
    bytes: 8,
    signed: false,
    addressing: 'literal',
    distance: 4 * signed(bits(word, 5, 19), 19),
  };
}

function pair(word: number): Fields | undefined {
  if (bits(word, 30, 2) !== 0b10) return undefined;
  const addressing = ([undefined, 'post', 'offset', 'pre'] as const)[bits(word, 23, 3)];
  if (addressing === undefined) return undefined;
  const mnemonic = bits(word, 22, 1) === 1 ? 'ldp' : 'stp';
  const [a, b, base] = [orZero(rd(word)), orZero(bits(word, 10, 5)), orStack(rn(word))];
  if (mnemonic === 'ldp' && a === b) return undefined;
  const writesBack = addressing !== 'offset' && base !== SP;
  if (writesBack && (a === base || b === base)) return undefined;
  return {
    mnemonic,
    widthBits: 64,
    rd: a,
    ra: b,
    rn: base,
    imm: BigInt(8 * signed(bits(word, 15, 7), 7)),
    bytes: 8,
    addressing,
  };
}

const ATOMICS = ['ldadd', 'ldclr', 'ldeor', 'ldset'] as const;

function single(word: number): Fields | undefined {
  const bytes = BYTES[bits(word, 30, 2)]!;
  const opc = bits(word, 22, 2);
  const operands = { rd: orZero(rd(word)), rn: orStack(rn(word)), bytes } as const;
  const isUnsignedOffset = bits(word, 24, 1) === 1;
  if (!isUnsignedOffset && bits(word, 21, 1) === 1 && bits(word, 10, 2) === 0) {
    if (bytes < 4) return undefined;
    const opcode = bits(word, 12, 4);
    const mnemonic = opcode === 8 ? 'swp' : ATOMICS[opcode];
    if (mnemonic === undefined) return undefined;
    return {
      mnemonic,
      widthBits: bytes === 8 ? 64 : 32,
      ...operands,
      rs: orZero(rm(word)),
      addressing: 'base',
      acquire: (opc & 2) !== 0,
      release: (opc & 1) !== 0,
    };
  }
  const isStore = opc === 0;
  const isSigned = opc >= 2;
  // Sign-extended words fit 64 bits only; sign-extended doublewords are prefetches.
  if (isSigned && (bytes === 8 || (bytes === 4 && opc === 3))) return undefined;
  const common = {
    mnemonic: isStore ? 'str' : 'ldr',
    widthBits: opc === 2 || bytes === 8 ? 64 : 32,
    ...operands,
    signed: isSigned,
  } as const;
  if (isUnsignedOffset) {
    return { ...common, imm: BigInt(bytes * bits(word, 10, 12)), addressing: 'offset' };
  }
  const isPlainIndex = bits(word, 21, 1) === 1 && bits(word, 10, 6) === 0b011010;
  return isPlainIndex ? { ...common, rm: orZero(rm(word)), addressing: 'index' } : undefined;
}
