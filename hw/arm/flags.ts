/**
 * N, Z, C and V as the simulator keeps them: the operands and the result of what set them last. A
 * branch computes the condition from these.
 */
import { I32, I64, type IntOp } from '../../bpf/jit/code-writer.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { ArmInsn } from './decode.ts';
import type { ConditionCode } from './assembler.ts';
import type { ArmFunction } from './wasm-function.ts';

export interface Flags {
  /** a - b, a + b, or a result whose C and V are 0. */
  readonly kind: 'difference' | 'sum' | 'result';
  readonly width: 32 | 64;
}

export const flagA = (f: ArmFunction, width: 32 | 64): number =>
  f.temporary(`flag-a${width}`, width === 64 ? 'i64' : 'i32');
export const flagB = (f: ArmFunction, width: 32 | 64): number =>
  f.temporary(`flag-b${width}`, width === 64 ? 'i64' : 'i32');

/** Comparisons of a with b that a difference's flags answer. */
const OF_DIFFERENCE: Partial<Record<ConditionCode, IntOp>> = {
  eq: 'eq', ne: 'ne', cs: 'ge_u', cc: 'lt_u', hi: 'gt_u', ls: 'le_u',
  ge: 'ge_s', lt: 'lt_s', gt: 'gt_s', le: 'le_s',
}; // prettier-ignore

/** Push whether the branch at a block's end is taken. */
export function pushCondition(f: ArmFunction, insn: ArmInsn, flags: Flags | undefined): void {
  const { mnemonic, widthBits, rn } = insn;
  if (mnemonic === 'cbz' || mnemonic === 'cbnz') {
    const types = f.value(widthBits, rn!);
    f.op(types.eqz);
    if (mnemonic === 'cbnz') f.op(I32.eqz);
    return;
  }
  if (flags === undefined) {
    throw new Bug(`the branch at ${insn.offset.toString(16)} needs flags of another block`);
  }
  const condition = insn.condition!;
  const comparison = OF_DIFFERENCE[condition];
  if (flags.kind === 'difference' && comparison !== undefined) {
    f.localGet(flagA(f, flags.width));
    f.localGet(flagB(f, flags.width));
    f.op(flags.width === 64 ? I64[comparison] : I32[comparison]);
  } else {
    new Conditions(f, flags).push(condition);
  }
}

/** Conditions spelled out in flags. */
class Conditions {
  readonly #f: ArmFunction;
  readonly #flags: Flags;

  constructor(f: ArmFunction, flags: Flags) {
    this.#f = f;
    this.#flags = flags;
  }

  push(condition: ConditionCode): void {
    const f = this.#f;
    const not = (): void => f.op(I32.eqz);
    switch (condition) {
      case 'eq':
        return this.#zero();
      case 'ne':
        this.#zero();
        return not();
      case 'cs':
        return this.#carry();
      case 'cc':
        this.#carry();
        return not();
      case 'mi':
        return this.#negative();
      case 'pl':
        this.#negative();
        return not();
      case 'vs':
        return this.#overflow();
      case 'vc':
        this.#overflow();
        return not();
      case 'hi':
      case 'ls':
        this.#carry();
        this.#zero();
        not();
        f.op(I32.and);
        return condition === 'ls' ? not() : undefined;
      case 'ge':
      case 'lt':
        this.#negative();
        this.#overflow();
        f.op(I32.xor);
        return condition === 'ge' ? not() : undefined;
      case 'gt':
      case 'le':
        this.#negative();
        this.#overflow();
        f.op(I32.xor);
        this.#zero();
        f.op(I32.or);
        return condition === 'gt' ? not() : undefined;
    }
  }

  #op(op: IntOp): void {
    this.#f.op(this.#flags.width === 64 ? I64[op] : I32[op]);
  }

  #constant(value: number): void {
    if (this.#flags.width === 64) this.#f.i64(BigInt(value));
    else this.#f.i32(value);
  }

  #a(): void {
    this.#f.localGet(flagA(this.#f, this.#flags.width));
  }

  #b(): void {
    this.#f.localGet(flagB(this.#f, this.#flags.width));
  }

  #result(): void {
    const { kind } = this.#flags;
    if (kind !== 'result') this.#a();
    this.#b();
    if (kind === 'sum') this.#op('add');
    if (kind === 'difference') this.#op('sub');
  }

  #zero(): void {
    this.#result();
    this.#op('eqz');
  }

  #negative(): void {
    this.#result();
    this.#constant(0);
    this.#op('lt_s');
  }

  #carry(): void {
    const { kind } = this.#flags;
    if (kind === 'result') return this.#f.i32(0);
    if (kind === 'sum') this.#result();
    this.#a();
    if (kind === 'difference') this.#b();
    this.#op(kind === 'sum' ? 'lt_u' : 'ge_u');
  }

  /** The result's sign is none that these operands can have. */
  #overflow(): void {
    const { kind } = this.#flags;
    if (kind === 'result') return this.#f.i32(0);
    this.#a();
    this.#b();
    if (kind === 'sum') this.#constant(-1);
    if (kind === 'sum') this.#op('xor');
    this.#op('xor');
    this.#a();
    this.#result();
    this.#op('xor');
    this.#op('and');
    this.#constant(0);
    this.#op('lt_s');
  }
}
