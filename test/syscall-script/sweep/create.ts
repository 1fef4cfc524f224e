/**
 * Map creation, swept: for every type of 6.1, what it takes with one or two attributes changed.
 * One script a type and theme; a map that was made is closed at once.
 */
import { MAP_TYPES } from '../../../bpf/uapi.ts';
import type { Values } from '../kernel-objects.ts';
import type { Script } from '../script.ts';
import { Writer } from '../writer.ts';
import { basis, BTF_ID, taken, type Basis } from './basis.ts';

const scripts: Script[] = [];

type Attempt = (changes: Values) => void;

/** A script for each type; `attempt` makes a map of it with these attributes changed. */
function theme(
  name: string,
  write: (attempt: Attempt, w: Writer, made: Basis, type: string) => void,
) {
  for (const type of MAP_TYPES) {
    const w = new Writer();
    const made = basis(w);
    const base = taken(type, made);
    write((changes) => attempt(w, { ...base, ...changes }), w, made, type);
    scripts.push({ name: `${name}: ${type}`, steps: w.steps });
  }
}

function attempt(w: Writer, attr: Values): void {
  w.close(w.call('map_create', attr));
}

const bit = (n: number) => (1 << n) >>> 0;
/** BPF_F_LINK (14) is the last that 6.1 has. */
const KNOWN_FLAGS = 15;

theme('flags', (attempt, _w, _made, type) => {
  const always = type === 'lpm_trie' || type.endsWith('_storage') ? [0, 1] : [0];
  for (const base of always) {
    attempt({ map_flags: base });
    for (let one = 0; one < 32; one++) attempt({ map_flags: (base | bit(one)) >>> 0 });
    for (let one = 0; one < KNOWN_FLAGS; one++) {
      for (let other = one + 1; other < KNOWN_FLAGS; other++) {
        attempt({ map_flags: base | bit(one) | bit(other) });
      }
    }
  }
});

/** KMALLOC_MAX_SIZE of 6.1 on x86-64. */
const KMALLOC_MAX = 4 << 20;
const KEYS = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  9,
  12,
  16,
  17,
  255,
  256,
  260,
  261,
  511,
  512,
  513,
  4096,
  65536,
  KMALLOC_MAX - 64,
  KMALLOC_MAX - 57,
  KMALLOC_MAX - 56,
  KMALLOC_MAX - 48,
  KMALLOC_MAX,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 8,
  2 ** 32 - 1,
];
const VALUES = [
  0,
  1,
  3,
  4,
  5,
  7,
  8,
  9,
  12,
  16,
  127 * 8,
  128 * 8,
  4096,
  32760,
  32761,
  32768,
  32769,
  65400,
  65407,
  65408,
  65472,
  65479,
  65480,
  65488,
  65535,
  65536,
  KMALLOC_MAX - 320,
  KMALLOC_MAX - 296,
  KMALLOC_MAX - 295,
  KMALLOC_MAX - 53,
  KMALLOC_MAX - 52,
  KMALLOC_MAX - 8,
  KMALLOC_MAX - 1,
  KMALLOC_MAX,
  KMALLOC_MAX + 1,
  2 ** 30,
  2 ** 31 - 8,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 8,
  2 ** 32 - 1,
];

theme('sizes', (attempt) => {
  for (const key_size of KEYS) attempt({ key_size });
  for (const value_size of VALUES) attempt({ value_size });
  for (const key_size of [0, 1, 4, 7, 8, 16, 512, 2 ** 31]) {
    for (const value_size of [0, 1, 4, 7, 8, 16, 32769, 2 ** 31]) attempt({ key_size, value_size });
  }
});

const ENTRIES = [
  0,
  1,
  2,
  3,
  5,
  7,
  8,
  63,
  64,
  65,
  1000,
  4095,
  4096,
  4097,
  8191,
  8192,
  8193,
  12288,
  16384,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  2 ** 32 - 4096,
  2 ** 32 - 1,
];

theme('entries', (attempt, _w, { inner }, type) => {
  // Half a gigabyte for a filter is a question of how much memory there is.
  const most = type === 'bloom_filter' ? 2 ** 20 : 2 ** 32;
  for (const max_entries of ENTRIES.filter((count) => count < most)) attempt({ max_entries });
  for (const max_entries of [0, 1, 2, 3, 4096, Math.min(most, 2 ** 32 - 1)]) {
    for (let one = 0; one < KNOWN_FLAGS; one++) attempt({ max_entries, map_flags: bit(one) });
    for (const value_size of [0, 1, 4, 8, 16, 4096]) attempt({ max_entries, value_size });
    for (const key_size of [0, 4, 8]) attempt({ max_entries, key_size, map_flags: 1 });
  }
  // Other reasons to refuse them at once: which comes first?
  for (const max_entries of [0, 4]) {
    attempt({ max_entries, inner_map_fd: 99 });
    attempt({ max_entries, inner_map_fd: inner, map_flags: 0x8000 });
    attempt({ max_entries, btf_fd: 99, btf_value_type_id: 1 });
    attempt({ max_entries, map_extra: 1 });
    attempt({ max_entries, map_ifindex: 77 });
    attempt({ max_entries, key_size: 99, value_size: 0 });
  }
  if (type.includes('ringbuf')) {
    for (let power = 10; power < 24; power++) attempt({ max_entries: 2 ** power });
    for (let power = 29; power < 32; power++) attempt({ max_entries: 2 ** power });
  }
});

