/**
 * cpumap: XDP hands frames to other CPUs, where a thread per entry builds sk_buffs of them
 * (kernel/bpf/cpumap.c, 6.1). Frames gather by eights for each entry and CPU, and go into the entry's
 * ring when there are eight or when the poll ends; only then is the thread woken.
 *
 *   cpumaps.start(init)                    an entry with its thread, cpumap/N/map:M
 *   cpumaps.enqueue(entry, device, frame)  takes the frame; a full ring drops it at the flush
 *   cpumaps.enqueueSkb(entry, skb)         from generic XDP: false where the ring is full
 *   cpumaps.flush()                        the poll ends (xdp_do_flush)
 */
import type { CpuEntry, CpuEntryInit } from '../../bpf/maps/map.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { CPUMAP_REDIRECT_NS, XDP_REDIRECT_NS } from '../cost/net.ts';
import { OutOfMemory } from '../ram/page-allocator.ts';
import type { KernelFlow } from '../sched/flow.ts';
import { TICK_NS } from '../sched/scheduler.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import { SKB_FROM_INGRESS, SKB_REDIRECTED } from '../types/skbuff.ts';
import type { Ns } from '../types/units.ts';
import { CpumapBatch } from './cpumap-batch.ts';
import type { NetDevice, XdpPage } from './device.ts';
import { ethTypeTrans } from './ethernet.ts';
import type { Net } from './net.ts';
import { PtrRing } from './ptr-ring.ts';
import type { Skb } from './skb.ts';

/** CPU_MAP_BULK_SIZE: frames that go into the ring together. */
const BULK_SIZE = 8;
/** CPUMAP_BATCH: frames that the thread takes out together. */
const BATCH = 8;
/** From leaving the map until the thread is told to end: an RCU grace period, a tick here. */
const GRACE_NS = TICK_NS;

/** A frame and the interface that it came in by (xdp_frame and its dev_rx). */
export interface CpumapFrame {
  readonly device: NetDevice;
  readonly frame: XdpPage;
}

interface Queued {
  readonly item: CpumapFrame | Skb;
  /** The producer's clock, which may be ahead of the consumer's. */
  readonly atNs: Ns;
}

export class CpumapEntry implements CpuEntry {
  readonly cpu: number;
  readonly mapId: number;
  readonly program: ProgObject | undefined;
  readonly #net: Net;
  readonly #ring: PtrRing<Queued>;
  readonly #wait: WaitQueue;
  readonly #batch: CpumapBatch;
  /** By CPU: frames on their way to the ring. */
  readonly #bulks: CpumapFrame[][];
  #stopping = false;

  constructor(net: Net, { cpu, mapId, queueSize, program }: CpuEntryInit) {
    this.#net = net;
    this.cpu = cpu;
    this.mapId = mapId;
    this.program = program;
    this.#ring = new PtrRing(queueSize);
    this.#wait = new WaitQueue(net.host.sleeper);
    this.#batch = new CpumapBatch(net, program);
    this.#bulks = Array.from({ length: net.host.cpuCount }, () => []);
  }

  /** The thread ends when it has nothing left to do, some time after this. */
  remove(): void {
    const { events, clock } = this.#net.host;
    events.at((clock() + GRACE_NS) as Ns, 'timer', () => {
      this.#stopping = true;
      this.wake();
    });
  }

  wake(): void {
    this.#wait.wakeAll();
  }

