/** BPF_PROG_TYPE_PERF_EVENT: samples of perf events. */
import { ctxAccess, narrow, whole } from '../bpf/ctx-fields.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiPerfEventData } from '../bpf/uapi-ctx.ts';

export const perfEventProg: ProgTypeOps = {
  type: 'perf_event',
  ctxStruct: 'bpf_perf_event_data',
  access: ctxAccess(UapiPerfEventData, { regs: whole, sample_period: narrow(), addr: narrow() }),
  packet: 'none',
  tracing: true,
  requires: 'perfmon',
};
