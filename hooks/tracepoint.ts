/**
 * A tracepoint of one machine.
 *
 *   if (tp.enabled) tp.fire(prev, next);     at the place it marks: a boolean while nobody listens
 *
 *   tp.setRecording(true)        records go to the trace ring (tracefs `enable`)
 *   tp.setFilter(filter)         … those that pass (tracefs `filter`)
 *   tp.attach(program)           a BPF program of type tracepoint; it sees the record
 *   tp.attachRaw(program)        raw tracepoint: it sees the arguments as u64s
 *   tp.subscribe(notify)         the simulator's own listeners; no cost in the machine
 *
 * The record is built in a scratch area of the CPU, as perf_trace_buf is; a tracepoint that fires
 * inside another (a program that prints) gets the next of four.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { FieldReader } from './record-reader.ts';
import type { AnyTraceEvent, DynamicStrings, TraceEvent } from './trace-event.ts';
import { formatText, MAX_RECORD_BYTES } from './trace-event.ts';

/** A program at a hook. The result matters to the hook: 0 from a tracepoint drops perf's record. */
export interface HookProgram {
  run(ctx: RamOffset): number;
}

/** Passes a record or not; made by hooks/filter.ts. */
export interface RecordFilter {
  readonly text: string;
  matches(record: FieldReader): boolean;
}

/** What tracepoints need of the machine they are in. */
export interface TraceHost {
  readonly ram: Ram;
  readonly cpuCount: number;
  /** CPU that runs now. */
  cpu(): number;
  pid(): number;
  /** TRACE_FLAG_* for common_flags. */
  flags(): number;
  preemptCount(): number;
  /** Put a finished record (a view of RAM, to be copied) into the ring. */
  record(tracepoint: AnyTracepoint, bytes: Uint8Array): void;
  /**
   * False if a program runs on this CPU already (bpf_prog_active): it is not run again. Programs on
   * records run with migration disabled.
   */
  enterBpf(kind: 'record' | 'raw'): boolean;
  leaveBpf(kind: 'record' | 'raw'): void;
}

const NESTING = 4;

/** The per-CPU areas in which records are built, one set a machine. */
export class TraceScratch {
  readonly #areas: RamOffset[] = [];
  readonly #depth: Uint8Array;

  constructor(ram: Ram, cpuCount: number) {
    for (let i = 0; i < cpuCount; i++) {
      this.#areas.push(ram.kzalloc(NESTING * MAX_RECORD_BYTES));
    }
    this.#depth = new Uint8Array(cpuCount);
  }

  /** 0 when nested too deeply: the event is lost, as perf loses it. */
  enter(cpu: number): RamOffset {
    const depth = this.#depth[cpu]!;
    if (depth === NESTING) return 0 as RamOffset;
    this.#depth[cpu] = depth + 1;
    return (this.#areas[cpu]! + depth * MAX_RECORD_BYTES) as RamOffset;
  }

  leave(cpu: number): void {
    this.#depth[cpu]!--;
  }
}

export class Tracepoint<Args extends readonly unknown[] = readonly never[]> {
  readonly event: TraceEvent<Args>;
  readonly id: number;
  /** True while anybody listens. */
  enabled = false;
  #recording = false;
  #filter: RecordFilter | undefined;
  #programs: HookProgram[] = [];
  #rawPrograms: HookProgram[] = [];
  #subscribers: ((...args: Args) => void)[] = [];
  readonly #host: TraceHost;
  readonly #scratch: TraceScratch;
  #reader: FieldReader | undefined;

  constructor(event: TraceEvent<Args>, id: number, host: TraceHost, scratch: TraceScratch) {
    this.event = event;
    this.id = id;
    this.#host = host;
    this.#scratch = scratch;
  }

  /** 'sched:sched_switch' */
  get fullName(): string {
    return `${this.event.system}:${this.event.name}`;
  }

  get recording(): boolean {
    return this.#recording;
  }

  get filter(): RecordFilter | undefined {
    return this.#filter;
  }

