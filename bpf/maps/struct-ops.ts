/**
 * struct_ops: an implementation of one of the kernel's tables of functions (bpf_struct_ops.c, 6.1).
 * This kernel has no table that programs could implement, so none can be made.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { MapTypeRow } from './map-type.ts';
import { mayBpf } from './map-type.ts';

export const structOpsMap: MapTypeRow = {
  type: 'struct_ops',
  check: (spec) => {
    const ok =
      spec.keyBytes === 4 &&
      spec.maxEntries === 1 &&
      spec.flags === 0 &&
      Boolean(spec.btfVmlinuxValueTypeId);
    return ok ? 0 : -errno.EINVAL;
  },
  /** bpf_struct_ops_find_value finds no type of which there is a table. */
  create: (_host, _spec, caps) => (mayBpf(caps) ? -errno.ENOTSUPP : -errno.EPERM),
};
