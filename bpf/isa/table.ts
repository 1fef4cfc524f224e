/**
 * The instruction set: one row for every instruction of RFC 9669 and the few that only the kernel
 * makes. Decoder users, disassembler, assembler, verifier, engines and devices all read this.
 *
 *   rowOf(insn)        the row of a slot, undefined where no instruction has that encoding
 *   ISA[op], OP.name   rows by number and numbers by name (dense, stable: append, never reorder)
 *   rowsOfCode(byte)   all rows of an opcode; codec.ts turns bytes into slots and back
 *
 * A row says only which instruction it is. Whether its unused fields are 0 and its registers exist
 * is the verifier's to check (`operands` tells which are unused). The second slot of a ld_imm64 has
 * opcode 0 and no row.
 */
import { Bug } from '../../kernel/types/units.ts';
import type { Insn } from './insn.ts';
import type {
  AluOperation,
  AtomicOperation,
  Condition,
  ConformanceGroup,
  Discriminator,
  IsaIdentity,
  IsaRow,
  IsaShape,
  IsaVersion,
  Source,
  Width,
} from './row.ts';

const alu = (operation: AluOperation, width: Width, source: Source) =>
  ({ kind: 'alu', operation, width, source }) as const;
const movsx = (width: Width, bits: 8 | 16 | 32) => ({ kind: 'movsx', width, bits }) as const;
const endian = (order: 'le' | 'be' | 'swap', bits: 16 | 32 | 64) =>
  ({ kind: 'endian', order, bits }) as const;
const load = (bytes: 1 | 2 | 4 | 8, sign?: 'signed') =>
  ({ kind: 'load', bytes, signed: sign !== undefined, probe: false }) as const;
const probe = (bytes: 1 | 2 | 4 | 8, sign?: 'signed') =>
  ({ kind: 'load', bytes, signed: sign !== undefined, probe: true }) as const;
const store = (bytes: 1 | 2 | 4 | 8, source: Source) => ({ kind: 'store', bytes, source }) as const;
const atomic = (operation: AtomicOperation, bytes: 4 | 8, fetch?: 'fetch') =>
  ({ kind: 'atomic', operation, bytes, fetch: fetch !== undefined }) as const;
const branch = (condition: Condition, width: Width, source: Source) =>
  ({ kind: 'branch', condition, width, source }) as const;
const src = (value: number) => ({ field: 'src', value }) as const;
const off = (value: number) => ({ field: 'off', value }) as const;
const imm = (value: number) => ({ field: 'imm', value }) as const;

type Declared<N extends string> = Omit<IsaIdentity, 'op' | 'group' | 'slots' | 'operands'> &
  IsaShape & { readonly name: N };

function row<const N extends string>(
  name: N,
  code: number,
  version: IsaVersion,
  shape: IsaShape,
  when?: Discriminator,
): Declared<N> {
  return { name, code, version, when, ...shape };
}

