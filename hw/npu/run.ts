/**
 * An image executed, instruction by instruction as it is encoded. Halves of r0 to r10 are the halves
 * of the registers that helpers see; what firmware routines do is done by the helper.
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import { type DeviceCpu, DeviceRun } from '../device-cpu.ts';
import type { NpuImage } from './image.ts';
import {
  ACTION, BASE, decode, isConstant, L0, L3, MAX_CONSTANT, type NfpInsn, NONE, FNS, PKT, PKT_MIN,
  PLEN, REGISTERS, STACK,
} from './isa.ts'; // prettier-ignore
import { stackBytesOf } from './compile.ts';

/** Instructions of one run: a loop that the verifier let through ends long before. */
const MAX_STEPS = 64_000_000;
const R10 = 10;
/** Halves of r0 to r10. */
const HALVES = 22;
/** struct xdp_frame lies in front of a packet that is sent on (6.1). */
const XDP_FRAME_BYTES = 40;

export class NpuRun extends DeviceRun {
  /** Instructions and commands of the last run. */
  instructions = 0;
  commands = 0;
  /** What the firmware was told. */
  action = 0;
  readonly #insns: readonly NfpInsn[];
  readonly #stackBytes: number;
  /** Registers beyond the halves. */
  readonly #own = new Uint32Array(REGISTERS);
  #halves: Uint32Array = new Uint32Array(0);
  readonly #pointers = [0, 0];
  #carry = 0;
  #result = 0;
  #overflow = false;
  /** Operands that the ALU had last. */
  #lastA = 0;
  #lastB = 0;
  #factors: readonly [number, number] = [0, 0];

  constructor(image: NpuImage, runtime: BpfRuntime) {
    super(image.program.device, runtime);
    this.#insns = decode(image.bytes);
    this.#stackBytes = stackBytesOf(image.program.device);
  }

  protected override drive(cpu: DeviceCpu): number {
    const { ram } = this.runtime;
    const { registers } = cpu;
    this.#halves = new Uint32Array(registers.buffer, registers.byteOffset, HALVES);
    const top = this.#halves[2 * R10]!;
    const stack = top - this.#stackBytes;
    ram.u8.fill(0, stack, top);
    this.#own[STACK] = stack;
    // Firmware has set the first pointer of local memory.
    this.#pointers[0] = stack;
    this.#own[BASE] = this.#halves[2 * R10 + 1]!;
    this.#takePacket(cpu);
    this.instructions = this.commands = 0;
    for (let pc = 0; ;) {
      const insn = this.#insns[pc];
      if (insn === undefined || ++this.instructions > MAX_STEPS) throw new Bug(`ran to ${pc}`);
      if (insn.op === 'rtn') break;
      pc = this.#step(cpu, insn, pc);
    }
    this.#givePacket(cpu);
    this.action = this.#own[ACTION]!;
    return this.#halves[0]!;
  }

