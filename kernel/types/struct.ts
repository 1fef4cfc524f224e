/**
 * Kernel structs, declared once. A declaration gives the layout (C's rules, LP64), a typed
 * accessor, and what `bpf/btf` needs to emit the kernel's BTF.
 *
 *   const Page = struct('page', { flags: u64, refcount: i32, mapping: pointer('address_space') });
 *   Page.size, Page.offsets.refcount
 *   const page = Page.at(ram, offset);  page.refcount = 1;  page.mapping  // a RamOffset
 *   Info.over(bytes).id               // the same over plain bytes: structs of the UAPI
 *
 * How members read and write: integers up to 32 bits and `nsTime` as number, other 64-bit integers
 * as bigint, pointers as RamOffset (NULL is 0), `charArray` as string up to its NUL, nested structs
 * and other arrays as the offset of their first byte (read-only).
 */
import type { Ram } from '../ram/ram.ts';
import type { Ns, RamOffset } from './units.ts';
import { Bug } from './units.ts';

export type MemberType =
  | { readonly kind: 'int'; readonly name: string; readonly size: number; readonly signed: boolean }
  /** A 64-bit time that is accessed as a number. */
  | { readonly kind: 'ns'; readonly name: string; readonly size: 8; readonly signed: boolean }
  | { readonly kind: 'pointer'; readonly to: string; readonly size: 8 }
  | {
      readonly kind: 'array';
      readonly of: MemberType;
      readonly count: number;
      readonly size: number;
    }
  | { readonly kind: 'chars'; readonly count: number; readonly size: number }
  | { readonly kind: 'struct'; readonly struct: AnyStruct; readonly size: number };

const int = <S extends 1 | 2 | 4 | 8, G extends boolean>(name: string, size: S, signed: G) =>
  ({ kind: 'int', name, size, signed }) as const;

export const u8 = int('unsigned char', 1, false);
export const u16 = int('short unsigned int', 2, false);
export const u32 = int('unsigned int', 4, false);
export const u64 = int('long long unsigned int', 8, false);
export const ulong = int('long unsigned int', 8, false);
export const i8 = int('signed char', 1, true);
export const i16 = int('short int', 2, true);
export const i32 = int('int', 4, true);
export const i64 = int('long long int', 8, true);
export const long = int('long int', 8, true);
export const bool = int('_Bool', 1, false);
export const nsTime = {
  kind: 'ns',
  name: 'long long unsigned int',
  size: 8,
  signed: false,
} as const;
/** A pointer to a struct, union or `void`, by its C name. */
export const pointer = (to: string) => ({ kind: 'pointer', to, size: 8 }) as const;
export const charArray = (count: number) => ({ kind: 'chars', count, size: count }) as const;
export const array = <T extends MemberType>(of: T, count: number) =>
  ({ kind: 'array', of, count, size: of.size * count }) as const;
export const embed = <S extends AnyStruct>(nested: S) =>
  ({ kind: 'struct', struct: nested, size: nested.size }) as const;

export type Members = Readonly<Record<string, MemberType>>;

type ValueOf<T extends MemberType> = T extends { kind: 'int'; size: 8 }
  ? bigint
  : T extends { kind: 'int' }
    ? number
    : T extends { kind: 'ns' }
      ? Ns
      : T extends { kind: 'pointer' }
        ? RamOffset
        : T extends { kind: 'chars' }
          ? string
          : never;

type Scalars<M extends Members> = {
  -readonly [K in keyof M as M[K] extends { kind: 'array' | 'struct' } ? never : K]: ValueOf<M[K]>;
};
type Aggregates<M extends Members> = {
  readonly [K in keyof M as M[K] extends { kind: 'array' | 'struct' } ? K : never]: RamOffset;
};

/** A view of one struct in RAM. Set `offset` to look at another one without a new object. */
export type View<M extends Members = Members> = Scalars<M> &
  Aggregates<M> & { readonly ram: StructMemory; offset: RamOffset };

/** What a view reads and writes: RAM, or plain bytes that cross the user boundary. */
export type StructMemory = Pick<Ram, 'u8' | 'view' | 'bytes' | 'readPointer' | 'writePointer'>;

/** The view type of a declared struct: `type Task = ViewOf<typeof TaskStruct>`. */
export type ViewOf<S> = S extends Struct<infer M> ? View<M> : never;

export interface AnyStruct {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly members: Members;
  readonly offsets: Readonly<Record<string, number>>;
}

export interface Struct<M extends Members> extends AnyStruct {
  readonly members: M;
  readonly offsets: { readonly [K in keyof M]: number };
  at(ram: StructMemory, offset: RamOffset): View<M>;
  /** A view of the struct at the start of `bytes`, which must hold all of it. */
  over(bytes: Uint8Array<ArrayBuffer>): View<M>;
  /** A zeroed one from the slab; free it with ram.kfree(view.offset). */
  alloc(ram: Ram): View<M>;
}

export interface StructOptions {
  /** Pad to this size, where skep declares only some of a Linux struct's members. */
  readonly size?: number;
  /** Members at the offsets that Linux has on x86-64, where programs rely on them. */
  readonly offsets?: Readonly<Record<string, number>>;
}

