/**
 * Trace events of the network: xdp, napi, net and skb, with the fields and texts of Linux 6.1
 * (taken from the `format` files of a running 6.1).
 */
import type { TracepointRegistry } from '../../hooks/registry.ts';
import { cType, dynamicString, traceEvent } from '../../hooks/trace-event.ts';
import { i32, pointer } from '../types/struct.ts';
import type { RamOffset } from '../types/units.ts';
import type { XdpCpumapStatsView } from '../types/xdp.ts';

const u32C = cType('u32', 4, false);
const uint = cType('unsigned int', 4, false);
const ushort = cType('unsigned short', 2, false);
const enumC = cType('enum skb_drop_reason', 4, false);
const voidPointer = pointer('void');
const hex = (value: bigint): string => value.toString(16).padStart(16, '0');

export const XDP_ACTION_NAMES = ['ABORTED', 'DROP', 'PASS', 'TX', 'REDIRECT'] as const;
const ACTION_SYMBOLS =
  `${XDP_ACTION_NAMES.map((name, act) => `{ ${act}, "${name}" }`).join(', ')}, ` +
  '{ -1, ((void *)0) }';
const actionText = (act: number): string => XDP_ACTION_NAMES[act] ?? `0x${act.toString(16)}`;

/** A struct in RAM with what the event prints of it. */
interface DeviceArg {
  readonly offset: RamOffset;
  readonly ifindex: number;
  readonly name: string;
}
interface ProgramArg {
  readonly offset: RamOffset;
  readonly id: number;
}
interface SkbArg {
  readonly offset: RamOffset;
  readonly len: number;
  readonly protocol: number;
}

export const xdpException = traceEvent({
  system: 'xdp',
  name: 'xdp_exception',
  args: ['const struct net_device *dev', 'const struct bpf_prog *xdp', 'u32 act'],
  fields: { prog_id: i32, act: u32C, ifindex: i32 },
  assign(record, _strings, dev: DeviceArg, program: ProgramArg, act: number) {
    record.prog_id = program.id;
    record.act = act;
    record.ifindex = dev.ifindex;
  },
  print: (r) =>
    `prog_id=${r.number('prog_id')} action=${actionText(r.number('act'))} ` +
    `ifindex=${r.number('ifindex')}`,
  printFmt:
    '"prog_id=%d action=%s ifindex=%d", REC->prog_id, ' +
    `__print_symbolic(REC->act, ${ACTION_SYMBOLS}), REC->ifindex`,
});

/** xdp_redirect and xdp_redirect_err, which differ in whether the frame went. */
const redirect = (name: string) =>
  traceEvent({
    system: 'xdp',
    name,
    args: [
      'const struct net_device *dev',
      'const struct bpf_prog *xdp',
      'const void *tgt',
      'int err',
      'enum bpf_map_type map_type',
      'u32 map_id',
      'u32 index',
    ],
    fields: {
      prog_id: i32,
      act: u32C,
      ifindex: i32,
      err: i32,
      to_ifindex: i32,
      map_id: u32C,
      map_index: i32,
    },
    assign(
      record,
      _strings,
      dev: DeviceArg,
      program: ProgramArg,
      target: DeviceArg | RamOffset,
      err: number,
      _mapType: number,
      mapId: number,
      index: number,
    ) {
      record.prog_id = program.id;
      record.act = 4;
      record.ifindex = dev.ifindex;
      record.err = err;
      record.to_ifindex = typeof target === 'object' ? target.ifindex : mapId ? 0 : index;
      record.map_id = mapId;
      record.map_index = mapId ? index : 0;
    },
    print: (r) =>
      `prog_id=${r.number('prog_id')} action=${actionText(r.number('act'))} ` +
      `ifindex=${r.number('ifindex')} to_ifindex=${r.number('to_ifindex')} ` +
      `err=${r.number('err')} map_id=${r.number('map_id')} map_index=${r.number('map_index')}`,
    printFmt:
      '"prog_id=%d action=%s ifindex=%d to_ifindex=%d err=%d map_id=%d map_index=%d", ' +
      `REC->prog_id, __print_symbolic(REC->act, ${ACTION_SYMBOLS}), REC->ifindex, ` +
      'REC->to_ifindex, REC->err, REC->map_id, REC->map_index',
  });
