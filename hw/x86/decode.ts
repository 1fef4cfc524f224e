/**
 * x86-64 instructions from their bytes (Intel SDM volume 2, appendix A), as far as JITs of BPF use
 * them. Knows nothing of the code generator: what it decodes is what is there.
 *
 *   decodeInsn(bytes, offset)   the instruction; throws Undecodable for what it does not know
 */
import { OPCODES, OPCODES_0F, GROUPS, type Form, type Opcode } from './opcodes.ts';

export type Operand =
  | { readonly kind: 'register'; readonly register: number; readonly bits: 8 | 16 | 32 | 64 }
  /** Sign-extended to 64 bits; `implied` where no byte of the encoding holds it. */
  | { readonly kind: 'immediate'; readonly value: bigint; readonly implied?: true }
  | {
      readonly kind: 'memory';
      readonly base: number;
      readonly index: number | undefined;
      readonly scale: 1 | 2 | 4 | 8;
      readonly displacement: number;
      /** The encoding has no displacement, not even 0. */
      readonly short: boolean;
      readonly bits: 8 | 16 | 32 | 64;
    };

export interface X86Insn {
  readonly offset: number;
  readonly length: number;
  /** Intel's, in lower case; conditional jumps are `jcc` with a condition. */
  readonly mnemonic: string;
  /** tttn of a conditional jump. */
  readonly condition: number;
  readonly lock: boolean;
  /** Operand size. */
  readonly widthBits: 8 | 16 | 32 | 64;
  /** Destination first. */
  readonly operands: readonly Operand[];
  /** Offset that a relative jump or call leads to. */
  readonly target: number | undefined;
}

/** What may have a lock prefix. */
const LOCKABLE = new Set([
  'add', 'or', 'and', 'sub', 'xor', 'not', 'neg', 'xadd', 'xchg', 'cmpxchg',
]); // prettier-ignore

export class Undecodable extends Error {
  override name = 'Undecodable';
}

interface Prefixes {
  rex: number;
  operand16: boolean;
  lock: boolean;
}

export function decodeInsn(bytes: Uint8Array, offset: number): X86Insn {
  return new Decoding(bytes, offset).insn();
}

