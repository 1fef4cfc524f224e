/**
 * What Linux demands of BTF that is loaded with bpf(BPF_BTF_LOAD), beyond its structure
 * (kernel/bpf/btf.c of 6.1). Parsing (parse.ts) has seen to bounds, ids and loops.
 *
 *   validateBtf(btf)     undefined, or the first fault with its errno and text
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import { parseHeader } from './parse.ts';
import type { BtfComposite, BtfFuncProto, BtfType } from './types.ts';
import { BtfError } from './types.ts';

export function validateBtf(btf: Btf): BtfError | undefined {
  try {
    validateLayout(btf.bytes);
    validateHeads(btf);
    validatePointers(btf);
    for (let id = btf.firstId; id < btf.types.length; id++) validateType(btf, id);
    return undefined;
  } catch (error) {
    if (error instanceof BtfError) return error;
    throw error;
  }
}

/** Types and strings must fill the data, in this order or the other, without a gap. */
function validateLayout(bytes: Uint8Array): void {
  const { headerBytes, typeStart, typeBytes, stringStart, stringBytes } = parseHeader(bytes);
  const fail = (message: string) => new BtfError(message, errno.EINVAL);
  if (typeBytes === 0) throw fail('No type found');
  const [first, second] =
    typeStart <= stringStart
      ? [
          { start: typeStart, end: typeStart + typeBytes },
          { start: stringStart, end: stringStart + stringBytes },
        ]
      : [
          { start: stringStart, end: stringStart + stringBytes },
          { start: typeStart, end: typeStart + typeBytes },
        ];
  if (first!.start > headerBytes) throw fail('Unsupported section found');
  if (first!.end > second!.start) throw fail('Section overlap found');
  if (first!.end < second!.start) throw fail('Unsupported section found');
  if (second!.end !== bytes.length) throw fail('Section gap found');
  if (typeStart > stringStart) throw fail('Invalid string section');
}

/** C's, and dots: compilers put them into the names of variables and functions. */
const IDENTIFIER = /^[A-Za-z_.][A-Za-z0-9_.]*$/;
const PRINTABLE = /^[\x20-\x7e]+$/;
/** KSYM_NAME_LEN of 6.1 */
const MAX_NAME = 512;

/** Bytes behind a type's head: fixed, and per entry of its vlen. */
const TRAILING: Readonly<Record<string, readonly [fixed: number, entry: number]>> = {
  int: [4, 0],
  array: [12, 0],
  struct: [0, 12],
  union: [0, 12],
  enum: [0, 8],
  enum64: [0, 12],
  func_proto: [0, 8],
  var: [4, 0],
  datasec: [0, 12],
  decl_tag: [4, 0],
};
/** Kinds whose vlen and whose kind_flag say something. A func's vlen is its linkage. */
const COUNTED = new Set(['struct', 'union', 'enum', 'enum64', 'func_proto', 'datasec', 'func']);
const FLAGGED = new Set(['struct', 'union', 'enum', 'enum64', 'fwd']);
const ANONYMOUS = new Set(['ptr', 'const', 'volatile', 'restrict', 'array', 'func_proto']);

/** What only the raw words tell: unused fields that are set, names that are there but empty. */
function validateHeads(btf: Btf): void {
  const { typeStart } = parseHeader(btf.bytes);
  const view = new DataView(btf.bytes.buffer, btf.bytes.byteOffset, btf.bytes.length);
  let at = typeStart;
  for (let id = btf.firstId; id < btf.types.length; id++) {
    const fail = (message: string) => new BtfError(message, errno.EINVAL, id);
    const { kind } = btf.types[id]!;
    const info = view.getUint32(at + 4, true);
    const vlen = info & 0xffff;
    if (vlen !== 0 && !COUNTED.has(kind)) throw fail('vlen != 0');
    if (info >>> 31 !== 0 && !FLAGGED.has(kind)) throw fail('Invalid btf_info kind_flag');
    const named = view.getUint32(at, true) !== 0;
    if (named && ANONYMOUS.has(kind)) throw fail('Invalid name');
    if (kind === 'array' && view.getUint32(at + 8, true) !== 0) throw fail('size != 0');
    if (kind === 'fwd' && view.getUint32(at + 8, true) !== 0) throw fail('type != 0');
    const emptyName = (offset: number) => {
      const name = view.getUint32(offset, true);
      return name !== 0 && btf.strings.at(name) === '';
    };
    // The names of numbers are not looked at.
    if (named && kind !== 'int' && kind !== 'float' && emptyName(at)) throw fail('Invalid name');
    const [fixed, entry] = TRAILING[kind] ?? [0, 0];
    const entries = kind === 'func' ? 0 : vlen;
    if (kind !== 'datasec') {
      for (let index = 0; index < entries; index++) {
        if (emptyName(at + 12 + index * entry)) throw fail('Invalid name');
      }
    }
    at += 12 + fixed + entries * entry;
  }
}

