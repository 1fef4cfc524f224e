/**
 * All tracepoints of a machine, by name and by the id in their `format` file.
 *
 *   const tp = registry.add(schedSwitch);
 *   registry.find('sched', 'sched_switch'), registry.byId(314), registry.all
 */
import { Bug } from '../kernel/types/units.ts';
import type { AnyTracepoint, TraceHost } from './tracepoint.ts';
import { Tracepoint, TraceScratch } from './tracepoint.ts';
import type { TraceEvent } from './trace-event.ts';

/** Lower ones are ftrace's own entry types (enum trace_type in kernel/trace/trace.h). */
const FIRST_ID = 20;

export class TracepointRegistry {
  readonly #host: TraceHost;
  readonly #scratch: TraceScratch;
  readonly #byName = new Map<string, AnyTracepoint>();
  readonly #byId: AnyTracepoint[] = [];

  constructor(host: TraceHost) {
    this.#host = host;
    this.#scratch = new TraceScratch(host.ram, host.cpuCount);
  }

  add<Args extends readonly unknown[]>(event: TraceEvent<Args>): Tracepoint<Args> {
    const id = FIRST_ID + this.#byId.length;
    const tracepoint = new Tracepoint(event, id, this.#host, this.#scratch);
    const any = tracepoint as unknown as AnyTracepoint;
    if (this.#byName.has(tracepoint.fullName)) throw new Bug(`${tracepoint.fullName} twice`);
    this.#byName.set(tracepoint.fullName, any);
    this.#byId.push(any);
    return tracepoint;
  }

  find(system: string, name: string): AnyTracepoint | undefined {
    return this.#byName.get(`${system}:${name}`);
  }

  /** By name alone, as raw tracepoints are opened. */
  findByName(name: string): AnyTracepoint | undefined {
    return this.#byId.find((tracepoint) => tracepoint.event.name === name);
  }

  byId(id: number): AnyTracepoint | undefined {
    return this.#byId[id - FIRST_ID];
  }

  /** In the order of declaration. */
  get all(): readonly AnyTracepoint[] {
    return this.#byId;
  }
}
