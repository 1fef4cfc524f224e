/**
 * What one row of the instruction table (table.ts) says. A row is the whole identity of an
 * instruction: v4's signed division, the sign-extending moves, each atomic operation and each
 * ld_imm64 form are rows of their own, so nobody looks into `off`, `imm` or `src` to find out which
 * instruction a slot holds. What those fields mean as operands, `kind` says.
 */

/** Binary operations on registers: dst = dst op (src or imm). Division by 0 gives 0, modulo dst. */
export type AluOperation =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'sdiv'
  | 'or'
  | 'and'
  | 'lsh'
  | 'rsh'
  | 'mod'
  | 'smod'
  | 'xor'
  | 'mov'
  | 'arsh';

/** Unsigned unless the name starts with s; `set` is dst & src != 0. */
export type Condition =
  'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sgt' | 'sge' | 'slt' | 'sle' | 'set';

export type AtomicOperation = 'add' | 'or' | 'and' | 'xor' | 'xchg' | 'cmpxchg';

/** What a ld_imm64 loads, by its pseudo source register (UAPI BPF_PSEUDO_*). */
export type Imm64Form =
  'value' | 'map_fd' | 'map_value' | 'btf_id' | 'func' | 'map_idx' | 'map_idx_value';

export type Width = 32 | 64;
export type Source = 'imm' | 'reg';

/** What the instruction does; the fields that its operands sit in follow from the kind. */
export type IsaShape =
  /** dst = dst operation (imm | src). 32-bit forms zero the upper half. imm is sign-extended. */
  | {
      readonly kind: 'alu';
      readonly operation: AluOperation;
      readonly width: Width;
      readonly source: Source;
    }
  /** dst = -dst */
  | { readonly kind: 'neg'; readonly width: Width }
  /** dst = the low `bits` of src, sign-extended to `width`. */
  | { readonly kind: 'movsx'; readonly width: Width; readonly bits: 8 | 16 | 32 }
  /** Byte order of the low `bits` of dst; the rest becomes 0. `swap` always swaps. */
  | { readonly kind: 'endian'; readonly order: 'le' | 'be' | 'swap'; readonly bits: 16 | 32 | 64 }
  /** Two slots; the second slot's imm is the upper half. */
  | { readonly kind: 'ld_imm64'; readonly form: Imm64Form }
  /** r0 = packet data in host order at imm (+ src for `ind`); ends the program when out of range. */
  | { readonly kind: 'ld_packet'; readonly mode: 'abs' | 'ind'; readonly bytes: 1 | 2 | 4 }
  /** dst = *(src + off). `probe`: a fault yields 0 (kernel-internal, never in a loaded program). */
  | {
      readonly kind: 'load';
      readonly bytes: 1 | 2 | 4 | 8;
      readonly signed: boolean;
      readonly probe: boolean;
    }
  /** *(dst + off) = imm | src. A 64-bit store of imm sign-extends it. */
  | { readonly kind: 'store'; readonly bytes: 1 | 2 | 4 | 8; readonly source: Source }
  /** On *(dst + off) with src. `fetch`: the old value goes to src, or to r0 for cmpxchg. */
  | {
      readonly kind: 'atomic';
      readonly operation: AtomicOperation;
      readonly bytes: 4 | 8;
      readonly fetch: boolean;
    }
  /** To the next slot + off, or + imm where `long` (gotol). */
  | { readonly kind: 'goto'; readonly long: boolean }
  /** To the next slot + off if dst condition (imm | src). */
  | {
      readonly kind: 'branch';
      readonly condition: Condition;
      readonly width: Width;
      readonly source: Source;
    }
  /** imm is a helper id, a slot distance from the next slot, or the BTF id of a kernel function. */
  | { readonly kind: 'call'; readonly target: 'helper' | 'subprog' | 'kfunc' }
  | { readonly kind: 'exit' }
  /** Speculation barrier that the verifier may insert; does nothing (kernel-internal). */
  | { readonly kind: 'nospec' };

export type IsaKind = IsaShape['kind'];

/** RFC 9669 section 2.4. `base64`, `atomic64` and `divmul64` each include their 32-bit group. */
export type ConformanceGroup =
  'base32' | 'base64' | 'atomic32' | 'atomic64' | 'divmul32' | 'divmul64' | 'packet';

/** Which field beside the opcode tells rows of one opcode apart, and its value in this row. */
export interface Discriminator {
  readonly field: 'src' | 'off' | 'imm';
  readonly value: number;
}

/** The level of clang's -mcpu that first emits it; `internal` is made by the kernel only. */
export type IsaVersion = 'v1' | 'v2' | 'v3' | 'v4' | 'internal';

export interface IsaIdentity {
  /** Index of the row; dense, stable, what an interpreter switches on. */
  readonly op: number;
  /** Unique, e.g. `sdiv64_imm`. */
  readonly name: string;
  /** Opcode byte. */
  readonly code: number;
  readonly when: Discriminator | undefined;
  readonly version: IsaVersion;
  readonly group: ConformanceGroup;
  /** Slots that it takes: 2 for ld_imm64. */
  readonly slots: 1 | 2;
  /** Fields that hold operands (the opcode's own discriminator is none). The rest must be 0. */
  readonly operands: readonly ('dst' | 'src' | 'off' | 'imm')[];
}

export type IsaRow = IsaIdentity & IsaShape;
/** `RowOf<'alu'>` is the row type of one kind. */
export type RowOf<K extends IsaKind> = IsaIdentity & Extract<IsaShape, { kind: K }>;
