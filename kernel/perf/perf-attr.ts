/** struct perf_event_attr (UAPI linux/perf_event.h), as perf_event_open gets it. */
import { fromUser, u32ToUser } from '../mm/user-copy.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';

/** PERF_ATTR_SIZE_VER0, and what 6.1 knows (VER7). */
const SIZE_VER0 = 64;
const SIZE_NOW = 128;
const PAGE_BYTES = 4096;

export const PERF_SAMPLE_RAW = 1 << 10;

export interface PerfAttr {
  readonly type: number;
  readonly config: bigint;
  readonly samplePeriod: bigint;
  readonly sampleType: number;
  /** PERF_FORMAT_* of read(2). */
  readonly readFormat: number;
  readonly disabled: boolean;
  /** wakeup_watermark instead of wakeup_events. */
  readonly watermark: boolean;
  readonly wakeup: number;
}

const DISABLED = 1n << 0n;
const WATERMARK = 1n << 14n;

/** -EFAULT, -EINVAL, or -E2BIG with the size that would do written to the attr. */
export function readPerfAttr(task: Task, address: number): PerfAttr | number {
  const start = fromUser(task, address, 8);
  if (!start) return -errno.EFAULT;
  const size = start.getUint32(4, true) || SIZE_VER0;
  const tooBig = () => {
    u32ToUser(task, address + 4, SIZE_NOW);
    return -errno.E2BIG;
  };
  if (size < SIZE_VER0 || size > PAGE_BYTES) return tooBig();
  const given = fromUser(task, address, size);
  if (!given) return -errno.EFAULT;
  for (let i = SIZE_NOW; i < size; i++) if (given.getUint8(i) !== 0) return tooBig();
  const view = new DataView(new ArrayBuffer(SIZE_NOW));
  for (let i = 0; i < Math.min(size, SIZE_NOW); i++) view.setUint8(i, given.getUint8(i));
  const flags = view.getBigUint64(40, true);
  return {
    type: view.getUint32(0, true),
    config: view.getBigUint64(8, true),
    samplePeriod: view.getBigUint64(16, true),
    sampleType: Number(view.getBigUint64(24, true)),
    readFormat: Number(view.getBigUint64(32, true)),
    disabled: (flags & DISABLED) !== 0n,
    watermark: (flags & WATERMARK) !== 0n,
    wakeup: view.getUint32(48, true),
  };
}
