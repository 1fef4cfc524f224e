/**
 * Writes AArch64 instructions (Arm Architecture Reference Manual, chapter C4): as many as the JIT
 * needs.
 *
 *   const a = new Assembler(); a.alu('add', 64, X7, X7, X0); a.load(4, false, X7, X25, -8); a.bytes
 *
 * Registers are numbers, of which SP and ZR share an encoding; which of the two an instruction means
 * is the instruction's to say. Distances of branches are in bytes, from the branch.
 */
import { Bug } from '../../kernel/types/units.ts';
import { encodeLogical } from './logical-immediate.ts';
import { SP, ZR } from './registers.ts';

export type Width = 32 | 64;
export type AccessBytes = 1 | 2 | 4 | 8;

export const INSN_BYTES = 4;
/** brk #0x100, what Linux fills code with that nobody reaches (AARCH64_BREAK_FAULT). */
export const BREAK_FAULT = 0xd420_2000;

const CONDITION = {
  eq: 0, ne: 1, cs: 2, cc: 3, mi: 4, pl: 5, vs: 6, vc: 7, hi: 8, ls: 9, ge: 10, lt: 11, gt: 12, le: 13,
} as const; // prettier-ignore
export type ConditionCode = keyof typeof CONDITION;
export const CONDITIONS = Object.keys(CONDITION) as readonly ConditionCode[];

/** Of the shifted-register group, without shift. */
const ALU = {
  add: 0x0b00_0000, adds: 0x2b00_0000, sub: 0x4b00_0000, subs: 0x6b00_0000,
  and: 0x0a00_0000, orr: 0x2a00_0000, orn: 0x2a20_0000, eor: 0x4a00_0000, ands: 0x6a00_0000,
} as const; // prettier-ignore
export type AluOp = keyof typeof ALU;

const ADD_SUB_IMM = {
  add: 0x1100_0000, adds: 0x3100_0000, sub: 0x5100_0000, subs: 0x7100_0000,
} as const; // prettier-ignore
export type AddSubOp = keyof typeof ADD_SUB_IMM;

const LOGICAL_IMM = {
  and: 0x1200_0000, orr: 0x3200_0000, eor: 0x5200_0000, ands: 0x7200_0000,
} as const; // prettier-ignore
export type LogicalOp = keyof typeof LOGICAL_IMM;

const TWO_SOURCES = { udiv: 2, sdiv: 3, lslv: 8, lsrv: 9, asrv: 10 } as const;
export type TwoSourceOp = keyof typeof TWO_SOURCES;

const MOVE_WIDE = { movn: 0x1280_0000, movz: 0x5280_0000, movk: 0x7280_0000 } as const;

const HINT = { nop: 0, paciasp: 25, autiasp: 29, 'bti c': 34, 'bti j': 36 } as const;

/** o3:opc of the atomic memory operations. */
const LSE = { ldadd: 0, ldclr: 1, ldeor: 2, ldset: 3, swp: 8 } as const;
export type LseOp = keyof typeof LSE;
const ACQUIRE_RELEASE = 0x00c0_0000;

const SIZE: Readonly<Record<AccessBytes, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };

/** An unsigned 12-bit number, shifted left by 12 or not. */
export const isAddSubImm = (value: number): boolean =>
  value >= 0 && ((value & ~0xfff) === 0 || (value & ~0xfff000) === 0);

/** What the scaled form of a load or store reaches. */
export const isScaledOffset = (offset: number, bytes: AccessBytes): boolean =>
  offset >= 0 && offset % bytes === 0 && offset / bytes <= 0xfff;

const number = (register: number): number => (register === ZR ? SP : register);
const wide = (width: Width): number => (width === 64 ? 0x8000_0000 : 0);

export class Assembler {
  #words = new Uint32Array(64);
  #count = 0;

  /** In bytes. */
  get length(): number {
    return INSN_BYTES * this.#count;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer, 0, this.length);
  }