  /** Made on first use: most events are never read. */
  get reader(): FieldReader {
    return (this.#reader ??= new FieldReader(this.event));
  }

  format(): string {
    return formatText(this.event, this.id);
  }

  setRecording(on: boolean): void {
    this.#recording = on;
    this.#update();
  }

  setFilter(filter: RecordFilter | undefined): void {
    this.#filter = filter;
  }

  /** Returns how to detach. Programs run in the order of attachment. */
  attach(program: HookProgram): () => void {
    this.#programs = [...this.#programs, program];
    this.#update();
    return () => {
      this.#programs = this.#programs.filter((other) => other !== program);
      this.#update();
    };
  }

  get rawPrograms(): readonly HookProgram[] {
    return this.#rawPrograms;
  }

  attachRaw(program: HookProgram): () => void {
    this.#rawPrograms = [...this.#rawPrograms, program];
    this.#update();
    return () => {
      this.#rawPrograms = this.#rawPrograms.filter((other) => other !== program);
      this.#update();
    };
  }

  subscribe(notify: (...args: Args) => void): () => void {
    this.#subscribers = [...this.#subscribers, notify];
    this.#update();
    return () => {
      this.#subscribers = this.#subscribers.filter((other) => other !== notify);
      this.#update();
    };
  }

  /** Call only where `enabled`. */
  fire(...args: Args): void {
    for (const notify of this.#subscribers) notify(...args);
    if (this.#recording || this.#programs.length > 0) this.#fireRecord(args);
    if (this.#rawPrograms.length > 0) this.#fireRaw(args);
  }

  #fireRecord(args: Args): void {
    const host = this.#host;
    const cpu = host.cpu();
    const at = this.#scratch.enter(cpu);
    if (at === 0) return;
    const bytes = host.ram.bytes(at, this.#build(at, args));
    if (this.#recording && (!this.#filter || this.#filter.matches(this.reader.use(bytes)))) {
      host.record(this, bytes);
    }
    this.#run('record', this.#programs, at);
    this.#scratch.leave(cpu);
  }

  /** Fill in the record; returns its size. */
  #build(at: RamOffset, args: Args): number {
    const { event } = this;
    const { ram } = this.#host;
    let end = event.fixedBytes;
    ram.u8.fill(0, at, at + end);
    ram.view.setUint16(at, this.id, true);
    ram.u8[at + 2] = this.#host.flags();
    ram.u8[at + 3] = this.#host.preemptCount() + (event.extraPreemptDepth ?? 0);
    ram.view.setInt32(at + 4, this.#host.pid(), true);
    const strings: DynamicStrings = (name, text) => {
      const field = event.fields.find((candidate) => candidate.name === name)!;
      const encoded = new TextEncoder().encode(text);
      const length = Math.min(encoded.length, MAX_RECORD_BYTES - end - 8);
      ram.u8.set(encoded.subarray(0, length), at + end);
      ram.u8[at + end + length] = 0;
      ram.view.setUint32(at + field.offset, ((length + 1) << 16) | end, true);
      end += length + 1;
    };
    event.assign(ram, at, strings, ...args);
    // Records are a multiple of 4 bytes long, as ring buffer entries are.
    const size = Math.ceil(end / 4) * 4;
    ram.u8.fill(0, at + end, at + size);
    return size;
  }

  /** Arguments as bpf_raw_tracepoint_args: u64 each, pointers as kernel addresses. */
  #fireRaw(args: Args): void {
    const { ram } = this.#host;
    const cpu = this.#host.cpu();
    const at = this.#scratch.enter(cpu);
    if (at === 0) return;
    this.event.args.forEach((declaration, i) => {
      const value = args[i];
      const slot = (at + i * 8) as RamOffset;
      if (declaration.includes('*')) ram.writePointer(slot, offsetOf(value));
      else ram.writeU64(slot, typeof value === 'bigint' ? value : BigInt(Number(value)));
    });
    this.#run('raw', this.#rawPrograms, at);
    this.#scratch.leave(cpu);
  }

  #run(kind: 'record' | 'raw', programs: readonly HookProgram[], ctx: RamOffset): void {
    if (programs.length === 0 || !this.#host.enterBpf(kind)) return;
    try {
      for (const program of programs) program.run(ctx);
    } finally {
      this.#host.leaveBpf(kind);
    }
  }

  #update(): void {
    this.enabled =
      this.#recording ||
      this.#programs.length > 0 ||
      this.#rawPrograms.length > 0 ||
      this.#subscribers.length > 0;
  }
}

/** A tracepoint whose arguments do not matter to the one who holds it. */
export type AnyTracepoint = Omit<Tracepoint, 'event' | 'fire' | 'subscribe'> & {
  readonly event: AnyTraceEvent;
};

/** Of an argument that is a kernel struct (an object that knows where it is) or a bare offset. */
function offsetOf(value: unknown): RamOffset {
  const offset = typeof value === 'object' ? (value as { offset: RamOffset }).offset : value;
  return offset as RamOffset;
}
