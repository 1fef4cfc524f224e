/** Lightweight tunnels: programs on routes, for packets that come in, go out or are transmitted. */
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { DIRECT_PACKET, SOCKET_MEMBERS, skbAccess } from './skb-ctx.ts';
import { convertSkb, unclonePrologue } from './skb-convert.ts';

const TC_ACT_SHOT = 2;

const lwt = {
  ctxStruct: '__sk_buff',
  access: skbAccess({
    hides: ['tc_classid', 'data_meta', 'tstamp', 'wire_len', 'hwtstamp', ...SOCKET_MEMBERS],
    stores: ['mark', 'priority', 'cb'],
    members: DIRECT_PACKET,
  }),
  convert: convertSkb,
  requires: 'net_admin',
} as const;

export const lwtIn: ProgTypeOps = { type: 'lwt_in', packet: 'read', ...lwt };
export const lwtOut: ProgTypeOps = { type: 'lwt_out', packet: 'read', ...lwt };
export const lwtSeg6local: ProgTypeOps = { type: 'lwt_seg6local', packet: 'read', ...lwt };
export const lwtXmit: ProgTypeOps = {
  type: 'lwt_xmit',
  packet: 'read-write',
  prologue: unclonePrologue(TC_ACT_SHOT),
  ...lwt,
};
