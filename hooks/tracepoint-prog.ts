/** BPF_PROG_TYPE_TRACEPOINT: the event's record, as its `format` file describes it. */
import type { ProgTypeOps } from '../bpf/prog-type.ts';

/** PERF_MAX_TRACE_SIZE (include/linux/trace_events.h, 6.1). */
const MAX_RECORD_BYTES = 8192;

export const tracepointProg: ProgTypeOps = {
  type: 'tracepoint',
  ctxStruct: undefined,
  // The first 8 bytes are the kernel's own.
  // differs: 6.1 takes a negative offset for a large one, and lets programs read what lies before.
  access: (off, bytes, write) =>
    off >= 8 && off < MAX_RECORD_BYTES && off % bytes === 0 && !write
      ? { kind: 'scalar' }
      : undefined,
  plainCtx: true,
  packet: 'none',
  tracing: true,
  requires: 'perfmon',
};
