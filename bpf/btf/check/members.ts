/** Whether a member lies within its struct, by the kind of its type. */
import type { CheckLog } from './log.ts';
import type { RawBtf, RawType } from './raw.ts';
import { isRegularInt } from './raw.ts';

export interface MemberPlace {
  readonly struct: RawType;
  readonly member: number;
  /** Behind typedefs and qualifiers, where the member's own type is one of these. */
  readonly type: RawType;
  /** Bytes of an array. */
  readonly arrayBytes: number;
}

export function checkMember(btf: RawBtf, log: CheckLog, place: MemberPlace): void {
  const { struct, member, type } = place;
  const raw = btf.entry(struct, member, 2);
  const refuse = (why: string) => log.refuseMember(struct, member, why, type.id);
  const bitOffset = struct.kindFlag ? raw & 0xffffff : raw;
  const bitSize = struct.kindFlag ? raw >>> 24 : 0;
  const fits = (bytes: number) => {
    if (struct.sizeOrType - Math.floor(bitOffset / 8) < bytes) refuse('Member exceeds struct_size');
  };
  switch (type.kind) {
    case 'int':
      return checkInt(btf, struct, type, bitOffset, bitSize, refuse);
    case 'enum':
    case 'enum64':
      if (struct.kindFlag) return checkFlaggedEnum(struct, bitOffset, bitSize, refuse);
      break;
    default:
      if (bitSize !== 0) refuse('Invalid member bitfield_size');
  }
  if (type.kind === 'float') {
    const align = Math.min(8, type.sizeOrType) * 8;
    if (bitOffset % align !== 0) refuse('Member is not properly aligned');
  } else if (bitOffset % 8 !== 0) {
    refuse('Member is not byte aligned');
  }
  fits(type.kind === 'ptr' ? 8 : type.kind === 'array' ? place.arrayBytes : type.sizeOrType);
}

type Refuse = (why: string) => never;

function checkInt(
  btf: RawBtf,
  struct: RawType,
  type: RawType,
  memberOffset: number,
  bitSize: number,
  refuse: Refuse,
): void {
  const data = btf.rest(type, 0);
  const intBits = data & 0xff;
  let bitOffset = memberOffset;
  let bits = intBits;
  if (struct.kindFlag) {
    if (!isRegularInt(btf, type)) refuse('Invalid member base type');
    if (bitSize === 0) {
      if (bitOffset % 8 !== 0) refuse('Invalid member offset');
    } else {
      if (bitSize > intBits) refuse('Invalid member bitfield_size');
      bits = bitSize;
    }
  } else {
    bitOffset += (data >>> 16) & 0xff;
    if (bitOffset > 0xffff_ffff) refuse('bits_offset exceeds U32_MAX');
  }
  const copied = bits + (bitOffset % 8);
  if (copied > 128) refuse('nr_copy_bits exceeds 128');
  if (struct.sizeOrType - Math.floor(bitOffset / 8) < Math.ceil(copied / 8)) {
    refuse('Member exceeds struct_size');
  }
}

function checkFlaggedEnum(
  struct: RawType,
  bitOffset: number,
  bitSize: number,
  refuse: Refuse,
): void {
  const INT_BITS = 32;
  if (bitSize === 0 && bitOffset % 8 !== 0) refuse('Member is not byte aligned');
  if (bitSize > INT_BITS) refuse('Invalid member bitfield_size');
  const end = Math.ceil((bitOffset + (bitSize || INT_BITS)) / 8);
  if (struct.sizeOrType < end) refuse('Member exceeds struct_size');
}
