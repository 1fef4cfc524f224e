/**
 * A server that runs XDP: a NIC, cores with a receive queue each, the packets' machine code on the
 * model of a core. A TimingModel (hw/target.ts); shows itself to a simulator as its observer.
 *
 *   const host = new HostTiming(runtime, options); engine.observe(runtime, host)
 *   host.admits(arrivalNs, bytes, frame)   the card takes it, to the queue that its hash says
 *   …                                      the program runs; blocks and events come in
 *   host.packet(run, times)                and are timed
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { Rss } from '../nic/rss.ts';
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../target.ts';
import { Core } from './core.ts';
import { LINE_BYTES, LINE_SHIFT, type CoreParams } from './core-params.ts';
import type { NicDriver } from './drivers.ts';
import { HOST_CALL_WORDS, type CodeBlock, type ExecutionObserver } from './events.ts';
import { callCycles, kernelFunction, type KernelVersion } from './kernel-functions.ts';
import { CoreMemory, SharedMemory } from './memory.ts';
import { schedule, type BlockSchedule } from './schedule.ts';

/** Registers by which kernel functions are called. */
export interface CallConvention {
  readonly arguments: readonly number[];
  readonly result: number;
}

export interface HostOptions {
  readonly core: CoreParams;
  readonly clockHz: number;
  readonly cores: number;
  readonly nic: NicDriver;
  readonly kernel: KernelVersion;
  readonly convention: CallConvention;
}

/** Cycles of driver and kernel code are given for a core that does so many instructions a cycle. */
const REFERENCE_IPC = 2.8;
/** A packet's buffer, from its headroom on. */
const BUFFER_BYTES = 4096;
const HEADROOM_BYTES = 256;
/** Lines of tables that only the model knows, above RAM (which ends below 2^32). */
const TABLE_LINES = 1 << 27;

interface Queue {
  readonly core: Core;
  /** When the driver takes each of the last packets out of the ring, in nanoseconds. */
  readonly takenNs: Float64Array;
  count: number;
}

interface Parts {
  receive: number;
  program: number;
  kernel: number;
  transmit: number;
}

interface CallSite {
  readonly insns: number;
  readonly cycles: number;
  readonly hashes: boolean;
  readonly locks: boolean;
  readonly elementLines: number;
  readonly entries: number;
  readonly keyBytes: number;
}

export class HostTiming implements TimingModel, ExecutionObserver {
  readonly needs = {};
  readonly #o: HostOptions;
  readonly #runtime: BpfRuntime;
  readonly #rss = new Rss();
  readonly #queues: readonly Queue[];
  readonly #schedules: (BlockSchedule | undefined)[] = [];
  /** Where each indirect jump led last. */
  readonly #targets: number[] = [];
  readonly #sites = new Map<string, Map<number, CallSite>>();
  readonly #cycleNs: number;
  readonly #scale: number;
  #words = new Uint32Array(1024);
  #count = 0;
  #queue = 0;
  #hostNs = 0;
  #receivesNs = 0;
  #transmitsNs = 0;
  #pcieBytes = 0;
  #packets = 0;
  readonly #parts: Parts = { receive: 0, program: 0, kernel: 0, transmit: 0 };
  readonly #buffer = { at: -1 };

