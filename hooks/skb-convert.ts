/** `struct __sk_buff` on sk_buff. */
import { insn } from '../bpf/asm/build.ts';
import { ctxMemberAt } from '../bpf/ctx-fields.ts';
import type { Insn } from '../bpf/isa/insn.ts';
import { helperByProto } from '../bpf/helpers/table.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSkBuff } from '../bpf/uapi-ctx.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import {
  SKB_CLONED,
  SKB_MONO_DELIVERY_TIME,
  SKB_PKT_TYPE_MASK,
  SKB_TC_AT_INGRESS,
  SKB_VLAN_PRESENT,
  SkBuff,
  SkbSharedInfo,
} from '../kernel/types/skbuff.ts';
import { SockCommon } from '../kernel/types/sock.ts';
import { at, bits, direct, load, place, store, through, type Convert } from '../bpf/ctx-convert.ts';

/**
 * What traffic control and BPF keep in skb->cb (struct qdisc_skb_cb and bpf_skb_data_end): packet
 * length, class id, 20 bytes for programs, then the packet's bounds.
 */
export const SKB_CB = { pktLen: 0, tcClassid: 6, data: 8, dataMeta: 32, dataEnd: 40 } as const;
const cb = SkBuff.offsets.cb;

type Member = keyof typeof UapiSkBuff.members;

/** The program's own bytes in the control block, at whatever offset and size. */
const scratchWords: Convert = (request) => {
  const off = request.off - UapiSkBuff.offsets.cb + cb + SKB_CB.data;
  return at(off, request.bytes)(request);
};

/** NO_QUEUE_MAPPING (include/linux/netdevice.h): a number that is none is not stored. */
const NO_QUEUE = 0xffff;
const queueMapping: Convert = (request) => {
  const { off } = place(SkBuff, 'queue_mapping');
  if (!request.write) return at(off, 2)(request);
  const { dst, src } = request;
  const skip = insn('jge64_imm', { dst: src, imm: NO_QUEUE, off: 1 });
  return { insns: [skip, store(2, dst, src, off)], targetBytes: 2 };
};

/**
 * A member of skb_shared_info, which is where the packet's buffer ends: head + end. Takes a second
 * register, whose value waits on the stack.
 */
const shared = (member: 'gso_segs' | 'gso_size' | 'hwtstamps'): Convert => {
  const { off, bytes } = place(SkbSharedInfo, member);
  return ({ dst, src, scratchOff }) => {
    const temp = spare(dst, src);
    const insns = [
      store(8, 10, temp, scratchOff),
      load(4, temp, src, SkBuff.offsets.end),
      load(8, dst, src, SkBuff.offsets.head),
      insn('add64_reg', { dst, src: temp }),
      load(8, temp, 10, scratchOff),
      load(bytes, dst, dst, off),
    ];
    return { insns, targetBytes: bytes, usesScratch: true };
  };
};

/** A member of the skb's socket, which the types that may ask for it always have. */
const ofSocket = (member: 'skc_family' | 'skc_daddr' | 'skc_rcv_saddr' | 'skc_num'): Convert => {
  const { off, bytes } = place(SockCommon, member);
  return through([SkBuff.offsets.sk], off, bytes);
};

/** One word of an IPv6 address. */
const ip6 =
  (member: 'remote_ip6' | 'local_ip6', address: 'skc_v6_daddr' | 'skc_v6_rcv_saddr'): Convert =>
  (request) => {
    const word = request.off - UapiSkBuff.offsets[member];
    return through([SkBuff.offsets.sk], SockCommon.offsets[address] + word, 4)(request);
  };

/** In network byte order, in the upper half of the word. */
const remotePort: Convert = (request) => {
  const { off, bytes } = place(SockCommon, 'skc_dport');
  const { insns, targetBytes } = through([SkBuff.offsets.sk], off, bytes)(request);
  return { insns: [...insns, insn('lsh32_imm', { dst: request.dst, imm: 16 })], targetBytes };
};

/** Smaller numbers stand for the CPU that sent it: NR_CPUS + 1, of Debian's configuration. */
const MIN_NAPI_ID = 8193;
const napiId: Convert = ({ dst, src }) => {
  const { off, bytes } = place(SkBuff, 'napi_id');
  const insns = [
    load(bytes, dst, src, off),
    insn('jge64_imm', { dst, imm: MIN_NAPI_ID, off: 1 }),
    insn('mov64_imm', { dst }),
  ];
  return { insns, targetBytes: bytes };
};

/** A register that the access leaves alone; its value waits on the stack. */
const spare = (dst: number, src: number): number =>
  [0, 1, 2].find((regno) => regno !== dst && regno !== src)!;

const { bits130, tstamp } = SkBuff.offsets;

/**
 * At ingress a delivery time is none of the program's business, unless it asks for its type: it
 * reads 0, and writing makes a plain time stamp.
 */
const timeStamp: Convert = (request) =>
  request.write ? writeTimeStamp(request) : readTimeStamp(request);

