/** BPF_PROG_TYPE_SOCKET_FILTER: decides how much of a packet a socket gets to see. */
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { SOCKET_MEMBERS, skbAccess } from './skb-ctx.ts';
import { convertSkb } from './skb-convert.ts';

export const socketFilter: ProgTypeOps = {
  type: 'socket_filter',
  ctxStruct: '__sk_buff',
  access: skbAccess({
    hides: [
      'tc_classid',
      'data',
      'data_meta',
      'data_end',
      'tstamp',
      'wire_len',
      'hwtstamp',
      ...SOCKET_MEMBERS,
    ],
    stores: ['cb'],
  }),
  convert: convertSkb,
  packet: 'none',
  ldPacket: true,
  unprivileged: true,
};
