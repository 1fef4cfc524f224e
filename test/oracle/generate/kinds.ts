/** The program types that programs are generated for, and what each may do with its context. */
import { UapiSkBuff, XdpMd } from '../../../bpf/uapi-ctx.ts';

export interface ContextField {
  readonly offset: number;
  readonly bytes: 4 | 8;
  readonly writable: boolean;
}

export interface ProgramKind {
  readonly type: string;
  readonly attachType?: string;
  readonly contextBytes: number;
  /** Plain numbers in the context. */
  readonly fields: readonly ContextField[];
  /** Offsets of the pointers to the packet's start and end. */
  readonly packet?: { readonly data: number; readonly end: number; readonly writable: boolean };
  /** Loads by LD_ABS and LD_IND. */
  readonly classicLoads: boolean;
  readonly returns: 'any' | 'bit';
  /** BPF_PROG_TEST_RUN runs it. */
  readonly runs: boolean;
  readonly family: 'xdp' | 'skb' | 'tracing';
}

type SkbMember = keyof typeof UapiSkBuff.members;

const skb = (names: readonly SkbMember[], writable: readonly SkbMember[]): ContextField[] =>
  names.map((name) => ({
    offset: UapiSkBuff.offsets[name],
    bytes: UapiSkBuff.members[name].size === 8 ? 8 : 4,
    writable: writable.includes(name),
  }));

/** What does not depend on the machine that the packet came to. */
const PLAIN: readonly SkbMember[] = [
  'len',
  'pkt_type',
  'mark',
  'queue_mapping',
  'protocol',
  'vlan_present',
  'vlan_tci',
  'vlan_proto',
  'priority',
  'ifindex',
  'cb',
];
const SKB_PACKET = { data: UapiSkBuff.offsets.data, end: UapiSkBuff.offsets.data_end };
const base = {
  contextBytes: UapiSkBuff.size,
  classicLoads: false,
  returns: 'any',
  runs: true,
  family: 'skb',
} as const;

const XDP: ProgramKind = {
  ...base,
  type: 'xdp',
  family: 'xdp',
  contextBytes: XdpMd.size,
  fields: ['ingress_ifindex', 'rx_queue_index'].map((name) => ({
    offset: XdpMd.offsets[name as 'rx_queue_index'],
    bytes: 4,
    writable: false,
  })),
  packet: { data: XdpMd.offsets.data, end: XdpMd.offsets.data_end, writable: true },
};
const SCHED_CLS: ProgramKind = {
  ...base,
  type: 'sched_cls',
  classicLoads: true,
  fields: skb(
    [...PLAIN, 'tc_index', 'tc_classid', 'tstamp', 'wire_len', 'gso_segs'],
    ['mark', 'priority', 'tc_index', 'cb', 'queue_mapping', 'tc_classid', 'tstamp'],
  ),
  packet: { ...SKB_PACKET, writable: true },
};
const SOCKET_FILTER: ProgramKind = {
  ...base,
  type: 'socket_filter',
  classicLoads: true,
  fields: skb(PLAIN, ['cb']),
};
const LWT: Omit<ProgramKind, 'type'> = {
  ...base,
  fields: skb(['len', 'mark', 'priority', 'protocol', 'cb'], ['mark', 'priority', 'cb']),
  packet: { ...SKB_PACKET, writable: false },
};
const TRACING: Omit<ProgramKind, 'type'> = {
  ...base,
  contextBytes: 64,
  fields: [8, 16, 24, 32, 40].map((offset) => ({ offset, bytes: 8, writable: false })),
  runs: false,
  family: 'tracing',
};

/** With how often each comes. */
export const PROGRAM_KINDS: readonly (readonly [number, ProgramKind])[] = [
  [30, XDP],
  [26, SCHED_CLS],
  [20, SOCKET_FILTER],
  [3, { ...SCHED_CLS, type: 'sched_act' }],
  [4, { ...LWT, type: 'lwt_xmit', packet: { ...SKB_PACKET, writable: true } }],
  [3, { ...LWT, type: 'lwt_in' }],
  [
    6,
    {
      ...LWT,
      type: 'cgroup_skb',
      attachType: 'cgroup_inet_ingress',
      returns: 'bit',
    },
  ],
  [3, { ...TRACING, type: 'kprobe' }],
  [3, { ...TRACING, type: 'tracepoint' }],
  [2, { ...TRACING, type: 'raw_tracepoint' }],
];
