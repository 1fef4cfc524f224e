/**
 * A server that runs XDP: a NIC, cores with a receive queue each, the packets' machine code on the
 * model of a core. A TimingModel (hw/target.ts).
 *
 *   const host = new HostTiming(runtime, options); engine.observe(runtime, host.code)
 *   host.admits(arrivalNs, bytes, frame)   the card takes it, to the queue that its hash says
 *   …                                      the program runs
 *   host.packet(run, times)                and are timed
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { XDP_DROP, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import { Rss } from '../nic/rss.ts';
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../target.ts';
import { Core } from './core.ts';
import { LINE_BYTES } from './core-params.ts';
import type { NicDriver } from './drivers.ts';
import { CodeStream, type CodeOptions } from './code-stream.ts';
import { REFERENCE_IPC } from './kernel-calls.ts';
import { CoreMemory, SharedMemory } from './memory.ts';
import { Pmu } from './pmu.ts';

export interface HostOptions extends CodeOptions {
  readonly clockHz: number;
  readonly cores: number;
  readonly nic: NicDriver;
}

/** A packet's buffer, from its headroom on. */
const BUFFER_BYTES = 4096;
const HEADROOM_BYTES = 256;

interface Queue {
  readonly core: Core;
  /** When the driver takes each of the last packets out of the ring, in nanoseconds. */
  readonly takenNs: Float64Array;
  count: number;
}

/** Cycles of the driver, by what it was doing. */
interface Parts {
  receive: number;
  send: number;
}

export class HostTiming implements TimingModel {
  readonly needs = {};
  readonly code: CodeStream;
  readonly #o: HostOptions;
  readonly #rss = new Rss();
  readonly #queues: readonly Queue[];
  readonly #cycleNs: number;
  readonly #scale: number;
  /** Lines of the last level that DMA may fill; rings that need more spill to memory. */
  readonly #ioLines: number;
  #queue = 0;
  #hostNs = 0;
  #receivesNs = 0;
  #transmitsNs = 0;
  #pcieBytes = 0;
  /** Useful cycles of the core at hand that have been charged. */
  #mark = 0;
  readonly #parts: Parts = { receive: 0, send: 0 };
  /** Where in RAM the one buffer lies that stands for those of the ring; -1 before the first. */
  #bufferAt = -1;

