import type { HelperCase } from '../helper-cases.ts';
import { IPV4_SYN, IPV6_SYN } from './packets.ts';

/** struct bpf_fib_lookup at r10 - 64: family, length, interface; to and from 192.0.2.x. */
const params = (family: number, ifindex: number, length = 0) =>
  `\nset -64 ${family.toString(16).padStart(2, '0')}060000 0000${hex16(length)} ${hex16(ifindex)}0000 00000000 c0000201 ${'0'.repeat(24)} c0000202 ${'0'.repeat(24)} 00000000 ${'0'.repeat(24)}`;
const hex16 = (value: number) =>
  [value & 0xff, value >> 8].map((byte) => byte.toString(16).padStart(2, '0')).join('');

const lookup = (flags: number, bytes = 64) => `
  r1 = r6
  r2 = r10
  r2 += -64
  r3 = ${bytes}
  r4 = ${flags}
  call fib_lookup#69
  save`;

const bodies = {
  sizes: params(2, 1) + lookup(0, 60) + lookup(0, 64) + lookup(0, 4),
  families: [0, 1, 2, 10, 17].map((family) => `\n${params(family, 1)}${lookup(0)}`).join(''),
  interfaces: [0, 1, 99]
    .map((ifindex) => `\n${params(2, ifindex)}${lookup(0)}\nsave 64 from -64`)
    .join(''),
  flags: [1, 2, 4, 8, 16, 31, 32, 64, -1]
    .map((flags) => `\n${params(2, 1)}${lookup(flags)}`)
    .join(''),
  'a length': `${params(2, 1, 9000)}${lookup(0)}\nsave 64 from -64`,
};

const on = (type: string, data: string): HelperCase[] =>
  Object.entries(bodies).map(([name, body]) => ({ id: `fib/${type}/${name}`, type, body, data }));

export const fibCases: readonly HelperCase[] = [
  ...on('xdp', IPV4_SYN),
  ...on('sched_cls', IPV4_SYN),
  ...on('xdp', IPV6_SYN)
    .slice(1, 2)
    .map((one) => ({ ...one, id: `${one.id}, an IPv6 packet` })),
];
