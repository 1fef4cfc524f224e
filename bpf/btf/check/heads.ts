/**
 * First half of the kernel's check: the header, the sections, and each type by itself. Ids are only
 * looked at as numbers here; what they lead to is the second half (graph.ts).
 */
import { errno } from '../../../kernel/types/errno.ts';
import { BTF_HEADER_BYTES, BTF_MAGIC, BTF_MAX_NAME_OFFSET, BTF_MAX_TYPE } from '../types.ts';
import type { CheckLog } from './log.ts';
import type { RawBtf, RawType } from './raw.ts';
import { ENTRY_BYTES, HEAD_BYTES, REST_BYTES, isIdentifier } from './raw.ts';

export function checkHeads(btf: RawBtf, log: CheckLog): void {
  const header = readHeader(btf, log);
  checkSections(btf, header, log);
  btf.strings = stringSection(btf, header, log);
  if (header.typeOffset % 4 !== 0) log.refuse('Unaligned type_off');
  if (header.typeBytes === 0) log.refuse('No type found');
  const start = header.headerBytes + header.typeOffset;
  const end = start + header.typeBytes;
  for (let at = start; at < end;) {
    const type = readHead(btf, at, end - at, log);
    checkType(btf, type, end - type.rest, log);
    if (type.id >= BTF_MAX_TYPE) log.refuse('Too many types', errno.E2BIG);
    btf.types.push(type);
    at = type.rest + restBytes(type);
  }
}

interface Header {
  readonly headerBytes: number;
  /** From the end of the header. */
  readonly typeOffset: number;
  readonly typeBytes: number;
  readonly stringOffset: number;
  readonly stringBytes: number;
}

function readHeader(btf: RawBtf, log: CheckLog): Header {
  const { length } = btf.bytes;
  if (length < 8) log.refuse('hdr_len not found');
  const headerBytes = btf.word(4);
  if (length < headerBytes) log.refuse('btf_header not found');
  if (btf.bytes.subarray(BTF_HEADER_BYTES, headerBytes).some((byte) => byte !== 0)) {
    log.refuse('Unsupported btf_header', errno.E2BIG);
  }
  // Fields that a shorter header lacks are 0.
  const field = (at: number, bytes: 1 | 2 | 4) =>
    Array.from({ length: bytes }, (_, index) =>
      at + index < Math.min(headerBytes, BTF_HEADER_BYTES) ? btf.bytes[at + index]! : 0,
    ).reduceRight((value, byte) => value * 256 + byte, 0);
  const [magic, version, flags] = [field(0, 2), field(2, 1), field(3, 1)];
  const header = {
    headerBytes: field(4, 4),
    typeOffset: field(8, 4),
    typeBytes: field(12, 4),
    stringOffset: field(16, 4),
    stringBytes: field(20, 4),
  };
  log.say(
    `magic: 0x${magic.toString(16)}\nversion: ${version}\nflags: 0x${flags.toString(16)}\n` +
      `hdr_len: ${header.headerBytes}\ntype_off: ${header.typeOffset}\n` +
      `type_len: ${header.typeBytes}\nstr_off: ${header.stringOffset}\n` +
      `str_len: ${header.stringBytes}\nbtf_total_size: ${length}\n`,
  );
  if (magic !== BTF_MAGIC) log.refuse('Invalid magic');
  if (version !== 1) log.refuse('Unsupported version', errno.ENOTSUPP);
  if (flags !== 0) log.refuse('Unsupported flags', errno.ENOTSUPP);
  if (length === header.headerBytes) log.refuse('No data');
  return header;
}

/** The two sections fill what is behind the header, without gap or overlap. */
function checkSections(btf: RawBtf, header: Header, log: CheckLog): void {
  const expected = btf.bytes.length - header.headerBytes;
  const sections = [
    { offset: header.typeOffset, bytes: header.typeBytes },
    { offset: header.stringOffset, bytes: header.stringBytes },
  ].sort((a, b) => (a.offset - b.offset) | 0 || (a.bytes - b.bytes) | 0);
  let total = 0;
  for (const { offset, bytes } of sections) {
    if (expected < offset) log.refuse('Invalid section offset');
    if (total < offset) log.refuse('Unsupported section found');
    if (total > offset) log.refuse('Section overlap found');
    if (expected - total < bytes) log.refuse('Total section length too long');
    total += bytes;
  }
  if (expected !== total) log.refuse('Unsupported section found');
}

function stringSection(btf: RawBtf, header: Header, log: CheckLog): Uint8Array {
  const start = header.headerBytes + header.stringOffset;
  const end = start + header.stringBytes;
  if (end !== btf.bytes.length) log.refuse('String section is not at the end');
  const strings = btf.bytes.subarray(start, end);
  const tooLong = strings.length - 1 > BTF_MAX_NAME_OFFSET;
  if (strings.length === 0 || tooLong || strings.at(-1) !== 0 || strings[0] !== 0) {
    log.refuse('Invalid string section');
  }
  return strings;
}

