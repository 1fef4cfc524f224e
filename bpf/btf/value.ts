/**
 * C values as their BTF type says, to and from bytes.
 *
 *   readValue(btf, typeId, bytes, offset)          struct → object, array → list, char[] → text
 *   writeValue(btf, typeId, bytes, offset, value)  throws TypeError or RangeError
 *   findPlace(btf, typeId, 'stats[2].rx')          type and offset within; undefined where it is not
 *
 * Integers of up to 32 bits are numbers, wider ones and pointers bigints; writing takes either, and
 * enumerators by name. A struct is written member by member: those not given stay as they are.
 */
import type { Btf } from './btf.ts';
import type { BtfMember, BtfType } from './types.ts';

export type BtfValue =
  | number
  | bigint
  | boolean
  | string
  | readonly BtfValue[]
  | { readonly [member: string]: BtfValue };

export interface Place {
  readonly typeId: number;
  /** In bits, for bit-fields. */
  readonly bitOffset: number;
  /** Of a bit-field; 0 otherwise. */
  readonly bitSize: number;
}

export function readValue(btf: Btf, typeId: number, bytes: Uint8Array, offset = 0): BtfValue {
  return readPlace(btf, { typeId, bitOffset: offset * 8, bitSize: 0 }, bytes);
}

export function writeValue(
  btf: Btf,
  typeId: number,
  bytes: Uint8Array,
  offset: number,
  value: BtfValue,
): void {
  writePlace(btf, { typeId, bitOffset: offset * 8, bitSize: 0 }, bytes, value);
}

/** `path` starts with a member or an index: `rx`, `[2].rx`; empty is the whole. */
export function findPlace(btf: Btf, typeId: number, path: string): Place | undefined {
  let place: Place = { typeId, bitOffset: 0, bitSize: 0 };
  const steps = path.match(/\[\d+\]|[^.[\]]+/g) ?? [];
  for (const step of steps) {
    const type = btf.resolved(place.typeId);
    if (step.startsWith('[')) {
      const index = Number(step.slice(1, -1));
      if (type.kind !== 'array' || index >= type.count) return undefined;
      const size = btf.sizeOf(type.elementType) ?? 0;
      const bitOffset = place.bitOffset + index * size * 8;
      place = { typeId: type.elementType, bitOffset, bitSize: 0 };
      continue;
    }
    const found = btf.member(btf.resolve(place.typeId), step);
    if (found === undefined) return undefined;
    const { type: next, bitOffset, bitSize } = found;
    place = { typeId: next, bitOffset: place.bitOffset + bitOffset, bitSize };
  }
  return place;
}

export function readPlace(btf: Btf, place: Place, bytes: Uint8Array): BtfValue {
  const type = btf.resolved(place.typeId);
  switch (type.kind) {
    case 'struct':
    case 'union':
      return Object.fromEntries(
        membersOf(btf, type).map((member) => [
          member.name,
          readPlace(btf, within(place, member), bytes),
        ]),
      );
    case 'array': {
      if (isText(btf, type)) return textAt(bytes, place.bitOffset / 8, type.count);
      return Array.from({ length: type.count }, (_, i) =>
        readPlace(btf, element(btf, type, place, i), bytes),
      );
    }
    case 'float': {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const at = place.bitOffset / 8;
      return type.size === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true);
    }
    default: {
      const { bits, signed } = integerOf(btf, type, place);
      const raw = bitsAt(bytes, place.bitOffset, bits);
      const value = signed ? BigInt.asIntN(bits, raw) : raw;
      if (type.kind === 'int' && type.bool) return value !== 0n;
      return type.kind !== 'ptr' && bits <= 32 ? Number(value) : value;
    }
  }
}

export function writePlace(btf: Btf, place: Place, bytes: Uint8Array, value: BtfValue): void {
  const type = btf.resolved(place.typeId);
  switch (type.kind) {
    case 'struct':
    case 'union': {
      if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(btf, place, value);
      const known = new Map(membersOf(btf, type).map((member) => [member.name, member]));
      for (const [name, one] of Object.entries(value)) {
        const member = known.get(name);
        if (member === undefined) {
          throw new TypeError(`${type.kind} ${type.name} has no member '${name}'`);
        }
        writePlace(btf, within(place, member), bytes, one as BtfValue);
      }
      return;
    }
    case 'array': {
      const at = place.bitOffset / 8;
      if (typeof value === 'string' && isText(btf, type)) {
        const text = new TextEncoder().encode(value);
        if (text.length >= type.count) {
          throw new RangeError(`'${value}' and its NUL do not fit in ${type.count} bytes`);
        }
        bytes.fill(0, at, at + type.count);
        bytes.set(text, at);
        return;
      }
      if (!Array.isArray(value)) throw mismatch(btf, place, value);
      if (value.length > type.count) {
        throw new RangeError(`${value.length} values do not fit in an array of ${type.count}`);
      }
      value.forEach((one: BtfValue, i) =>
        writePlace(btf, element(btf, type, place, i), bytes, one),
      );
      return;
    }
    case 'float': {
      if (typeof value !== 'number') throw mismatch(btf, place, value);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const at = place.bitOffset / 8;
      if (type.size === 4) view.setFloat32(at, value, true);
      else view.setFloat64(at, value, true);
      return;
    }
    default: {
      const { bits, signed } = integerOf(btf, type, place);
      const number = integerFrom(btf, type, place, value);
      const wrapped = signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number);
      if (wrapped !== number) {
        throw new RangeError(`${number} does not fit in ${signed ? 's' : 'u'}${bits}`);
      }
      setBits(bytes, place.bitOffset, bits, number);
    }
  }
}

