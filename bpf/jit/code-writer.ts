/**
 * Writes WebAssembly instructions, one behind the other, as a function's body holds them.
 *
 *   code.localGet(0); code.i64(5n); code.op(I64.add); code.localSet(0)
 *   const out = code.block(); …; code.brIf(out); …; code.end()
 *   code.mark(slot)      what follows is the code of that BPF instruction
 *
 * Nothing is checked here: a wrong sequence is found out when the host compiles the module.
 */
import { Bug } from '../../kernel/types/units.ts';
import { opcodeOf } from './wasm-opcodes.ts';

export type ValueType = 'i32' | 'i64' | 'f64';
export const VALUE_TYPE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f64: 0x7c };
const NO_RESULT = 0x40;

/** What both integer types can do. */
const INT_OPS = [
  'eqz', 'eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u',
  'add', 'sub', 'mul', 'div_s', 'div_u', 'rem_s', 'rem_u',
  'and', 'or', 'xor', 'shl', 'shr_s', 'shr_u', 'rotl', 'rotr', 'extend8_s', 'extend16_s',
  'load', 'load8_s', 'load8_u', 'load16_s', 'load16_u', 'store', 'store8', 'store16',
] as const; // prettier-ignore
export type IntOp = (typeof INT_OPS)[number];
export type IntOps = Readonly<Record<IntOp, number>>;

const intOps = (type: 'i32' | 'i64'): IntOps =>
  Object.fromEntries(INT_OPS.map((name) => [name, opcodeOf(`${type}.${name}`)])) as IntOps;

export const I32 = { ...intOps('i32'), wrap: opcodeOf('i32.wrap_i64') };
export const I64 = {
  ...intOps('i64'),
  extend_u: opcodeOf('i64.extend_i32_u'),
  extend_s: opcodeOf('i64.extend_i32_s'),
  trunc_f64_u: opcodeOf('i64.trunc_f64_u'),
  load32_s: opcodeOf('i64.load32_s'),
  load32_u: opcodeOf('i64.load32_u'),
  store32: opcodeOf('i64.store32'),
};
export const F64_LT = opcodeOf('f64.lt');
export const SELECT = opcodeOf('select');

const OP = {
  unreachable: opcodeOf('unreachable'),
  block: opcodeOf('block'),
  loop: opcodeOf('loop'),
  if: opcodeOf('if'),
  else: opcodeOf('else'),
  end: opcodeOf('end'),
  br: opcodeOf('br'),
  brIf: opcodeOf('br_if'),
  brTable: opcodeOf('br_table'),
  return: opcodeOf('return'),
  call: opcodeOf('call'),
  callIndirect: opcodeOf('call_indirect'),
  returnCallIndirect: opcodeOf('return_call_indirect'),
  localGet: opcodeOf('local.get'),
  localSet: opcodeOf('local.set'),
  localTee: opcodeOf('local.tee'),
  i32: opcodeOf('i32.const'),
  i64: opcodeOf('i64.const'),
  f64: opcodeOf('f64.const'),
};

/** A block or loop that can be branched to: how deep it stands. */
export type Label = number & { readonly kind?: 'label' };

/** Bytes of a u32 whose value is filled in later. */
export const PADDED_U32_BYTES = 5;
/** More than one instruction takes, with its longest immediate. */
const MARGIN_BYTES = 32;

export class CodeWriter {
  #bytes = new Uint8Array(512);
  #length = 0;
  #depth = 0;
  readonly #marks: number[] = [];
  readonly #calls: number[] = [];

  get length(): number {
    return this.#length;
  }

  /** Valid until something more is written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Pairs of offset and slot, as `mark` noted them. */
  get marks(): readonly number[] {
    return this.#marks;
  }

  /** Pairs of the offset of a padded u32 and the number of the function that belongs there. */
  get ownCalls(): readonly number[] {
    return this.#calls;
  }

  mark(slot: number): void {
    this.#marks.push(this.#length, slot);
  }

  /** An instruction without immediates. */
  op(opcode: number): void {
    if (this.#length + MARGIN_BYTES > this.#bytes.length) this.#grow();
    this.#bytes[this.#length++] = opcode;
  }

  i32(value: number): void {
    this.op(OP.i32);
    this.#signed(value);
  }

  i64(value: bigint): void {
    this.op(OP.i64);
    const number = Number(value);
    if (number === (number | 0)) this.#signed(number);
    else this.#signed64(BigInt.asIntN(64, value));
  }

  f64(value: number): void {
    this.op(OP.f64);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  localGet(local: number): void {
    this.op(OP.localGet);
    this.u32(local);
  }

  localSet(local: number): void {
    this.op(OP.localSet);
    this.u32(local);
  }

  localTee(local: number): void {
    this.op(OP.localTee);
    this.u32(local);
  }

  /** A load or store at the address on the stack plus `offset`. BPF promises no alignment. */
  memory(opcode: number, offset: number): void {
    this.op(opcode);
    this.u32(0);
    this.u32(offset);
  }

  block(): Label {
    return this.#open(OP.block, NO_RESULT);
  }

  loop(): Label {
    return this.#open(OP.loop, NO_RESULT);
  }

  if(result?: ValueType): void {
    this.#open(OP.if, result === undefined ? NO_RESULT : VALUE_TYPE[result]);
  }

  else(): void {
    this.op(OP.else);
  }

  end(): void {
    this.#depth--;
    this.op(OP.end);
  }

  br(label: Label): void {
    this.op(OP.br);
    this.u32(this.#depth - label);
  }

  brIf(label: Label): void {
    this.op(OP.brIf);
    this.u32(this.#depth - label);
  }

  /** To the label that the i32 on the stack is the index of, the last one for any other. */
  brTable(labels: readonly Label[]): void {
    this.op(OP.brTable);
    this.u32(labels.length - 1);
    for (const label of labels) {
      if (this.#length + MARGIN_BYTES > this.#bytes.length) this.#grow();
      this.u32(this.#depth - label);
    }
  }

  return(): void {
    this.op(OP.return);
  }

  unreachable(): void {
    this.op(OP.unreachable);
  }

  /** @param func index that the module writer gave to an import */
  callImport(func: number): void {
    this.op(OP.call);
    this.u32(func);
  }

  /** A function of this module, whose index is known when all imports are. */
  callOwn(func: number): void {
    this.op(OP.call);
    this.#calls.push(this.#length, func);
    this.#length += PADDED_U32_BYTES;
  }

  /** Through the module's only table; the element's index is on top of the stack. */
  callIndirect(type: number, isReturn: boolean): void {
    this.op(isReturn ? OP.returnCallIndirect : OP.callIndirect);
    this.u32(type);
    this.u32(0);
  }

  u32(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  #open(opcode: number, type: number): Label {
    this.op(opcode);
    this.#bytes[this.#length++] = type;
    return ++this.#depth;
  }

  #signed(value: number): void {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.#bytes[this.#length++] = rest & 0x7f;
  }

  #signed64(value: bigint): void {
    let rest = value;
    while (rest < -64n || rest > 63n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest & 0x7fn);
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** A u32 in LEB128 of a fixed size, over bytes that were left free for it. */
export function writePaddedU32(bytes: Uint8Array, at: number, value: number): void {
  if (value < 0) throw new Bug(`${value} is no u32`);
  for (let i = 0; i < PADDED_U32_BYTES; i++) {
    const isLast = i === PADDED_U32_BYTES - 1;
    bytes[at + i] = ((value >>> (7 * i)) & 0x7f) | (isLast ? 0 : 0x80);
  }
}
