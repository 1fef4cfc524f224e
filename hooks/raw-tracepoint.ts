/** Raw tracepoints: the arguments as numbers; `writable` ones also get a buffer to change. */
import type { CtxAccess, ProgTypeOps } from '../bpf/prog-type.ts';

/** MAX_BPF_FUNC_ARGS (include/linux/bpf.h). */
const MAX_ARGS = 12;

const argument = (off: number, bytes: number, write: boolean): CtxAccess | undefined =>
  off >= 0 && off < 8 * MAX_ARGS && off % bytes === 0 && !write ? { kind: 'scalar' } : undefined;

export const rawTracepoint: ProgTypeOps = {
  type: 'raw_tracepoint',
  ctxStruct: 'bpf_raw_tracepoint_args',
  access: argument,
  plainCtx: true,
  packet: 'none',
  tracing: true,
  requires: 'perfmon',
};

export const rawTracepointWritable: ProgTypeOps = {
  ...rawTracepoint,
  type: 'raw_tracepoint_writable',
  access: (off, bytes, write) => {
    if (off !== 0) return argument(off, bytes, write);
    return bytes === 8 && !write ? { kind: 'tp_buffer' } : undefined;
  },
};
