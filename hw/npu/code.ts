/**
 * Code as it is made: instructions, and labels that branches go to.
 *
 *   code.alu('+', dst, a, b); code.br('eq', label); code.place(label); code.finish()
 */
import { Bug } from '../../kernel/types/units.ts';
import {
  constant,
  FNS,
  type Fn,
  IMM_A,
  MAX_CONSTANT,
  type NfpInsn,
  NONE,
  type Op,
  STACK,
  XFER_IN,
} from './isa.ts';

export class Code {
  readonly #insns: NfpInsn[] = [];
  /** Places of labels. */
  readonly #labels: number[] = [];

  get length(): number {
    return this.#insns.length;
  }

  label(): number {
    return this.#labels.push(-1) - 1;
  }

  place(label: number): void {
    this.#labels[label] = this.#insns.length;
  }

  #add(op: Op, fn: string, fields: Partial<NfpInsn> = {}): void {
    const index = (FNS[op] as readonly string[]).indexOf(fn);
    if (index < 0) throw new Bug(`${op} has no ${fn}`);
    this.#insns.push({ op, fn: index, dst: NONE, a: NONE, b: NONE, k: 0, imm: 0, ...fields });
  }

  nop(count: number): void {
    for (let i = 0; i < count; i++) this.#add('nop', '');
  }

  /** One instruction where 16 bits say it, two else. */
  immed(dst: number, value: number): void {
    const word = value >>> 0;
    const put = (fn: Fn<'immed'>, imm: number) => this.#add('immed', fn, { dst, imm });
    if (word <= 0xffff) put('word', word);
    else if ((word & 0xff0000ff) === 0) put('byte1', word >>> 8);
    else if ((word & 0xffff) === 0) put('half1', word >>> 16);
    else if (~word >>> 0 <= 0xffff) put('ones', ~word & 0xffff);
    else {
      put('word', word & 0xffff);
      put('high', word >>> 16);
    }
  }

  alu(fn: Fn<'alu'>, dst: number, a: number, b: number): void {
    this.#add('alu', fn, { dst, a, b });
  }

  mov(dst: number, from: number): void {
    this.#add('alu', 'B', { dst, b: from });
  }

  /** What an instruction can take as an operand: the constant itself, or a register that got it. */
  operand(value: number, register: number, most = MAX_CONSTANT): number {
    const word = value >>> 0;
    if (word <= most) return constant(word);
    this.immed(register, word);
    return register;
  }

  shf(fn: Fn<'shf'>, dst: number, a: number, b: number, amount = 0): void {
    this.#add('shf', fn, { dst, a, b, k: amount });
  }

  /** The next indirect shift is by that. */
  shiftBy(register: number): void {
    this.alu('OR', NONE, register, constant(0));
  }

  /** Bytes of `mask` from `from` turned right by so many bytes; the rest stay, or become 0. */
  field(fn: Fn<'ld_field'>, dst: number, mask: number, from: number, turnBytes = 0): void {
    this.#add('ld_field', fn, { dst, b: from, k: mask | ((turnBytes & 3) << 4) });
  }

  /** 32 x 32 bits take 7 instructions, 16 x 16 take 4 and have no upper half. */
  multiply(dst: number, upper: number | undefined, a: number, b: number, wide: boolean): void {
    this.#add('mul', 'start', { a, b });
    for (let i = 0; i < (wide ? 4 : 2); i++) this.#add('mul', 'step', { a, b });
    this.#add('mul', 'last', { dst });
    if (wide && upper !== undefined) this.#add('mul', 'last2', { dst: upper });
  }

  br(fn: Fn<'br'>, label: number): void {
    this.#add('br', fn, { imm: label });
  }

  cmd(fn: Fn<'cmd'>, xfer: number, base: number, offset: number, bytes: number): void {
    this.#add('cmd', fn, { dst: xfer, a: base, b: offset, k: bytes });
  }

  read(fn: 'ctm_read' | 'emem_read', base: number, offset: number, bytes: number, to = XFER_IN) {
    this.cmd(fn, to, base, this.operand(offset, IMM_A), (bytes + 3) & ~3);
  }

  /** A pointer of local memory counts words 3 cycles after it is set. */
  csr(fn: Fn<'csr_wr'>, from: number): void {
    this.#add('csr_wr', fn, { a: from });
    this.nop(3);
  }

  call(slot: number): void {
    this.#add('call', 'fw', { imm: slot });
    // Firmware uses the pointer itself.
    this.csr('lm_addr0', STACK);
  }

  rtn(): void {
    this.#add('rtn', '');
  }

  placeOf(label: number): number {
    return this.#labels[label]!;
  }

  finish(): NfpInsn[] {
    return this.#insns.map((insn) => {
      if (insn.op !== 'br') return insn;
      const imm = this.#labels[insn.imm]!;
      if (imm < 0) throw new Bug('a branch to nowhere');
      return { ...insn, imm };
    });
  }
}