  /** bq_enqueue: true where the frame is the first of a bulk. */
  addToBulk(cpu: number, frame: CpumapFrame): boolean {
    if (this.#bulks[cpu]!.length === BULK_SIZE) this.flushBulk(cpu);
    const bulk = this.#bulks[cpu]!;
    return bulk.push(frame) === 1;
  }

  /** bq_flush_to_queue. */
  flushBulk(cpu: number): void {
    const bulk = this.#bulks[cpu]!;
    if (bulk.length === 0) return;
    this.#bulks[cpu] = [];
    let drops = 0;
    for (const queued of bulk) {
      if (this.produce(queued)) continue;
      drops++;
      queued.frame.release(queued.frame.page);
    }
    this.traceEnqueue(bulk.length, drops);
  }

  produce(item: CpumapFrame | Skb): boolean {
    return this.#ring.produce({ item, atNs: this.#net.host.clock() });
  }

  traceEnqueue(processed: number, drops: number): void {
    const { tracepoints, host } = this.#net;
    const { xdpCpumapEnqueue } = tracepoints;
    if (!xdpCpumapEnqueue.enabled) return;
    xdpCpumapEnqueue.fire(this.mapId, processed, drops, this.cpu, host.cpu());
  }

  /** cpu_map_kthread_run */
  *run(): KernelFlow<number> {
    const { host } = this.#net;
    while (!this.#stopping || this.#ring.peek() !== undefined) {
      const rescheduled = yield* this.#untilReady();
      host.withBhOff(() => {
        const { processed, drops } = this.#batch.work(this.#take());
        const { xdpCpumapKthread } = this.#net.tracepoints;
        if (!xdpCpumapKthread.enabled) return;
        const { stats } = this.#batch;
        const sched = rescheduled ? 1 : 0;
        xdpCpumapKthread.fire(this.mapId, processed, drops, sched, stats, host.cpu());
      });
    }
    this.free();
    this.program?.put();
    return 0;
  }

  free(): void {
    this.#batch.free();
  }

  /** Sleeps while there is nothing; lets others run in between. True if they did. */
  *#untilReady(): KernelFlow<boolean> {
    const { host } = this.#net;
    const isReady = () => {
      const head = this.#ring.peek();
      return head ? head.atNs <= host.clock() : this.#stopping;
    };
    if (isReady()) {
      const before = host.preemptions();
      // What the last batch has cost passes.
      yield { kind: 'compute', ns: 0 };
      return host.preemptions() !== before;
    }
    const untilNs = this.#ring.peek()?.atNs ?? (Infinity as Ns);
    yield* this.#wait.wait(isReady, { interruptible: true, untilNs });
    return true;
  }

  #take(): (CpumapFrame | Skb)[] {
    const nowNs = this.#net.host.clock();
    const taken: (CpumapFrame | Skb)[] = [];
    while (taken.length < BATCH && (this.#ring.peek()?.atNs ?? Infinity) <= nowNs) {
      taken.push(this.#ring.consume()!.item);
    }
    return taken;
  }
}

export class Cpumaps {
  readonly #net: Net;
  /** By CPU: entries with frames in a bulk of that CPU, newest first. */
  readonly #flushLists: CpumapEntry[][];

  constructor(net: Net) {
    this.#net = net;
    this.#flushLists = Array.from({ length: net.host.cpuCount }, () => []);
  }

  /** Or -ENOMEM, and the program stays the caller's. */
  start(init: CpuEntryInit): CpumapEntry | number {
    const { host } = this.#net;
    let entry: CpumapEntry | undefined;
    try {
      entry = new CpumapEntry(this.#net, init);
      host.kthread(`cpumap/${init.cpu}/map:${init.mapId}`, init.cpu, entry.run());
      return entry;
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      entry?.free();
      return -errno.ENOMEM;
    }
  }

  /** cpu_map_enqueue; the caller has charged for a redirect. */
  enqueue(entry: CpumapEntry, device: NetDevice, frame: XdpPage): void {
    const { host } = this.#net;
    const cpu = host.cpu();
    host.charge(CPUMAP_REDIRECT_NS - XDP_REDIRECT_NS);
    if (!entry.addToBulk(cpu, { device, frame })) return;
    const list = this.#flushLists[cpu]!;
    this.#flushLists[cpu] = [entry, ...list.filter((other) => other !== entry)];
  }

  /** cpu_map_generic_redirect: takes the sk_buff, its data at the Ethernet header. */
  enqueueSkb(entry: CpumapEntry, skb: Skb): boolean {
    this.#net.host.charge(CPUMAP_REDIRECT_NS);
    ethTypeTrans(skb, skb.dev);
    skb.view.bits131 = (skb.view.bits131 | SKB_REDIRECTED) & ~SKB_FROM_INGRESS;
    const taken = entry.produce(skb);
    if (taken) entry.wake();
    entry.traceEnqueue(taken ? 1 : 0, taken ? 0 : 1);
    return taken;
  }

  flush(): void {
    const cpu = this.#net.host.cpu();
    const list = this.#flushLists[cpu]!;
    if (list.length === 0) return;
    this.#flushLists[cpu] = [];
    for (const entry of list) {
      entry.flushBulk(cpu);
      entry.wake();
    }
  }
}
