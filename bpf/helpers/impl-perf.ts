/** bpf_perf_event_output and its variants: bytes into the ring of a CPU's perf event. */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import { XdpBuff } from '../../kernel/types/xdp.ts';
import { FdArrayMap } from '../maps/fd-array.ts';
import type { BpfRuntime } from '../runtime.ts';
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

function output(
  runtime: BpfRuntime,
  mapAt: number,
  flags: bigint,
  parts: readonly Part[],
  ctx: RamOffset,
): number {
  const map = runtime.mapAt(offset(mapAt));
  const wanted = flags & INDEX_MASK;
  const index = wanted === CURRENT_CPU ? runtime.kernel.cpu() : Number(wanted);
  if (!(map instanceof FdArrayMap) || index >= map.spec.maxEntries) return -errno.E2BIG;
  const event = map.referenceAt(index);
  if (event === 0) return -errno.ENOENT;
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
};
