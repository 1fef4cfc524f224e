/** Perf events in maps: bytes into the ring of a CPU's event, and what an event has counted. */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import { XdpBuff } from '../../kernel/types/xdp.ts';
import { FdArrayMap } from '../maps/fd-array.ts';
import type { BpfRuntime, PerfEventValue } from '../runtime.ts';
import { packetParts } from '../xdp-frags.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** BPF_F_INDEX_MASK, BPF_F_CURRENT_CPU, BPF_F_CTXLEN_MASK (UAPI linux/bpf.h). */
const INDEX_MASK = 0xffff_ffffn;
const CURRENT_CPU = 0xffff_ffffn;
const CTXLEN_MASK = 0xfffffn << 32n;

interface Part {
  readonly offset: RamOffset;
  readonly sizeBytes: number;
}

/** The event that flags choose, a handle above 0; or -errno. */
function eventOf(runtime: BpfRuntime, mapAt: number, flags: bigint): number {
  const map = runtime.mapAt(offset(mapAt));
  const wanted = flags & INDEX_MASK;
  const index = wanted === CURRENT_CPU ? runtime.kernel.cpu() : Number(wanted);
  if (!(map instanceof FdArrayMap) || index >= map.spec.maxEntries) return -errno.E2BIG;
  const event = map.referenceAt(index);
  return event === 0 ? -errno.ENOENT : event;
}

/** get_map_perf_counter */
function readEvent(runtime: BpfRuntime, mapAt: number, flags64: bigint): PerfEventValue | number {
  const flags = BigInt.asUintN(64, flags64);
  if ((flags & ~INDEX_MASK) !== 0n) return -errno.EINVAL;
  const event = eventOf(runtime, mapAt, flags);
  if (event < 0) return event;
  return runtime.kernel.perfEventRead?.(event) ?? -errno.EOPNOTSUPP;
}

/** sizeof(struct bpf_perf_event_value) */
const EVENT_VALUE_BYTES = 24;

/** Zeros where it fails. */
function giveValue(
  { ram }: BpfRuntime,
  out: number,
  sizeBytes: number,
  read: () => PerfEventValue | number,
): number {
  const [to, size] = [offset(out), sizeBytes >>> 0];
  const value = size === EVENT_VALUE_BYTES ? read() : -errno.EINVAL;
  if (typeof value === 'number') {
    ram.u8.fill(0, to, to + size);
    return value;
  }
  ram.writeU64(to, value.counter);
  ram.writeU64((to + 8) as RamOffset, value.enabled);
  ram.writeU64((to + 16) as RamOffset, value.running);
  return 0;
}

function output(
  runtime: BpfRuntime,
  mapAt: number,
  flags: bigint,
  parts: readonly Part[],
  ctx: RamOffset,
): number {
  const event = eventOf(runtime, mapAt, flags);
  if (event < 0) return event;
  return runtime.kernel.perfEventOutput?.(event, parts, ctx) ?? -errno.EOPNOTSUPP;
}

const implementation = (
  /** The packet that is appended, its first bytes as the flags say; undefined: none has. */
  packetOf: ((runtime: BpfRuntime, ctx: RamOffset) => readonly Part[]) | undefined,
): HelperImplementation => ({
  pass: ['i32', 'i32', 'i64', 'i32', 'i64'],
  returns: 'i32',
  bind: (runtime) => (ctx: number, map: number, flags64: bigint, data: number, size: bigint) => {
    const flags = BigInt.asUintN(64, flags64);
    const allowed = packetOf ? INDEX_MASK | CTXLEN_MASK : INDEX_MASK;
    if ((flags & ~allowed) !== 0n) return -errno.EINVAL;
    const parts: Part[] = [{ offset: offset(data), sizeBytes: Number(size) }];
    const packetBytes = Number((flags & CTXLEN_MASK) >> 32n);
    if (packetOf && packetBytes > 0) {
      let left = packetBytes;
      for (const part of packetOf(runtime, offset(ctx))) {
        const sizeBytes = Math.min(left, part.sizeBytes);
        if (sizeBytes > 0) parts.push({ offset: part.offset, sizeBytes });
        left -= sizeBytes;
      }
      if (left > 0) return -errno.EFAULT;
    }
    return output(runtime, map, flags, parts, offset(ctx));
  },
});

function xdpPacket({ ram }: BpfRuntime, ctx: RamOffset): readonly Part[] {
  const parts = [...packetParts(XdpBuff.at(ram, ctx))];
  return parts.map(({ at, bytes }) => ({ offset: at as RamOffset, sizeBytes: bytes }));
}

function skbPacket({ ram }: BpfRuntime, ctx: RamOffset): readonly Part[] {
  const skb = SkBuff.at(ram, ctx);
  return [{ offset: skb.data, sizeBytes: skb.len }];
}

const plain = implementation(undefined);

export const perfImplementations: Implementations = {
  perf_event_output: plain,
  perf_event_output_tp: plain,
  perf_event_output_raw_tp: plain,
  event_output_data: plain,
  skb_event_output: implementation(skbPacket),
  skb_output: implementation(skbPacket),
  xdp_event_output: implementation(xdpPacket),
  xdp_output: implementation(xdpPacket),
  perf_event_read: {
    pass: ['i32', 'i64'],
    returns: 'i64',
    bind: (runtime) => (map: number, flags: bigint) => {
      const value = readEvent(runtime, map, flags);
      return typeof value === 'number' ? BigInt(value) : value.counter;
    },
  },
  perf_event_read_value: {
    pass: ['i32', 'i64', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (map: number, flags: bigint, out: number, sizeBytes: number) =>
      giveValue(runtime, out, sizeBytes, () => readEvent(runtime, map, flags)),
  },
};
