/** BPF_PROG_TYPE_KPROBE: kprobes, uprobes and their return probes, with the registers as context. */
import { PT_REGS_BYTES } from '../bpf/uapi-ctx.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';

export const kprobeProg: ProgTypeOps = {
  type: 'kprobe',
  ctxStruct: 'pt_regs',
  ctxAlias: 'bpf_user_pt_regs_t',
  access: (off, bytes, write) =>
    off >= 0 && off + bytes <= PT_REGS_BYTES && off % bytes === 0 && !write
      ? { kind: 'scalar' }
      : undefined,
  plainCtx: true,
  packet: 'none',
  tracing: true,
  requires: 'perfmon',
};
