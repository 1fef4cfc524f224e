/** All implementations, by the name of the prototype that each belongs to. */
import { attachedImplementations } from './impl-attached.ts';
import { callbackImplementations } from './impl-callback.ts';
import { coreImplementations } from './impl-core.ts';
import { mapImplementations } from './impl-map.ts';
import { perfImplementations } from './impl-perf.ts';
import { printImplementations } from './impl-print.ts';
import { probeImplementations } from './impl-probe.ts';
import { seqImplementations } from './impl-seq.ts';
import { skbImplementations } from './impl-skb.ts';
import { skbRoomImplementations } from './impl-skb-room.ts';
import { sockImplementations } from './impl-sock.ts';
import { stackImplementations } from './impl-stack.ts';
import { storageImplementations } from './impl-storage.ts';
import { systemImplementations } from './impl-system.ts';
import { timerImplementations } from './impl-timer.ts';
import { xdpImplementations } from './impl-xdp.ts';
import { fibImplementations } from './impl-fib.ts';
import { lwtImplementations } from './impl-lwt.ts';
import { sockCgroupImplementations } from './impl-sock-cgroup.ts';
import { sockLookupImplementations } from './impl-sock-lookup.ts';
import { syncookieImplementations } from './impl-syncookie.ts';
import { taskImplementations } from './impl-task.ts';
import { tunnelImplementations } from './impl-tunnel.ts';
import type { Implementations } from './implement.ts';

export const implementations: Implementations = {
  ...mapImplementations,
  ...coreImplementations,
  ...probeImplementations,
  ...printImplementations,
  ...callbackImplementations,
  ...perfImplementations,
  ...xdpImplementations,
  ...skbImplementations,
  ...skbRoomImplementations,
  ...sockImplementations,
  ...stackImplementations,
  ...storageImplementations,
  ...timerImplementations,
  ...attachedImplementations,
  ...systemImplementations,
  ...seqImplementations,
  ...fibImplementations,
  ...lwtImplementations,
  ...sockCgroupImplementations,
  ...sockLookupImplementations,
  ...syncookieImplementations,
  ...taskImplementations,
  ...tunnelImplementations,
};