export const xdpRedirect = redirect('xdp_redirect');
export const xdpRedirectErr = redirect('xdp_redirect_err');

const XDP_REDIRECT_ACT = 4;

/** Frames go into the ring of a cpumap's entry; `drops` of them found no room. `cpu` runs this. */
export const xdpCpumapEnqueue = traceEvent({
  system: 'xdp',
  name: 'xdp_cpumap_enqueue',
  args: ['int map_id', 'unsigned int processed', 'unsigned int drops', 'int to_cpu'],
  fields: { map_id: i32, act: u32C, cpu: i32, drops: uint, processed: uint, to_cpu: i32 },
  assign(
    record,
    _strings,
    mapId: number,
    processed: number,
    drops: number,
    toCpu: number,
    cpu: number,
  ) {
    Object.assign(record, { map_id: mapId, act: XDP_REDIRECT_ACT, cpu });
    Object.assign(record, { drops, processed, to_cpu: toCpu });
  },
  print: (r) =>
    `enqueue cpu=${r.number('cpu')} map_id=${r.number('map_id')} ` +
    `action=${actionText(r.number('act'))} processed=${r.number('processed')} ` +
    `drops=${r.number('drops')} to_cpu=${r.number('to_cpu')}`,
  printFmt:
    '"enqueue cpu=%d map_id=%d action=%s processed=%u drops=%u to_cpu=%d", REC->cpu, ' +
    `REC->map_id, __print_symbolic(REC->act, ${ACTION_SYMBOLS}), REC->processed, REC->drops, ` +
    'REC->to_cpu',
});

/** A cpumap's thread has taken a batch from its ring; `drops` of it got no sk_buff. */
export const xdpCpumapKthread = traceEvent({
  system: 'xdp',
  name: 'xdp_cpumap_kthread',
  args: [
    'int map_id',
    'unsigned int processed',
    'unsigned int drops',
    'int sched',
    'struct xdp_cpumap_stats *xdp_stats',
  ],
  fields: {
    map_id: i32,
    act: u32C,
    cpu: i32,
    drops: uint,
    processed: uint,
    sched: i32,
    xdp_pass: uint,
    xdp_drop: uint,
    xdp_redirect: uint,
  },
  assign(
    record,
    _strings,
    mapId: number,
    processed: number,
    drops: number,
    sched: number,
    stats: XdpCpumapStatsView,
    cpu: number,
  ) {
    Object.assign(record, { map_id: mapId, act: XDP_REDIRECT_ACT, cpu, drops, processed, sched });
    record.xdp_pass = stats.pass;
    record.xdp_drop = stats.drop;
    record.xdp_redirect = stats.redirect;
  },
  print: (r) =>
    `kthread cpu=${r.number('cpu')} map_id=${r.number('map_id')} ` +
    `action=${actionText(r.number('act'))} processed=${r.number('processed')} ` +
    `drops=${r.number('drops')} sched=${r.number('sched')} xdp_pass=${r.number('xdp_pass')} ` +
    `xdp_drop=${r.number('xdp_drop')} xdp_redirect=${r.number('xdp_redirect')}`,
  printFmt:
    '"kthread cpu=%d map_id=%d action=%s processed=%u drops=%u sched=%d xdp_pass=%u ' +
    'xdp_drop=%u xdp_redirect=%u", REC->cpu, REC->map_id, ' +
    `__print_symbolic(REC->act, ${ACTION_SYMBOLS}), REC->processed, REC->drops, REC->sched, ` +
    'REC->xdp_pass, REC->xdp_drop, REC->xdp_redirect',
});

