/** bpf_trace_printk, bpf_trace_vprintk, bpf_snprintf. */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { PrintMemory } from './bprintf.ts';
import { bprintf } from './bprintf.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { kernelBytesAt, kernelStringAt, TASK_SIZE, userStringAt } from './memory.ts';

/** MAX_BPRINTF_BUF: a line of trace_printk, NUL included. */
const LINE_BYTES = 1024;
/** MAX_BPRINTF_VARARGS */
const MAX_ARGS = 12;

/** Mixes an address so that it tells pointers apart without showing them. */
function mix(address: bigint): number {
  let hash = BigInt.asUintN(64, address * 0x9e37_79b9_7f4a_7c15n);
  hash ^= hash >> 29n;
  return Number(BigInt.asUintN(64, hash * 0xbf58_476d_1ce4_e5b9n) >> 32n);
}

export function printMemory(runtime: BpfRuntime): PrintMemory {
  // differs: Linux's key for %p is random; ours is none, so that runs agree.
  return {
    taskSize: TASK_SIZE,
    kernelString: (address, limit) => kernelStringAt(runtime, address, limit),
    userString: (address, limit) => userStringAt(runtime, address, limit),
    kernelBytes: (address, sizeBytes) => {
      const at = kernelBytesAt(runtime, address, sizeBytes);
      return at < 0 ? undefined : runtime.ram.u8.slice(at, at + sizeBytes);
    },
    symbolAt: (address) => runtime.kernel.symbolAt?.(address),
    hashPointer: mix,
  };
}

/** The format up to its NUL; undefined where there is none within `limit`. */
export function formatAt({ ram }: BpfRuntime, at: number, limit: number): Uint8Array | undefined {
  const end = ram.u8.subarray(at, Math.min(at + limit, ram.sizeBytes)).indexOf(0);
  return end < 0 ? undefined : ram.u8.slice(at, at + end);
}

/** The 64-bit arguments that stand in an array; -EINVAL for a size that Linux refuses. */
export function argumentsAt(
  { ram }: BpfRuntime,
  args: number,
  sizeBytes: number,
): readonly bigint[] | number {
  const size = sizeBytes >>> 0;
  if (size % 8 !== 0 || size > MAX_ARGS * 8 || (size !== 0 && args === 0)) return -errno.EINVAL;
  return Array.from({ length: size / 8 }, (_, i) =>
    ram.view.getBigUint64((args >>> 0) + i * 8, true),
  );
}

function tracePrint(
  runtime: BpfRuntime,
  memory: PrintMemory,
  format: Uint8Array | undefined,
  args: readonly bigint[],
): number {
  const text = format ? bprintf(format, args, memory) : -errno.EINVAL;
  if (typeof text === 'number') return text;
  const nul = text.indexOf(0);
  const line = text.subarray(0, Math.min(nul < 0 ? text.length : nul, LINE_BYTES - 1));
  runtime.kernel.tracePrintk(new TextDecoder('utf-8', { ignoreBOM: true }).decode(line));
  return text.length;
}

export const printImplementations: Implementations = {
  trace_printk: {
    pass: ['i32', 'i32', 'i64', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => {
      const memory = printMemory(runtime);
      return (format: number, sizeBytes: number, ...args: bigint[]) =>
        tracePrint(runtime, memory, formatAt(runtime, offset(format), sizeBytes >>> 0), args);
    },
  },
  trace_vprintk: {
    pass: ['i32', 'i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => {
      const memory = printMemory(runtime);
      return (format: number, sizeBytes: number, args: number, argsBytes: number) => {
        const values = argumentsAt(runtime, args, argsBytes);
        if (typeof values === 'number') return values;
        const text = formatAt(runtime, offset(format), sizeBytes >>> 0);
        return tracePrint(runtime, memory, text, values);
      };
    },
  },
  snprintf: {
    pass: ['i32', 'i32', 'i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => {
      const memory = printMemory(runtime);
      const { ram } = runtime;
      return (out: number, sizeBytes: number, format: number, args: number, argsBytes: number) => {
        const values = argumentsAt(runtime, args, argsBytes);
        if (typeof values === 'number') return values;
        const parsed = formatAt(runtime, offset(format), ram.sizeBytes);
        const text = parsed ? bprintf(parsed, values, memory) : -errno.EINVAL;
        if (typeof text === 'number') return text;
        const size = sizeBytes >>> 0;
        if (size > 0) {
          const kept = text.subarray(0, size - 1);
          ram.u8.set(kept, offset(out));
          ram.u8[offset(out) + kept.length] = 0;
        }
        // What the whole text takes, with its NUL.
        return text.length + 1;
      };
    },
  },
};