export function alignOf(type: MemberType): number {
  switch (type.kind) {
    case 'array':
      return alignOf(type.of);
    case 'chars':
      return 1;
    case 'struct':
      return type.struct.align;
    default:
      return type.size;
  }
}

export function struct<const M extends Members>(
  name: string,
  members: M,
  options: StructOptions = {},
): Struct<M> {
  const offsets: Record<string, number> = {};
  let end = 0;
  let align = 1;
  for (const [member, type] of Object.entries(members)) {
    const memberAlign = alignOf(type);
    align = Math.max(align, memberAlign);
    const next = Math.ceil(end / memberAlign) * memberAlign;
    const offset = options.offsets?.[member] ?? next;
    if (offset < next || offset % memberAlign !== 0) {
      throw new Bug(`struct ${name}: ${member} cannot be at ${offset}`);
    }
    offsets[member] = offset;
    end = offset + type.size;
  }
  const size = Math.max(Math.ceil(end / align) * align, options.size ?? 0);
  const prototype = viewPrototype(members, offsets);
  const at = (ram: StructMemory, offset: RamOffset): View<M> => {
    const view = Object.create(prototype) as AnyView;
    view.ram = ram;
    view.offset = offset;
    return view as View<M>;
  };
  return {
    name,
    size,
    align,
    members,
    offsets: offsets as Struct<M>['offsets'],
    at,
    over: (bytes) => at(plainMemory(bytes), 0 as RamOffset),
    alloc: (ram) => at(ram, ram.kzalloc(size)),
  };
}

type AnyView = { ram: StructMemory; offset: RamOffset };

function plainMemory(bytes: Uint8Array<ArrayBuffer>): StructMemory {
  return {
    u8: bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    bytes: (offset, sizeBytes) => bytes.subarray(offset, offset + sizeBytes),
    readPointer: () => {
      throw new Bug('a kernel pointer in a struct of the UAPI');
    },
    writePointer: () => {
      throw new Bug('a kernel pointer in a struct of the UAPI');
    },
  };
}

function viewPrototype(members: Members, offsets: Readonly<Record<string, number>>): object {
  const prototype = {};
  for (const [member, type] of Object.entries(members)) {
    Object.defineProperty(prototype, member, accessor(type, offsets[member]!));
  }
  return prototype;
}

/** Getter and setter of one member; unaligned members do not occur, C's layout rules see to it. */
function accessor(type: MemberType, at: number): PropertyDescriptor & ThisType<AnyView> {
  switch (type.kind) {
    case 'array':
    case 'struct':
      return {
        get() {
          return this.offset + at;
        },
      };
    case 'pointer':
      return {
        get() {
          return this.ram.readPointer((this.offset + at) as RamOffset);
        },
        set(value: RamOffset) {
          this.ram.writePointer((this.offset + at) as RamOffset, value);
        },
      };
    case 'chars':
      return {
        get() {
          const bytes = this.ram.bytes((this.offset + at) as RamOffset, type.count);
          const end = bytes.indexOf(0);
          return String.fromCharCode(...bytes.subarray(0, end < 0 ? type.count : end));
        },
        /** Cut to fit and NUL-terminated, as strscpy does. */
        set(value: string) {
          const bytes = this.ram.bytes((this.offset + at) as RamOffset, type.count);
          for (let i = 0; i < type.count; i++) {
            bytes[i] = i < type.count - 1 && i < value.length ? value.charCodeAt(i) : 0;
          }
        },
      };
    case 'ns':
      return {
        get() {
          const { view } = this.ram;
          const low = view.getUint32(this.offset + at, true);
          return view.getUint32(this.offset + at + 4, true) * 2 ** 32 + low;
        },
        set(value: number) {
          const { view } = this.ram;
          view.setUint32(this.offset + at, value % 2 ** 32, true);
          view.setUint32(this.offset + at + 4, Math.floor(value / 2 ** 32), true);
        },
      };
    case 'int':
      return integerAccessor(type.size, type.signed, at);
  }
}

function integerAccessor(
  size: number,
  signed: boolean,
  at: number,
): PropertyDescriptor & ThisType<AnyView> {
  switch (size) {
    case 1:
      return {
        get() {
          const value = this.ram.u8[this.offset + at]!;
          return signed ? (value << 24) >> 24 : value;
        },
        set(value: number) {
          this.ram.u8[this.offset + at] = value;
        },
      };
    case 2:
      return {
        get() {
          const { view } = this.ram;
          return signed
            ? view.getInt16(this.offset + at, true)
            : view.getUint16(this.offset + at, true);
        },
        set(value: number) {
          this.ram.view.setUint16(this.offset + at, value, true);
        },
      };
    case 4:
      return {
        get() {
          const { view } = this.ram;
          return signed
            ? view.getInt32(this.offset + at, true)
            : view.getUint32(this.offset + at, true);
        },
        set(value: number) {
          this.ram.view.setUint32(this.offset + at, value, true);
        },
      };
    default:
      return {
        get() {
          const value = this.ram.view.getBigUint64(this.offset + at, true);
          return signed ? BigInt.asIntN(64, value) : value;
        },
        set(value: bigint) {
          this.ram.view.setBigUint64(this.offset + at, BigInt.asUintN(64, value), true);
        },
      };
  }
}