  constructor(runtime: BpfRuntime, options: HostOptions) {
    this.#o = options;
    this.#runtime = runtime;
    const { core, clockHz, cores, nic } = options;
    this.#cycleNs = 1e9 / clockHz;
    this.#scale = REFERENCE_IPC / core.kernelIpc;
    this.#rss.spread(cores);
    const shared = new SharedMemory(core);
    // Rings are full of packets where it counts: they share what DMA may fill of the last level.
    this.#queues = Array.from({ length: cores }, (_, number) => ({
      core: new Core(core, new CoreMemory(core, clockHz, shared, number)),
      takenNs: new Float64Array(nic.ringEntries),
      count: 0,
    }));
    this.#ioLines = shared.ioLines;
  }

  readonly #ioLines: number;

  get cores(): readonly Core[] {
    return this.#queues.map(({ core }) => core);
  }

  blocks(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) this.#schedules[block.id] = schedule(block, this.#o.core);
  }

  events(words: Uint32Array, count: number): void {
    const needed = this.#count + count;
    if (needed > this.#words.length) {
      const more = new Uint32Array(2 * needed);
      more.set(this.#words.subarray(0, this.#count));
      this.#words = more;
    }
    const kept = this.#words;
    for (let i = 0; i < count; i++) kept[this.#count + i] = words[i]!;
    this.#count = needed;
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
    const parts = this.#parts;
    const queue = this.#queues[this.#queue]!;
    const { core } = queue;
    this.#arrive(core, run);
    queue.takenNs[queue.count++ % nic.ringEntries] = core.now * this.#cycleNs;
    const began = core.now;
    this.#driver(core, nic.receiveCycles);
    for (let line = 0; line < nic.uncachedLines; line++) {
      core.opaque({ insns: 0, cycles: 0, latency: core.memory.memory(core.now) });
    }
    const received = core.now;
    const kernel = this.#follow(core);
    const ran = core.now;
    const sends = run.verdict === XDP_TX || run.verdict === XDP_REDIRECT;
    const more = {
      [XDP_TX]: nic.transmitCycles,
      [XDP_REDIRECT]: nic.redirectCycles,
      [XDP_PASS]: nic.passCycles,
    }[run.verdict];
    if (more !== undefined) this.#driver(core, more);
    parts.receive += received - began;
    parts.kernel += kernel;
    parts.program += ran - received - kernel;
    parts.transmit += core.now - ran;
    this.#packets++;
    times.lost = false;
    times.doneNs = core.retired * this.#cycleNs;
    if (sends) times.doneNs = this.#transmit(times.doneNs, run.bytesOut) + nic.ioNs;
    else if (run.verdict <= XDP_DROP) times.doneNs = Math.max(times.doneNs, run.arrivalNs);
  }

  report(): TimingReport {
    const { receive, program, kernel, transmit } = this.#parts;
    const breakdown = {
      'driver, receive': receive,
      program,
      'kernel functions': kernel,
      'driver, send': transmit,
    };
    const cycles = receive + program + kernel + transmit;
    const sum = (count: (core: Core) => number): number =>
      this.#queues.reduce((total, { core }) => total + count(core), 0);
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
    if (this.#buffer.at < 0) this.#buffer.at = run.packetAt - HEADROOM_BYTES;
    window.start = this.#buffer.at;
    window.end = this.#buffer.at + BUFFER_BYTES;
    window.touched.fill(0);
    const ringLines = nic.ringEntries * this.#o.cores * (Math.ceil(run.bytesIn / LINE_BYTES) + 1);
    window.cached = this.#ioLines > 0 && ringLines <= this.#ioLines;
    window.prefetchedAt = nic.prefetches
      ? core.now + (window.cached ? core.memory.deviceCycles : core.memory.memory(core.now))
      : -1;
  }

  #driver(core: Core, cycles: number): void {
    const { ipc } = this.#o.nic;
    core.opaque({ insns: Math.round(cycles * ipc), cycles: cycles * this.#scale, latency: 0 });
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

  /** Through the blocks of the run; cycles that kernel functions took. */
  #follow(core: Core): number {
    const words = this.#words;
    const count = this.#count;
    this.#count = 0;
    let kernel = 0;
    for (let at = 0; at < count;) {
      const id = words[at]!;
      const s = this.#schedules[id]!;
      const { block } = s;
      core.block(s, words, at + 1);
      at += 1 + block.words;
      const next = at < count ? words[at]! : -1;
      const { end } = block;
      switch (end.kind) {
        case 'branch':
          core.went(s, next === end.taken && end.taken !== end.next, next);
          break;
        case 'jump':
        case 'call':
        case 'return':
          core.went(s, true, next);
          break;
        case 'fall':
          break;
        case 'tail-call':
          if (end.indirect && this.#targets[id] !== next) core.strayed();
          else core.went(s, true, next);
          this.#targets[id] = next;
          break;
        case 'host-call': {
          const before = core.now;
          this.#call(core, end.symbol, words[at - HOST_CALL_WORDS]!, words[at - 1]!);
          kernel += core.now - before;
          break;
        }
      }
    }
    return kernel;
  }

  #call(core: Core, symbol: string, first: number, second: number): void {
    const { convention } = this.#o;
    const site = this.#site(symbol, first);
    let operands = 0;
    for (const register of convention.arguments)
      operands = Math.max(operands, core.ready(register));
    let { cycles } = site;
    let latency = site.cycles;
    if (site.hashes) {
      // The bucket's line, then the element's, one after the other.
      const hash = this.#hash(second, site.keyBytes);
      const table = TABLE_LINES + ((first >>> LINE_SHIFT) << 4);
      const bucket = table + ((hash % site.entries) >>> 2);
      const element = table + site.entries + (hash % site.entries) * site.elementLines;
      const wait = core.memory.load(bucket, core.now) + core.memory.load(element, core.now);
      latency += wait;
      if (site.locks) cycles += core.memory.own(bucket);
    } else if (site.locks) {
      cycles += core.memory.own(TABLE_LINES + (first >>> LINE_SHIFT));
    }
    const done = core.opaque({ insns: site.insns, cycles, latency }, operands);
    core.setReady(convention.result, done);
  }

  /** What a function costs on the map that its first argument is. */
  #site(symbol: string, map: number): CallSite {
    let sites = this.#sites.get(symbol);
    if (sites === undefined) this.#sites.set(symbol, (sites = new Map<number, CallSite>()));
    const cost = kernelFunction(symbol);
    const known = sites.get(map);
    if (known !== undefined) return known;
    const spec = this.#runtime.mapAt(map as RamOffset)?.spec;
    const reference = callCycles(cost, spec, this.#o.kernel);
    const elementBytes = 48 + (spec?.keyBytes ?? 0) + (spec?.valueBytes ?? 0);
    const site: CallSite = {
      insns: Math.round(reference * KERNEL_FUNCTION_IPC),
      cycles: reference * this.#scale,
      hashes: cost.hashes === true && spec !== undefined,
      locks: cost.locks === true,
      elementLines: Math.ceil(elementBytes / LINE_BYTES),
      entries: Math.max(1, spec?.maxEntries ?? 1),
      keyBytes: spec?.keyBytes ?? 0,
    };
    // Functions without a map get anything as their first argument.
    if (sites.size < MAX_SITES) sites.set(map, site);
    return site;
  }

  /** Of the key as the run left it. */
  #hash(at: number, bytes: number): number {
    const { u8 } = this.#runtime.ram;
    let hash = 0x811c_9dc5;
    for (let i = 0; i < bytes; i++) hash = Math.imul(hash ^ u8[at + i]!, 0x0100_0193);
    hash ^= hash >>> 15;
    return hash >>> 0;
  }
}

/** HX table 3: programs and their helpers together run at 2.2 on such a core. */
const KERNEL_FUNCTION_IPC = 2.2;
const MAX_SITES = 256;