const ROWS = [
  // 32-bit arithmetic.
  row('add32_imm', 0x04, 'v1', alu('add', 32, 'imm')),
  row('add32_reg', 0x0c, 'v1', alu('add', 32, 'reg')),
  row('sub32_imm', 0x14, 'v1', alu('sub', 32, 'imm')),
  row('sub32_reg', 0x1c, 'v1', alu('sub', 32, 'reg')),
  row('mul32_imm', 0x24, 'v1', alu('mul', 32, 'imm')),
  row('mul32_reg', 0x2c, 'v1', alu('mul', 32, 'reg')),
  row('div32_imm', 0x34, 'v1', alu('div', 32, 'imm'), off(0)),
  row('sdiv32_imm', 0x34, 'v4', alu('sdiv', 32, 'imm'), off(1)),
  row('div32_reg', 0x3c, 'v1', alu('div', 32, 'reg'), off(0)),
  row('sdiv32_reg', 0x3c, 'v4', alu('sdiv', 32, 'reg'), off(1)),
  row('or32_imm', 0x44, 'v1', alu('or', 32, 'imm')),
  row('or32_reg', 0x4c, 'v1', alu('or', 32, 'reg')),
  row('and32_imm', 0x54, 'v1', alu('and', 32, 'imm')),
  row('and32_reg', 0x5c, 'v1', alu('and', 32, 'reg')),
  row('lsh32_imm', 0x64, 'v1', alu('lsh', 32, 'imm')),
  row('lsh32_reg', 0x6c, 'v1', alu('lsh', 32, 'reg')),
  row('rsh32_imm', 0x74, 'v1', alu('rsh', 32, 'imm')),
  row('rsh32_reg', 0x7c, 'v1', alu('rsh', 32, 'reg')),
  row('mod32_imm', 0x94, 'v1', alu('mod', 32, 'imm'), off(0)),
  row('smod32_imm', 0x94, 'v4', alu('smod', 32, 'imm'), off(1)),
  row('mod32_reg', 0x9c, 'v1', alu('mod', 32, 'reg'), off(0)),
  row('smod32_reg', 0x9c, 'v4', alu('smod', 32, 'reg'), off(1)),
  row('xor32_imm', 0xa4, 'v1', alu('xor', 32, 'imm')),
  row('xor32_reg', 0xac, 'v1', alu('xor', 32, 'reg')),
  row('mov32_imm', 0xb4, 'v1', alu('mov', 32, 'imm')),
  row('mov32_reg', 0xbc, 'v1', alu('mov', 32, 'reg'), off(0)),
  row('movsx32_8', 0xbc, 'v4', movsx(32, 8), off(8)),
  row('movsx32_16', 0xbc, 'v4', movsx(32, 16), off(16)),
  row('arsh32_imm', 0xc4, 'v1', alu('arsh', 32, 'imm')),
  row('arsh32_reg', 0xcc, 'v1', alu('arsh', 32, 'reg')),
  row('neg32', 0x84, 'v1', { kind: 'neg', width: 32 }),

  // 64-bit arithmetic.
  row('add64_imm', 0x07, 'v1', alu('add', 64, 'imm')),
  row('add64_reg', 0x0f, 'v1', alu('add', 64, 'reg')),
  row('sub64_imm', 0x17, 'v1', alu('sub', 64, 'imm')),
  row('sub64_reg', 0x1f, 'v1', alu('sub', 64, 'reg')),
  row('mul64_imm', 0x27, 'v1', alu('mul', 64, 'imm')),
  row('mul64_reg', 0x2f, 'v1', alu('mul', 64, 'reg')),
  row('div64_imm', 0x37, 'v1', alu('div', 64, 'imm'), off(0)),
  row('sdiv64_imm', 0x37, 'v4', alu('sdiv', 64, 'imm'), off(1)),
  row('div64_reg', 0x3f, 'v1', alu('div', 64, 'reg'), off(0)),
  row('sdiv64_reg', 0x3f, 'v4', alu('sdiv', 64, 'reg'), off(1)),
  row('or64_imm', 0x47, 'v1', alu('or', 64, 'imm')),
  row('or64_reg', 0x4f, 'v1', alu('or', 64, 'reg')),
  row('and64_imm', 0x57, 'v1', alu('and', 64, 'imm')),
  row('and64_reg', 0x5f, 'v1', alu('and', 64, 'reg')),
  row('lsh64_imm', 0x67, 'v1', alu('lsh', 64, 'imm')),
  row('lsh64_reg', 0x6f, 'v1', alu('lsh', 64, 'reg')),
  row('rsh64_imm', 0x77, 'v1', alu('rsh', 64, 'imm')),
  row('rsh64_reg', 0x7f, 'v1', alu('rsh', 64, 'reg')),
  row('mod64_imm', 0x97, 'v1', alu('mod', 64, 'imm'), off(0)),
  row('smod64_imm', 0x97, 'v4', alu('smod', 64, 'imm'), off(1)),
  row('mod64_reg', 0x9f, 'v1', alu('mod', 64, 'reg'), off(0)),
  row('smod64_reg', 0x9f, 'v4', alu('smod', 64, 'reg'), off(1)),
  row('xor64_imm', 0xa7, 'v1', alu('xor', 64, 'imm')),
  row('xor64_reg', 0xaf, 'v1', alu('xor', 64, 'reg')),
  row('mov64_imm', 0xb7, 'v1', alu('mov', 64, 'imm')),
  row('mov64_reg', 0xbf, 'v1', alu('mov', 64, 'reg'), off(0)),
  row('movsx64_8', 0xbf, 'v4', movsx(64, 8), off(8)),
  row('movsx64_16', 0xbf, 'v4', movsx(64, 16), off(16)),
  row('movsx64_32', 0xbf, 'v4', movsx(64, 32), off(32)),
  row('arsh64_imm', 0xc7, 'v1', alu('arsh', 64, 'imm')),
  row('arsh64_reg', 0xcf, 'v1', alu('arsh', 64, 'reg')),
  row('neg64', 0x87, 'v1', { kind: 'neg', width: 64 }),

  // Byte order.
  row('le16', 0xd4, 'v1', endian('le', 16), imm(16)),
  row('le32', 0xd4, 'v1', endian('le', 32), imm(32)),
  row('le64', 0xd4, 'v1', endian('le', 64), imm(64)),
  row('be16', 0xdc, 'v1', endian('be', 16), imm(16)),
  row('be32', 0xdc, 'v1', endian('be', 32), imm(32)),
  row('be64', 0xdc, 'v1', endian('be', 64), imm(64)),
  row('bswap16', 0xd7, 'v4', endian('swap', 16), imm(16)),
  row('bswap32', 0xd7, 'v4', endian('swap', 32), imm(32)),
  row('bswap64', 0xd7, 'v4', endian('swap', 64), imm(64)),

  // 64-bit immediates, two slots.
  row('ld_imm64', 0x18, 'v1', { kind: 'ld_imm64', form: 'value' }, src(0)),
  row('ld_map_fd', 0x18, 'v1', { kind: 'ld_imm64', form: 'map_fd' }, src(1)),
  row('ld_map_value', 0x18, 'v1', { kind: 'ld_imm64', form: 'map_value' }, src(2)),
  row('ld_btf_id', 0x18, 'v1', { kind: 'ld_imm64', form: 'btf_id' }, src(3)),
  row('ld_func', 0x18, 'v1', { kind: 'ld_imm64', form: 'func' }, src(4)),
  row('ld_map_idx', 0x18, 'v1', { kind: 'ld_imm64', form: 'map_idx' }, src(5)),
  row('ld_map_idx_value', 0x18, 'v1', { kind: 'ld_imm64', form: 'map_idx_value' }, src(6)),

  // Packet loads kept from classic BPF.
  row('ldabs8', 0x30, 'v1', { kind: 'ld_packet', mode: 'abs', bytes: 1 }),
  row('ldabs16', 0x28, 'v1', { kind: 'ld_packet', mode: 'abs', bytes: 2 }),
  row('ldabs32', 0x20, 'v1', { kind: 'ld_packet', mode: 'abs', bytes: 4 }),
  row('ldind8', 0x50, 'v1', { kind: 'ld_packet', mode: 'ind', bytes: 1 }),
  row('ldind16', 0x48, 'v1', { kind: 'ld_packet', mode: 'ind', bytes: 2 }),
  row('ldind32', 0x40, 'v1', { kind: 'ld_packet', mode: 'ind', bytes: 4 }),

  // Loads and stores.
  row('ldx8', 0x71, 'v1', load(1)),
  row('ldx16', 0x69, 'v1', load(2)),
  row('ldx32', 0x61, 'v1', load(4)),
  row('ldx64', 0x79, 'v1', load(8)),
  row('ldsx8', 0x91, 'v4', load(1, 'signed')),
  row('ldsx16', 0x89, 'v4', load(2, 'signed')),
  row('ldsx32', 0x81, 'v4', load(4, 'signed')),
  row('st8', 0x72, 'v1', store(1, 'imm')),
  row('st16', 0x6a, 'v1', store(2, 'imm')),
  row('st32', 0x62, 'v1', store(4, 'imm')),
  row('st64', 0x7a, 'v1', store(8, 'imm')),
  row('stx8', 0x73, 'v1', store(1, 'reg')),
  row('stx16', 0x6b, 'v1', store(2, 'reg')),
  row('stx32', 0x63, 'v1', store(4, 'reg')),
  row('stx64', 0x7b, 'v1', store(8, 'reg')),

  // Loads through BTF pointers, as the verifier rewrites them (BPF_PROBE_MEM, BPF_PROBE_MEMSX).
  row('probe8', 0x31, 'internal', probe(1)),
  row('probe16', 0x29, 'internal', probe(2)),
  row('probe32', 0x21, 'internal', probe(4)),
  row('probe64', 0x39, 'internal', probe(8)),
  row('probesx8', 0x51, 'internal', probe(1, 'signed')),
  row('probesx16', 0x49, 'internal', probe(2, 'signed')),
  row('probesx32', 0x41, 'internal', probe(4, 'signed')),

  // 32-bit atomics.
  row('atomic32_add', 0xc3, 'v1', atomic('add', 4), imm(0x00)),
  row('atomic32_or', 0xc3, 'v3', atomic('or', 4), imm(0x40)),
  row('atomic32_and', 0xc3, 'v3', atomic('and', 4), imm(0x50)),
  row('atomic32_xor', 0xc3, 'v3', atomic('xor', 4), imm(0xa0)),
  row('atomic32_fetch_add', 0xc3, 'v3', atomic('add', 4, 'fetch'), imm(0x01)),
  row('atomic32_fetch_or', 0xc3, 'v3', atomic('or', 4, 'fetch'), imm(0x41)),
  row('atomic32_fetch_and', 0xc3, 'v3', atomic('and', 4, 'fetch'), imm(0x51)),
  row('atomic32_fetch_xor', 0xc3, 'v3', atomic('xor', 4, 'fetch'), imm(0xa1)),
  row('atomic32_xchg', 0xc3, 'v3', atomic('xchg', 4, 'fetch'), imm(0xe1)),
  row('atomic32_cmpxchg', 0xc3, 'v3', atomic('cmpxchg', 4, 'fetch'), imm(0xf1)),

  // 64-bit atomics.
  row('atomic64_add', 0xdb, 'v1', atomic('add', 8), imm(0x00)),
  row('atomic64_or', 0xdb, 'v3', atomic('or', 8), imm(0x40)),
  row('atomic64_and', 0xdb, 'v3', atomic('and', 8), imm(0x50)),
  row('atomic64_xor', 0xdb, 'v3', atomic('xor', 8), imm(0xa0)),
  row('atomic64_fetch_add', 0xdb, 'v3', atomic('add', 8, 'fetch'), imm(0x01)),
  row('atomic64_fetch_or', 0xdb, 'v3', atomic('or', 8, 'fetch'), imm(0x41)),
  row('atomic64_fetch_and', 0xdb, 'v3', atomic('and', 8, 'fetch'), imm(0x51)),
  row('atomic64_fetch_xor', 0xdb, 'v3', atomic('xor', 8, 'fetch'), imm(0xa1)),
  row('atomic64_xchg', 0xdb, 'v3', atomic('xchg', 8, 'fetch'), imm(0xe1)),
  row('atomic64_cmpxchg', 0xdb, 'v3', atomic('cmpxchg', 8, 'fetch'), imm(0xf1)),

  // Jumps.
  row('goto', 0x05, 'v1', { kind: 'goto', long: false }),
  row('gotol', 0x06, 'v4', { kind: 'goto', long: true }),
  row('jeq64_imm', 0x15, 'v1', branch('eq', 64, 'imm')),
  row('jeq64_reg', 0x1d, 'v1', branch('eq', 64, 'reg')),
  row('jgt64_imm', 0x25, 'v1', branch('gt', 64, 'imm')),
  row('jgt64_reg', 0x2d, 'v1', branch('gt', 64, 'reg')),
  row('jge64_imm', 0x35, 'v1', branch('ge', 64, 'imm')),
  row('jge64_reg', 0x3d, 'v1', branch('ge', 64, 'reg')),
  row('jset64_imm', 0x45, 'v1', branch('set', 64, 'imm')),
  row('jset64_reg', 0x4d, 'v1', branch('set', 64, 'reg')),
  row('jne64_imm', 0x55, 'v1', branch('ne', 64, 'imm')),
  row('jne64_reg', 0x5d, 'v1', branch('ne', 64, 'reg')),
  row('jsgt64_imm', 0x65, 'v1', branch('sgt', 64, 'imm')),
  row('jsgt64_reg', 0x6d, 'v1', branch('sgt', 64, 'reg')),
  row('jsge64_imm', 0x75, 'v1', branch('sge', 64, 'imm')),
  row('jsge64_reg', 0x7d, 'v1', branch('sge', 64, 'reg')),
  row('jlt64_imm', 0xa5, 'v2', branch('lt', 64, 'imm')),
  row('jlt64_reg', 0xad, 'v2', branch('lt', 64, 'reg')),
  row('jle64_imm', 0xb5, 'v2', branch('le', 64, 'imm')),
  row('jle64_reg', 0xbd, 'v2', branch('le', 64, 'reg')),
  row('jslt64_imm', 0xc5, 'v2', branch('slt', 64, 'imm')),
  row('jslt64_reg', 0xcd, 'v2', branch('slt', 64, 'reg')),
  row('jsle64_imm', 0xd5, 'v2', branch('sle', 64, 'imm')),
  row('jsle64_reg', 0xdd, 'v2', branch('sle', 64, 'reg')),
  row('jeq32_imm', 0x16, 'v3', branch('eq', 32, 'imm')),
  row('jeq32_reg', 0x1e, 'v3', branch('eq', 32, 'reg')),
  row('jgt32_imm', 0x26, 'v3', branch('gt', 32, 'imm')),
  row('jgt32_reg', 0x2e, 'v3', branch('gt', 32, 'reg')),
  row('jge32_imm', 0x36, 'v3', branch('ge', 32, 'imm')),
  row('jge32_reg', 0x3e, 'v3', branch('ge', 32, 'reg')),
  row('jset32_imm', 0x46, 'v3', branch('set', 32, 'imm')),
  row('jset32_reg', 0x4e, 'v3', branch('set', 32, 'reg')),
  row('jne32_imm', 0x56, 'v3', branch('ne', 32, 'imm')),
  row('jne32_reg', 0x5e, 'v3', branch('ne', 32, 'reg')),
  row('jsgt32_imm', 0x66, 'v3', branch('sgt', 32, 'imm')),
  row('jsgt32_reg', 0x6e, 'v3', branch('sgt', 32, 'reg')),
  row('jsge32_imm', 0x76, 'v3', branch('sge', 32, 'imm')),
  row('jsge32_reg', 0x7e, 'v3', branch('sge', 32, 'reg')),
  row('jlt32_imm', 0xa6, 'v3', branch('lt', 32, 'imm')),
  row('jlt32_reg', 0xae, 'v3', branch('lt', 32, 'reg')),
  row('jle32_imm', 0xb6, 'v3', branch('le', 32, 'imm')),
  row('jle32_reg', 0xbe, 'v3', branch('le', 32, 'reg')),
  row('jslt32_imm', 0xc6, 'v3', branch('slt', 32, 'imm')),
  row('jslt32_reg', 0xce, 'v3', branch('slt', 32, 'reg')),
  row('jsle32_imm', 0xd6, 'v3', branch('sle', 32, 'imm')),
  row('jsle32_reg', 0xde, 'v3', branch('sle', 32, 'reg')),

  // Calls.
  row('call_helper', 0x85, 'v1', { kind: 'call', target: 'helper' }, src(0)),
  row('call_subprog', 0x85, 'v1', { kind: 'call', target: 'subprog' }, src(1)),
  row('call_kfunc', 0x85, 'v1', { kind: 'call', target: 'kfunc' }, src(2)),
  row('exit', 0x95, 'v1', { kind: 'exit' }),
  row('nospec', 0xc2, 'internal', { kind: 'nospec' }),
] as const;

