/**
 * Writes x86-64 instructions as bytes (Intel SDM volume 2): as many as the JIT needs.
 *
 *   const a = new Assembler(); a.alu('add', 64, RAX, RDI); a.load(4, false, RAX, RBP, -8); a.bytes
 *
 * Where an instruction has several encodings, the one that Linux's JIT chooses is written.
 * Registers are numbers; a memory operand is a base register (neither rsp nor r12, which would need
 * a SIB byte) and a displacement, which is always there, as in Linux.
 */
import { Bug } from '../../kernel/types/units.ts';
import { RAX } from './registers.ts';

export type Width = 32 | 64;
export type AccessBytes = 1 | 2 | 4 | 8;

/** Operations of the first ALU group: /n in 81 and 83, and its block of opcodes at 8 * n. */
const ALU = { add: 0, or: 1, and: 4, sub: 5, xor: 6, cmp: 7 } as const;
export type AluOp = keyof typeof ALU;

/** /n in C1, D1 and D3. */
const SHIFT = { ror: 1, shl: 4, shr: 5, sar: 7 } as const;
export type ShiftOp = keyof typeof SHIFT;

/** /n in F7. */
const UNARY = { neg: 3, div: 6, idiv: 7 } as const;
export type UnaryOp = keyof typeof UNARY;

/** tttn of 70+tttn and 0F 80+tttn. */
const CONDITION = {
  b: 2, ae: 3, e: 4, ne: 5, be: 6, a: 7, s: 8, ns: 9, l: 12, ge: 13, le: 14, g: 15,
} as const; // prettier-ignore
export type ConditionCode = keyof typeof CONDITION;

const REX = 0x40;
export const INT3 = 0xcc;
const LOCK = 0xf0;
const OPERAND_16 = 0x66;

export const isImm8 = (value: number): boolean => value >= -128 && value <= 127;

/** Bytes of a jump with a 32-bit distance; a short one takes 2. */
export const LONG_JUMP_BYTES = 5;
export const LONG_BRANCH_BYTES = 6;

export class Assembler {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  raw(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#byte(byte);
  }

  /** The nop of 5 bytes that Linux patches (x86_nops[5]). */
  nop5(): void {
    this.raw(0x0f, 0x1f, 0x44, 0x00, 0x00);
  }

  nop2(): void {
    this.raw(0x66, 0x90);
  }

  alu(op: AluOp, width: Width, dst: number, src: number): void {
    this.#rex(width === 64, src, dst);
    this.raw(8 * ALU[op] + 0x01);
    this.#registers(src, dst);
  }

  aluImm(op: AluOp, width: Width, dst: number, imm: number): void {
    this.#rex(width === 64, 0, dst);
    if (isImm8(imm)) {
      this.raw(0x83);
      this.#registers(ALU[op], dst);
      this.#byte(imm);
    } else if (dst === RAX && op !== 'cmp') {
      this.raw(8 * ALU[op] + 0x05);
      this.#word(imm);
    } else {
      this.raw(0x81);
      this.#registers(ALU[op], dst);
      this.#word(imm);
    }
  }

  /** With an immediate of 32 bits even where 8 would do: for code whose size must not vary. */
  aluImm32(op: AluOp, width: Width, dst: number, imm: number): void {
    this.#rex(width === 64, 0, dst);
    this.raw(0x81);
    this.#registers(ALU[op], dst);
    this.#word(imm);
  }

  /** cmp dword [base + displacement], src */
  cmpMemory(base: number, displacement: number, src: number): void {
    this.#rex(false, src, base);
    this.raw(0x39);
    this.#memory(src, base, displacement);
  }

  test(width: Width, dst: number, src: number): void {
    this.#rex(width === 64, src, dst);
    this.raw(0x85);
    this.#registers(src, dst);
  }

  testImm(width: Width, dst: number, imm: number): void {
    this.#rex(width === 64, 0, dst);
    this.raw(0xf7);
    this.#registers(0, dst);
    this.#word(imm);
  }

