/**
 * `struct __sk_buff` on sk_buff.
 *
 * differs: members of the skb's socket (addresses, ports, family), of its NAPI instance and
 * tstamp_type are not converted yet: programs that use them are refused. tstamp is always the
 * skb's own time stamp, without 6.1's distinction of delivery times.
 */
import { insn } from '../bpf/asm/build.ts';
import { ctxMemberAt } from '../bpf/ctx-fields.ts';
import type { Insn } from '../bpf/isa/insn.ts';
import { helperByProto } from '../bpf/helpers/table.ts';
import type { CtxRequest, ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSkBuff } from '../bpf/uapi-ctx.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import {
  SKB_CLONED,
  SKB_PKT_TYPE_MASK,
  SKB_VLAN_PRESENT,
  SkBuff,
  SkbSharedInfo,
} from '../kernel/types/skbuff.ts';
import { at, bits, direct, load, place, store, through, type Convert } from './convert.ts';

/**
 * What traffic control and BPF keep in skb->cb (struct qdisc_skb_cb and bpf_skb_data_end): packet
 * length, class id, 20 bytes for programs, then the packet's bounds.
 */
export const SKB_CB = { pktLen: 0, tcClassid: 6, data: 8, dataMeta: 32, dataEnd: 40 } as const;
const cb = SkBuff.offsets.cb;

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
    const temp = [0, 1, 2].find((regno) => regno !== dst && regno !== src)!;
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

const members: Partial<Record<keyof typeof UapiSkBuff.members, Convert>> = {
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
  tstamp: direct(SkBuff, 'tstamp'),
  wire_len: at(cb + SKB_CB.pktLen, 4),
  gso_segs: shared('gso_segs'),
  gso_size: shared('gso_size'),
  hwtstamp: shared('hwtstamps'),
  sk: direct(SkBuff, 'sk'),
};

export const convertSkb: NonNullable<ProgTypeOps['convert']> = (request: CtxRequest) =>
  members[ctxMemberAt(UapiSkBuff, request.off)]?.(request);

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
