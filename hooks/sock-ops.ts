/** BPF_PROG_TYPE_SOCK_OPS: called on events of TCP connections. */
import {
  ctxAccess,
  narrowAtStart,
  packet,
  packetEnd,
  pointerOrNull,
  stored,
  whole,
} from '../bpf/ctx-fields.ts';
import type { CtxAccess, ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSockOps } from '../bpf/uapi-ctx.ts';

/** `reply` is the first word of what it shares with `args`; only it may be stored. */
const args = {
  store: true,
  custom: (off: number, bytes: number, write: boolean): CtxAccess | undefined =>
    bytes === 4 && (!write || off === UapiSockOps.offsets.args) ? { kind: 'scalar' } : undefined,
};

export const sockOps: ProgTypeOps = {
  type: 'sock_ops',
  ctxStruct: 'bpf_sock_ops',
  access: ctxAccess(
    UapiSockOps,
    {
      args,
      sk_txhash: stored(),
      sk: pointerOrNull('sock'),
      skb_data: packet,
      skb_data_end: packetEnd,
      skb_tcp_flags: narrowAtStart,
    },
    { otherwise: whole },
  ),
  packet: 'none',
  returnRange: () => ({ min: 0, max: 1 }),
  requires: 'net_admin',
};
