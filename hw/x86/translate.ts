/**
 * One instruction of x86-64 as WebAssembly.
 *
 *   translateInsn(f, insn, site)   code that does the same; what flags it leaves
 *
 * Jumps and calls are the function's to make (translate-function.ts).
 */
import { I32, I64, type IntOp } from '../../bpf/jit/code-writer.ts';
import { Undecodable, type Operand, type X86Insn } from './decode.ts';
import { divide64, divide128, type DivideSite } from './translate-divide.ts';
import { flagA, flagB, type FlagKind, type Flags } from './flags.ts';
import { RAX, RBP, RCX, RDX, RSP } from './registers.ts';
import type { MemoryOperand, X86Function } from './wasm-function.ts';

export interface InsnSite extends DivideSite {
  /** A jump looks at the flags that it leaves. */
  readonly flagsUsed: boolean;
  /** For a load in the exception table: the register that becomes 0 where it faults. */
  readonly zeroes: number | undefined;
}

type Width = 32 | 64;

export function translateInsn(f: X86Function, insn: X86Insn, site: InsnSite): Flags | undefined {
  return new Translation(f, insn, site).run();
}

const SIMPLE: Readonly<Record<string, IntOp>> = {
  add: 'add',
  sub: 'sub',
  and: 'and',
  or: 'or',
  xor: 'xor',
};
const SHIFTS: Readonly<Record<string, IntOp>> = { shl: 'shl', shr: 'shr_u', sar: 'shr_s' };
const FLAG_KINDS: Readonly<Record<string, FlagKind>> = { add: 'sum', sub: 'difference' };
const LOADS = {
  8: { signed: I64.load8_s, unsigned: I64.load8_u },
  16: { signed: I64.load16_s, unsigned: I64.load16_u },
  32: { signed: I64.load32_s, unsigned: I64.load32_u },
  64: { signed: I64.load, unsigned: I64.load },
} as const;
const STORES = { 8: I64.store8, 16: I64.store16, 32: I64.store32, 64: I64.store } as const;

class Translation {
  readonly #f: X86Function;
  readonly #insn: X86Insn;
  readonly #site: InsnSite;

  constructor(f: X86Function, insn: X86Insn, site: InsnSite) {
    this.#f = f;
    this.#insn = insn;
    this.#site = site;
  }

  run(): Flags | undefined {
    const insn = this.#insn;
    const { mnemonic, operands } = insn;
    const [a, b] = operands;
    if (mnemonic in SIMPLE) return this.#simple(SIMPLE[mnemonic]!, a!, b!);
    if (mnemonic in SHIFTS) return this.#shift(SHIFTS[mnemonic]!, a!, b!);
    switch (mnemonic) {
      case 'nop':
      case 'lfence':
      case 'jmp':
      case 'jcc':
      case 'call':
      case 'jmp-indirect':
      case 'ret':
      case 'int3':
        return undefined;
      case 'mov':
        return this.#mov(a!, b!);
      case 'movzx':
        return this.#extend(a!, b!, false);
      case 'movsx':
      case 'movsxd':
        return this.#extend(a!, b!, true);
      case 'lea':
        this.#f.effectiveAddress(b as MemoryOperand);
        return this.#setRegister(a!);
      case 'cmp':
      case 'test':
        return this.#compare(mnemonic, a!, b!);
      case 'imul':
        return this.#multiply(operands);
      case 'neg':
        return this.#negate(a!);
      case 'div':
      case 'idiv':
        return this.#divide(mnemonic === 'idiv', a!);
      case 'cqo':
        return this.#signIntoRdx();
      case 'ror':
        return this.#rotate(a!, b!);
      case 'bswap':
        return this.#byteSwap(a!);
      case 'push':
        return this.#push(a!);
      case 'pop':
        return this.#pop(a!);
      case 'leave':
        this.#f.get(RBP);
        this.#f.set(RSP);
        return this.#popInto(RBP);
      case 'xadd':
      case 'xchg':
        return this.#exchange(mnemonic === 'xadd', a as MemoryOperand, b!);
      case 'cmpxchg':
        return this.#compareExchange(a as MemoryOperand, b!);
      default:
        return this.#unknown(mnemonic);
    }
  }