class Decoding {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #offset: number;
  #at: number;
  readonly #prefixes: Prefixes = { rex: 0, operand16: false, lock: false };
  #modrm = 0;

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#offset = offset;
    this.#at = offset;
  }

  insn(): X86Insn {
    const opcode = this.#opcode();
    const { rex, operand16, lock } = this.#prefixes;
    const { form } = opcode;
    const wide = (rex & 8) !== 0 || form.always64 === true;
    const widthBits = form.bits ?? (wide ? 64 : operand16 ? 16 : 32);
    const operands: Operand[] = [];
    let target: number | undefined;
    for (const kind of form.operands) {
      if (kind === 'rel8' || kind === 'rel32') target = kind === 'rel8' ? this.#s8() : this.#s32();
      else operands.push(this.#operand(kind, form, widthBits));
    }
    if (lock && (operands[0]?.kind !== 'memory' || !LOCKABLE.has(opcode.mnemonic))) {
      this.#fail('a lock prefix where none may be');
    }
    if (operand16 && form.no16) this.#fail('16 bits');
    return {
      offset: this.#offset,
      length: this.#at - this.#offset,
      mnemonic: opcode.mnemonic,
      condition: opcode.condition ?? 0,
      lock,
      widthBits,
      operands,
      target: target === undefined ? undefined : this.#at + target,
    };
  }

  #opcode(): Opcode {
    const prefixes = this.#prefixes;
    let byte = this.#u8();
    for (; byte === 0x66 || byte === 0xf0; byte = this.#u8()) {
      if (byte === 0x66) prefixes.operand16 = true;
      else prefixes.lock = true;
    }
    if ((byte & 0xf0) === 0x40) {
      prefixes.rex = byte;
      byte = this.#u8();
    }
    const escaped = byte === 0x0f;
    if (escaped) byte = this.#u8();
    const entry = (escaped ? OPCODES_0F : OPCODES)[byte];
    if (entry === undefined) return this.#fail(`opcode ${escaped ? '0f ' : ''}${hex(byte)}`);
    const { form } = entry;
    if (form.modrm) this.#modrm = this.#u8();
    if (form.group === undefined) return { ...entry, form };
    const member = GROUPS[form.group][(this.#modrm >> 3) & 7];
    if (member === undefined) return this.#fail(`/${(this.#modrm >> 3) & 7} of ${hex(byte)}`);
    return { mnemonic: member.mnemonic, form: { ...form, ...member.form } };
  }

  #operand(kind: string, form: Form, widthBits: X86Insn['widthBits']): Operand {
    const { rex } = this.#prefixes;
    switch (kind) {
      case 'reg':
        return this.#register(((this.#modrm >> 3) & 7) | ((rex & 4) << 1), widthBits);
      case 'rm':
        return this.#rm(form.rmBits ?? widthBits);
      case 'memory':
        if (this.#modrm >= 0xc0) return this.#fail('a register where memory must be');
        return this.#rm(widthBits);
      case 'opcode-reg':
        return this.#register((this.#bytes[this.#at - 1]! & 7) | ((rex & 1) << 3), widthBits);
      case 'rax':
        return this.#register(0, widthBits);
      case 'cl':
        return this.#register(1, 8);
      case 'one':
        return { kind: 'immediate', value: 1n, implied: true };
      case 'imm8':
        return { kind: 'immediate', value: BigInt(this.#s8()) };
      case 'count':
        return { kind: 'immediate', value: BigInt(this.#u8()) };
      case 'imm': {
        if (widthBits === 8) return { kind: 'immediate', value: BigInt(this.#s8()) };
        if (widthBits === 16) {
          const value = this.#view.getInt16(this.#at, true);
          this.#at += 2;
          return { kind: 'immediate', value: BigInt(value) };
        }
        return { kind: 'immediate', value: BigInt(this.#s32()) };
      }
      case 'imm64': {
        if (widthBits !== 64) return { kind: 'immediate', value: BigInt(this.#s32()) };
        const value = this.#view.getBigInt64(this.#at, true);
        this.#at += 8;
        return { kind: 'immediate', value };
      }
      default:
        return this.#fail(`operand ${kind}`);
    }
  }

  #register(register: number, bits: 8 | 16 | 32 | 64): Operand {
    if (bits === 8 && register >= 4 && register < 8 && this.#prefixes.rex === 0) {
      return this.#fail('ah to bh');
    }
    return { kind: 'register', register, bits };
  }

  #rm(bits: 8 | 16 | 32 | 64): Operand {
    const { rex } = this.#prefixes;
    const modrm = this.#modrm;
    const mod = modrm >> 6;
    const rm = modrm & 7;
    if (mod === 3) return this.#register(rm | ((rex & 1) << 3), bits);
    let base = rm | ((rex & 1) << 3);
    let index: number | undefined;
    let scale: 1 | 2 | 4 | 8 = 1;
    if (rm === 4) {
      const sib = this.#u8();
      base = (sib & 7) | ((rex & 1) << 3);
      const number = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (number !== 4) index = number;
      scale = (1 << (sib >> 6)) as 1 | 2 | 4 | 8;
    }
    if (mod === 0 && (base & 7) === 5) return this.#fail('an address without a base');
    const displacement = mod === 0 ? 0 : mod === 1 ? this.#s8() : this.#s32();
    return { kind: 'memory', base, index, scale, displacement, short: mod === 0, bits };
  }

  #u8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return this.#fail('code ends within an instruction');
    this.#at++;
    return byte;
  }

  #s8(): number {
    return (this.#u8() << 24) >> 24;
  }

  #s32(): number {
    if (this.#at + 4 > this.#bytes.length) this.#fail('code ends within an instruction');
    const value = this.#view.getInt32(this.#at, true);
    this.#at += 4;
    return value;
  }

  #fail(what: string): never {
    throw new Undecodable(`offset ${hex(this.#offset)}: ${what}`);
  }
}

const hex = (value: number): string => value.toString(16).padStart(2, '0');
