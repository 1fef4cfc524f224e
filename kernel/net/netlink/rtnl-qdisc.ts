/** RTM_GETQDISC: the queueing discipline that an interface has by default, and that is all. */
import type { Net } from '../net.ts';
import { MessageWriter, NLM_F_MULTI } from './message.ts';
import { RTM_NEWQDISC, TC_H_ROOT, TCA_KIND } from './route-constants.ts';
import type { NetlinkRequest } from './table.ts';

const TCMSG_BYTES = 20;

export function dumpQdiscs(net: Net, { socket, header }: NetlinkRequest): readonly Uint8Array[] {
  return net.devices
    .filter((device) => device.isUp)
    .map((device) => {
      const tcmsg = new Uint8Array(TCMSG_BYTES);
      const view = new DataView(tcmsg.buffer);
      view.setInt32(4, device.ifindex, true);
      view.setUint32(12, TC_H_ROOT, true);
      // tcm_info: references; 2 for a root that is in use.
      view.setUint32(16, 2, true);
      const message = new MessageWriter(RTM_NEWQDISC, NLM_F_MULTI, header.seq, socket.portId);
      return message.raw(tcmsg).string(TCA_KIND, device.qdisc).finish();
    });
}