  #takePacket(cpu: DeviceCpu): void {
    const { data, data_end: end, data_hard_start: start } = cpu.packet();
    this.#own[PKT] = data;
    this.#own[PLEN] = end - data;
    this.#own[PKT_MIN] = start + XDP_FRAME_BYTES;
  }

  #givePacket(cpu: DeviceCpu): void {
    const packet = cpu.packet();
    const data = this.#own[PKT]!;
    if (data === packet.data) return;
    packet.data_end = (data + this.#own[PLEN]!) as RamOffset;
    packet.data = data as RamOffset;
    packet.data_meta = data as RamOffset;
  }

  #get(operand: number): number {
    if (isConstant(operand)) return operand & MAX_CONSTANT;
    if (operand < HALVES) return this.#halves[operand]!;
    if (operand < REGISTERS) return this.#own[operand]!;
    if (operand === NONE) return 0;
    return this.runtime.ram.u32[this.#local(operand)]!;
  }

  #set(register: number, value: number): void {
    if (register < HALVES) this.#halves[register] = value;
    else if (register < REGISTERS) this.#own[register] = value;
    else if (register !== NONE) this.runtime.ram.u32[this.#local(register)] = value;
  }

  /** Word of RAM behind a pointer of local memory. */
  #local(operand: number): number {
    const [first, base] = operand >= L3 ? [L3, 1] : [L0, 0];
    const at = this.#pointers[base]! + 4 * (operand - first);
    const stack = this.#own[STACK]!;
    if (operand < L0 || at < stack || at >= stack + this.#stackBytes) throw new Bug(`no operand ${operand}`);
    return at >>> 2;
  } // prettier-ignore

  #step(cpu: DeviceCpu, insn: NfpInsn, pc: number): number {
    const { fn, dst, imm } = insn;
    switch (insn.op) {
      case 'immed':
        this.#set(dst, this.#immed(FNS.immed[fn]!, imm, this.#get(dst)));
        break;
      case 'alu':
        this.#alu(insn);
        break;
      case 'shf':
        this.#set(dst, this.#shift(insn));
        break;
      case 'ld_field':
        this.#field(insn);
        break;
      case 'mul':
        this.#multiply(insn);
        break;
      case 'br':
        return this.#takes(FNS.br[fn]!) ? imm : pc + 1;
      case 'cmd':
        this.#command(insn);
        break;
      case 'csr_wr':
        this.#pointers[fn] = this.#get(insn.a);
        break;
      case 'call':
        this.#givePacket(cpu);
        cpu.step(imm);
        this.#takePacket(cpu);
        this.commands++;
        break;
      default:
    }
    return pc + 1;
  }

  #immed(fn: (typeof FNS)['immed'][number], imm: number, before: number): number {
    switch (fn) {
      case 'word':
        return imm;
      case 'byte1':
        return imm << 8;
      case 'half1':
        return imm << 16;
      case 'high':
        return (before & 0xffff) | (imm << 16);
      case 'ones':
        return ~imm;
    }
  }

  #alu({ fn, dst, a: first, b: second }: NfpInsn): void {
    const a = this.#get(first);
    const b = this.#get(second);
    let result: number;
    let overflow = false;
    switch (FNS.alu[fn]!) {
      case 'B':
        result = b;
        break;
      case '~B':
        result = ~b;
        break;
      case 'AND':
        result = a & b;
        break;
      case 'OR':
        result = a | b;
        break;
      case 'XOR':
        result = a ^ b;
        break;
      case '+':
      case '+carry': {
        const sum = a + b + (FNS.alu[fn] === '+' ? 0 : this.#carry);
        result = sum | 0;
        this.#carry = sum > 0xffff_ffff ? 1 : 0;
        overflow = ((a ^ result) & (b ^ result)) < 0;
        break;
      }
      case '-':
      case '-carry': {
        // The carry is set where nothing is borrowed.
        const difference = a - b - (FNS.alu[fn] === '-' ? 0 : 1 - this.#carry);
        result = difference | 0;
        this.#carry = difference >= 0 ? 1 : 0;
        overflow = ((a ^ b) & (a ^ result)) < 0;
        break;
      }
    }
    this.#result = result;
    this.#overflow = overflow;
    this.#lastA = a;
    this.#lastB = b;
    this.#set(dst, result);
  }

  #shift({ fn, a: first, b: second, k }: NfpInsn): number {
    const b = this.#get(second);
    const by = this.#lastA & 31;
    switch (FNS.shf[fn]!) {
      case '<<':
        return b << k;
      case '>>':
        return b >>> k;
      case '>>a':
        return this.#arithmetic(b, k);
      case 'rot':
        return (b >>> k) | (b << (32 - k));
      case 'dbl>>':
        return double(this.#get(first), b, k);
      case '<<ind':
        return b << by;
      case '>>ind':
        return b >>> by;
      case '>>aind':
        return this.#arithmetic(b, by);
      case 'dbl>>ind':
        return double(this.#get(first), b, this.#lastA & 63);
    }
  }

  /** The sign is that of the ALU's second operand. */
  #arithmetic(value: number, by: number): number {
    const sign = this.#lastB >> 31;
    return by === 0 ? value : (value >>> by) | (sign << (32 - by));
  }

  #field({ fn, dst, b, k }: NfpInsn): void {
    const turn = (k >> 4) * 8;
    const from = this.#get(b);
    const turned = turn === 0 ? from : (from >>> turn) | (from << (32 - turn));
    let mask = 0;
    for (let byte = 0; byte < 4; byte++) if ((k >> byte) & 1) mask |= 0xff << (8 * byte);
    const kept = FNS.ld_field[fn] === 'clear' ? 0 : this.#get(dst) & ~mask;
    this.#set(dst, kept | (turned & mask));
  }

  #multiply({ fn, dst, a, b }: NfpInsn): void {
    switch (FNS.mul[fn]!) {
      case 'start':
        this.#factors = [this.#get(a), this.#get(b)];
        break;
      case 'step':
        break;
      case 'last':
        this.#set(dst, Math.imul(...this.#factors));
        break;
      case 'last2':
        this.#set(dst, Number((BigInt(this.#factors[0]) * BigInt(this.#factors[1])) >> 32n));
        break;
    }
  }

  #takes(fn: (typeof FNS)['br'][number]): boolean {
    const negative = this.#result < 0;
    switch (fn) {
      case 'unc':
        return true;
      case 'eq':
        return this.#result === 0;
      case 'ne':
        return this.#result !== 0;
      case 'lo':
        return this.#carry === 0;
      case 'hs':
        return this.#carry === 1;
      case 'lt':
        return negative !== this.#overflow;
      case 'ge':
        return negative === this.#overflow;
    }
  }

  #command({ fn, dst, a, b, k: bytes }: NfpInsn): void {
    const { ram } = this.runtime;
    const own = this.#own;
    const at = (this.#get(a) + this.#get(b)) >>> 0;
    const { u8, view } = ram;
    this.commands++;
    switch (FNS.cmd[fn]!) {
      case 'ctm_read':
      case 'emem_read':
        for (let i = 0; i < bytes; i += 4) own[dst + (i >> 2)] = view.getUint32(at + i, true);
        break;
      case 'ctm_write':
        for (let i = 0; i < bytes; i++) u8[at + i] = own[dst + (i >> 2)]! >>> (8 * (i & 3));
        break;
      case 'emem_add32':
        view.setUint32(at, view.getUint32(at, true) + own[dst]!, true);
        break;
      case 'emem_add64': {
        const sum = view.getBigUint64(at, true) + ((BigInt(own[dst + 1]!) << 32n) | BigInt(own[dst]!));
        view.setBigUint64(at, BigInt.asUintN(64, sum), true);
        break;
      }
    }
  } // prettier-ignore
}

/** Low word of the 64 bits of two words, turned right; by 32 the upper one. */
function double(upper: number, lower: number, by: number): number {
  if (by === 0) return lower;
  if (by >= 32) return by === 32 ? upper : upper >>> (by - 32);
  return (lower >>> by) | (upper << (32 - by));
}