  mov(width: Width, dst: number, src: number): void {
    this.#rex(width === 64, src, dst);
    this.raw(0x89);
    this.#registers(src, dst);
  }

  /** As Linux's emit_mov_imm32: sign-extended for 64 bits; 0 by xor, which changes the flags. */
  movImm(width: Width, dst: number, imm: number): void {
    if (width === 64 && imm < 0) {
      this.#rex(true, 0, dst);
      this.raw(0xc7);
      this.#registers(0, dst);
      this.#word(imm);
    } else if (imm === 0) {
      this.alu('xor', 32, dst, dst);
    } else {
      this.#rex(false, 0, dst);
      this.raw(0xb8 + (dst & 7));
      this.#word(imm);
    }
  }

  /** dst = imm, always by mov r/m, imm32 (sign-extended to 64 bits). */
  movSignedImm(width: Width, dst: number, imm: number): void {
    this.#rex(width === 64, 0, dst);
    this.raw(0xc7);
    this.#registers(0, dst);
    this.#word(imm);
  }

  /** By movabs where 32 unsigned bits do not hold it (emit_mov_imm64). */
  movImm64(dst: number, value: bigint): void {
    const unsigned = BigInt.asUintN(64, value);
    if (unsigned <= 0xffff_ffffn) {
      this.movImm(32, dst, Number(BigInt.asIntN(32, unsigned)));
      return;
    }
    this.movabs(dst, unsigned);
  }

  movabs(dst: number, value: bigint): void {
    this.#rex(true, 0, dst);
    this.raw(0xb8 + (dst & 7));
    this.#word(Number(BigInt.asIntN(32, value)));
    this.#word(Number(BigInt.asIntN(32, value >> 32n)));
  }

  /** dst = the low `bits` of src, extended to the whole register (to 32 bits if width is 32). */
  extend(width: Width, bits: 8 | 16 | 32, signed: boolean, dst: number, src: number): void {
    if (bits === 32) {
      if (!signed) return this.mov(32, dst, src);
      this.#rex(width === 64, dst, src);
      this.raw(0x63);
    } else {
      this.#rex(width === 64, dst, src, bits === 8 && src >= 4);
      this.raw(0x0f, (signed ? 0xbe : 0xb6) + (bits === 16 ? 1 : 0));
    }
    this.#registers(dst, src);
  }

  /** dst = [base + displacement], zero-extended, or sign-extended to 64 bits. */
  load(bytes: AccessBytes, signed: boolean, dst: number, base: number, displacement: number): void {
    if (signed) {
      this.#rex(true, dst, base);
      if (bytes === 4) this.raw(0x63);
      else this.raw(0x0f, bytes === 1 ? 0xbe : 0xbf);
    } else if (bytes < 4) {
      this.#rex(true, dst, base);
      this.raw(0x0f, bytes === 1 ? 0xb6 : 0xb7);
    } else {
      this.#rex(bytes === 8, dst, base);
      this.raw(0x8b);
    }
    this.#memory(dst, base, displacement);
  }

  store(bytes: AccessBytes, base: number, displacement: number, src: number): void {
    if (bytes === 2) this.raw(OPERAND_16);
    // Without a REX prefix 4 to 7 would be ah to bh.
    this.#rex(bytes === 8, src, base, bytes === 1 && src >= 4);
    this.raw(bytes === 1 ? 0x88 : 0x89);
    this.#memory(src, base, displacement);
  }

  storeImm(bytes: AccessBytes, base: number, displacement: number, imm: number): void {
    if (bytes === 2) this.raw(OPERAND_16);
    this.#rex(bytes === 8, 0, base);
    this.raw(bytes === 1 ? 0xc6 : 0xc7);
    this.#memory(0, base, displacement);
    if (bytes === 1) this.#byte(imm);
    else if (bytes === 2) this.raw(imm & 0xff, (imm >> 8) & 0xff);
    else this.#word(imm);
  }