export type OpName = (typeof ROWS)[number]['name'];

/** All rows; a row's index is its `op`. */
export const ISA: readonly IsaRow[] = ROWS.map((declared, op) => ({
  ...declared,
  op,
  group: groupOf(declared),
  slots: declared.kind === 'ld_imm64' ? 2 : 1,
  operands: operandsOf(declared),
}));

/** `OP.add64_imm`: the row number by name. */
export const OP = Object.fromEntries(ISA.map(({ name, op }) => [name, op])) as Readonly<
  Record<OpName, number>
>;

/** The row of that name. */
export function isaRow(name: OpName): IsaRow {
  return ISA[OP[name]]!;
}

function groupOf(shape: IsaShape): ConformanceGroup {
  switch (shape.kind) {
    case 'alu': {
      const divmul = /mul|div|mod/.test(shape.operation);
      if (shape.width === 64) return divmul ? 'divmul64' : 'base64';
      return divmul ? 'divmul32' : 'base32';
    }
    case 'neg':
    case 'movsx':
    case 'branch':
      return shape.width === 64 ? 'base64' : 'base32';
    case 'endian':
      return shape.bits === 64 ? 'base64' : 'base32';
    case 'load':
    case 'store':
      return shape.bytes === 8 ? 'base64' : 'base32';
    case 'atomic':
      return shape.bytes === 8 ? 'atomic64' : 'atomic32';
    case 'ld_packet':
      return 'packet';
    case 'ld_imm64':
    case 'exit':
      return 'base64';
    default:
      return 'base32';
  }
}

