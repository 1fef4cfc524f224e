import type { HelperCase } from '../helper-cases.ts';
import { IPV4_SYN as data } from './packets.ts';

/** bpf_skb_set_tunnel_key of the bytes at r10 - 64. */
const set = (bytes: number, flags: number) => `
  r1 = r6
  r2 = r10
  r2 += -64
  r3 = ${bytes}
  r4 = ${flags}
  call skb_set_tunnel_key#21
  save`;
/** bpf_skb_get_tunnel_key into the bytes at r10 - 128, which are 0xff before. */
const get = (bytes: number, flags: number) => `
  set -128 ${'ffffffff'.repeat(12)}
  r1 = r6
  r2 = r10
  r2 += -128
  r3 = ${bytes}
  r4 = ${flags}
  call skb_get_tunnel_key#20
  save
  save 48 from -128`;

const id = '2a000000';
const v4 = (ext = '0000', label = '00000000') =>
  `\nset -64 ${id} 01020304 ${'0'.repeat(24)} 1040${ext} ${label} 0a0b0c0d ${'0'.repeat(24)}`;
const v6 = `\nset -64 ${id} 20010db8 0000000000000000 00000001 1040 0000 ffffffff 20010db8 0000000000000000 00000002`;

const option = (how: 'get' | 'set', bytes: number) => `
  r1 = r6
  r2 = r10
  r2 += -${how === 'set' ? 64 : 128}
  r3 = ${bytes}
  call skb_${how}_tunnel_opt#${how === 'set' ? 30 : 29}
  save`;

const on = (type: string, cases: Record<string, string>): HelperCase[] =>
  Object.entries(cases).map(([name, body]) => ({
    id: `tunnel/${type}/${name}`,
    type,
    body,
    data,
  }));

const cases = {
  'a packet has none': get(44, 0) + get(8, 0) + get(44, 1),
  'set and got, IPv4': v4() + set(44, 0) + get(44, 0) + get(44, 16) + get(28, 0) + get(8, 0),
  'set and got, IPv6': v6 + set(44, 1) + get(44, 1) + get(28, 1),
  'older sizes': v4() + [28, 24, 22, 8].map((bytes) => set(bytes, 0)).join('') + get(24, 0),
  'sizes that never were': v4() + [4, 20, 36, 40].map((bytes) => set(bytes, 0)).join(''),
  'sizes that are not got': v4() + set(44, 0) + get(40, 0) + get(4, 0) + get(48, 0),
  'of the other family': v4() + set(44, 0) + get(44, 1) + v6 + set(44, 1) + get(44, 0),
  'IPv6 in the oldest size': v6 + set(44, 1) + get(8, 1),
  'flags of set': v4() + [2, 4, 8, 14].map((flags) => set(44, flags) + get(44, 16)).join(''),
  'unknown flags': v4() + set(44, 16) + set(44, 32) + set(44, 0) + get(44, 2) + get(44, 32),
  'a label without IPv6': v4('0000', '01000000') + set(44, 0) + set(44, 1),
  'bytes that must be zero': v4('0100') + set(44, 0),
};
const options = {
  'options of no tunnel':
    `set -128 ${'ff'.repeat(16)}` + option('get', 16) + 'save 16 from -128'.padStart(18, '\n'),
  'options without a tunnel of ours': `set -64 ${'00'.repeat(16)}` + option('set', 16),
  'options set and got':
    v4() +
    set(44, 0) +
    `\nset -128 ${'ff'.repeat(24)}\n` +
    option('get', 24) +
    '\nsave 24 from -128\n' +
    option('set', 16) +
    option('get', 12) +
    option('get', 16) +
    '\nsave 16 from -128\n' +
    `set -128 ${'ff'.repeat(24)}\n` +
    option('get', 24) +
    '\nsave 24 from -128\n' +
    get(44, 16),
  'sizes of options': v4() + set(44, 0) + option('set', 13) + option('set', 4) + option('get', 4),
  'a new key forgets them':
    v4() +
    set(44, 0) +
    option('set', 8) +
    set(44, 0) +
    `\nset -128 ${'ff'.repeat(8)}\n` +
    option('get', 8),
};

export const tunnelCases: readonly HelperCase[] = [
  ...on('sched_cls', { ...cases, ...options }),
  ...on('lwt_xmit', { 'set and got, IPv4': cases['set and got, IPv4'] }),
];
