import type { HelperCase } from '../helper-cases.ts';
import { IPV4_SYN as data } from './packets.ts';

const array = { type: 'cgroup_array', key_size: 4, value_size: 4, max_entries: 2 };
const under = (index: string) => `
  r1 = r6
  r2 = map_fd(1)
  r3 = ${index}
  call skb_under_cgroup#33
  save`;
const ofPacket = `
  r1 = r6
  call skb_cgroup_id#79
  save
  ${[0, 1, -1, 100]
    .map((level) => `r1 = r6\n r2 = ${level}\n call skb_ancestor_cgroup_id#83\n save`)
    .join('\n')}`;
const ofSock = `
  r8 = *(u64 *)(r6 +168)
  if r8 == 0 goto none
  r1 = r8
  call sk_cgroup_id#128
  save
  ${[0, 1, -1]
    .map((level) => `r1 = r8\n r2 = ${level}\n call sk_ancestor_cgroup_id#129\n save`)
    .join('\n')}
none:`;

export const cgroupCases: readonly HelperCase[] = [
  { id: 'cgroup/sched_cls/of the packet', type: 'sched_cls', body: ofPacket, data },
  {
    id: 'cgroup/cgroup_skb/of the packet',
    type: 'cgroup_skb',
    attach: 'cgroup_inet_ingress',
    body: ofPacket,
    data,
  },
  {
    id: 'cgroup/cgroup_skb/of the socket',
    type: 'cgroup_skb',
    attach: 'cgroup_inet_ingress',
    body: ofSock,
    data,
  },
  {
    id: 'cgroup/sched_cls/under one of an array',
    type: 'sched_cls',
    maps: [array],
    body: under('0') + under('1') + under('2') + under('-1'),
    data,
  },
];
