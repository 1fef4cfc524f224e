/** Program types that attach by BTF: fentry, fexit, fmod_ret, tp_btf, iterators, LSM, struct_ops. */
import type { ProgContext, ProgTypeOps, ReturnRange } from '../bpf/prog-type.ts';

function tracingReturn({ expectedAttachType }: ProgContext): ReturnRange | undefined {
  switch (expectedAttachType) {
    case 'trace_fentry':
    case 'trace_fexit':
      return { min: 0, max: 0 };
    case 'trace_iter':
      return { min: 0, max: 1 };
    default:
      return undefined;
  }
}

export const tracingProg: ProgTypeOps = {
  type: 'tracing',
  ctxStruct: undefined,
  access: 'btf',
  plainCtx: true,
  packet: 'none',
  returnRange: tracingReturn,
  requires: 'perfmon',
};

export const lsmProg: ProgTypeOps = {
  type: 'lsm',
  ctxStruct: undefined,
  access: 'btf',
  plainCtx: true,
  packet: 'none',
  returnRange: ({ expectedAttachType }) =>
    expectedAttachType === 'lsm_cgroup' ? { min: 0, max: 1 } : undefined,
  requires: 'perfmon',
};

export const structOpsProg: ProgTypeOps = {
  type: 'struct_ops',
  ctxStruct: undefined,
  access: 'btf',
  plainCtx: true,
  packet: 'none',
  requires: 'perfmon',
};

/** Takes its rules from what it replaces; on its own it can access nothing. */
export const extProg: ProgTypeOps = {
  type: 'ext',
  ctxStruct: undefined,
  access: () => undefined,
  packet: 'none',
  requires: 'net_admin',
};