/** A pointer that leads back to itself without a struct or function between is none. */
function validatePointers(btf: Btf): void {
  const settled = new Set<number>();
  for (let id = btf.firstId; id < btf.types.length; id++) {
    const path = new Set<number>();
    for (let at: number | undefined = id; at !== undefined && !settled.has(at);) {
      if (path.has(at)) throw new BtfError('Loop detected', errno.EEXIST, at);
      path.add(at);
      const type: BtfType = btf.types[at]!;
      switch (type.kind) {
        case 'ptr':
        case 'typedef':
        case 'const':
        case 'volatile':
        case 'restrict':
        case 'type_tag':
          at = type.type;
          if (['var', 'datasec', 'decl_tag'].includes(btf.types[at]!.kind)) {
            throw new BtfError('Invalid type_id', errno.EINVAL, id);
          }
          break;
        case 'array':
          at = type.elementType;
          break;
        default:
          at = undefined;
      }
    }
    for (const seen of path) settled.add(seen);
  }
}

/** Size of what a member, an element or a parameter may be; variables and sections are no types. */
function valueSize(btf: Btf, id: number): number | undefined {
  const { kind } = btf.resolved(id);
  return kind === 'var' || kind === 'datasec' ? undefined : btf.sizeOf(id);
}

function validateType(btf: Btf, id: number): void {
  const type = btf.types[id]!;
  const fail = (message: string, code: number = errno.EINVAL): never => {
    throw new BtfError(message, code, id);
  };
  const identifier = (name: string, pattern = IDENTIFIER) =>
    name.length < MAX_NAME && pattern.test(name);
  const optionalName = () => {
    if (type.name !== '' && !identifier(type.name)) fail('Invalid name');
  };
  const requiredName = (pattern = IDENTIFIER) => {
    if (!identifier(type.name, pattern)) fail('Invalid name');
  };
  switch (type.kind) {
    case 'int':
      validateInt(type, fail);
      break;
    case 'typedef':
      requiredName();
      break;
    case 'type_tag':
      if (type.name === '') fail('Invalid name');
      break;
    case 'const':
    case 'volatile':
    case 'restrict':
      if (type.name !== '') fail('Invalid name');
      break;
    case 'array':
      validateArray(btf, type, fail);
      break;
    case 'struct':
    case 'union':
      optionalName();
      validateMembers(btf, type, identifier, fail);
      break;
    case 'enum':
    case 'enum64':
      optionalName();
      if (![1, 2, 4, 8].includes(type.size)) fail('Unexpected size');
      if (type.values.some(({ name }) => !identifier(name))) fail('Invalid name');
      break;
    case 'fwd':
      requiredName();
      break;
    case 'func':
      requiredName();
      if (type.linkage === 'extern') fail('Invalid func linkage');
      for (const [index, param] of btf.prototypeOf(type).params.entries()) {
        if (param.name !== '' || param.type === 0) continue;
        fail(`Invalid arg#${index + 1}`);
      }
      break;
    case 'func_proto':
      validatePrototype(btf, type, identifier, fail);
      break;
    case 'var':
      requiredName();
      if (type.linkage === 'extern') fail('Linkage not supported');
      if (type.type === 0 || valueSize(btf, type.type) === undefined) {
        fail('Invalid type_id');
      }
      break;
    case 'datasec':
      requiredName(PRINTABLE);
      validateDatasec(btf, type, fail);
      break;
    case 'float':
      if (![2, 4, 8, 12, 16].includes(type.size)) fail('Invalid type_size');
      break;
    case 'decl_tag':
      validateDeclTag(btf, type, fail);
      break;
    default:
      break;
  }
}

type Fail = (message: string, code?: number) => never;
type Identifier = (name: string) => boolean;

function validateInt(type: Extract<BtfType, { kind: 'int' }>, fail: Fail): void {
  const bits = type.bits + type.bitOffset;
  if (bits > 128) fail('nr_bits exceeds 128');
  if (Math.ceil(bits / 8) > type.size) fail('nr_bits exceeds type_size');
  const encodings = [type.signed, type.char, type.bool].filter(Boolean).length;
  if (encodings > 1) fail('Unsupported encoding', errno.ENOTSUPP);
}

