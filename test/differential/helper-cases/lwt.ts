import type { HelperCase } from '../helper-cases.ts';
import { ARP, IPV4_SYN, IPV6_SYN } from './packets.ts';

const encap = (mode: number, bytes: number) => `
  r1 = r6
  r2 = ${mode}
  r3 = r10
  r3 += -128
  r4 = ${bytes}
  call lwt_push_encap#73
  save`;

const OUTER4 = `set -128 4500003c 00010000 40040000 0a000001 0a000002 ${'0'.repeat(80)}`;
const OUTER4_SUMMED = `set -128 4500003c 00010000 4004beef 0a000001 0a000002 ${'0'.repeat(80)}`;
const OUTER4_GRE = `set -128 46000040 00010000 402f0000 0a000001 0a000002 00000000 00000800 ${'0'.repeat(64)}`;
const OUTER6 = `set -128 60000000 003c0440 ${'fd'.padEnd(30, '0')}01 ${'fd'.padEnd(30, '0')}02`;
const BAD_VERSION = `set -128 50000000 ${'0'.repeat(72)}`;
/** One segment. */
const SRH = (type: string, left = '00', last = '00') =>
  `set -128 2902${type}${left} ${last}000000 20010db8 00000000 00000000 00000009 ${'0'.repeat(32)}`;

const bodies: Record<string, string> = {
  IPv4: OUTER4 + encap(2, 20),
  'IPv4 with a checksum': OUTER4_SUMMED + encap(2, 20),
  'IPv4 and more': OUTER4 + encap(2, 28),
  'IPv4 with options': OUTER4_GRE + encap(2, 28),
  'IPv4 shorter than it says': OUTER4_GRE + encap(2, 20),
  IPv6: OUTER6 + encap(2, 40),
  'IPv6 too short': OUTER6 + encap(2, 36),
  neither: BAD_VERSION + encap(2, 40),
  'too short': OUTER4 + encap(2, 16),
  twice: OUTER4 + encap(2, 20) + encap(2, 20),
  'unknown modes': OUTER4 + encap(3, 20) + encap(-1, 20),
  'a segment header too short': SRH('04') + encap(0, 16) + encap(1, 16) + encap(0, 4),
  'a segment header of another type': SRH('03') + encap(0, 24) + encap(1, 24),
  'more segments left than there are': SRH('04', '02') + encap(0, 24) + encap(1, 24),
  'more segments than fit': SRH('04', '00', '01') + encap(0, 24) + encap(1, 24),
};

const inCases = (name: string, data: string): HelperCase[] =>
  Object.entries(bodies).map(([id, body]) => ({
    id: `lwt/in/${name}/${id}`,
    type: 'lwt_in',
    body,
    data,
  }));

export const lwtCases: readonly HelperCase[] = [
  ...inCases('IPv4', IPV4_SYN),
  ...inCases('IPv6', IPV6_SYN),
  ...inCases('ARP', ARP).slice(0, 2),
  {
    id: 'lwt/in/inline segments on IPv4',
    type: 'lwt_in',
    body: SRH('04') + encap(1, 24),
    data: IPV4_SYN,
  },
  {
    id: 'lwt/xmit/segments are not for it',
    type: 'lwt_xmit',
    body: SRH('04') + encap(0, 24) + encap(1, 24) + encap(3, 24),
    data: IPV4_SYN,
  },
  { id: 'lwt/seg6local/has no test runs', type: 'lwt_seg6local', body: '', data: IPV6_SYN },
];
