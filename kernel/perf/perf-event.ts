/**
 * Perf events, as far as BPF needs them: tracepoint events that a program is attached to, and
 * BPF output events with their ring of pages, which perf buffers are made of.
 *
 *   openPerfEvent(kernel, attr, pid, cpu)     the event, or -errno
 *   event.setProgram(program)                 PERF_EVENT_IOC_SET_BPF
 *   event.output(parts)                       bpf_perf_event_output: a PERF_RECORD_SAMPLE
 */
import { attachTracepoint } from '../../hooks/tracepoint-attach.ts';
import type { AnyTracepoint } from '../../hooks/tracepoint.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { Kernel } from '../machine-types.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';
import type { PerfAttr } from './perf-attr.ts';
import { PERF_SAMPLE_RAW } from './perf-attr.ts';
import { PerfRing } from './perf-ring.ts';

/** UAPI linux/perf_event.h */
const PERF_TYPE_SOFTWARE = 1;
const PERF_TYPE_TRACEPOINT = 2;
const PERF_COUNT_SW_BPF_OUTPUT = 10;
const PERF_SAMPLE_TIME = 1 << 2;

export type PerfSource =
  | { readonly kind: 'tracepoint'; readonly tracepoint: AnyTracepoint }
  | { readonly kind: 'bpf-output' };

export class PerfEvent {
  readonly id: number;
  readonly attr: PerfAttr;
  readonly source: PerfSource;
  /** -1: any. */
  readonly cpu: number;
  enabled: boolean;
  ring: PerfRing | undefined;
  /** Poll waits here for records. */
  readonly readers: WaitQueue;
  readonly #kernel: Kernel;
  #program: { readonly object: ProgObject; readonly detach: () => void } | undefined;
  #references = 1;

  constructor(kernel: Kernel, id: number, attr: PerfAttr, source: PerfSource, cpu: number) {
    this.#kernel = kernel;
    this.id = id;
    this.attr = attr;
    this.source = source;
    this.cpu = cpu;
    this.enabled = !attr.disabled;
    this.readers = new WaitQueue(kernel.sched);
  }

  get program(): ProgObject | undefined {
    return this.#program?.object;
  }

  get(): this {
    this.#references++;
    return this;
  }

  put(): void {
    if (--this.#references > 0) return;
    this.clearProgram();
    this.ring?.free();
    this.ring = undefined;
  }

  /** 0, or -EINVAL (wrong kind), -EEXIST (has one). Takes a reference. */
  setProgram(object: ProgObject, cookie = 0n): number {
    if (this.source.kind !== 'tracepoint') return -errno.EINVAL;
    const { spec, bufferUse } = object.prog.verified;
    if (spec.type !== 'tracepoint') return -errno.EINVAL;
    // The program was verified for records of any size (trace_event_get_offsets).
    const last = this.source.tracepoint.event.fields.at(-1);
    const recordBytes = last ? last.offset + last.size : 0;
    if ((bufferUse?.ctx ?? 0) > recordBytes) return -errno.EACCES;
    if (this.#program) return -errno.EEXIST;
    const detach = attachTracepoint(this.source.tracepoint, object, cookie);
    if (!detach) return -errno.EINVAL;
    this.#program = { object: object.get(), detach };
    return 0;
  }

  clearProgram(): void {
    this.#program?.detach();
    this.#program?.object.put();
    this.#program = undefined;
  }

  /** Room for records, mapped by mmap: 0 or -errno. */
  makeRing(dataPages: number): number {
    if (this.ring) return this.ring.dataPages === dataPages ? 0 : -errno.EINVAL;
    this.ring = new PerfRing(this.#kernel.ram, dataPages);
    return 0;
  }

  /** 0, or -errno as bpf_perf_event_output returns it. */
  output(parts: readonly { readonly offset: RamOffset; readonly sizeBytes: number }[]): number {
    if (this.source.kind !== 'bpf-output') return -errno.EINVAL;
    if (this.cpu !== -1 && this.cpu !== this.#kernel.sched.cpu.id) return -errno.EOPNOTSUPP;
    if (!this.ring) return -errno.ENOENT;
    if (!this.enabled) return 0;
    const time = this.attr.sampleType & PERF_SAMPLE_TIME ? this.#kernel.clock() : undefined;
    if (!this.ring.writeSample(parts, time)) return -errno.ENOSPC;
    if (this.ring.shouldWake(this.attr)) this.readers.wakeAll();
    return 0;
  }
}

export function openPerfEvent(
  kernel: Kernel,
  id: number,
  attr: PerfAttr,
  pid: number,
  cpu: number,
): PerfEvent | number {
  if (cpu >= kernel.sched.cpus.length) return -errno.ENODEV;
  if (pid === -1 && cpu === -1) return -errno.EINVAL;
  if (pid > 0 && !kernel.processes.task(pid)) return -errno.ESRCH;
  if (attr.type === PERF_TYPE_TRACEPOINT) {
    const tracepoint = kernel.tracing.registry.byId(Number(attr.config));
    if (!tracepoint) return -errno.ENOENT;
    return new PerfEvent(kernel, id, attr, { kind: 'tracepoint', tracepoint }, cpu);
  }
  if (attr.type === PERF_TYPE_SOFTWARE && attr.config === BigInt(PERF_COUNT_SW_BPF_OUTPUT)) {
    if (!(attr.sampleType & PERF_SAMPLE_RAW)) return -errno.EINVAL;
    return new PerfEvent(kernel, id, attr, { kind: 'bpf-output' }, cpu);
  }
  // differs: no hardware counters, no other software events, no breakpoints yet.
  return -errno.ENOENT;
}