export const napiPoll = traceEvent({
  system: 'napi',
  name: 'napi_poll',
  args: ['struct napi_struct *napi', 'int work', 'int budget'],
  fields: { napi: pointer('napi_struct'), dev_name: dynamicString, work: i32, budget: i32 },
  assign(
    record,
    strings,
    napi: { readonly offset: RamOffset; readonly deviceName: string },
    work: number,
    budget: number,
  ) {
    record.napi = napi.offset;
    strings('dev_name', napi.deviceName);
    record.work = work;
    record.budget = budget;
  },
  print: (r) =>
    `napi poll on napi struct ${hex(r.big('napi'))} for device ${r.text('dev_name')} ` +
    `work ${r.number('work')} budget ${r.number('budget')}`,
  printFmt:
    '"napi poll on napi struct %p for device %s work %d budget %d", REC->napi, ' +
    '__get_str(dev_name), REC->work, REC->budget',
});

/** net_dev_template: an sk_buff, its length and its device. */
const netDev = (name: string) =>
  traceEvent({
    system: 'net',
    name,
    args: ['struct sk_buff *skb'],
    fields: { skbaddr: voidPointer, len: uint, name: dynamicString },
    assign(record, strings, skb: SkbArg, deviceName: string) {
      record.skbaddr = skb.offset;
      record.len = skb.len;
      strings('name', deviceName);
    },
    print: (r) => `dev=${r.text('name')} skbaddr=${hex(r.big('skbaddr'))} len=${r.number('len')}`,
    printFmt: '"dev=%s skbaddr=%p len=%u", __get_str(name), REC->skbaddr, REC->len',
  });
export const netDevQueue = netDev('net_dev_queue');
export const netifReceiveSkb = netDev('netif_receive_skb');
export const netifRx = netDev('netif_rx');

export const netDevXmit = traceEvent({
  system: 'net',
  name: 'net_dev_xmit',
  args: ['struct sk_buff *skb', 'int rc', 'struct net_device *dev', 'unsigned int skb_len'],
  fields: { skbaddr: voidPointer, len: uint, rc: i32, name: dynamicString },
  assign(record, strings, skb: SkbArg, rc: number, dev: DeviceArg, length: number) {
    record.skbaddr = skb.offset;
    record.len = length;
    record.rc = rc;
    strings('name', dev.name);
  },
  print: (r) =>
    `dev=${r.text('name')} skbaddr=${hex(r.big('skbaddr'))} len=${r.number('len')} ` +
    `rc=${r.number('rc')}`,
  printFmt: '"dev=%s skbaddr=%p len=%u rc=%d", __get_str(name), REC->skbaddr, REC->len, REC->rc',
});

/** enum skb_drop_reason of 6.1, from 1 on. */
export const SKB_DROP_REASONS = [
  'NOT_SPECIFIED NO_SOCKET PKT_TOO_SMALL TCP_CSUM SOCKET_FILTER UDP_CSUM NETFILTER_DROP OTHERHOST',
  'IP_CSUM IP_INHDR IP_RPFILTER UNICAST_IN_L2_MULTICAST XFRM_POLICY IP_NOPROTO SOCKET_RCVBUFF',
  'PROTO_MEM TCP_MD5NOTFOUND TCP_MD5UNEXPECTED TCP_MD5FAILURE SOCKET_BACKLOG TCP_FLAGS',
  'TCP_ZEROWINDOW TCP_OLD_DATA TCP_OVERWINDOW TCP_OFOMERGE TCP_RFC7323_PAWS TCP_INVALID_SEQUENCE',
  'TCP_RESET TCP_INVALID_SYN TCP_CLOSE TCP_FASTOPEN TCP_OLD_ACK TCP_TOO_OLD_ACK',
  'TCP_ACK_UNSENT_DATA TCP_OFO_QUEUE_PRUNE TCP_OFO_DROP IP_OUTNOROUTES BPF_CGROUP_EGRESS',
  'IPV6DISABLED NEIGH_CREATEFAIL NEIGH_FAILED NEIGH_QUEUEFULL NEIGH_DEAD TC_EGRESS QDISC_DROP',
  'CPU_BACKLOG XDP TC_INGRESS UNHANDLED_PROTO SKB_CSUM SKB_GSO_SEG SKB_UCOPY_FAULT DEV_HDR',
  'DEV_READY FULL_RING NOMEM HDR_TRUNC TAP_FILTER TAP_TXFILTER ICMP_CSUM INVALID_PROTO',
  'IP_INADDRERRORS IP_INNOROUTES PKT_TOO_BIG MAX',
].flatMap((line) => line.split(' '));
const REASON_SYMBOLS = SKB_DROP_REASONS.map((name, i) => `{ ${i + 1}, "${name}" }`).join(', ');

