/** `struct xdp_md` on xdp_buff. */
import { ctxMemberAt } from '../bpf/ctx-fields.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { XdpMd } from '../bpf/uapi-ctx.ts';
import { NetDeviceStruct } from '../kernel/types/net-device.ts';
import { XdpBuff, XdpRxqInfo, XdpTxqInfo } from '../kernel/types/xdp.ts';
import { direct, through, type Convert } from '../bpf/ctx-convert.ts';

const { rxq, txq } = XdpBuff.offsets;
const { ifindex } = NetDeviceStruct.offsets;

const members: Readonly<Record<keyof typeof XdpMd.members, Convert>> = {
  data: direct(XdpBuff, 'data'),
  data_end: direct(XdpBuff, 'data_end'),
  data_meta: direct(XdpBuff, 'data_meta'),
  ingress_ifindex: through([rxq, XdpRxqInfo.offsets.dev], ifindex, 4),
  rx_queue_index: through([rxq], XdpRxqInfo.offsets.queue_index, 4),
  egress_ifindex: through([txq, XdpTxqInfo.offsets.dev], ifindex, 4),
};

export const convertXdp: NonNullable<ProgTypeOps['convert']> = (request) =>
  members[ctxMemberAt(XdpMd, request.off)]?.(request);
