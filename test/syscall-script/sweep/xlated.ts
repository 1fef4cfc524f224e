/**
 * Programs as bpf(2) shows them: helper calls with a map that is known become direct calls, and
 * some look-ups instructions of their own, which moves what is behind them. Ids of maps and
 * addresses of functions are each kernel's own and left out.
 */
import type { MapType } from '../../../bpf/uapi.ts';
import type { Values } from '../kernel-objects.ts';
import type { Script } from '../script.ts';
import { Writer } from '../writer.ts';
import { basis, taken } from './basis.ts';

const XLATED_BYTES = 400;
/** struct bpf_prog_info: xlated_prog_len, xlated_prog_insns, and its size. */
const LEN_OFFSET = 20;
const INSNS_OFFSET = 32;
const INFO_BYTES = 232;

/** An empty key on the stack in r2, and the map in r1. */
const KEY = 'r2 = r10\nr2 += -16\n*(u64 *)(r2 +0) = 0\n*(u64 *)(r2 +8) = 0\n';
const MAP = 'r1 = map_fd(0)\n';
const CALLS: Readonly<Record<string, string>> = {
  lookup: `${KEY}${MAP}call 1\nif r0 != 0x0 goto pc+1\nexit\nr0 = 0\nexit`,
  update: `${KEY}r3 = r10\nr3 += -16\nr4 = 0\n${MAP}call 2\nr0 = 0\nexit`,
  delete: `${KEY}${MAP}call 3\nr0 = 0\nexit`,
  'lookup percpu': `${KEY}r3 = 0\n${MAP}call 195\nr0 = 0\nexit`,
  // Jumps over a look-up, forwards and back, and out of the loop.
  'lookup in a loop':
    'r9 = r1\nr6 = 0\n' +
    `if r9 == 0x0 goto pc+13\n${KEY}${MAP}call 1\nif r0 != 0x0 goto pc+2\nr7 = 1\ngoto pc+1\nr7 = 2\n` +
    'r6 += 1\nif r6 != 0x3 goto pc-14\nr0 = 0\nexit',
  push: `${KEY}r3 = 0\n${MAP}call 87\nr0 = 0\nexit`,
  pop: `${KEY}${MAP}call 88\nr0 = 0\nexit`,
  peek: `${KEY}${MAP}call 89\nr0 = 0\nexit`,
};

/** Maps whose look-up is no call any more. */
const CALL_GOES: readonly MapType[] = ['array', 'array_of_maps', 'xskmap'];
const VARIANTS: readonly (readonly [MapType, Values])[] = [
  ['hash', {}],
  ['hash', { key_size: 12 }],
  ['hash', { map_flags: 0x80 }],
  ['percpu_hash', {}],
  ['lru_hash', {}],
  ['lru_percpu_hash', {}],
  ['array', {}],
  ['array', { value_size: 24, max_entries: 5 }],
  ['array', { max_entries: 1 }],
  ['array', { map_flags: 0x400 }],
  // The size of an inner map is not known.
  ['array', { map_flags: 0x1000 }],
  ['percpu_array', {}],
  ['lpm_trie', {}],
  ['array_of_maps', {}],
  ['hash_of_maps', {}],
  ['devmap', {}],
  ['devmap_hash', {}],
  ['cpumap', {}],
  ['xskmap', {}],
  ['sockmap', {}],
  ['queue', {}],
  ['stack', {}],
  ['bloom_filter', {}],
];

function scriptOf(type: MapType, changes: Values): Script {
  const w = new Writer();
  const map = w.call('map_create', { ...taken(type, basis(w)), ...changes });
  for (const [name, asm] of Object.entries(CALLS)) {
    const slot = asm.split('\n').findIndex((line) => line.includes('map_fd'));
    const prog = w.prog('xdp', asm, {}, [[slot, map]]);
    const goes =
      name.startsWith('lookup') &&
      name !== 'lookup percpu' &&
      CALL_GOES.includes(type) &&
      changes['map_flags'] !== 0x1000;
    const mask = goes ? [slot * 8 + 4] : [slot * 8 + 4, (slot + 2) * 8 + 4];
    const xlated = w.buf(XLATED_BYTES);
    const head = '00'.repeat(LEN_OFFSET) + '90010000';
    const info = w.buf(head.padEnd(INFO_BYTES * 2, '0'), [[INSNS_OFFSET, xlated]]);
    w.call('obj_get_info_by_fd', { bpf_fd: prog, info, info_len: INFO_BYTES });
    w.dump(xlated, mask);
    w.close(prog);
  }
  const told = Object.entries(changes).map(([field, value]) => `, ${field} ${value}`);
  return { name: `xlated: ${type}${told.join('')}`, steps: w.steps };
}

export const xlatedSweep: readonly Script[] = VARIANTS.map(([type, changes]) =>
  scriptOf(type, changes),
);