/** Those that this stack gives, by number. */
export const DROP_REASON = {
  NOT_SPECIFIED: 1,
  NO_SOCKET: 2,
  PKT_TOO_SMALL: 3,
  OTHERHOST: 8,
  IP_CSUM: 9,
  IP_INHDR: 10,
  IP_NOPROTO: 14,
  XDP: 47,
  UNHANDLED_PROTO: 49,
  FULL_RING: 55,
  ICMP_CSUM: 60,
} as const;
export type DropReason = (typeof DROP_REASON)[keyof typeof DROP_REASON];

export const kfreeSkb = traceEvent({
  system: 'skb',
  name: 'kfree_skb',
  args: ['struct sk_buff *skb', 'void *location', 'enum skb_drop_reason reason'],
  fields: { skbaddr: voidPointer, location: voidPointer, protocol: ushort, reason: enumC },
  assign(record, _strings, skb: SkbArg, _location: RamOffset, reason: number) {
    record.skbaddr = skb.offset;
    record.protocol = skb.protocol;
    record.reason = reason;
  },
  print: (r) =>
    `skbaddr=${hex(r.big('skbaddr'))} protocol=${r.number('protocol')} ` +
    `location=${hex(r.big('location'))} ` +
    `reason: ${SKB_DROP_REASONS[r.number('reason') - 1] ?? `0x${r.number('reason').toString(16)}`}`,
  printFmt:
    '"skbaddr=%p protocol=%u location=%p reason: %s", REC->skbaddr, REC->protocol, ' +
    `REC->location, __print_symbolic(REC->reason, ${REASON_SYMBOLS})`,
});

export const consumeSkb = traceEvent({
  system: 'skb',
  name: 'consume_skb',
  args: ['struct sk_buff *skb'],
  fields: { skbaddr: voidPointer },
  assign(record, _strings, skb: SkbArg) {
    record.skbaddr = skb.offset;
  },
  print: (r) => `skbaddr=${hex(r.big('skbaddr'))}`,
  printFmt: '"skbaddr=%p", REC->skbaddr',
});

export type NetTracepoints = ReturnType<typeof addNetTracepoints>;

export function addNetTracepoints(registry: TracepointRegistry) {
  return {
    xdpException: registry.add(xdpException),
    xdpRedirect: registry.add(xdpRedirect),
    xdpRedirectErr: registry.add(xdpRedirectErr),
    xdpCpumapEnqueue: registry.add(xdpCpumapEnqueue),
    xdpCpumapKthread: registry.add(xdpCpumapKthread),
    napiPoll: registry.add(napiPoll),
    netDevQueue: registry.add(netDevQueue),
    netDevXmit: registry.add(netDevXmit),
    netifReceiveSkb: registry.add(netifReceiveSkb),
    netifRx: registry.add(netifRx),
    kfreeSkb: registry.add(kfreeSkb),
    consumeSkb: registry.add(consumeSkb),
  };
}
