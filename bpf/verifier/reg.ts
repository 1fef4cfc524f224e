/**
 * What the verifier knows of one register's content: a kind (with flags), what it points at, the
 * fixed part of its offset, and a scalar (the value, or the variable part of a pointer's offset).
 * Immutable; `withReg(reg, { off: 4 })` makes another.
 */
import type { Btf } from '../btf/btf.ts';
import type { BpfMap } from '../maps/map.ts';
import { UNKNOWN_SCALAR, ZERO_SCALAR, sameScalar, type Scalar } from './scalar.ts';
import { isConst, isZero } from './tnum.ts';

/** Kinds with the log's names; `ptr_` and `func` are completed by what they point at. */
export type RegKind =
  | '?'
  | 'scalar'
  | 'ctx'
  | 'map_ptr'
  | 'map_value'
  | 'map_key'
  | 'fp'
  | 'pkt'
  | 'pkt_meta'
  | 'pkt_end'
  | 'flow_keys'
  | 'sock'
  | 'sock_common'
  | 'tcp_sock'
  | 'tp_buffer'
  | 'xdp_sock'
  | 'ptr_'
  | 'mem'
  | 'buf'
  | 'func'
  | 'dynptr_ptr';

/** Flags of a kind, as a bit set. */
export const flag = {
  NULLABLE: 1,
  RDONLY: 2,
  ALLOC: 4,
  USER: 8,
  PERCPU: 16,
  UNTRUSTED: 32,
} as const;

/** A kind with its flags: what 6.1 compares when it compares types. */
export interface RegType {
  readonly kind: RegKind;
  readonly flags: number;
}

export type DynptrType = 'local' | 'ringbuf';

export interface Reg extends RegType {
  /** Fixed part of a pointer's offset, s32. */
  readonly off: number;
  readonly scalar: Scalar;
  /**
   * Packet pointers of one id share their variable offset; a nullable pointer's id tells which
   * others a null check also settles; scalars of one id are equal. 0: none.
   */
  readonly id: number;
  /** The reference that the pointer belongs to; 0: none. */
  readonly refId: number;
  /** fp: the frame whose stack it points into. */
  readonly frame: number;
  /** pkt, pkt_meta: bytes from the pointer's base known to be inside; negative: past the end. */
  readonly range: number;
  readonly map: BpfMap | undefined;
  /** map_ptr: which inner map, where its values hold timers. */
  readonly mapUid: number;
  readonly btf: Btf | undefined;
  readonly btfId: number;
  /** mem: bytes that it points at. */
  readonly memBytes: number;
  /** func: the callback's subprogram. */
  readonly subprog: number;
  /** Stack slots of a dynptr. */
  readonly dynptr: DynptrType | undefined;
  readonly dynptrFirst: boolean;
}

/** `range` of a packet pointer compared with pkt_end: at or beyond, beyond. */
export const AT_PKT_END = -1;
export const BEYOND_PKT_END = -2;

const EMPTY: Reg = {
  kind: '?',
  flags: 0,
  off: 0,
  scalar: UNKNOWN_SCALAR,
  id: 0,
  refId: 0,
  frame: 0,
  range: 0,
  map: undefined,
  mapUid: 0,
  btf: undefined,
  btfId: 0,
  memBytes: 0,
  subprog: 0,
  dynptr: undefined,
  dynptrFirst: false,
};

/** All of them are made here, so that they are objects of one shape: engines run that fastest. */
const copyReg = (reg: Reg): { -readonly [K in keyof Reg]: Reg[K] } => ({
  kind: reg.kind,
  flags: reg.flags,
  off: reg.off,
  scalar: reg.scalar,
  id: reg.id,
  refId: reg.refId,
  frame: reg.frame,
  range: reg.range,
  map: reg.map,
  mapUid: reg.mapUid,
  btf: reg.btf,
  btfId: reg.btfId,
  memBytes: reg.memBytes,
  subprog: reg.subprog,
  dynptr: reg.dynptr,
  dynptrFirst: reg.dynptrFirst,
});

export const withReg = (reg: Reg, changes: Partial<Reg>): Reg =>
  Object.assign(copyReg(reg), changes);

export function withScalar(reg: Reg, scalar: Scalar, id = reg.id): Reg {
  const copy = copyReg(reg);
  copy.scalar = scalar;
  copy.id = id;
  return copy;
}