theme('BTF', (attempt, w, { inner, btf }) => {
  const ids = Object.values(BTF_ID);
  const prog = w.prog('socket_filter');
  for (const btf_fd of [0, 99, -1, inner, prog]) {
    attempt({ btf_fd, btf_key_type_id: 0, btf_value_type_id: 0 });
    attempt({ btf_fd, btf_key_type_id: 1, btf_value_type_id: 2 });
    attempt({ btf_fd, btf_key_type_id: 1, btf_value_type_id: 0 });
  }
  for (const btf_key_type_id of [0, 1, 2, 3, 99, 2 ** 31]) {
    for (const btf_value_type_id of [0, 1, ...ids.slice(1), 9, 99, 2 ** 31]) {
      for (const value_size of [4, 8, 24]) {
        attempt({ btf_fd: btf, btf_key_type_id, btf_value_type_id, value_size });
      }
    }
  }
  // Locks and timers want maps that programs may write, and none that is shared by mmap.
  for (const btf_value_type_id of [BTF_ID.locked, BTF_ID.timed]) {
    for (let one = 0; one < KNOWN_FLAGS; one++) {
      const value_size = btf_value_type_id === BTF_ID.locked ? 8 : 24;
      const map_flags = bit(one);
      attempt({ btf_fd: btf, btf_key_type_id: 1, btf_value_type_id, value_size, map_flags });
    }
  }
  for (const btf_vmlinux_value_type_id of [1, 2 ** 31]) {
    attempt({ btf_vmlinux_value_type_id });
    attempt({ btf_vmlinux_value_type_id, btf_fd: btf });
    attempt({ btf_vmlinux_value_type_id, btf_fd: btf, btf_value_type_id: 1 });
    attempt({ btf_vmlinux_value_type_id, btf_fd: btf, btf_key_type_id: 1 });
  }
});

theme('the rest', (attempt, w, { inner }) => {
  for (const map_extra of [1, 2, 14, 15, 16, 31, 2 ** 31, 2 ** 32, 2 ** 52]) attempt({ map_extra });
  for (const numa_node of [0, 1, 2, 63, 64, 1023, 1024, -1, -2, 2 ** 31 - 1, 2 ** 31]) {
    for (const map_flags of [0, 4, 5]) attempt({ numa_node, map_flags });
  }
  for (const map_ifindex of [1, 2, 77, -1]) {
    attempt({ map_ifindex });
    attempt({ map_ifindex, map_flags: 1 });
  }
  for (const name of ['a', 'a.b_c', 'a b', 'a-b', 'exactly15bytes_', 'sixteen_bytes_xx', '\x7f']) {
    attempt({ map_name: name });
  }
  for (const fd of [0, 1, 99, -1, w.prog('socket_filter'), inner]) attempt({ inner_map_fd: fd });
});

theme('as an inner map', (_attempt, w, made, type) => {
  const inner = w.call('map_create', taken(type as never, made));
  const locked = w.call('map_create', {
    ...taken(type as never, made),
    btf_fd: made.btf,
    btf_key_type_id: BTF_ID.u32,
    btf_value_type_id: BTF_ID.locked,
  });
  for (const outer of ['array_of_maps', 'hash_of_maps'] as const) {
    for (const inner_map_fd of [inner, locked]) {
      for (const map_flags of [0, 1, 0x1000]) {
        attempt(w, { ...taken(outer, made), inner_map_fd, map_flags });
      }
    }
  }
});

const REFUSED: readonly Values[] = [{}, { map_extra: 1 }, { btf_fd: 99, btf_value_type_id: 1 }];

/** Numbers that are no type of 6.1. */
{
  const w = new Writer();
  for (const map_type of [0, 33, 34, 35, 64, 1000, 2 ** 31, -1]) {
    for (const key_size of [0, 4]) {
      for (const map_flags of [0, 1, 8, 16, 24, 0x80000000]) {
        for (const more of REFUSED) {
          attempt(w, { map_type, key_size, value_size: 4, max_entries: 4, map_flags, ...more });
        }
      }
    }
  }
  scripts.push({ name: 'numbers that are no type', steps: w.steps });
}

/** Who may: each type, right and wrong, by capabilities. On a whole kernel: the sysctl is its. */
const CAPS = [
  'all',
  'none',
  'bpf',
  'bpf+net_admin',
  'net_admin',
  'perfmon',
  'bpf+perfmon',
  'sys_admin',
  'sys_admin+net_admin',
];
const WRONG: readonly Values[] = [
  {},
  { max_entries: 0 },
  { max_entries: 3 },
  { key_size: 0 },
  { key_size: 3 },
  { value_size: 0 },
  { value_size: 2 ** 31 },
  { map_flags: 0x80000000 },
  { map_flags: 0x40 },
  { map_flags: 0x18 },
  { map_extra: 16 },
  { map_ifindex: 77 },
  { inner_map_fd: 99 },
  { btf_fd: 99, btf_value_type_id: 1 },
];
const WITH_BTF: readonly Values[] = [
  { btf_key_type_id: 1, btf_value_type_id: BTF_ID.u64 },
  { btf_key_type_id: 1, btf_value_type_id: BTF_ID.locked },
  { btf_key_type_id: 1, btf_value_type_id: BTF_ID.timed, value_size: 24 },
];

// 1 cannot be taken back, so it comes last.
for (const disabled of [0, 2, 1]) {
  for (const caps of CAPS) {
    const w = new Writer();
    const made = basis(w);
    w.sysctl('kernel/unprivileged_bpf_disabled', disabled);
    w.caps(caps);
    for (const type of MAP_TYPES) {
      for (const wrong of WRONG) attempt(w, { ...taken(type, made), ...wrong });
      for (const btf of WITH_BTF) attempt(w, { ...taken(type, made), btf_fd: made.btf, ...btf });
    }
    scripts.push({
      name: `unprivileged_bpf_disabled ${disabled}, capabilities ${caps}`,
      steps: w.steps,
      needsMachine: true,
    });
  }
}

export const createSweep: readonly Script[] = scripts;
