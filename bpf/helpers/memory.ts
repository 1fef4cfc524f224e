/**
 * Reading memory at addresses that a program made up: never a fault, an error instead.
 * Kernel addresses as copy_from_kernel_nofault has it (mm/maccess.c, arch/x86/mm/maccess.c).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';

/** TASK_SIZE_MAX on x86-64 with 4-level paging. */
export const TASK_SIZE = 0x7fff_ffff_f000n;
const PAGE_BYTES = 4096n;
/** First canonical address of the upper half. */
const UPPER_HALF = 0xffff_8000_0000_0000n;

/** RAM offset of `sizeBytes` readable bytes, or -ERANGE for no kernel address, or -EFAULT. */
export function kernelBytesAt(
  { ram }: BpfRuntime,
  address: bigint,
  sizeBytes: number,
): RamOffset | number {
  const target = BigInt.asUintN(64, address);
  if (target < TASK_SIZE + PAGE_BYTES || target < UPPER_HALF) return -errno.ERANGE;
  if (sizeBytes === 0) return 0;
  const at = ram.offsetOf(target);
  return at === undefined || at + sizeBytes > ram.sizeBytes ? -errno.EFAULT : at;
}

/** The bytes up to and without the NUL, at most `limit`; or a negative errno. */
export function kernelStringAt(
  runtime: BpfRuntime,
  address: bigint,
  limit: number,
): Uint8Array | number {
  const at = kernelBytesAt(runtime, address, 1);
  if (at < 0) return at;
  const { u8, sizeBytes } = runtime.ram;
  const end = Math.min(at + limit, sizeBytes);
  const nul = u8.subarray(at, end).indexOf(0);
  if (nul >= 0) return u8.slice(at, at + nul);
  return at + limit > sizeBytes ? -errno.EFAULT : u8.slice(at, end);
}

/** The same from the current task's user memory. */
export function userStringAt(
  runtime: BpfRuntime,
  address: bigint,
  limit: number,
): Uint8Array | number {
  const { ram, kernel } = runtime;
  const start = BigInt.asUintN(64, address);
  const scratch = ram.kzalloc(Math.max(limit, 8));
  try {
    let length = 0;
    while (length < limit) {
      const source = start + BigInt(length);
      // Up to the end of the page, which is mapped as a whole or not at all; else byte by byte.
      const inPage = Math.min(limit - length, Number(PAGE_BYTES - (source % PAGE_BYTES)));
      const to = (scratch + length) as RamOffset;
      const copied = kernel.copyFromUser(to, source, inPage)
        ? inPage
        : kernel.copyFromUser(to, source, 1)
          ? 1
          : 0;
      if (copied === 0) return -errno.EFAULT;
      const nul = ram.u8.subarray(to, to + copied).indexOf(0);
      if (nul >= 0) return ram.u8.slice(scratch, to + nul);
      length += copied;
    }
    return ram.u8.slice(scratch, scratch + limit);
  } finally {
    ram.kfree(scratch);
  }
}
