import type { HelperCase } from '../helper-cases.ts';

/**
 * What a kernel's types look like, as text. The programs look the types up by name, so that they
 * mean the same to Linux and to a machine with test/objects/kernel_types.btf.
 */
const KINDS = { int: 1, struct: 4, union: 5, enum: 6, typedef: 8 } as const;
const [COMPACT, NONAME, PTR_RAW, ZERO] = [1, 2, 4, 8] as const;

interface Shown {
  readonly kind: keyof typeof KINDS;
  readonly name: string;
  readonly data: string;
  readonly flags?: number;
  /** Room for the text. */
  readonly room?: number;
  readonly ptrBytes?: number;
  /** Instead of what is on the stack. */
  readonly address?: string;
  /** Instead of the type of that name. */
  readonly id?: number;
}

const TEXT_AT = 16;

function body({ kind, name, data, flags = 0, room = 900, ptrBytes = 16, address, id }: Shown) {
  const bytes = Buffer.from(`${name}\0`.padEnd(Math.ceil((name.length + 1) / 4) * 4, '\0'));
  const padded = data
    .replaceAll(' ', '')
    .padEnd(Math.ceil(data.replaceAll(' ', '').length / 8) * 8, '0');
  return `
    set -240 ${bytes.toString('hex')}
    r1 = r10
    r1 += -240
    r2 = ${name.length + 1}
    r3 = ${KINDS[kind]}
    r4 = 0
    call btf_find_by_name_kind#167
    if r0 s> 0 goto there
    *(u64 *)(r9 +0) = r0
    r0 = 2
    exit
  there:
    ${id === undefined ? '' : `r0 = ${id}`}
    *(u32 *)(r10 -200) = r0
    *(u32 *)(r10 -196) = 0
    set -184 ${padded}
    r1 = r10
    r1 += -184
    ${address === undefined ? '' : `r1 = ${address}`}
    *(u64 *)(r10 -208) = r1
    r1 = r9
    r1 += ${TEXT_AT}
    r2 = ${room}
    r3 = r10
    r3 += -208
    r4 = ${ptrBytes}
    r5 = ${flags}
    call snprintf_btf#149
    *(u64 *)(r9 +0) = r0`;
}

const iphdr = '45000054 1a2b4000 40010000 c0000201 c0000202';
const words = (count: number, word = '00000000') => word.repeat(count);
const address = '1122334455667788';
const name = (text: string) => Buffer.from(text).toString('hex').padEnd(28, '0');