  constructor(runtime: BpfRuntime, options: HostOptions) {
    this.#o = options;
    this.code = new CodeStream(runtime, options);
    const { core, clockHz, cores, nic } = options;
    this.#cycleNs = 1e9 / clockHz;
    this.#scale = REFERENCE_IPC / core.kernelIpc;
    this.#rss.spread(cores);
    const shared = new SharedMemory(core);
    this.#ioLines = shared.ioLines;
    this.#queues = Array.from({ length: cores }, (_, number) => ({
      core: new Core(core, new CoreMemory(core, clockHz, shared, number)),
      takenNs: new Float64Array(nic.ringEntries),
      count: 0,
    }));
  }

  /** The counters of each core. */
  get pmus(): readonly Pmu[] {
    return this.#queues.map(({ core }) => new Pmu(core, this.code));
  }

  admits(arrivalNs: number, bytes: number, frame?: Uint8Array): boolean {
    const { nic, cores } = this.#o;
    const intervalNs = 1e3 / nic.receiveMpps;
    if (this.#receivesNs - arrivalNs > nic.fifoPackets * intervalNs) return false;
    this.#queue =
      cores === 1 || frame === undefined
        ? 0
        : this.#rss.queueOf(this.#rss.hash(frame, 0, frame.length));
    const queue = this.#queues[this.#queue]!;
    const begins = Math.max(arrivalNs, this.#receivesNs);
    // No descriptor left: the packet before it by a ring's length is still there.
    if (queue.count >= nic.ringEntries && queue.takenNs[queue.count % nic.ringEntries]! > begins) {
      return false;
    }
    const crossing = bytes + nic.completionBytes + 2 * nic.pcie.headerBytes;
    this.#pcieBytes += crossing;
    this.#receivesNs = begins + Math.max(intervalNs, crossing / nic.pcie.bytesPerNs);
    this.#hostNs = this.#receivesNs;
    return true;
  }

  packet(run: PacketRun, times: PacketTimes): void {
    const { nic } = this.#o;
    const queue = this.#queues[this.#queue]!;
    const { core } = queue;
    this.#arrive(core, run);
    queue.takenNs[queue.count++ % nic.ringEntries] = core.now * this.#cycleNs;
    this.#mark = core.useful;
    this.#driver(core, nic.receiveCycles);
    for (let line = 0; line < nic.uncachedLines; line++) {
      core.opaque(1, 0, core.memory.memory(core.now), 0);
    }
    this.#charge('receive', core);
    this.code.run(core);
    this.#mark = core.useful;
    const sends = run.verdict === XDP_TX || run.verdict === XDP_REDIRECT;
    if (run.verdict > XDP_DROP) this.#driver(core, this.#sendCycles(run.verdict));
    this.#charge('send', core);
    times.lost = false;
    times.doneNs = core.retired * this.#cycleNs;
    if (sends) times.doneNs = this.#transmit(times.doneNs, run.bytesOut) + nic.ioNs;
    else if (run.verdict <= XDP_DROP) times.doneNs = Math.max(times.doneNs, run.arrivalNs);
  }

  report(): TimingReport {
    const { receive, send } = this.#parts;
    const { program, kernel } = this.code.cycles;
    const sum = (count: (core: Core) => number): number =>
      this.#queues.reduce((total, { core }) => total + count(core), 0);
    const breakdown = {
      'driver, receive': receive,
      program,
      'kernel functions': kernel,
      'driver, send': send,
      'waiting for data': sum(({ lost }) => lost.fullCycles),
      'branches mispredicted': sum(({ lost }) => lost.mispredictCycles),
    };
    const cycles = Object.values(breakdown).reduce((sum, part) => sum + part);
    const { power } = this.#o.core;
    return {
      clockHz: this.#o.clockHz,
      cycles,
      instructions: sum(({ counts }) => counts.insns),
      breakdown,
      counters: {
        branches: sum(({ counts }) => counts.branches),
        'branch-misses': sum(({ counts }) => counts.mispredicts),
        'L1-dcache-loads': sum(({ memory }) => memory.counts.l1Loads),
        'L1-dcache-load-misses': sum(({ memory }) => memory.counts.l1Misses),
        'LLC-loads': sum(({ memory }) => memory.counts.lastLoads),
        'LLC-load-misses': sum(({ memory }) => memory.counts.lastMisses),
        'blocked store forwards': sum(({ counts }) => counts.blockedForwards),
        'bytes over PCIe': this.#pcieBytes,
      },
      ...(power && {
        energy: { joules: cycles * this.#cycleNs * 1e-9 * power.watts, source: power.source },
      }),
    };
  }

  /** The packet lies in memory; a core that was idle is woken for it. */
  #arrive(core: Core, run: PacketRun): void {
    const { nic } = this.#o;
    const visible = this.#hostNs / this.#cycleNs;
    if (visible > core.now) core.idleUntil(visible + nic.wakeNs / this.#cycleNs);
    const { window } = core;
    if (this.#bufferAt < 0) this.#bufferAt = run.packetAt - HEADROOM_BYTES;
    window.start = this.#bufferAt;
    window.end = this.#bufferAt + BUFFER_BYTES;
    window.packet++;
    const ringLines = nic.ringEntries * this.#o.cores * (Math.ceil(run.bytesIn / LINE_BYTES) + 1);
    window.cached = this.#ioLines > 0 && ringLines <= this.#ioLines;
    window.prefetchedAt = nic.prefetches
      ? core.now + (window.cached ? core.memory.deviceCycles : core.memory.memory(core.now))
      : -1;
  }

  #sendCycles(verdict: number): number {
    const { nic } = this.#o;
    if (verdict === XDP_TX) return nic.transmitCycles;
    return verdict === XDP_REDIRECT ? nic.redirectCycles : nic.passCycles;
  }

  #driver(core: Core, cycles: number): void {
    core.opaque(Math.round(cycles * this.#o.nic.ipc), cycles * this.#scale, 0, 0);
  }

  /** When the card has sent it. */
  #transmit(fromNs: number, bytes: number): number {
    const { nic } = this.#o;
    const crossing = bytes + nic.completionBytes + 2 * nic.pcie.headerBytes;
    this.#pcieBytes += crossing;
    const begins = Math.max(fromNs, this.#transmitsNs);
    this.#transmitsNs = begins + Math.max(1e3 / nic.transmitMpps, crossing / nic.pcie.bytesPerNs);
    return this.#transmitsNs;
  }

  /** What the core did since the last mark was part of that. */
  #charge(part: keyof Parts, core: Core): void {
    this.#parts[part] += core.useful - this.#mark;
    this.#mark = core.useful;
  }
}
