/**
 * One instruction of AArch64 as WebAssembly.
 *
 *   translateInsn(f, insn, site)   code that does the same; what flags it leaves
 *
 * Jumps and calls are the function's to make (translate-function.ts).
 */
import { I32, I64, type IntOp } from '../../bpf/jit/code-writer.ts';
import type { ArmInsn } from './decode.ts';
import { flagA, flagB, type Flags } from './flags.ts';
import { translateAccess } from './translate-memory.ts';
import type { ArmFunction } from './wasm-function.ts';

export interface InsnSite {
  /** A branch looks at the flags that it leaves. */
  readonly flagsUsed: boolean;
  /** For a load in the exception table: the register that becomes 0 where it faults. */
  readonly zeroes: number | undefined;
}

export function translateInsn(f: ArmFunction, insn: ArmInsn, site: InsnSite): Flags | undefined {
  return new Translation(f, insn, site).run();
}

/** What has an operation of WebAssembly; counts of shifts are masked by both. */
const BINARY: Readonly<Record<string, IntOp>> = {
  and: 'and',
  orr: 'or',
  eor: 'xor',
  lslv: 'shl',
  lsrv: 'shr_u',
  asrv: 'shr_s',
  rorv: 'rotr',
};
const NEGATED: Readonly<Record<string, IntOp>> = { bic: 'and', orn: 'or', eon: 'xor' };
const SHIFT_OPS = { lsl: 'shl', lsr: 'shr_u', asr: 'shr_s', ror: 'rotr' } as const;

class Translation {
  readonly #f: ArmFunction;
  readonly #insn: ArmInsn;
  readonly #site: InsnSite;

  constructor(f: ArmFunction, insn: ArmInsn, site: InsnSite) {
    this.#f = f;
    this.#insn = insn;
    this.#site = site;
  }

  run(): Flags | undefined {
    const { mnemonic } = this.#insn;
    if (mnemonic in BINARY) return this.#binary(BINARY[mnemonic]!);
    if (mnemonic in NEGATED) return this.#binary(NEGATED[mnemonic]!, 'negated');
    switch (mnemonic) {
      case 'nop':
      case 'bti c':
      case 'bti j':
      case 'bti jc':
      // The core that is simulated has no FEAT_PAuth, where these are hints to do nothing.
      case 'paciasp':
      case 'autiasp':
      // There is one core, which sees its own accesses in order.
      case 'dmb ish':
      case 'b':
      case 'b.cond':
      case 'cbz':
      case 'cbnz':
      case 'bl':
      case 'blr':
      case 'br':
      case 'ret':
      case 'brk':
        return undefined;
      case 'add':
        return this.#binary('add');
      case 'sub':
        return this.#binary('sub');
      case 'adds':
        return this.#setsFlags('add', 'sum');
      case 'subs':
        return this.#setsFlags('sub', 'difference');
      case 'ands':
        return this.#setsFlags('and', 'result');
      case 'bics':
        return this.#setsFlags('and', 'result', 'negated');
      case 'movn':
      case 'movz':
      case 'movk':
        return this.#moveWide();
      case 'sbfm':
      case 'ubfm':
        return this.#bitfield();
      case 'udiv':
      case 'sdiv':
        return this.#divide(mnemonic === 'sdiv');
      case 'madd':
      case 'msub':
        return this.#multiply(mnemonic === 'madd' ? 'add' : 'sub');
      case 'rev':
      case 'rev16':
      case 'rev32':
        return this.#reverse();
      default:
        translateAccess(this.#f, this.#insn, this.#site.zeroes);
        return undefined;
    }
  }

  get #width(): 32 | 64 {
    return this.#insn.widthBits;
  }