  word(word: number): void {
    if (this.#count === this.#words.length) {
      const words = new Uint32Array(2 * this.#count);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[this.#count++] = word;
  }

  #three(base: number, rd: number, rn: number, rm: number): void {
    this.word(base | (number(rm) << 16) | (number(rn) << 5) | number(rd));
  }

  alu(op: AluOp, width: Width, rd: number, rn: number, rm: number): void {
    this.#three(ALU[op] | wide(width), rd, rn, rm);
  }

  /** As an addition of 0, which Linux's JIT writes for all moves, of the stack pointer or not. */
  mov(width: Width, rd: number, rn: number): void {
    this.addSubImm('add', width, rd, rn, 0);
  }

  /** @param imm see isAddSubImm */
  addSubImm(op: AddSubOp, width: Width, rd: number, rn: number, imm: number): void {
    if (!isAddSubImm(imm)) throw new Bug(`${imm} does not fit an ${op}`);
    const field = imm <= 0xfff ? imm << 10 : (1 << 22) | ((imm >>> 12) << 10);
    this.word(ADD_SUB_IMM[op] | wide(width) | field | (number(rn) << 5) | number(rd));
  }

  /** False where the value has no encoding. */
  logicalImm(op: LogicalOp, width: Width, rd: number, rn: number, value: bigint): boolean {
    const encoded = encodeLogical(value, width);
    if (encoded === undefined) return false;
    const field = (encoded.n << 22) | (encoded.immr << 16) | (encoded.imms << 10);
    this.word(LOGICAL_IMM[op] | wide(width) | field | (number(rn) << 5) | number(rd));
    return true;
  }

  /** @param shift of the 16 bits, a multiple of 16 */
  moveWide(
    op: keyof typeof MOVE_WIDE,
    width: Width,
    rd: number,
    value: number,
    shift: number,
  ): void {
    this.word(MOVE_WIDE[op] | wide(width) | ((shift / 16) << 21) | ((value & 0xffff) << 5) | rd);
  }

  twoSources(op: TwoSourceOp, width: Width, rd: number, rn: number, rm: number): void {
    this.#three(0x1ac0_0000 | wide(width) | (TWO_SOURCES[op] << 10), rd, rn, rm);
  }

  /** rd = ra + rn * rm, or minus. */
  multiply(
    op: 'madd' | 'msub',
    width: Width,
    rd: number,
    ra: number,
    rn: number,
    rm: number,
  ): void {
    const minus = op === 'msub' ? 0x8000 : 0;
    this.#three(0x1b00_0000 | wide(width) | minus | (number(ra) << 10), rd, rn, rm);
  }

  bitfield(
    op: 'sbfm' | 'ubfm',
    width: Width,
    rd: number,
    rn: number,
    immr: number,
    imms: number,
  ): void {
    const base = op === 'ubfm' ? 0x5300_0000 : 0x1300_0000;
    const n = width === 64 ? 1 << 22 : 0;
    this.word(base | wide(width) | n | (immr << 16) | (imms << 10) | (rn << 5) | rd);
  }

  shiftImm(op: 'lsl' | 'lsr' | 'asr', width: Width, rd: number, rn: number, by: number): void {
    if (op === 'lsl') this.bitfield('ubfm', width, rd, rn, (width - by) % width, width - 1 - by);
    else this.bitfield(op === 'lsr' ? 'ubfm' : 'sbfm', width, rd, rn, by, width - 1);
  }

  /** Bytes in the other order, in each 16, 32 or 64 bits. */
  reverse(bits: 16 | 32 | 64, width: Width, rd: number, rn: number): void {
    const opcode = { 16: 1, 32: 2, 64: 3 }[bits];
    this.word(0x5ac0_0000 | wide(width) | (opcode << 10) | (rn << 5) | rd);
  }

  b(distance: number): void {
    this.word(0x1400_0000 | this.#distance(distance, 26));
  }

  bCond(condition: ConditionCode, distance: number): void {
    this.word(0x5400_0000 | (this.#distance(distance, 19) << 5) | CONDITION[condition]);
  }

  /** Compare with 0 and branch. */
  cb(op: 'cbz' | 'cbnz', width: Width, rt: number, distance: number): void {
    const base = op === 'cbz' ? 0x3400_0000 : 0x3500_0000;
    this.word(base | wide(width) | (this.#distance(distance, 19) << 5) | rt);
  }

  #distance(distance: number, bits: number): number {
    const words = distance / INSN_BYTES;
    if (!Number.isInteger(words) || words !== (words << (32 - bits)) >> (32 - bits)) {
      throw new Bug(`a branch over ${distance} bytes`);
    }
    return words & (2 ** bits - 1);
  }

  br(rn: number): void {
    this.word(0xd61f_0000 | (rn << 5));
  }

  blr(rn: number): void {
    this.word(0xd63f_0000 | (rn << 5));
  }

  ret(): void {
    this.word(0xd65f_0000 | (30 << 5));
  }

  hint(name: keyof typeof HINT): void {
    this.word(0xd503_201f | (HINT[name] << 5));
  }

  dmbIsh(): void {
    this.word(0xd503_3bbf);
  }

  /** [rn + offset], for a scaled offset. @param signed into 64 bits */
  loadImm(bytes: AccessBytes, signed: boolean, rt: number, rn: number, offset: number): void {
    this.#access(bytes, signed ? 2 : 1, rt, rn, offset);
  }

  storeImm(bytes: AccessBytes, rt: number, rn: number, offset: number): void {
    this.#access(bytes, 0, rt, rn, offset);
  }

  #access(bytes: AccessBytes, opc: number, rt: number, rn: number, offset: number): void {
    const field = (SIZE[bytes] << 30) | (opc << 22) | ((offset / bytes) << 10);
    this.word(0x3900_0000 | field | (rn << 5) | number(rt));
  }

  /** [rn + rm] */
  loadIndexed(bytes: AccessBytes, signed: boolean, rt: number, rn: number, rm: number): void {
    this.#three(0x3820_6800 | (SIZE[bytes] << 30) | ((signed ? 2 : 1) << 22), rt, rn, rm);
  }

  storeIndexed(bytes: AccessBytes, rt: number, rn: number, rm: number): void {
    this.#three(0x3820_6800 | (SIZE[bytes] << 30), rt, rn, rm);
  }

  /** stp a, b, [sp, #-16]! */
  push(a: number, b: number): void {
    this.word(0xa980_0000 | ((-2 & 0x7f) << 15) | (b << 10) | (SP << 5) | a);
  }

  /** ldp a, b, [sp], #16 */
  pop(a: number, b: number): void {
    this.word(0xa8c0_0000 | (2 << 15) | (b << 10) | (SP << 5) | a);
  }

  /** From the address `distance` bytes further. */
  loadLiteral(rt: number, distance: number): void {
    this.word(0x5800_0000 | (this.#distance(distance, 19) << 5) | rt);
  }

  loadExclusive(bytes: 4 | 8, rt: number, rn: number): void {
    this.word(0x085f_7c00 | (SIZE[bytes] << 30) | (rn << 5) | rt);
  }

  /** @param status becomes 0 where it stored. @param release with stlxr's order */
  storeExclusive(bytes: 4 | 8, rt: number, rn: number, status: number, release: boolean): void {
    const field = (SIZE[bytes] << 30) | (status << 16) | (release ? 0x8000 : 0);
    this.word(0x0800_7c00 | field | (rn << 5) | number(rt));
  }

  /** rt = memory, memory = memory op rs; with acquire and release where rt is a register. */
  lse(op: LseOp, bytes: 4 | 8, rt: number, rn: number, rs: number): void {
    const order = rt === ZR ? 0 : ACQUIRE_RELEASE;
    this.#three(0x3820_0000 | (SIZE[bytes] << 30) | order | (LSE[op] << 12), rt, rn, rs);
  }

  /** casal: memory = rt if it is rs; rs = what it was. */
  compareAndSwap(bytes: 4 | 8, rt: number, rn: number, rs: number): void {
    this.#three(0x08e0_fc00 | (SIZE[bytes] << 30), rt, rn, rs);
  }
}
