/** The interface that bpf_check_mtu is asked about. */
import type { Ram } from '../../kernel/ram/ram.ts';
import { NetDeviceStruct } from '../../kernel/types/net-device.ts';
import type { NetDeviceView } from '../../kernel/types/net-device.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfKernel } from '../runtime.ts';

/** BPF_MTU_CHK_RET_FRAG_NEEDED */
export const MTU_CHK_RET_FRAG_NEEDED = 1;

/** Index 0 is the packet's own interface; undefined where there is none of that index. */
export function deviceFor(
  ram: Ram,
  kernel: BpfKernel,
  own: RamOffset,
  ifindex: number,
): NetDeviceView | undefined {
  const ownDevice = NetDeviceStruct.at(ram, own);
  if (ifindex === 0 || ownDevice.ifindex === ifindex) return ownDevice;
  const found = kernel.netDevice?.(ifindex) ?? (0 as RamOffset);
  return found === 0 ? undefined : NetDeviceStruct.at(ram, found);
}
