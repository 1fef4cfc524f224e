/**
 * Writes WebAssembly instructions, one behind the other, as a function's body holds them.
 *
 *   code.localGet(0); code.i64(5n); code.op(I64.add); code.localSet(0)
 *   const out = code.block(); …; code.brIf(out); …; code.end()
 *   code.mark(slot)      what follows is the code of that BPF instruction
 *
 * Nothing is checked here: a wrong sequence is found out when the host compiles the module.
 */
import { ByteWriter } from './byte-writer.ts';
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

export class CodeWriter extends ByteWriter {
  #depth = 0;
  readonly #marks: number[] = [];
  readonly #ownCalls: number[] = [];

  /** Pairs of offset and slot, as `mark` noted them. */
  get marks(): readonly number[] {
    return this.#marks;
  }

  mark(slot: number): void {
    this.#marks.push(this.length, slot);
  }

  /** An instruction without immediates. */
  op(opcode: number): void {
    this.byte(opcode);
  }

  i32(value: number): void {
    this.byte(OP.i32);
    this.s32(value);
  }

  i64(value: bigint): void {
    this.byte(OP.i64);
    this.s64(value);
  }

  f64Const(value: number): void {
    this.byte(OP.f64);
    this.f64(value);
  }

  localGet(local: number): void {
    this.byte(OP.localGet);
    this.u32(local);
  }

  localSet(local: number): void {
    this.byte(OP.localSet);
    this.u32(local);
  }

  localTee(local: number): void {
    this.byte(OP.localTee);
    this.u32(local);
  }

  /** A load or store at the address on the stack plus `offset`. BPF promises no alignment. */
  memory(opcode: number, offset: number): void {
    this.byte(opcode);
    this.byte(0);
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
    this.byte(OP.else);
  }

  end(): void {
    this.#depth--;
    this.byte(OP.end);
  }

  br(label: Label): void {
    this.byte(OP.br);
    this.u32(this.#depth - label);
  }

  brIf(label: Label): void {
    this.byte(OP.brIf);
    this.u32(this.#depth - label);
  }

  /** To the label that the i32 on the stack is the index of, the last one for any other. */
  brTable(labels: readonly Label[]): void {
    this.byte(OP.brTable);
    this.u32(labels.length - 1);
    for (const label of labels) this.u32(this.#depth - label);
  }

  return(): void {
    this.byte(OP.return);
  }

  unreachable(): void {
    this.byte(OP.unreachable);
  }

  /** @param func index that the module writer gave to an import */
  callImport(func: number): void {
    this.byte(OP.call);
    this.u32(func);
  }

  /** A function of this module, whose index is known when all imports are: see `link`. */
  callOwn(func: number): void {
    this.byte(OP.call);
    this.#ownCalls.push(this.leaveU32(), func);
  }

  /** Own function n has index `firstOwn` + n. */
  link(firstOwn: number): void {
    const calls = this.#ownCalls;
    for (let i = 0; i < calls.length; i += 2) this.fillU32(calls[i]!, firstOwn + calls[i + 1]!);
  }

  /** Through the module's only table; the element's index is on top of the stack. */
  callIndirect(type: number, isReturn: boolean): void {
    this.byte(isReturn ? OP.returnCallIndirect : OP.callIndirect);
    this.u32(type);
    this.byte(0);
  }

  #open(opcode: number, type: number): Label {
    this.byte(opcode);
    this.byte(type);
    return ++this.#depth;
  }
}
