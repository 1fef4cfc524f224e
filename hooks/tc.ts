/** BPF_PROG_TYPE_SCHED_CLS and SCHED_ACT: classifiers and actions of traffic control. */
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { DIRECT_PACKET, PACKET_META, SOCKET_MEMBERS, skbAccess } from './skb-ctx.ts';
import { convertTcSkb, unclonePrologue } from './skb-convert.ts';

/** TC_ACT_SHOT (UAPI linux/pkt_cls.h). */
const TC_ACT_SHOT = 2;

const trafficControl = {
  ctxStruct: '__sk_buff',
  access: skbAccess({
    hides: SOCKET_MEMBERS,
    stores: ['mark', 'tc_index', 'priority', 'tc_classid', 'cb', 'tstamp', 'queue_mapping'],
    members: {
      ...DIRECT_PACKET,
      ...PACKET_META,
      // Programs that look at it get to see and set the delivery time as such.
      tstamp_type: {
        custom: (_off, bytes, write) =>
          bytes === 1 && !write ? { kind: 'scalar', tstampType: true } : undefined,
      },
    },
  }),
  convert: convertTcSkb,
  prologue: unclonePrologue(TC_ACT_SHOT),
  packet: 'read-write',
  ldPacket: true,
  requires: 'net_admin',
} as const;

export const schedCls: ProgTypeOps = { type: 'sched_cls', ...trafficControl };
export const schedAct: ProgTypeOps = { type: 'sched_act', ...trafficControl };