function operandsOf(shape: IsaShape): IsaIdentity['operands'] {
  switch (shape.kind) {
    case 'alu':
      return ['dst', shape.source === 'imm' ? 'imm' : 'src'];
    case 'movsx':
      return ['dst', 'src'];
    case 'neg':
    case 'endian':
      return ['dst'];
    case 'ld_imm64':
      return ['dst', 'imm'];
    case 'ld_packet':
      return shape.mode === 'ind' ? ['src', 'imm'] : ['imm'];
    case 'load':
    case 'atomic':
      return ['dst', 'src', 'off'];
    case 'store':
      return ['dst', 'off', shape.source === 'imm' ? 'imm' : 'src'];
    case 'branch':
      return ['dst', shape.source === 'imm' ? 'imm' : 'src', 'off'];
    case 'goto':
      return [shape.long ? 'imm' : 'off'];
    case 'call':
      // off of a kfunc call chooses the module's BTF.
      return shape.target === 'kfunc' ? ['imm', 'off'] : ['imm'];
    case 'exit':
    case 'nospec':
      return [];
  }
}

/** Rows that share an opcode byte, by the value of the field that tells them apart. */
interface Variants {
  readonly field: Discriminator['field'];
  readonly rows: ReadonlyMap<number, IsaRow>;
}

