/** From what the host throws while a BPF program runs to the kernel oops that it stands for. */
import { NULL_GUARD_BYTES } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { BpfOops } from './program.ts';

/**
 * A trap of generated code is an access outside RAM; a RangeError is the host's stack exhausted by
 * nested programs. Both are the guest's fault. Anything else is ours and stays what it is.
 */
export function asOops(error: unknown): unknown {
  const nowhere = NULL_GUARD_BYTES as RamOffset;
  if (error instanceof RangeError) return new BpfOops('kernel stack overflow', nowhere);
  if (error instanceof WebAssembly.RuntimeError) {
    return new BpfOops(`unable to handle access outside memory (${error.message})`, nowhere);
  }
  return error;
}
