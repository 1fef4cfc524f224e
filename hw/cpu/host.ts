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
import { XDP_DROP, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { Rss } from '../nic/rss.ts';
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../target.ts';
import { Core } from './core.ts';
import { LINE_BYTES, type CoreParams } from './core-params.ts';
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
const TABLE_LINES = 1 << 26;
/** A bucket takes 16 bytes: four a line. */
const BUCKETS_SHIFT = 2;

interface Queue {
  readonly core: Core;
  /** When the driver takes each of the last packets out of the ring, in nanoseconds. */
  readonly takenNs: Float64Array;
  count: number;
}

/** Cycles by what was being dispatched. */
interface Parts {
  receive: number;
  program: number;
  kernel: number;
  send: number;
}

interface CallSite {
  /** First argument. */
  readonly map: number;
  readonly insns: number;
  readonly cycles: number;
  readonly hashes: boolean;
  readonly locks: boolean;
  /** First of the lines that its elements take. */
  readonly table: number;
  readonly bucketLines: number;
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
  /** Of each block that ends with a call, the last. */
  readonly #lastSites: CallSite[] = [];
  readonly #sites = new Map<string, Map<number, CallSite>>();
  readonly #cycleNs: number;
  readonly #scale: number;
  /** Lines of the last level that DMA may fill; rings that need more spill to memory. */
  readonly #ioLines: number;
  readonly #tables = new Map<number, number>();
  #nextTable = TABLE_LINES;
  #words = new Uint32Array(1024);
  #count = 0;
  #queue = 0;
  #hostNs = 0;
  #receivesNs = 0;
  #transmitsNs = 0;
  #pcieBytes = 0;
  /** Useful cycles of the core at hand that have been charged. */
  #mark = 0;
  readonly #parts: Parts = { receive: 0, program: 0, kernel: 0, send: 0 };
  /** Where in RAM the one buffer lies that stands for those of the ring; -1 before the first. */
  #bufferAt = -1;

  constructor(runtime: BpfRuntime, options: HostOptions) {
    this.#o = options;
    this.#runtime = runtime;
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
    this.#follow(core);
    this.#charge('program', core);
    const sends = run.verdict === XDP_TX || run.verdict === XDP_REDIRECT;
    if (run.verdict > XDP_DROP) this.#driver(core, this.#sendCycles(run.verdict));
    this.#charge('send', core);
    times.lost = false;
    times.doneNs = core.retired * this.#cycleNs;
    if (sends) times.doneNs = this.#transmit(times.doneNs, run.bytesOut) + nic.ioNs;
    else if (run.verdict <= XDP_DROP) times.doneNs = Math.max(times.doneNs, run.arrivalNs);
  }

  report(): TimingReport {
    const { receive, program, kernel, send } = this.#parts;
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

  /** Through the blocks of the run. */
  #follow(core: Core): void {
    const words = this.#words;
    const count = this.#count;
    this.#count = 0;
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
        case 'host-call':
          this.#charge('program', core);
          this.#call(core, id, end.symbol, words[at - HOST_CALL_WORDS]!, words[at - 1]!);
          this.#charge('kernel', core);
          break;
      }
    }
  }

  #call(core: Core, block: number, symbol: string, first: number, second: number): void {
    const { convention } = this.#o;
    let site = this.#lastSites[block];
    if (site?.map !== first) site = this.#lastSites[block] = this.#site(symbol, first);
    let operands = 0;
    for (const register of convention.arguments) {
      const at = core.ready(register);
      if (at > operands) operands = at;
    }
    let { cycles } = site;
    let latency = site.cycles;
    if (site.hashes) {
      // The bucket's line, then the element's, one after the other.
      const hash = this.#hash(second, site.keyBytes);
      const index = hash % site.entries;
      const bucket = site.table + (index >>> BUCKETS_SHIFT);
      const element = site.table + site.bucketLines + index * site.elementLines;
      const wait = core.memory.load(bucket, core.now) + core.memory.load(element, core.now);
      latency += wait;
      if (site.locks) cycles += core.memory.own(bucket);
    } else if (site.locks) {
      cycles += core.memory.own(site.table);
    }
    const done = core.opaque(site.insns, cycles, latency, operands);
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
    const inMap = cost.levelCycles === undefined ? 0 : this.#elements(map);
    const reference = callCycles(cost, spec, this.#o.kernel, inMap);
    const elementBytes = 48 + (spec?.keyBytes ?? 0) + (spec?.valueBytes ?? 0);
    const elementLines = Math.ceil(elementBytes / LINE_BYTES);
    const entries = Math.max(1, spec?.maxEntries ?? 1);
    const site: CallSite = {
      map,
      insns: Math.round(reference * KERNEL_FUNCTION_IPC),
      cycles: reference * this.#scale,
      hashes: cost.hashes === true && spec !== undefined,
      locks: cost.locks === true,
      table: this.#table(map, entries * (elementLines + 1)),
      bucketLines: Math.ceil(entries / (1 << BUCKETS_SHIFT)),
      elementLines,
      entries,
      keyBytes: spec?.keyBytes ?? 0,
    };
    // Functions without a map get anything as their first argument.
    if (sites.size < MAX_SITES) sites.set(map, site);
    return site;
  }

  /** How many elements a map has when it is first used. */
  #elements(at: number): number {
    const { ram, mapAt } = this.#runtime;
    const map = mapAt(at as RamOffset);
    if (map === undefined) return 0;
    const keyBytes = Math.max(8, map.spec.keyBytes);
    const key = ram.kzalloc(keyBytes);
    let count = 0;
    for (let from = 0 as RamOffset; map.nextKey(from, key) === 0; from = key) count++;
    ram.kfree(key);
    return count;
  }

  /** Where the model has put a map's table, which real ones have somewhere in kernel memory. */
  #table(map: number, lines: number): number {
    let table = this.#tables.get(map);
    if (table === undefined) {
      table = this.#nextTable;
      this.#tables.set(map, table);
      this.#nextTable += lines;
    }
    return table;
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
