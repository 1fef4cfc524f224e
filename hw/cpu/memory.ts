/**
 * Caches and memory: what a load takes, in cycles of its core. L1 and L2 belong to a core; the last
 * level, memory's bandwidth and who wrote a line last by an atomic operation are shared.
 *
 *   const shared = new SharedMemory(core); new CoreMemory(core, clockHz, shared, number)
 *   memory.load(line, nowCycles)   cycles beyond an L1 hit
 */
import { Cache } from './cache.ts';
import { LINE_BYTES, type CoreParams } from './core-params.ts';

/** Lines whose last writer is remembered, by their low bits. */
const OWNED_LINES = 4096;

export class SharedMemory {
  readonly lastLevel: Cache | undefined;
  /** Lines that DMA may put into the last level. */
  readonly ioLines: number;
  readonly #line = new Int32Array(OWNED_LINES).fill(-1);
  readonly #owner = new Int16Array(OWNED_LINES);
  readonly #lineNs: number;
  #busyUntilNs = 0;

  constructor({ l2, l3, ioWays, memoryBytesPerNs }: CoreParams) {
    this.lastLevel = l3 === undefined ? undefined : new Cache(l3);
    const last = l3 ?? l2;
    this.ioLines = (last.bytes / LINE_BYTES / last.ways) * ioWays;
    this.#lineNs = LINE_BYTES / memoryBytesPerNs;
  }

  /** A line from or to memory at that time; nanoseconds that it waits for others. */
  transfer(nowNs: number): number {
    const begins = Math.max(nowNs, this.#busyUntilNs);
    this.#busyUntilNs = begins + this.#lineNs;
    return begins - nowNs;
  }

  /** A core wants a line to itself; whether another had it. */
  own(line: number, core: number): boolean {
    const at = line & (OWNED_LINES - 1);
    const foreign = this.#line[at] === line && this.#owner[at] !== core;
    this.#line[at] = line;
    this.#owner[at] = core;
    return foreign;
  }
}

export class CoreMemory {
  readonly counts = { l1Loads: 0, l1Misses: 0, lastLoads: 0, lastMisses: 0 };
  /** Cycles from L1's latency to that of the last level and of memory. */
  readonly lastCycles: number;
  /** The same for a line that a device has put there. */
  readonly deviceCycles: number;
  readonly #memoryCycles: number;
  readonly #l1: Cache;
  readonly #l2: Cache;
  readonly #l2Cycles: number;
  readonly #shared: SharedMemory;
  readonly #number: number;
  readonly #cyclesPerNs: number;
  #latest = -1;

  constructor(core: CoreParams, clockHz: number, shared: SharedMemory, number: number) {
    const { l1, l2, l3, uncore } = core;
    const ratio = clockHz / Math.min(uncore.mostHz, Math.max(uncore.leastHz, clockHz));
    this.#cyclesPerNs = clockHz / 1e9;
    this.#l1 = new Cache(l1);
    this.#l2 = new Cache(l2);
    this.#l2Cycles = l2.cycles - l1.cycles;
    const inCore = (l3 ?? l2).cycles - l1.cycles;
    this.lastCycles = inCore + uncore.cycles * ratio;
    this.deviceCycles = inCore + uncore.deviceCycles * ratio;
    this.#memoryCycles = this.lastCycles + core.memoryNs * this.#cyclesPerNs;
    this.#shared = shared;
    this.#number = number;
  }

  /** Cycles beyond an L1 hit. */
  load(line: number, now: number): number {
    this.counts.l1Loads++;
    if (line === this.#latest) return 0;
    this.#latest = line;
    if (this.#l1.touch(line)) return 0;
    this.counts.l1Misses++;
    if (this.#l2.touch(line)) return this.#l2Cycles;
    const { lastLevel } = this.#shared;
    if (lastLevel !== undefined) {
      this.counts.lastLoads++;
      if (lastLevel.touch(line)) return this.lastCycles;
    }
    return this.memory(now);
  }

  /** Cycles beyond an L1 hit for what no cache holds. */
  memory(now: number): number {
    this.counts.lastMisses++;
    const waitNs = this.#shared.transfer(now / this.#cyclesPerNs);
    return this.#memoryCycles + waitNs * this.#cyclesPerNs;
  }

  /** A line that DMA has put into the last level, for the first time. */
  fromDevice(inLastLevel: boolean, now: number): number {
    this.counts.l1Loads++;
    this.counts.l1Misses++;
    this.counts.lastLoads++;
    return inLastLevel ? this.deviceCycles : this.memory(now);
  }

  /** The line behind one that was fetched: prefetched into L2. */
  streamed(): number {
    this.counts.l1Loads++;
    this.counts.l1Misses++;
    return this.#l2Cycles;
  }

  /** Stores wait in the store buffer; only the caches' contents change. */
  store(line: number): void {
    if (line === this.#latest) return;
    this.#latest = line;
    if (!this.#l1.touch(line) && !this.#l2.touch(line)) this.#shared.lastLevel?.touch(line);
  }

  /** Cycles that an atomic operation waits for a line that another core has. */
  own(line: number): number {
    if (!this.#shared.own(line, this.#number)) return 0;
    this.#l1.drop(line);
    this.#l1.touch(line);
    this.counts.lastLoads++;
    // To the last level, on to the core that has it, and back.
    return 2 * this.lastCycles;
  }
}