type Composite = Extract<BtfType, { kind: 'struct' | 'union' }>;
type ArrayType = Extract<BtfType, { kind: 'array' }>;

/** Members as C's dot reaches them: those of anonymous structs and unions too. */
function membersOf(btf: Btf, type: Composite): BtfMember[] {
  return type.members.flatMap((member) => {
    if (member.name !== '') return [member];
    const inner = btf.resolved(member.type);
    if (inner.kind !== 'struct' && inner.kind !== 'union') return [];
    return membersOf(btf, inner).map((one) => ({
      ...one,
      bitOffset: one.bitOffset + member.bitOffset,
    }));
  });
}

const within = (place: Place, { type, bitOffset, bitSize }: BtfMember): Place => ({
  typeId: type,
  bitOffset: place.bitOffset + bitOffset,
  bitSize,
});

function element(btf: Btf, type: ArrayType, place: Place, index: number): Place {
  const size = btf.sizeOf(type.elementType) ?? 0;
  const bitOffset = place.bitOffset + index * size * 8;
  return { typeId: type.elementType, bitOffset, bitSize: 0 };
}

/** An array of C's char, whose type is one signed byte named so. */
function isText(btf: Btf, { elementType }: ArrayType): boolean {
  const type = btf.resolved(elementType);
  return type.kind === 'int' && type.size === 1 && (type.name === 'char' || type.char);
}

function textAt(bytes: Uint8Array, at: number, count: number): string {
  const all = bytes.subarray(at, at + count);
  const end = all.indexOf(0);
  return new TextDecoder().decode(end < 0 ? all : all.subarray(0, end));
}

function integerOf(btf: Btf, type: BtfType, place: Place): { bits: number; signed: boolean } {
  if (type.kind === 'ptr') return { bits: 64, signed: false };
  if (type.kind !== 'int' && type.kind !== 'enum' && type.kind !== 'enum64') {
    throw new TypeError(`a value of kind ${type.kind} cannot be read or written`);
  }
  const bits = place.bitSize || (type.kind === 'int' ? type.bits : type.size * 8);
  return { bits, signed: type.signed };
}

function integerFrom(btf: Btf, type: BtfType, place: Place, value: BtfValue): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && (type.kind === 'enum' || type.kind === 'enum64')) {
    const found = type.values.find(({ name }) => name === value);
    if (found !== undefined) return found.value;
  }
  throw mismatch(btf, place, value);
}

function mismatch(btf: Btf, { typeId }: Place, value: BtfValue): TypeError {
  const shown = JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'bigint' ? `${one}n` : one,
  );
  return new TypeError(`${shown} is no value of type ${btf.nameOf(typeId)}`);
}

/** Little-endian, as all bit-fields here. */
function bitsAt(bytes: Uint8Array, bitOffset: number, bits: number): bigint {
  const first = bitOffset >> 3;
  const end = Math.ceil((bitOffset + bits) / 8);
  if (end > bytes.length) throw new RangeError(`${end} bytes are needed of ${bytes.length}`);
  let value = 0n;
  for (let at = end - 1; at >= first; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return BigInt.asUintN(bits, value >> BigInt(bitOffset & 7));
}

function setBits(bytes: Uint8Array, bitOffset: number, bits: number, value: bigint): void {
  const first = bitOffset >> 3;
  const end = Math.ceil((bitOffset + bits) / 8);
  if (end > bytes.length) throw new RangeError(`${end} bytes are needed of ${bytes.length}`);
  const shift = BigInt(bitOffset & 7);
  const mask = ((1n << BigInt(bits)) - 1n) << shift;
  const all = (BigInt.asUintN(bits, value) << shift) & mask;
  for (let at = first; at < end; at++) {
    const by = BigInt(8 * (at - first));
    const keep = bytes[at]! & ~Number((mask >> by) & 255n);
    bytes[at] = keep | Number((all >> by) & 255n);
  }
}