const isRegularInt = (type: BtfType) =>
  type.kind === 'int' && type.bitOffset === 0 && [8, 16, 32, 64, 128].includes(type.bits);

function validateArray(btf: Btf, type: Extract<BtfType, { kind: 'array' }>, fail: Fail): void {
  if (type.indexType === 0 || !isRegularInt(btf.resolved(type.indexType))) fail('Invalid index');
  const size = valueSize(btf, type.elementType);
  if (type.elementType === 0 || size === undefined) return fail('Invalid elem');
  const element = btf.resolved(type.elementType);
  if (element.kind === 'int' && !isRegularInt(element)) fail('Invalid array of int');
  if (type.count * size > 0xffff_ffff) fail('Array size overflows u32');
}

function validateMembers(btf: Btf, type: BtfComposite, identifier: Identifier, fail: Fail): void {
  let last = 0;
  for (const { name, type: typeId, bitOffset, bitSize } of type.members) {
    if (name !== '' && !identifier(name)) fail('Invalid name');
    if (typeId === 0) fail('Invalid type_id');
    if (type.kind === 'union' && bitOffset !== 0) fail('Invalid member bits_offset');
    if (bitOffset < last) fail('Invalid member bits_offset');
    if (Math.ceil(bitOffset / 8) > type.size) fail('Member bits_offset exceeds its struct size');
    last = bitOffset;
    const size = valueSize(btf, typeId);
    if (size === undefined) return fail('Invalid member');
    const member = btf.resolved(typeId);
    if (bitSize !== 0 && member.kind !== 'int' && !member.kind.startsWith('enum')) {
      fail('Invalid member base type');
    }
    if (bitSize > size * 8) fail('Invalid member bitfield_size');
    const bits = bitSize || (member.kind === 'int' ? member.bitOffset + member.bits : size * 8);
    if (bitSize === 0 && member.kind !== 'int' && bitOffset % 8 !== 0) {
      fail('Member is not byte aligned');
    }
    if (bitOffset + bits > type.size * 8) fail('Member exceeds struct_size');
  }
}

function validatePrototype(btf: Btf, type: BtfFuncProto, identifier: Identifier, fail: Fail): void {
  if (type.returnType !== 0 && valueSize(btf, type.returnType) === undefined) {
    if (btf.resolved(type.returnType).kind !== 'void') fail('Invalid return type');
  }
  for (const [index, param] of type.params.entries()) {
    const variadic = index === type.params.length - 1 && param.type === 0;
    if (variadic && param.name === '') continue;
    if (param.type === 0 || valueSize(btf, param.type) === undefined) {
      fail(`Invalid arg#${index + 1}`);
    }
    if (param.name !== '' && !identifier(param.name)) fail(`Invalid arg#${index + 1}`);
  }
}

function validateDatasec(btf: Btf, type: Extract<BtfType, { kind: 'datasec' }>, fail: Fail): void {
  if (type.size === 0) fail('size == 0');
  let last = 0;
  let sum = 0;
  for (const { type: typeId, offset, size } of type.vars) {
    const variable = btf.types[typeId]!;
    if (variable.kind !== 'var') return fail('Not a VAR kind member');
    if (offset < last || offset >= type.size) fail('Invalid offset');
    if (size === 0 || size > type.size) fail('Invalid size');
    last = offset + size;
    if (last > type.size) fail('Invalid offset+size');
    sum += size;
    if ((btf.sizeOf(variable.type) ?? Infinity) > size) fail('Invalid type size');
  }
  if (type.size < sum) fail('Invalid btf_info size');
}

function validateDeclTag(btf: Btf, type: Extract<BtfType, { kind: 'decl_tag' }>, fail: Fail): void {
  if (type.name === '') fail('Invalid value');
  if (type.component < -1) fail('Invalid component_idx');
  const target = btf.types[type.type]!;
  if (!['struct', 'union', 'func', 'var', 'typedef'].includes(target.kind)) fail('Invalid type_id');
  if (type.component < 0) return;
  const count =
    target.kind === 'func'
      ? btf.prototypeOf(target).params.length
      : target.kind === 'struct' || target.kind === 'union'
        ? target.members.length
        : 0;
  if (type.component >= count) fail('Invalid component_idx');
}