  /** Of the operands that are computed with; 8 and 16 bits are only moved. */
  get #width(): Width {
    const { widthBits } = this.#insn;
    return widthBits === 64 || widthBits === 32 ? widthBits : this.#unknown(`${widthBits} bits`);
  }

  #unknown(what: string): never {
    const { offset, mnemonic } = this.#insn;
    throw new Undecodable(`offset ${offset.toString(16)}: ${mnemonic}, ${what} is not simulated`);
  }

  #op(op: IntOp): void {
    this.#f.op(this.#width === 64 ? I64[op] : I32[op]);
  }

  /** Push an i64, or for a width of 32 an i32. */
  #value(operand: Operand): void {
    const f = this.#f;
    const wide = this.#width === 64;
    switch (operand.kind) {
      case 'register':
        return wide ? f.get(operand.register) : f.get32(operand.register);
      case 'immediate':
        return wide ? f.i64(operand.value) : f.i32(Number(BigInt.asIntN(32, operand.value)));
      case 'memory':
        f.address(operand, wide ? 8 : 4, this.#insn.offset);
        return f.memory(wide ? I64.load : I32.load, 0);
    }
  }

  /** A register of the operation's width, from what is on the stack. */
  #setRegister(operand: Operand): undefined {
    if (operand.kind !== 'register') return this.#unknown('a result in memory');
    if (operand.bits === 64) this.#f.set(operand.register);
    else if (operand.bits === 32) this.#f.set32(operand.register);
    else return this.#unknown(`a result of ${operand.bits} bits`);
  }

  #simple(op: IntOp, dst: Operand, src: Operand): Flags | undefined {
    const f = this.#f;
    const width = this.#width;
    const kind = FLAG_KINDS[this.#insn.mnemonic] ?? 'result';
    const { flagsUsed } = this.#site;
    if (dst.kind === 'memory') {
      this.#updateMemory(dst, () => {
        this.#value(src);
        this.#op(op);
      });
      return undefined;
    }
    if (dst.kind !== 'register') return this.#unknown('an immediate as a result');
    this.#value(dst);
    if (flagsUsed) f.localTee(flagA(f, width));
    this.#value(src);
    if (flagsUsed && kind === 'difference') f.localTee(flagB(f, width));
    this.#op(op);
    if (flagsUsed && kind !== 'difference') f.localTee(flagB(f, width));
    this.#setRegister(dst);
    return { kind, width };
  }

  /** memory = what `compute` leaves of the old value on the stack. */
  #updateMemory(memory: MemoryOperand, compute: () => void, keepOld?: number): void {
    const f = this.#f;
    const wide = this.#width === 64;
    const at = f.temporary('at', 'i32');
    f.address(memory, wide ? 8 : 4, this.#insn.offset);
    f.localTee(at);
    f.localGet(at);
    f.memory(wide ? I64.load : I32.load, 0);
    if (keepOld !== undefined) f.localTee(keepOld);
    compute();
    f.memory(wide ? I64.store : I32.store, 0);
  }

  #compare(mnemonic: string, a: Operand, b: Operand): Flags | undefined {
    const f = this.#f;
    const width = this.#width;
    if (!this.#site.flagsUsed) return undefined;
    this.#value(a);
    if (mnemonic === 'cmp') {
      f.localSet(flagA(f, width));
      this.#value(b);
      f.localSet(flagB(f, width));
      return { kind: 'difference', width };
    }
    this.#value(b);
    this.#op('and');
    f.localSet(flagB(f, width));
    return { kind: 'result', width };
  }

  #mov(dst: Operand, src: Operand): undefined {
    const f = this.#f;
    const { widthBits, offset } = this.#insn;
    if (dst.kind === 'memory') {
      f.address(dst, widthBits / 8, offset);
      if (src.kind === 'immediate') f.i64(src.value);
      else f.get((src as { register: number }).register);
      f.memory(STORES[widthBits], 0);
      return;
    }
    if (src.kind === 'memory') return this.#load(dst, src, widthBits, false);
    if (widthBits === 64 && src.kind === 'immediate') f.i64(src.value);
    else this.#value(src);
    this.#setRegister(dst);
  }

  #load(dst: Operand, src: MemoryOperand, bits: 8 | 16 | 32 | 64, signed: boolean): undefined {
    const f = this.#f;
    const { zeroes } = this.#site;
    const load = (): undefined => {
      f.memory(LOADS[bits][signed ? 'signed' : 'unsigned'], 0);
      if (this.#insn.widthBits === 64 || !signed) {
        if (dst.kind !== 'register' || dst.bits < 32) return this.#unknown('a short load');
        f.set(dst.register);
        return;
      }
      f.op(I32.wrap);
      this.#setRegister(dst);
    };
    if (zeroes === undefined) {
      f.address(src, bits / 8, this.#insn.offset);
      return load();
    }
    const zero = (): void => {
      f.i64(0n);
      f.set(zeroes);
    };
    f.addressOr(src, bits / 8, load, zero);
  }

  #extend(dst: Operand, src: Operand, signed: boolean): undefined {
    const f = this.#f;
    if (src.kind === 'memory') return this.#load(dst, src, src.bits, signed);
    if (src.kind !== 'register') return this.#unknown('an immediate to extend');
    const { bits, register } = src;
    f.get(register);
    const shift = BigInt(64 - bits);
    f.i64(shift);
    f.op(I64.shl);
    f.i64(shift);
    f.op(signed ? I64.shr_s : I64.shr_u);
    if (this.#width === 32) f.op(I32.wrap);
    this.#setRegister(dst);
  }

  /** WebAssembly masks counts as the processor does. Flags are left as unknown. */
  #shift(op: IntOp, dst: Operand, count: Operand): undefined {
    const f = this.#f;
    this.#value(dst);
    if (count.kind === 'register') {
      if (this.#width === 64) f.get(RCX);
      else f.get32(RCX);
    } else {
      this.#value(count);
    }
    this.#op(op);
    return this.#setRegister(dst);
  }

  #rotate(dst: Operand, count: Operand): undefined {
    const f = this.#f;
    const isSwap = this.#insn.widthBits === 16 && count.kind === 'immediate' && count.value === 8n;
    if (!isSwap || dst.kind !== 'register') return this.#unknown('other than by 8 of 16 bits');
    const { register } = dst;
    f.get(register);
    f.i64(-0x10000n);
    f.op(I64.and);
    f.get(register);
    f.i64(0xffn);
    f.op(I64.and);
    f.i64(8n);
    f.op(I64.shl);
    f.op(I64.or);
    f.get(register);
    f.i64(8n);
    f.op(I64.shr_u);
    f.i64(0xffn);
    f.op(I64.and);
    f.op(I64.or);
    f.set(register);
  }

  /** Bytes, then halves, then for 64 bits words change places. */
  #byteSwap(dst: Operand): undefined {
    const f = this.#f;
    const value = f.temporary('swap', 'i64');
    if (dst.kind !== 'register') return this.#unknown('memory');
    f.get(dst.register);
    if (this.#width === 32) {
      f.i64(32n);
      f.op(I64.shl);
    }
    const exchange = (mask: bigint, count: bigint): void => {
      f.localTee(value);
      f.i64(mask);
      f.op(I64.and);
      f.i64(count);
      f.op(I64.shl);
      f.localGet(value);
      f.i64(count);
      f.op(I64.shr_u);
      f.i64(mask);
      f.op(I64.and);
      f.op(I64.or);
    };
    exchange(0x00ff_00ff_00ff_00ffn, 8n);
    exchange(0x0000_ffff_0000_ffffn, 16n);
    f.i64(32n);
    f.op(I64.rotl);
    f.set(dst.register);
  }

  #multiply(operands: readonly Operand[]): undefined {
    const [dst, a, b] = operands;
    if (a === undefined) return this.#unknown('one operand');
    this.#value(b === undefined ? dst! : a);
    this.#value(b ?? a);
    this.#op('mul');
    return this.#setRegister(dst!);
  }

  #negate(dst: Operand): undefined {
    const f = this.#f;
    if (this.#width === 64) f.i64(0n);
    else f.i32(0);
    this.#value(dst);
    this.#op('sub');
    return this.#setRegister(dst);
  }

  #signIntoRdx(): undefined {
    const f = this.#f;
    if (this.#width === 64) {
      f.get(RAX);
      f.i64(63n);
      f.op(I64.shr_s);
      f.set(RDX);
    } else {
      f.get32(RAX);
      f.i32(31);
      f.op(I32.shr_s);
      f.set32(RDX);
    }
  }

  #divide(signed: boolean, by: Operand): undefined {
    const divide = this.#width === 64 ? divide128 : divide64;
    divide(this.#f, this.#insn, this.#site, signed, () => this.#value(by));
  }

  #push(src: Operand): undefined {
    const f = this.#f;
    f.address(stackOperand(-8), 8, this.#insn.offset);
    this.#value(src);
    f.memory(I64.store, 0);
    f.get(RSP);
    f.i64(-8n);
    f.op(I64.add);
    f.set(RSP);
  }

  #pop(dst: Operand): undefined {
    if (dst.kind !== 'register') return this.#unknown('memory');
    return this.#popInto(dst.register);
  }

  #popInto(register: number): undefined {
    const f = this.#f;
    f.address(stackOperand(0), 8, this.#insn.offset);
    f.memory(I64.load, 0);
    f.get(RSP);
    f.i64(8n);
    f.op(I64.add);
    f.set(RSP);
    f.set(register);
  }

  #exchange(adds: boolean, memory: MemoryOperand, src: Operand): undefined {
    const f = this.#f;
    const old = f.temporary(`old${this.#width}`, this.#width === 64 ? 'i64' : 'i32');
    this.#updateMemory(
      memory,
      () => {
        if (adds) {
          this.#value(src);
          this.#op('add');
        } else {
          f.localSet(old);
          this.#value(src);
        }
      },
      old,
    );
    f.localGet(old);
    return this.#setRegister(src);
  }

  /** Where the comparison fails, memory gets its old value back and rax takes it. */
  #compareExchange(memory: MemoryOperand, src: Operand): Flags {
    const f = this.#f;
    const width = this.#width;
    const a = flagA(f, width);
    const old = flagB(f, width);
    const rax: Operand = { kind: 'register', register: RAX, bits: width };
    this.#value(rax);
    f.localSet(a);
    this.#updateMemory(
      memory,
      () => {
        f.localGet(a);
        this.#op('eq');
        f.if(width === 64 ? 'i64' : 'i32');
        this.#value(src);
        f.else();
        f.localGet(old);
        f.end();
      },
      old,
    );
    f.localGet(a);
    f.localGet(old);
    this.#op('ne');
    f.if();
    f.localGet(old);
    this.#setRegister(rax);
    f.end();
    return { kind: 'difference', width };
  }
}

export const stackOperand = (displacement: number): MemoryOperand => ({
  kind: 'memory',
  base: RSP,
  index: undefined,
  scale: 1,
  displacement,
  short: false,
  bits: 64,
});