  /** dst = [base + displacement] with a displacement of 32 bits, for code whose size must not vary. */
  loadFar(width: Width, dst: number, base: number, displacement: number): void {
    this.#rex(width === 64, dst, base);
    this.raw(0x8b);
    this.#farMemory(dst, base, displacement);
  }

  storeFar(width: Width, base: number, displacement: number, src: number): void {
    this.#rex(width === 64, src, base);
    this.raw(0x89);
    this.#farMemory(src, base, displacement);
  }

  /** dst = qword [base + 8 * index + displacement] */
  loadIndexed(dst: number, base: number, index: number, displacement: number): void {
    this.raw(REX | 8 | ((dst >> 3) << 2) | ((index >> 3) << 1) | (base >> 3), 0x8b);
    this.#indexed(dst, base, index, displacement);
  }

  /** dst = base + 8 * index + displacement */
  leaIndexed(dst: number, base: number, index: number, displacement: number): void {
    this.raw(REX | 8 | ((dst >> 3) << 2) | ((index >> 3) << 1) | (base >> 3), 0x8d);
    this.#indexed(dst, base, index, displacement);
  }

  imul(width: Width, dst: number, src: number): void {
    this.#rex(width === 64, dst, src);
    this.raw(0x0f, 0xaf);
    this.#registers(dst, src);
  }

  imulImm(width: Width, dst: number, src: number, imm: number): void {
    this.#rex(width === 64, dst, src);
    this.raw(isImm8(imm) ? 0x6b : 0x69);
    this.#registers(dst, src);
    if (isImm8(imm)) this.#byte(imm);
    else this.#word(imm);
  }

  unary(op: UnaryOp, width: Width, register: number): void {
    this.#rex(width === 64, 0, register);
    this.raw(0xf7);
    this.#registers(UNARY[op], register);
  }

  /** rdx = the sign of rax (cdq, cqo). */
  signIntoRdx(width: Width): void {
    this.#rex(width === 64, 0, 0);
    this.raw(0x99);
  }

  shiftImm(op: ShiftOp, width: Width, register: number, count: number): void {
    this.#rex(width === 64, 0, register);
    this.raw(count === 1 ? 0xd1 : 0xc1);
    this.#registers(SHIFT[op], register);
    if (count !== 1) this.#byte(count);
  }

  /** By cl. */
  shift(op: ShiftOp, width: Width, register: number): void {
    this.#rex(width === 64, 0, register);
    this.raw(0xd3);
    this.#registers(SHIFT[op], register);
  }

  /** Swaps the two bytes of the low 16 bits. */
  rotate16(register: number): void {
    this.raw(OPERAND_16);
    this.#rex(false, 0, register);
    this.raw(0xc1);
    this.#registers(SHIFT.ror, register);
    this.#byte(8);
  }

  bswap(width: Width, register: number): void {
    this.#rex(width === 64, 0, register);
    this.raw(0x0f, 0xc8 + (register & 7));
  }

  push(register: number): void {
    this.#rex(false, 0, register);
    this.raw(0x50 + (register & 7));
  }

  pop(register: number): void {
    this.#rex(false, 0, register);
    this.raw(0x58 + (register & 7));
  }

  leave(): void {
    this.raw(0xc9);
  }

  /** With what stops speculation past it (CONFIG_SLS, which Debian sets). */
  ret(): void {
    this.raw(0xc3, INT3);
  }

  lfence(): void {
    this.raw(0x0f, 0xae, 0xe8);
  }

  /** lock op [base + displacement], src */
  lockAlu(op: AluOp, width: Width, base: number, displacement: number, src: number): void {
    this.#atomic(width, [8 * ALU[op] + 0x01], base, displacement, src);
  }

  lockXadd(width: Width, base: number, displacement: number, src: number): void {
    this.#atomic(width, [0x0f, 0xc1], base, displacement, src);
  }

