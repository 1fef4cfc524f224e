/**
 * BTF's kinds as values (UAPI linux/btf.h; Documentation/bpf/btf.rst). A type id is the index into
 * `Btf.types`; id 0 is void. Offsets are in the units their names say.
 */

export type BtfType =
  | { readonly kind: 'void'; readonly name: '' }
  | BtfInt
  | { readonly kind: 'ptr'; readonly name: ''; readonly type: number }
  | BtfArray
  | BtfComposite
  | BtfEnum
  | { readonly kind: 'fwd'; readonly name: string; readonly union: boolean }
  | BtfModifier
  | BtfFunc
  | BtfFuncProto
  | BtfVar
  | BtfDatasec
  | { readonly kind: 'float'; readonly name: string; readonly size: number }
  | BtfDeclTag;

export type BtfKind = BtfType['kind'];
/** The type of one kind: `BtfTypeOf<'union'>`. */
export type BtfTypeOf<K extends BtfKind> = OfKind<BtfType, K>;
type OfKind<T extends BtfType, K> = T extends BtfType
  ? K extends T['kind']
    ? T & { readonly kind: K }
    : never
  : never;

export interface BtfInt {
  readonly kind: 'int';
  readonly name: string;
  readonly size: number;
  /** Bits that hold the value and where they start; `size * 8` and 0 for a regular int. */
  readonly bits: number;
  readonly bitOffset: number;
  readonly signed: boolean;
  readonly char: boolean;
  readonly bool: boolean;
}

export interface BtfArray {
  readonly kind: 'array';
  readonly name: '';
  readonly elementType: number;
  readonly indexType: number;
  readonly count: number;
}

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  /** 0 for a member that is no bit-field (or an old-style one whose INT tells the bits). */
  readonly bitSize: number;
}

export interface BtfComposite {
  readonly kind: 'struct' | 'union';
  readonly name: string;
  readonly size: number;
  readonly members: readonly BtfMember[];
  /** Members' offsets are encoded with bit-field sizes. */
  readonly kindFlag: boolean;
}

export interface BtfEnum {
  readonly kind: 'enum' | 'enum64';
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

export interface BtfModifier {
  readonly kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag';
  /** The typedef's name or the tag's value; empty for the others. */
  readonly name: string;
  readonly type: number;
}

export interface BtfFunc {
  readonly kind: 'func';
  readonly name: string;
  /** A func_proto. */
  readonly type: number;
  readonly linkage: 'static' | 'global' | 'extern';
}

export interface BtfFuncProto {
  readonly kind: 'func_proto';
  readonly name: '';
  readonly returnType: number;
  /** A last parameter without name and type is `...`. */
  readonly params: readonly { readonly name: string; readonly type: number }[];
}

export interface BtfVar {
  readonly kind: 'var';
  readonly name: string;
  readonly type: number;
  readonly linkage: 'static' | 'global' | 'extern';
}

export interface BtfDatasec {
  readonly kind: 'datasec';
  readonly name: string;
  readonly size: number;
  readonly vars: readonly {
    readonly type: number;
    readonly offset: number;
    readonly size: number;
  }[];
}

export interface BtfDeclTag {
  readonly kind: 'decl_tag';
  readonly name: string;
  readonly type: number;
  /** Index of the member or parameter that it tags; -1 for the whole. */
  readonly component: number;
}

/** BTF_KIND_* by number; index 0 is unused (UNKN). */
export const BTF_KINDS = [
  'void',
  'int',
  'ptr',
  'array',
  'struct',
  'union',
  'enum',
  'fwd',
  'typedef',
  'volatile',
  'const',
  'restrict',
  'func',
  'func_proto',
  'var',
  'datasec',
  'float',
  'decl_tag',
  'type_tag',
  'enum64',
] as const satisfies readonly BtfKind[];

export const LINKAGES = ['static', 'global', 'extern'] as const;

/** Limits of UAPI linux/btf.h and kernel/bpf/btf.c. */
export const BTF_MAGIC = 0xeb9f;
export const BTF_HEADER_BYTES = 24;
export const BTF_MAX_TYPE = 0xfffff;
export const BTF_MAX_NAME_OFFSET = 0xffffff;
export const BTF_MAX_SIZE = 16 * 1024 * 1024;

/** What is wrong with BTF data. The only thing that readers of BTF throw. */
export class BtfError extends Error {
  override name = 'BtfError';
  /** Positive errno that bpf(BPF_BTF_LOAD) answers with. */
  readonly errno: number;
  /** Id of the offending type, where there is one. */
  readonly typeId: number | undefined;
  constructor(message: string, errno: number, typeId?: number) {
    super(typeId === undefined ? message : `type [${typeId}]: ${message}`);
    this.errno = errno;
    this.typeId = typeId;
  }
}