  #op(op: IntOp): void {
    this.#f.op(this.#width === 64 ? I64[op] : I32[op]);
  }

  #constant(value: bigint): void {
    if (this.#width === 64) this.#f.i64(BigInt.asIntN(64, value));
    else this.#f.i32(Number(BigInt.asIntN(32, value)));
  }

  #push(register: number | undefined): void {
    this.#f.value(this.#width, register!);
  }

  #set(): undefined {
    this.#f.setValue(this.#width, this.#insn.rd!);
  }

  /** The immediate, or the second register shifted. */
  #second(negated?: 'negated'): void {
    const { rm, imm, shift, amount } = this.#insn;
    if (rm === undefined) return this.#constant(imm!);
    this.#push(rm);
    if (shift !== undefined && amount! > 0) {
      this.#constant(BigInt(amount!));
      this.#op(SHIFT_OPS[shift]);
    }
    if (negated) {
      this.#constant(-1n);
      this.#op('xor');
    }
  }

  #binary(op: IntOp, negated?: 'negated'): undefined {
    this.#push(this.#insn.rn);
    this.#second(negated);
    this.#op(op);
    return this.#set();
  }

  #setsFlags(op: IntOp, kind: Flags['kind'], negated?: 'negated'): Flags {
    const f = this.#f;
    const width = this.#width;
    const { flagsUsed } = this.#site;
    this.#push(this.#insn.rn);
    if (flagsUsed) f.localTee(flagA(f, width));
    this.#second(negated);
    if (flagsUsed && kind !== 'result') f.localTee(flagB(f, width));
    this.#op(op);
    if (flagsUsed && kind === 'result') f.localTee(flagB(f, width));
    this.#set();
    return { kind, width };
  }

  #moveWide(): undefined {
    const { mnemonic, imm, amount, rd } = this.#insn;
    const value = imm! << BigInt(amount!);
    if (mnemonic === 'movk') {
      this.#push(rd);
      this.#constant(~(0xffffn << BigInt(amount!)));
      this.#op('and');
      this.#constant(value);
      this.#op('or');
    } else {
      this.#constant(mnemonic === 'movn' ? ~value : value);
    }
    return this.#set();
  }

  /** To the top, so that what is above the field goes, then back down with or without its sign. */
  #bitfield(): undefined {
    const { mnemonic, rn, immr, imms } = this.#insn;
    const [width, r, s] = [this.#width, immr!, imms!];
    const down = mnemonic === 'sbfm' ? 'shr_s' : 'shr_u';
    const shift = (op: IntOp, by: number): void => {
      if (by === 0) return;
      this.#constant(BigInt(by));
      this.#op(op);
    };
    this.#push(rn);
    shift('shl', width - 1 - s);
    // The field of s + 1 - r bits ends at bit 0, or one of s + 1 bits begins at bit width - r.
    if (s >= r) shift(down, width - 1 - s + r);
    else shift(down, r - 1 - s);
    return this.#set();
  }

  /** By 0 it gives 0, and the smallest number by -1 itself. */
  #divide(signed: boolean): undefined {
    const f = this.#f;
    const wide = this.#width === 64;
    const divisor = f.temporary(`divisor${this.#width}`, wide ? 'i64' : 'i32');
    const { rn, rm } = this.#insn;
    this.#push(rm);
    f.localTee(divisor);
    this.#op('eqz');
    f.if(wide ? 'i64' : 'i32');
    this.#constant(0n);
    f.else();
    if (signed) {
      f.localGet(divisor);
      this.#constant(-1n);
      this.#op('eq');
      f.if(wide ? 'i64' : 'i32');
      this.#constant(0n);
      this.#push(rn);
      this.#op('sub');
      f.else();
    }
    this.#push(rn);
    f.localGet(divisor);
    this.#op(signed ? 'div_s' : 'div_u');
    if (signed) f.end();
    f.end();
    return this.#set();
  }

  #multiply(op: 'add' | 'sub'): undefined {
    const { rn, rm, ra } = this.#insn;
    this.#push(ra);
    this.#push(rn);
    this.#push(rm);
    this.#op('mul');
    this.#op(op);
    return this.#set();
  }

  /** Bytes, then halves, then words change places, as far as the instruction reverses. */
  #reverse(): undefined {
    const f = this.#f;
    const { mnemonic, rn } = this.#insn;
    const wide = this.#width === 64;
    const value = f.temporary(`swap${this.#width}`, wide ? 'i64' : 'i32');
    const exchange = (mask: bigint, count: bigint): void => {
      f.localTee(value);
      this.#constant(mask);
      this.#op('and');
      this.#constant(count);
      this.#op('shl');
      f.localGet(value);
      this.#constant(count);
      this.#op('shr_u');
      this.#constant(mask);
      this.#op('and');
      this.#op('or');
    };
    this.#push(rn);
    exchange(0x00ff_00ff_00ff_00ffn, 8n);
    if (mnemonic !== 'rev16') exchange(0x0000_ffff_0000_ffffn, 16n);
    if (mnemonic === 'rev' && wide) {
      this.#constant(32n);
      this.#op('rotl');
    }
    return this.#set();
  }
}