export function withId(reg: Reg, id: number): Reg {
  const copy = copyReg(reg);
  copy.id = id;
  return copy;
}

export const UNINIT_REG: Reg = copyReg(EMPTY);
export const UNKNOWN_REG: Reg = withReg(UNINIT_REG, { kind: 'scalar' });

export const scalarReg = (scalar: Scalar): Reg => withScalar(UNKNOWN_REG, scalar);

/** A pointer at offset 0 of what `to` says. */
export const pointerReg = (kind: RegKind, to: Partial<Reg> = {}): Reg =>
  withReg(withScalar(UNINIT_REG, ZERO_SCALAR), { kind, ...to });

export const isScalar = (reg: Reg): boolean => reg.kind === 'scalar';
export const isPointer = (reg: Reg): boolean => reg.kind !== 'scalar';
export const mayBeNull = (type: RegType): boolean => (type.flags & flag.NULLABLE) !== 0;
/** Exactly this kind, without a flag. */
export const isPlain = (type: RegType, kind: RegKind): boolean =>
  type.kind === kind && type.flags === 0;
export const isNull = (reg: Reg): boolean => reg.kind === 'scalar' && isZero(reg.scalar.bits);
export const isConstReg = (reg: Reg): boolean => reg.kind === 'scalar' && isConst(reg.scalar.bits);

export const isPacketPointer = (type: RegType): boolean =>
  type.kind === 'pkt' || type.kind === 'pkt_meta';
export const isAnyPacketPointer = (type: RegType): boolean =>
  isPacketPointer(type) || isPlain(type, 'pkt_end');

const SOCKETS = new Set<RegKind>(['sock', 'sock_common', 'tcp_sock', 'xdp_sock']);
export const isSocketPointer = (type: RegType): boolean =>
  type.flags === 0 && SOCKETS.has(type.kind);

const NEVER_NULL = new Set<RegKind>(['sock', 'tcp_sock', 'map_value', 'map_key', 'sock_common']);
/** Pointers that 6.1 knows to differ from 0 in a comparison. */
export const isNeverNull = (type: RegType): boolean =>
  type.flags === 0 && NEVER_NULL.has(type.kind);

const NOT_SPILLABLE = new Set<RegKind>(['?', 'scalar', 'tp_buffer', 'dynptr_ptr']);
/** A pointer that keeps its identity in a stack slot. */
export const isSpillable = (type: RegType): boolean => !NOT_SPILLABLE.has(type.kind);

export const sameType = (a: RegType, b: RegType): boolean =>
  a.kind === b.kind && a.flags === b.flags;

/** Same kind, offset and target: all that 6.1 compares before a pointer's id. */
export function sameTarget(a: Reg, b: Reg): boolean {
  return (
    sameType(a, b) &&
    a.off === b.off &&
    a.range === b.range &&
    a.map === b.map &&
    a.mapUid === b.mapUid &&
    a.btf === b.btf &&
    a.btfId === b.btfId &&
    a.memBytes === b.memBytes &&
    a.subprog === b.subprog &&
    a.dynptr === b.dynptr &&
    a.dynptrFirst === b.dynptrFirst
  );
}

/** Identical in all but the frame. */
export function sameReg(a: Reg, b: Reg): boolean {
  if (a === b) return true;
  // Numbers differ more often than kinds.
  return sameScalar(a.scalar, b.scalar) && a.id === b.id && a.refId === b.refId && sameTarget(a, b);
}

/** `map_value_or_null`, `rdonly_mem`, `untrusted_ptr_or_null_` … */
export function typeText(type: RegType): string {
  let prefix = '';
  if (type.flags & flag.RDONLY) prefix = 'rdonly_';
  if (type.flags & flag.ALLOC) prefix = 'alloc_';
  if (type.flags & flag.USER) prefix = 'user_';
  if (type.flags & flag.PERCPU) prefix = 'percpu_';
  if (type.flags & flag.UNTRUSTED) prefix = 'untrusted_';
  if ((type.flags & flag.NULLABLE) === 0) return prefix + type.kind;
  return prefix + type.kind + (type.kind === 'ptr_' ? 'or_null_' : '_or_null');
}
