/**
 * `.BTF.ext`: which functions, source lines and CO-RE relocations belong to which instruction of
 * which ELF section (Documentation/bpf/btf.rst, section 4.2).
 *
 *   parseBtfExt(bytes, btf)    throws BtfError and nothing else
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import { BTF_MAGIC, BtfError } from './types.ts';

/** Rows of one ELF section as they are in the file; `insn_off` of each row is in bytes. */
export interface ExtSection {
  readonly section: string;
  readonly recordBytes: number;
  readonly count: number;
  readonly records: Uint8Array;
}

export interface CoreRelo {
  /** Byte offset in the section; slot of the program once read from an object. */
  readonly insn: number;
  readonly typeId: number;
  /** `0:1:2`: array index, then member or enumerator numbers. */
  readonly access: string;
  readonly kind: CoreReloKind;
}

/** enum bpf_core_relo_kind (UAPI linux/bpf.h) by number. */
export const CORE_RELO_KINDS = [
  'field_byte_offset',
  'field_byte_size',
  'field_exists',
  'field_signed',
  'field_lshift_u64',
  'field_rshift_u64',
  'type_id_local',
  'type_id_target',
  'type_exists',
  'type_size',
  'enumval_exists',
  'enumval_value',
  'type_matches',
] as const;
export type CoreReloKind = (typeof CORE_RELO_KINDS)[number];

export interface BtfExt {
  readonly funcInfo: readonly ExtSection[];
  readonly lineInfo: readonly ExtSection[];
  readonly coreRelos: readonly { readonly section: string; readonly relos: readonly CoreRelo[] }[];
}

/** Smallest record of each kind (bpf_func_info, bpf_line_info, bpf_core_relo). */
const RECORD_BYTES = { func: 8, line: 16, core: 16 } as const;
/** Records are taken up to this size; kernel/bpf/verifier.c's MAX_FUNCINFO_REC_SIZE. */
const MAX_RECORD_BYTES = 252;

const bad = (message: string) => new BtfError(`.BTF.ext: ${message}`, errno.EINVAL);

export function parseBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 24) throw bad('too short for a header');
  if (view.getUint16(0, true) !== BTF_MAGIC) throw bad('invalid magic');
  if (view.getUint8(2) !== 1) throw bad('unsupported version');
  const headerBytes = view.getUint32(4, true);
  if (headerBytes < 24 || headerBytes > bytes.length) throw bad('invalid header length');
  const part = (at: number, minimum: number) => {
    if (at + 8 > headerBytes) return [];
    const start = headerBytes + view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (start + length > bytes.length) throw bad('a part goes beyond the section');
    return parsePart(bytes.subarray(start, start + length), minimum, btf);
  };
  return {
    funcInfo: part(8, RECORD_BYTES.func),
    lineInfo: part(16, RECORD_BYTES.line),
    coreRelos: part(24, RECORD_BYTES.core).map((section) => ({
      section: section.section,
      relos: decodeCoreRelos(section, btf),
    })),
  };
}

function parsePart(part: Uint8Array, minimum: number, btf: Btf): ExtSection[] {
  if (part.length === 0) return [];
  if (part.length < 4) throw bad('truncated part');
  const view = new DataView(part.buffer, part.byteOffset, part.length);
  const recordBytes = view.getUint32(0, true);
  if (recordBytes < minimum || recordBytes > MAX_RECORD_BYTES || recordBytes % 4 !== 0) {
    throw bad(`records of ${recordBytes} bytes`);
  }
  const sections: ExtSection[] = [];
  for (let at = 4; at < part.length;) {
    if (at + 8 > part.length) throw bad('truncated part');
    const section = btf.strings.at(view.getUint32(at, true));
    const count = view.getUint32(at + 4, true);
    if (section === undefined) throw bad('section name is out of range');
    at += 8;
    const length = count * recordBytes;
    if (count === 0 || at + length > part.length) throw bad(`${section}: ${count} records`);
    sections.push({ section, recordBytes, count, records: part.subarray(at, at + length) });
    at += length;
  }
  return sections;
}

function decodeCoreRelos({ records, recordBytes }: ExtSection, btf: Btf): CoreRelo[] {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  const relos: CoreRelo[] = [];
  for (let at = 0; at < records.length; at += recordBytes) {
    const typeId = view.getUint32(at + 4, true);
    const access = btf.strings.at(view.getUint32(at + 8, true));
    const kindNumber = view.getUint32(at + 12, true);
    const kind = CORE_RELO_KINDS[kindNumber];
    if (kind === undefined) throw bad(`CO-RE relocation of kind ${kindNumber}`);
    if (access === undefined) throw bad('access string is out of range');
    if (btf.type(typeId) === undefined) throw bad(`no type ${typeId}`);
    relos.push({ insn: view.getUint32(at, true), typeId, access, kind });
  }
  return relos;
}
