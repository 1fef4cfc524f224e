/** Programs of socket maps: parsers and verdicts on streams (sk_skb), and on messages (sk_msg). */
import { ctxAccess, packet, packetEnd, pointerTo, whole } from '../bpf/ctx-fields.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSkMsg } from '../bpf/uapi-ctx.ts';
import { DIRECT_PACKET, skbAccess } from './skb-ctx.ts';
import { convertSkb, unclonePrologue } from './skb-convert.ts';

/** enum sk_action (UAPI linux/bpf.h). */
const SK_DROP = 0;

export const skSkb: ProgTypeOps = {
  type: 'sk_skb',
  ctxStruct: '__sk_buff',
  access: skbAccess({
    hides: ['tc_classid', 'data_meta', 'tstamp', 'wire_len', 'hwtstamp', 'mark'],
    stores: ['tc_index', 'priority'],
    members: DIRECT_PACKET,
  }),
  convert: convertSkb,
  prologue: unclonePrologue(SK_DROP),
  packet: 'read-write',
  requires: 'net_admin',
};

export const skMsg: ProgTypeOps = {
  type: 'sk_msg',
  ctxStruct: 'sk_msg_md',
  access: ctxAccess(
    UapiSkMsg,
    { data: packet, data_end: packetEnd, sk: pointerTo('sock') },
    { otherwise: whole },
  ),
  packet: 'read-write',
  requires: 'net_admin',
};