/** Bits of btf_type.info that mean something. */
const INFO_MASK = 0x9f00ffff;

function readHead(btf: RawBtf, at: number, left: number, log: CheckLog): RawType {
  const id = btf.types.length;
  if (left < HEAD_BYTES) {
    log.refuse(`[${id}] meta_left:${left} meta_needed:${HEAD_BYTES}`);
  }
  const [nameOffset, info, sizeOrType] = [btf.word(at), btf.word(at + 4), btf.word(at + 8)];
  if ((info & ~INFO_MASK) !== 0) log.refuse(`[${id}] Invalid btf_info:${info.toString(16)}`);
  const kind = btf.kindOf(info);
  if (kind === undefined || kind === 'void') {
    return log.refuse(`[${id}] Invalid kind:${(info >>> 24) & 31}`);
  }
  if (!btf.hasString(nameOffset)) log.refuse(`[${id}] Invalid name_offset:${nameOffset}`);
  const [vlen, kindFlag] = [info & 0xffff, info >>> 31 === 1];
  return { id, kind, nameOffset, vlen, kindFlag, sizeOrType, rest: at + HEAD_BYTES };
}

function restBytes({ kind, vlen }: RawType): number {
  return (REST_BYTES[kind] ?? 0) + (ENTRY_BYTES[kind] ?? 0) * vlen;
}

/** Kinds whose vlen, and whose kind_flag, say something. */
const COUNTED = new Set(['struct', 'union', 'enum', 'enum64', 'func', 'func_proto', 'datasec']);
const FLAGGED = new Set(['struct', 'union', 'enum', 'enum64', 'fwd']);

type Check = (btf: RawBtf, type: RawType, log: CheckLog) => void;

function checkType(btf: RawBtf, type: RawType, left: number, log: CheckLog): void {
  const needed = restBytes(type);
  if (left < needed) log.refuseHead(type, `meta_left:${left} meta_needed:${needed}`);
  CHECKS[type.kind]!(btf, type, log);
}

/** vlen and kind_flag of kinds that have none; the order is that of the kernel's complaints. */
const plain: Check = (_, type, log) => {
  if (type.vlen !== 0 && !COUNTED.has(type.kind)) log.refuseType(type, 'vlen != 0');
  if (type.kindFlag && !FLAGGED.has(type.kind)) log.refuseType(type, 'Invalid btf_info kind_flag');
};

const hasName = (btf: RawBtf, offset: number) => offset !== 0 && isIdentifier(btf.string(offset));
const optionalName = (btf: RawBtf, offset: number) => offset === 0 || hasName(btf, offset);
/** Id 0 is void; larger ids than any BTF has are refused at once. */
const isId = (id: number) => id <= BTF_MAX_TYPE;
const isIdOfSome = (id: number) => id !== 0 && isId(id);

const reference: Check = (btf, type, log) => {
  plain(btf, type, log);
  if (!isId(type.sizeOrType)) log.refuseType(type, 'Invalid type_id');
  const { kind, nameOffset } = type;
  const named =
    kind === 'typedef'
      ? hasName(btf, nameOffset)
      : kind === 'type_tag'
        ? btf.string(nameOffset).length > 0
        : nameOffset === 0;
  if (!named) log.refuseType(type, 'Invalid name');
  log.type(type);
};

const composite: Check = (btf, type, log) => {
  if (!optionalName(btf, type.nameOffset)) log.refuseType(type, 'Invalid name');
  log.type(type);
  let last = 0;
  for (let member = 0; member < type.vlen; member++) {
    const [name, id, raw] = [0, 1, 2].map((index) => btf.entry(type, member, index));
    const refuse = (why: string) => log.refuseMember(type, member, why);
    if (!btf.hasString(name!)) refuse(`Invalid member name_offset:${name}`);
    if (!optionalName(btf, name!)) refuse('Invalid name');
    if (!isIdOfSome(id!)) refuse('Invalid type_id');
    const offset = type.kindFlag ? raw! & 0xffffff : raw!;
    if (type.kind === 'union' && offset !== 0) refuse('Invalid member bits_offset');
    // Not below the last one: equal is fine, for what has no size.
    if (last > offset) refuse('Invalid member bits_offset');
    if (Math.ceil(offset / 8) > type.sizeOrType) {
      refuse('Member bits_offset exceeds its struct size');
    }
    log.member(type, member);
    last = offset;
  }
};

