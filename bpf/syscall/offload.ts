/**
 * Programs and maps for a network device instead of the host (kernel/bpf/offload.c, 6.1). No device
 * here takes any through bpf(2).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfSubsystem } from './subsystem.ts';

/** The loopback interface, which there is also without a kernel. */
const LOOPBACK_IFINDEX = 1;

/** bpf_dev_offload_check: -EINVAL for no device, -EOPNOTSUPP for one that does not offload. */
export function refuseOffload(bpf: BpfSubsystem, ifindex: number): number {
  const { kernel } = bpf.host.runtime;
  const exists = kernel.netDeviceExists?.(ifindex) ?? ifindex === LOOPBACK_IFINDEX;
  return exists ? -errno.EOPNOTSUPP : -errno.EINVAL;
}
