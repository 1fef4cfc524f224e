/** bpf_trace_printk, bpf_trace_vprintk, bpf_snprintf, bpf_snprintf_btf. */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { BTF_F_ALL, showType } from '../btf/show.ts';
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

/** A byte a character. */
export const latin1 = (text: string): Uint8Array =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/** struct btf_ptr: where the data is and of what type. */
const BTF_PTR_BYTES = 16;

/** What a struct btf_ptr points at as text; or -errno before anything is shown. */
export function showBtfPtr(
  runtime: BpfRuntime,
  at: number,
  sizeBytes: number,
  flags64: bigint,
): { readonly text: string; readonly status: number } | number {
  const { ram, kernelBtf } = runtime;
  const flags = BigInt.asUintN(64, flags64);
  if (flags > BigInt(BTF_F_ALL) || sizeBytes >>> 0 !== BTF_PTR_BYTES || !kernelBtf) {
    return -errno.EINVAL;
  }
  const typeId = ram.view.getUint32(offset(at) + 8, true);
  if (typeId === 0) return -errno.EINVAL;
  if (!kernelBtf.type(typeId)) return -errno.ENOENT;
  const memory = printMemory(runtime);
  const hex = (value: bigint) => value.toString(16).padStart(16, '0');
  return showType(kernelBtf, typeId, ram.readU64(offset(at)), Number(flags), {
    read: (address, bytes) => {
      const found = kernelBytesAt(runtime, address, bytes);
      return found < 0 ? found : ram.bytes(found as RamOffset, bytes);
    },
    pointer: (value, raw) => hex(raw || value === 0n ? value : BigInt(memory.hashPointer(value))),
  });
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
  snprintf_btf: {
    pass: ['i32', 'i32', 'i32', 'i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => {
      const { ram } = runtime;
      return (out: number, sizeBytes: number, ptr: number, ptrBytes: number, flags: bigint) => {
        const shown = showBtfPtr(runtime, ptr, ptrBytes, flags);
        if (typeof shown === 'number') return shown;
        const text = latin1(shown.text);
        const kept = text.subarray(0, (sizeBytes >>> 0) - 1);
        ram.u8.set(kept, offset(out));
        if (sizeBytes >>> 0 > 0) ram.u8[offset(out) + kept.length] = 0;
        // What the whole text takes, without its NUL.
        return shown.status < 0 ? shown.status : text.length;
      };
    },
  },
};
