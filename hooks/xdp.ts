/** BPF_PROG_TYPE_XDP: `struct xdp_md`, a view of xdp_buff. */
import { ctxAccess, packet, packetEnd, packetMeta, whole } from '../bpf/ctx-fields.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { XdpMd } from '../bpf/uapi-ctx.ts';
import { convertXdp } from './xdp-convert.ts';

export const xdpProgType: ProgTypeOps = {
  type: 'xdp',
  ctxStruct: 'xdp_md',
  access: ctxAccess(XdpMd, {
    data: packet,
    data_end: packetEnd,
    data_meta: packetMeta,
    ingress_ifindex: whole,
    rx_queue_index: whole,
    // Where a packet leaves is known to programs in a devmap only.
    egress_ifindex: { load: ({ expectedAttachType }) => expectedAttachType === 'xdp_devmap' },
  }),
  convert: convertXdp,
  packet: 'read-write',
  requires: 'net_admin',
};
