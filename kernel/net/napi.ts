/**
 * NAPI: an interrupt schedules polling, a softirq polls until there is nothing left.
 *
 *   napi.schedule(instance)      from the interrupt handler, on the queue's CPU
 *   instance.poll(budget)        the driver's; work done below the budget ends polling
 *
 * Budgets as in Linux 6.1 (net/core/dev.c): 64 packets a poll, 300 packets or 8 ms a softirq.
 */
import { NapiStruct } from '../types/net-device.ts';
import type { RamOffset } from '../types/units.ts';
import { Bug } from '../types/units.ts';
import type { NetDevice } from './device.ts';
import type { NetHost } from './host.ts';
import type { NetTracepoints } from './net-events.ts';

/** NAPI_POLL_WEIGHT */
export const NAPI_WEIGHT = 64;
/** net.core.netdev_budget */
const BUDGET = 300;
/** net.core.netdev_budget_usecs: two ticks of 250 Hz. */
const BUDGET_NS = 8_000_000;
/** Ids below are CPU numbers (MIN_NAPI_ID is NR_CPUS + 1; 8192 in Debian's kernels). */
const FIRST_ID = 8193;

/** net.core state of one CPU, as /proc/net/softnet_stat shows it. */
export interface SoftnetStats {
  processed: number;
  dropped: number;
  timeSqueeze: number;
}

export class Napi {
  readonly offset: RamOffset;
  readonly id: number;
  readonly deviceName: string;
  /** CPU that is interrupted and polls. */
  readonly cpu: number;
  readonly poll: (budget: number) => number;
  scheduled = false;
  enabled = false;

  constructor(
    host: NetHost,
    device: NetDevice,
    id: number,
    cpu: number,
    poll: (budget: number) => number,
  ) {
    const view = NapiStruct.alloc(host.ram);
    this.offset = view.offset;
    this.id = id;
    this.deviceName = device.name;
    this.cpu = cpu;
    this.poll = poll;
    view.weight = NAPI_WEIGHT;
    view.dev = device.offset;
    view.napi_id = id;
  }
}

export class NapiCore {
  readonly stats: readonly SoftnetStats[];
  readonly #host: NetHost;
  readonly #tracepoints: NetTracepoints;
  /** Scheduled instances of each CPU, in order. */
  readonly #lists: Napi[][];
  #nextId = FIRST_ID;

  constructor(host: NetHost, tracepoints: NetTracepoints) {
    this.#host = host;
    this.#tracepoints = tracepoints;
    const cpus = Array.from({ length: host.cpuCount });
    this.#lists = cpus.map(() => []);
    this.stats = cpus.map(() => ({ processed: 0, dropped: 0, timeSqueeze: 0 }));
    host.openSoftirq('NET_RX', (cpu) => this.#netRxAction(cpu));
  }

  add(device: NetDevice, cpu: number, poll: (budget: number) => number): Napi {
    return new Napi(this.#host, device, this.#nextId++, cpu, poll);
  }

  schedule(napi: Napi): void {
    if (napi.scheduled || !napi.enabled) return;
    napi.scheduled = true;
    this.#lists[napi.cpu]!.push(napi);
    this.#host.raiseSoftirq(napi.cpu, 'NET_RX');
  }

  disable(napi: Napi): void {
    napi.enabled = false;
    napi.scheduled = false;
    const list = this.#lists[napi.cpu]!;
    const index = list.indexOf(napi);
    if (index >= 0) list.splice(index, 1);
  }

  #netRxAction(cpu: number): void {
    const list = this.#lists[cpu]!;
    const stats = this.stats[cpu]!;
    const deadline = this.#host.clock() + BUDGET_NS;
    let budget = BUDGET;
    // Each instance is polled once; those with work left go to the end, for the next softirq.
    for (let remaining = list.length; remaining > 0; remaining--) {
      const napi = list.shift()!;
      const work = napi.poll(NAPI_WEIGHT);
      if (work > NAPI_WEIGHT) throw new Bug(`poll of ${napi.deviceName} did ${work}`);
      const { napiPoll } = this.#tracepoints;
      if (napiPoll.enabled) napiPoll.fire(napi, work, NAPI_WEIGHT);
      stats.processed += work;
      budget -= work;
      if (napi.enabled && work === NAPI_WEIGHT) list.push(napi);
      else napi.scheduled = false;
      if (budget <= 0 || this.#host.clock() >= deadline) {
        stats.timeSqueeze++;
        break;
      }
    }
    if (list.length > 0) this.#host.raiseSoftirq(cpu, 'NET_RX');
  }
}
