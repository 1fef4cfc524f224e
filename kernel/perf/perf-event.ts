/**
 * Perf events, as far as BPF needs them: tracepoint events that a program is attached to, and
 * BPF output events with their ring of pages, which perf buffers are made of.
 *
 *   openPerfEvent(kernel, attr, pid, cpu)     the event, or -errno
 *   event.setProgram(program)                 PERF_EVENT_IOC_SET_BPF
 *   event.output(parts)                       bpf_perf_event_output: a PERF_RECORD_SAMPLE
 *   event.value()                             what a counter has counted while it was enabled
 */
import { attachTracepoint } from '../../hooks/tracepoint-attach.ts';
import type { AnyTracepoint } from '../../hooks/tracepoint.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { Kernel } from '../machine-types.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';
import type { PerfEventValue } from '../../bpf/runtime.ts';
import type { PerfAttr } from './perf-attr.ts';
import { PERF_SAMPLE_RAW } from './perf-attr.ts';
import { PerfRing } from './perf-ring.ts';

/** UAPI linux/perf_event.h */
const PERF_TYPE_HARDWARE = 0;
const PERF_TYPE_SOFTWARE = 1;
const PERF_TYPE_TRACEPOINT = 2;
const PERF_TYPE_HW_CACHE = 3;
const PERF_COUNT_SW_BPF_OUTPUT = 10;
const PERF_SAMPLE_TIME = 1 << 2;

export type PerfSource =
  | { readonly kind: 'tracepoint'; readonly tracepoint: AnyTracepoint }
  | { readonly kind: 'bpf-output' }
  /** A counter of one CPU's processor. */
  | { readonly kind: 'hardware'; readonly count: () => bigint };

export class PerfEvent {
  readonly id: number;
  readonly attr: PerfAttr;
  readonly source: PerfSource;
  /** -1: any. */
  readonly cpu: number;
  #enabled = false;
  ring: PerfRing | undefined;
  /** Poll waits here for records. */
  readonly readers: WaitQueue;
  readonly #kernel: Kernel;
  #program: { readonly object: ProgObject; readonly detach: () => void } | undefined;
  #references = 1;
  /** Counted in stretches that are over, and for how long. */
  #counted = 0n;
  #enabledNs = 0;
  /** Where the processor's counter, and the clock, were when this stretch began. */
  #countAt = 0n;
  #enabledAt = 0;

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

  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    const now = this.#kernel.clock();
    if (enabled) {
      this.#enabledAt = now;
      this.#countAt = this.#count();
      return;
    }
    this.#counted += this.#count() - this.#countAt;
    this.#enabledNs += now - this.#enabledAt;
  }

  /** PERF_EVENT_IOC_RESET: the count, not the times. */
  reset(): void {
    this.#counted = 0n;
    this.#countAt = this.#count();
  }

  value(): PerfEventValue {
    const runs = this.#enabled;
    const counter = this.#counted + (runs ? this.#count() - this.#countAt : 0n);
    const ns = this.#enabledNs + (runs ? this.#kernel.clock() - this.#enabledAt : 0);
    // There are counters enough: what is enabled runs.
    return { counter, enabled: BigInt(ns), running: BigInt(ns) };
  }

  /** bpf_perf_event_read on the CPU that runs: the value, or -errno (perf_event_read_local). */
  read(): PerfEventValue | number {
    if (this.source.kind !== 'hardware') return -errno.EINVAL;
    if (this.cpu !== this.#kernel.sched.cpu.id) return -errno.EINVAL;
    return this.value();
  }

  #count(): bigint {
    return this.source.kind === 'hardware' ? this.source.count() : 0n;
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
  const hardware = counterOf(kernel, attr, pid, cpu);
  if (hardware) return new PerfEvent(kernel, id, attr, { kind: 'hardware', count: hardware }, cpu);
  // differs: counters are those of a CPU (pid -1), where the machine has processors that count; they
  // count what programs execute, not the kernel's own work. No other software events, no breakpoints.
  return -errno.ENOENT;
}

function counterOf(kernel: Kernel, { type, config }: PerfAttr, pid: number, cpu: number) {
  if (type !== PERF_TYPE_HARDWARE && type !== PERF_TYPE_HW_CACHE) return undefined;
  return pid === -1 ? kernel.bpfJit.counters[cpu]?.counter(type, config) : undefined;
}