  lockCmpxchg(width: Width, base: number, displacement: number, src: number): void {
    this.#atomic(width, [0x0f, 0xb1], base, displacement, src);
  }

  /** Would be atomic without the prefix too. */
  lockXchg(width: Width, base: number, displacement: number, src: number): void {
    this.#atomic(width, [0x87], base, displacement, src);
  }

  /** `distance` counts from the end of the instruction. */
  call(distance: number): void {
    this.raw(0xe8);
    this.#word(distance);
  }

  jmp(distance: number, isShort: boolean): void {
    this.raw(isShort ? 0xeb : 0xe9);
    if (isShort) this.#distance8(distance);
    else this.#word(distance);
  }

  jcc(condition: ConditionCode, distance: number, isShort: boolean): void {
    if (isShort) {
      this.raw(0x70 + CONDITION[condition]);
      this.#distance8(distance);
    } else {
      this.raw(0x0f, 0x80 + CONDITION[condition]);
      this.#word(distance);
    }
  }

  /** With an int3 behind it, as `ret`. */
  jmpRegister(register: number): void {
    this.#rex(false, 0, register);
    this.raw(0xff);
    this.#registers(4, register);
    this.#byte(INT3);
  }

  /** A short jump or branch ahead, whose distance `land` fills in. */
  ahead(condition: ConditionCode | 'always'): number {
    if (condition === 'always') this.jmp(0, true);
    else this.jcc(condition, 0, true);
    return this.#length;
  }

  land(from: number): void {
    const distance = this.#length - from;
    if (!isImm8(distance)) throw new Bug(`a short jump of ${distance} bytes`);
    this.#bytes[from - 1] = distance;
  }

  /** Overwrite 32 bits. */
  patch(at: number, value: number): void {
    for (let i = 0; i < 4; i++) this.#bytes[at + i] = (value >> (8 * i)) & 0xff;
  }

  #atomic(
    width: Width,
    opcode: readonly number[],
    base: number,
    displacement: number,
    src: number,
  ): void {
    this.raw(LOCK);
    this.#rex(width === 64, src, base);
    this.raw(...opcode);
    this.#memory(src, base, displacement);
  }

  /** REX.W, and the upper bits of ModRM.reg and ModRM.rm (or the opcode's register); if needed. */
  #rex(wide: boolean, reg: number, rm: number, always = false): void {
    const bits = (wide ? 8 : 0) | ((reg >> 3) << 2) | (rm >> 3);
    if (bits !== 0 || always) this.#byte(REX | bits);
  }

  /** ModRM with two registers, or a register and /n. */
  #registers(reg: number, rm: number): void {
    this.#byte(0xc0 | ((reg & 7) << 3) | (rm & 7));
  }

  #memory(reg: number, base: number, displacement: number): void {
    if ((base & 7) === 4) throw new Bug('rsp and r12 as a base need a SIB byte');
    const short = isImm8(displacement);
    this.#byte((short ? 0x40 : 0x80) | ((reg & 7) << 3) | (base & 7));
    if (short) this.#byte(displacement);
    else this.#word(displacement);
  }

  #farMemory(reg: number, base: number, displacement: number): void {
    this.#byte(0x80 | ((reg & 7) << 3) | (base & 7));
    this.#word(displacement);
  }

  /** ModRM and SIB: base + 8 * index + a displacement of 32 bits. */
  #indexed(reg: number, base: number, index: number, displacement: number): void {
    this.#byte(0x84 | ((reg & 7) << 3));
    this.#byte(0xc0 | ((index & 7) << 3) | (base & 7));
    this.#word(displacement);
  }

  #distance8(distance: number): void {
    if (!isImm8(distance)) throw new Bug(`a short jump of ${distance} bytes`);
    this.#byte(distance);
  }

  #byte(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }

  #word(value: number): void {
    this.raw(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
  }
}