const shown: Record<string, Shown> = {
  'an int': { kind: 'int', name: 'long unsigned int', data: 'ffffffffffffffff' },
  'an int that is zero': { kind: 'int', name: 'long unsigned int', data: words(2) },
  'a char': { kind: 'int', name: 'char', data: '41' },
  'a char below zero': { kind: 'int', name: 'char', data: 'fe' },
  'a bool': { kind: 'typedef', name: 'bool', data: '01' },
  'a typedef': { kind: 'typedef', name: 'pid_t', data: 'feffffff' },
  'a typedef of a struct': { kind: 'typedef', name: 'kuid_t', data: 'e8030000' },
  'an int of 16 bytes': {
    kind: 'int',
    name: '__int128',
    data: '0102030405060708' + '0900000000000000',
  },
  'an enum': { kind: 'enum', name: 'bpf_prog_type', data: '06000000' },
  'an enum with a name for zero': { kind: 'enum', name: 'bpf_prog_type', data: '00000000' },
  'an enum without a name': { kind: 'enum', name: 'bpf_prog_type', data: 'ff000000' },
  'a struct': { kind: 'struct', name: 'timespec64', data: '0500000000000000 ffffffffffffffff' },
  'a struct that is zero': { kind: 'struct', name: 'timespec64', data: words(4) },
  'a struct with bit-fields': { kind: 'struct', name: 'iphdr', data: iphdr },
  'bit-fields within a byte': { kind: 'struct', name: 'bpf_insn', data: '8501ffff 78563412' },
  'many bit-fields': {
    kind: 'struct',
    name: 'tcphdr',
    data: '0fa00050 11223344 00000000 a012faf0 00000000',
  },
  'arrays of bytes': { kind: 'struct', name: 'ethhdr', data: '41420100ffff 02005e000001 0800' },
  texts: { kind: 'struct', name: 'sockaddr', data: '0100' + name('Linux\u0001') },
  'texts of other letters': {
    kind: 'struct',
    name: 'sockaddr',
    data: '0100' + '80a0ffdf7f7e2000' + '00'.repeat(6),
  },
  unions: { kind: 'struct', name: 'in6_addr', data: '20010db8 00000000 00000000 00000001' },
  'a union': { kind: 'union', name: 'sigval', data: '0700000000000000', flags: PTR_RAW },
  'a union of unnamed structs': {
    kind: 'struct',
    name: 'bpf_sock_tuple',
    data: '7f000001 7f000002 1f90 0050' + words(6),
  },
  'unnamed members': {
    kind: 'struct',
    name: 'bpf_flow_keys',
    data: '0e00 2200 0008 00 01 00 06 0800 1f90 0050 c0000201 c0000202' + words(8),
  },
  'an array of ints': { kind: 'struct', name: 'kernel_cap_struct', data: 'ffffffff 3f000000' },
  'an array with a zero': { kind: 'struct', name: 'kernel_cap_struct', data: '00000000 3f000000' },
  pointers: { kind: 'struct', name: 'list_head', data: address + '00'.repeat(8), flags: PTR_RAW },
  'pointers to functions': {
    kind: 'struct',
    name: 'seq_operations',
    data: address.repeat(4),
    flags: PTR_RAW,
  },
  'structs within': {
    kind: 'struct',
    name: 'rb_root_cached',
    data: '00'.repeat(8) + address,
    flags: PTR_RAW,
  },
  'structs within that are zero': {
    kind: 'struct',
    name: 'rb_root_cached',
    data: words(4),
    flags: PTR_RAW,
  },
  'a pointer in a struct with more': {
    kind: 'struct',
    name: 'sock_fprog',
    data: '0300000000000000' + address,
    flags: PTR_RAW,
  },
  'an address family': {
    kind: 'struct',
    name: 'sockaddr_in',
    data: '02001f90 7f000001' + words(2),
  },
  'three levels': {
    kind: 'struct',
    name: 'xdp_rxq_info',
    data: address + '0300000000000000' + '01000000 00000000'.repeat(2) + words(24),
    flags: PTR_RAW,
  },
};

const flags = {
  compact: COMPACT,
  'without names': NONAME,
  'with zeros': ZERO,
  'compact, all': COMPACT | NONAME | ZERO,
} as const;
const withFlags = Object.entries(shown).flatMap(([id, one]) =>
  Object.entries(flags).map(
    ([how, flag]) =>
      [`${id}, ${how}`, { ...one, flags: (one.flags ?? 0) | PTR_RAW | flag }] as const,
  ),
);

const mistakes: Record<string, Shown> = {
  'unknown flags': { ...shown['a struct']!, flags: 16 },
  'flags beyond 32 bits': { ...shown['a struct']!, flags: -1 },
  'a struct btf_ptr of another size': { ...shown['a struct']!, ptrBytes: 8 },
  'no type': { ...shown['a struct']!, id: 0 },
  'a type that is not there': { ...shown['a struct']!, id: 0x7fffffff },
  'a number below zero': { ...shown['a struct']!, id: -1 },
  'too little room': { ...shown['a struct with bit-fields']!, room: 20 },
  'room for the NUL': { ...shown['a struct with bit-fields']!, room: 1 },
  NULL: { ...shown['a struct']!, address: '0' },
  'an address of user space': { ...shown['a struct']!, address: '0x1000' },
  'an address that nothing is at': { ...shown['a struct']!, address: '0xffffffffff000000 ll' },
};

export const btfCases: readonly HelperCase[] = [
  ...Object.entries(shown),
  ...withFlags,
  ...Object.entries(mistakes),
].map(([id, one]) => ({
  id: `btf/${id}`,
  type: 'syscall',
  sleepable: true,
  body: body(one),
}));
