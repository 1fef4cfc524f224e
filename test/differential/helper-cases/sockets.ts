import type { HelperCase } from '../helper-cases.ts';
import { IPV4_SYN as data } from './packets.ts';

/** r8 is the packet's socket; the label ends the case where there is none. */
const withSock = (body: string) => `
  r8 = *(u64 *)(r6 +168)
  if r8 == 0 goto none
  ${body}
none:`;

const assign = (flags: number) => `
  r1 = r6
  r2 = r8
  r3 = ${flags}
  call sk_assign#124
  save`;

const lookup = (name: string, bytes: number, netns: string, flags: number) => `
  set -64 ${'7f000001'.repeat(9)}
  r1 = r6
  r2 = r10
  r2 += -64
  r3 = ${bytes}
  r4 = ${netns}
  r5 = ${flags}
  call ${name}
  r7 = 0
  if r0 == 0 goto pc+3
  r7 = 1
  r1 = r0
  call sk_release#86
  r0 = r7
  save`;

const lookups = (type: string): HelperCase[] =>
  ['sk_lookup_tcp#84', 'sk_lookup_udp#85', 'skc_lookup_tcp#99'].map((name) => ({
    id: `sock/${type}/${name}`,
    type,
    body: [
      lookup(name, 12, '-1', 0),
      lookup(name, 36, '-1', 0),
      lookup(name, 16, '-1', 0),
      lookup(name, 12, '7', 0),
      lookup(name, 12, '-1', 1),
    ].join('\n'),
    data,
  }));

const NO_SOCKET = '00'.repeat(8);
/** struct bpf_sk_lookup of a TCP connection over IPv4. */
const lookupContext = `${NO_SOCKET}0200000006000000${'c0000201'}${'00'.repeat(16)}${'0fa00000'}${'c0000202'}${'00'.repeat(16)}${'50000000'}${'00'.repeat(4)}`;
const assignNull = (flags: number) => `
  r1 = r6
  r2 = 0
  r3 = ${flags}
  call sk_assign#124
  save`;

export const sockCases: readonly HelperCase[] = [
  {
    id: 'sock/sk_assign outside of ingress',
    type: 'sched_cls',
    body: withSock(assign(0) + assign(1)),
    data,
  },
  ...lookups('xdp'),
  ...lookups('sched_cls'),
  ...lookups('cgroup_skb'),
  {
    id: 'sock/sk_lookup gives nobody',
    type: 'sk_lookup',
    attach: 'sk_lookup',
    body: [0, 1, 2, 3, 4, -1].map(assignNull).join('\n'),
    context: lookupContext,
  },
];
