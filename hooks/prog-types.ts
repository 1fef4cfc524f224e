/**
 * All program types, one row each (PROG_TYPES of bpf/uapi.ts). To add one: a file with its context's
 * rules, a line here, its helpers in bpf/helpers/allow.ts.
 */
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import type { ProgType } from '../bpf/uapi.ts';
import {
  cgroupDevice,
  cgroupSkb,
  cgroupSock,
  cgroupSockAddr,
  cgroupSockopt,
  cgroupSysctl,
} from './cgroup.ts';
import { kprobeProg } from './kprobe-prog.ts';
import { lwtIn, lwtOut, lwtSeg6local, lwtXmit } from './lwt.ts';
import { perfEventProg } from './perf-event.ts';
import { rawTracepoint, rawTracepointWritable } from './raw-tracepoint.ts';
import { flowDissector, skLookup, skReuseport } from './sk-lookup.ts';
import { skMsg, skSkb } from './sk-skb.ts';
import { sockOps } from './sock-ops.ts';
import { socketFilter } from './socket-filter.ts';
import { lircMode2, syscallProg } from './syscall-prog.ts';
import { schedAct, schedCls } from './tc.ts';
import { tracepointProg } from './tracepoint-prog.ts';
import { extProg, lsmProg, structOpsProg, tracingProg } from './tracing-prog.ts';
import { xdpProgType } from './xdp.ts';

export const progTypes: readonly ProgTypeOps[] = [
  socketFilter,
  kprobeProg,
  schedCls,
  schedAct,
  tracepointProg,
  xdpProgType,
  perfEventProg,
  cgroupSkb,
  cgroupSock,
  lwtIn,
  lwtOut,
  lwtXmit,
  sockOps,
  skSkb,
  cgroupDevice,
  skMsg,
  rawTracepoint,
  cgroupSockAddr,
  lwtSeg6local,
  lircMode2,
  skReuseport,
  flowDissector,
  cgroupSysctl,
  rawTracepointWritable,
  cgroupSockopt,
  tracingProg,
  structOpsProg,
  extProg,
  lsmProg,
  skLookup,
  syscallProg,
];

const byType = new Map(progTypes.map((ops) => [ops.type, ops]));

export const progTypeOps = (type: ProgType): ProgTypeOps | undefined => byType.get(type);