const enumeration: Check = (btf, type, log) => {
  const size = type.sizeOrType;
  if (![1, 2, 4, 8].includes(size)) log.refuseType(type, 'Unexpected size');
  if (!optionalName(btf, type.nameOffset)) log.refuseType(type, 'Invalid name');
  log.type(type);
  for (let index = 0; index < type.vlen; index++) {
    const name = btf.entry(type, index, 0);
    if (!btf.hasString(name)) log.refuse(`\tInvalid name_offset:${name}`);
    if (!hasName(btf, name)) log.refuseType(type, 'Invalid name');
    const low = btf.entry(type, index, 1);
    const high = type.kind === 'enum64' ? btf.entry(type, index, 2) : type.kindFlag ? low >> 31 : 0;
    const value = (BigInt(high) << 32n) | BigInt(low);
    const shown = type.kindFlag ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value);
    log.say(`\t${btf.nameText(name)} val=${shown}\n`);
  }
};

const CHECKS: Readonly<Record<string, Check>> = {
  int(btf, type, log) {
    plain(btf, type, log);
    const data = btf.rest(type, 0);
    if (data >>> 28 !== 0) log.refuseHead(type, `Invalid int_data:${data.toString(16)}`);
    const bits = (data & 0xff) + ((data >>> 16) & 0xff);
    if (bits > 128) log.refuseType(type, 'nr_bits exceeds 128');
    if (Math.ceil(bits / 8) > type.sizeOrType) log.refuseType(type, 'nr_bits exceeds type_size');
    if (![0, 1, 2, 4].includes(data >>> 24)) {
      log.refuseType(type, 'Unsupported encoding', errno.ENOTSUPP);
    }
    log.type(type);
  },
  ptr: reference,
  typedef: reference,
  const: reference,
  volatile: reference,
  restrict: reference,
  type_tag: reference,
  fwd(btf, type, log) {
    plain(btf, type, log);
    if (type.sizeOrType !== 0) log.refuseType(type, 'type != 0');
    if (!hasName(btf, type.nameOffset)) log.refuseType(type, 'Invalid name');
    log.type(type);
  },
  array(btf, type, log) {
    if (type.nameOffset !== 0) log.refuseType(type, 'Invalid name');
    plain(btf, type, log);
    if (type.sizeOrType !== 0) log.refuseType(type, 'size != 0');
    if (!isIdOfSome(btf.rest(type, 0))) log.refuseType(type, 'Invalid elem');
    if (!isIdOfSome(btf.rest(type, 1))) log.refuseType(type, 'Invalid index');
    log.type(type);
  },
  struct: composite,
  union: composite,
  enum: enumeration,
  enum64: enumeration,
  func_proto(btf, type, log) {
    if (type.nameOffset !== 0) log.refuseType(type, 'Invalid name');
    plain(btf, type, log);
    log.type(type);
  },
  func(btf, type, log) {
    if (!hasName(btf, type.nameOffset)) log.refuseType(type, 'Invalid name');
    // Static or global; its linkage is in vlen.
    if (type.vlen > 1) log.refuseType(type, 'Invalid func linkage');
    plain(btf, type, log);
    log.type(type);
  },
  var(btf, type, log) {
    plain(btf, type, log);
    if (!hasName(btf, type.nameOffset)) log.refuseType(type, 'Invalid name');
    if (!isIdOfSome(type.sizeOrType)) log.refuseType(type, 'Invalid type_id');
    if (btf.rest(type, 0) > 1) log.refuseType(type, 'Linkage not supported');
    log.type(type);
  },
  datasec(btf, type, log) {
    const size = type.sizeOrType;
    if (size === 0) log.refuseType(type, 'size == 0');
    plain(btf, type, log);
    if (!hasName(btf, type.nameOffset)) log.refuseType(type, 'Invalid name');
    log.type(type);
    let end = 0;
    let sum = 0;
    for (let row = 0; row < type.vlen; row++) {
      const [id, offset, bytes] = [0, 1, 2].map((index) => btf.entry(type, row, index));
      const refuse = (why: string) => log.refuseVariable(type, row, why);
      if (!isIdOfSome(id!)) refuse('Invalid type_id');
      if (offset! < end || offset! >= size) refuse('Invalid offset');
      if (bytes! === 0 || bytes! > size) refuse('Invalid size');
      end = offset! + bytes!;
      if (end > size) refuse('Invalid offset+size');
      log.variable(type, row);
      sum += bytes!;
    }
    if (size < sum) log.refuseType(type, 'Invalid btf_info size');
  },
  float(btf, type, log) {
    plain(btf, type, log);
    if (![2, 4, 8, 12, 16].includes(type.sizeOrType)) log.refuseType(type, 'Invalid type_size');
    log.type(type);
  },
  decl_tag(btf, type, log) {
    if (btf.string(type.nameOffset).length === 0) log.refuseType(type, 'Invalid value');
    plain(btf, type, log);
    if ((btf.rest(type, 0) | 0) < -1) log.refuseType(type, 'Invalid component_idx');
    log.type(type);
  },
};