const SINGLE: (IsaRow | undefined)[] = new Array<undefined>(256).fill(undefined);
const VARIANTS: (Variants | undefined)[] = new Array<undefined>(256).fill(undefined);
for (const entry of ISA) {
  const sharing = ISA.filter(({ code }) => code === entry.code);
  if (entry.when === undefined) {
    if (sharing.length > 1) throw new Bug(`${entry.name}: opcode is taken`);
    SINGLE[entry.code] = entry;
  } else {
    const rows = new Map(sharing.map((other) => [other.when!.value, other]));
    if (rows.size !== sharing.length) throw new Bug(`${entry.name}: encoding is taken`);
    VARIANTS[entry.code] = { field: entry.when.field, rows };
  }
}

/** Which instruction a slot holds; undefined for an encoding that none has. */
export function rowOf(insn: Insn): IsaRow | undefined {
  const single = SINGLE[insn.code];
  if (single !== undefined) return single;
  const variants = VARIANTS[insn.code];
  return variants?.rows.get(insn[variants.field]);
}

/** Every row of an opcode byte; empty for an unknown one. */
export function rowsOfCode(code: number): readonly IsaRow[] {
  const single = SINGLE[code];
  if (single !== undefined) return [single];
  return [...(VARIANTS[code]?.rows.values() ?? [])];
}
