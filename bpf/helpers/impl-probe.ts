/** bpf_probe_read and its kin: memory at any address into a buffer that the program owns. */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperFunction, HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { kernelBytesAt, kernelStringAt, TASK_SIZE, userStringAt } from './memory.ts';

/** Where to read from: the kernel, the current task, or whichever the address belongs to. */
type Space = 'kernel' | 'user' | 'by address';

const isUser = (space: Space, address: bigint) =>
  space === 'user' || (space === 'by address' && BigInt.asUintN(64, address) < TASK_SIZE);

/** On failure the buffer is zeroed, so that no program goes on with what it did not get. */
function zeroed({ ram }: BpfRuntime, out: number, size: number, error: number): number {
  ram.u8.fill(0, offset(out), offset(out) + size);
  return error;
}

const probeRead = (space: Space): HelperImplementation => ({
  pass: ['i32', 'i32', 'i64'],
  returns: 'i32',
  bind: (runtime): HelperFunction => {
    const { ram, kernel } = runtime;
    return (out: number, sizeBytes: number, address: bigint) => {
      const size = sizeBytes >>> 0;
      if (isUser(space, address)) {
        const copied = kernel.copyFromUser(offset(out), BigInt.asUintN(64, address), size);
        return copied ? 0 : zeroed(runtime, out, size, -errno.EFAULT);
      }
      const source = kernelBytesAt(runtime, address, size);
      if (source < 0) return zeroed(runtime, out, size, source);
      ram.u8.copyWithin(offset(out), source, source + size);
      return 0;
    };
  },
});

/** Length with the NUL; a longer string is cut and ends in a NUL all the same. */
const probeReadStr = (space: Space): HelperImplementation => ({
  pass: ['i32', 'i32', 'i64'],
  returns: 'i32',
  bind: (runtime): HelperFunction => {
    return (out: number, sizeBytes: number, address: bigint) => {
      const size = sizeBytes >>> 0;
      if (size === 0) return 0;
      const text = isUser(space, address)
        ? userStringAt(runtime, address, size)
        : kernelStringAt(runtime, address, size);
      if (typeof text === 'number') return zeroed(runtime, out, size, text);
      const kept = text.subarray(0, size - 1);
      runtime.ram.u8.set(kept, offset(out));
      runtime.ram.u8[offset(out) + kept.length] = 0;
      return kept.length + 1;
    };
  },
});

export const probeImplementations: Implementations = {
  probe_read_user: probeRead('user'),
  probe_read_kernel: probeRead('kernel'),
  probe_read_compat: probeRead('by address'),
  probe_read_user_str: probeReadStr('user'),
  probe_read_kernel_str: probeReadStr('kernel'),
  probe_read_compat_str: probeReadStr('by address'),
  probe_write_user: {
    pass: ['i64', 'i32', 'i32'],
    returns: 'i32',
    bind:
      ({ kernel }) =>
      (address: bigint, source: number, sizeBytes: number) => {
        const target = BigInt.asUintN(64, address);
        return kernel.copyToUser(target, offset(source), sizeBytes >>> 0) ? 0 : -errno.EFAULT;
      },
  },
};