const readTimeStamp: Convert = ({ dst, src, scratchOff }) => {
  const isDelivery = SKB_TC_AT_INGRESS | SKB_MONO_DELIVERY_TIME;
  const temp = dst === src ? spare(dst, src) : dst;
  const insns = [
    load(1, temp, src, bits130),
    insn('and32_imm', { dst: temp, imm: isDelivery }),
    insn('jne32_imm', { dst: temp, imm: isDelivery, off: 2 }),
    insn('mov64_imm', { dst }),
    insn('goto', { off: 1 }),
    load(8, dst, src, tstamp),
  ];
  if (temp === dst) return { insns, targetBytes: 8 };
  const kept = [store(8, 10, temp, scratchOff), ...insns, load(8, temp, 10, scratchOff)];
  return { insns: kept, targetBytes: 8, usesScratch: true };
};

const writeTimeStamp: Convert = ({ dst, src, scratchOff }) => {
  const temp = spare(dst, src);
  const insns = [
    store(8, 10, temp, scratchOff),
    load(1, temp, dst, bits130),
    insn('jset32_imm', { dst: temp, imm: SKB_TC_AT_INGRESS, off: 1 }),
    insn('goto', { off: 2 }),
    insn('and32_imm', { dst: temp, imm: ~SKB_MONO_DELIVERY_TIME }),
    store(1, dst, temp, bits130),
    store(8, dst, src, tstamp),
    load(8, temp, 10, scratchOff),
  ];
  return { insns, targetBytes: 8, usesScratch: true };
};

const members: Readonly<Record<Exclude<Member, 'flow_keys'>, Convert>> = {
  len: direct(SkBuff, 'len'),
  pkt_type: bits(SkBuff.offsets.bits128, SKB_PKT_TYPE_MASK),
  mark: direct(SkBuff, 'mark'),
  queue_mapping: queueMapping,
  protocol: direct(SkBuff, 'protocol'),
  vlan_present: bits(SkBuff.offsets.bits130, SKB_VLAN_PRESENT),
  vlan_tci: direct(SkBuff, 'vlan_tci'),
  vlan_proto: direct(SkBuff, 'vlan_proto'),
  priority: direct(SkBuff, 'priority'),
  ingress_ifindex: direct(SkBuff, 'skb_iif'),
  ifindex: through([SkBuff.offsets.dev], NetDeviceStruct.offsets.ifindex, 4, true),
  tc_index: direct(SkBuff, 'tc_index'),
  cb: scratchWords,
  hash: direct(SkBuff, 'hash'),
  tc_classid: at(cb + SKB_CB.tcClassid, 2),
  data: direct(SkBuff, 'data'),
  data_end: at(cb + SKB_CB.dataEnd, 8),
  data_meta: at(cb + SKB_CB.dataMeta, 8),
  tstamp: timeStamp,
  tstamp_type: bits(bits130, SKB_MONO_DELIVERY_TIME),
  wire_len: at(cb + SKB_CB.pktLen, 4),
  gso_segs: shared('gso_segs'),
  gso_size: shared('gso_size'),
  hwtstamp: shared('hwtstamps'),
  sk: direct(SkBuff, 'sk'),
  napi_id: napiId,
  family: ofSocket('skc_family'),
  remote_ip4: ofSocket('skc_daddr'),
  local_ip4: ofSocket('skc_rcv_saddr'),
  remote_ip6: ip6('remote_ip6', 'skc_v6_daddr'),
  local_ip6: ip6('local_ip6', 'skc_v6_rcv_saddr'),
  remote_port: remotePort,
  local_port: ofSocket('skc_num'),
};

export const convertSkb: NonNullable<ProgTypeOps['convert']> = (request, ctx) => {
  const member = ctxMemberAt(UapiSkBuff, request.off);
  // Only the flow dissector's context has these; its own conversion knows them.
  if (member === 'flow_keys') return undefined;
  if (member === 'tstamp' && ctx.seesTstampType) return direct(SkBuff, 'tstamp')(request);
  return members[member](request);
};

/** In traffic control ifindex needs no NULL check: the skb always has its device. */
export const convertTcSkb: NonNullable<ProgTypeOps['convert']> = (request, ctx) =>
  ctxMemberAt(UapiSkBuff, request.off) === 'ifindex'
    ? through([SkBuff.offsets.dev], NetDeviceStruct.offsets.ifindex, 4)(request)
    : convertSkb(request, ctx);

const PULL_DATA = helperByProto('skb_pull_data').id;

/**
 * Before a program writes to a packet that others may share (skb->cloned), it gets a copy of its
 * own; if there is none, it ends with `drop`.
 */
export const unclonePrologue =
  (drop: number): NonNullable<ProgTypeOps['prologue']> =>
  (writesPacket): readonly Insn[] => {
    if (!writesPacket) return [];
    return [
      load(1, 6, 1, SkBuff.offsets.bits126),
      insn('and32_imm', { dst: 6, imm: SKB_CLONED }),
      insn('jeq64_imm', { dst: 6, off: 7 }),
      insn('mov64_reg', { dst: 6, src: 1 }),
      insn('xor64_reg', { dst: 2, src: 2 }),
      insn('call_helper', { imm: PULL_DATA }),
      insn('jeq64_imm', { dst: 0, off: 2 }),
      insn('mov32_imm', { dst: 0, imm: drop }),
      insn('exit'),
      insn('mov64_reg', { dst: 1, src: 6 }),
    ];
  };
