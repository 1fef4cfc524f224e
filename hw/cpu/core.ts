/**
 * A core at work: the times of blocks of machine code, one behind the other, in cycles. Only what a
 * block does to others is computed: when it is dispatched (front end, room in the reorder buffer),
 * when its results and stores are there, when it retires.
 *
 *   core.block(schedule, words, at)     the block, with its accesses at words[at] on
 *   core.went(schedule, taken)          how the branch at its end went
 *   core.opaque(insns, cycles, …)       code that is known by its costs alone: driver, kernel
 *   core.now                            cycles at which the front end may go on
 */
import type { CoreMemory } from './memory.ts';
import type { CoreParams } from './core-params.ts';
import { LINE_SHIFT } from './core-params.ts';
import { LastBranches } from './last-branches.ts';
import { BranchPredictor } from './predictor.ts';
import { LOAD_SOURCE, type BlockSchedule, type ScheduledAccess, type Terms } from './schedule.ts';

/** Blocks whose retirement is remembered: more than a reorder buffer holds. */
const RETIRED = 1024;
/** Stores that loads may find, by 8-byte word. */
const STORES = 1024;
const MAX_ACCESSES = 520;
/** µops that are dispatched together. */
const OPAQUE_PART = 48;

/** Where in a packet's buffer accesses go, which is new memory to the core each time. */
export interface PacketWindow {
  start: number;
  end: number;
  /** DMA has put the packet into the last level. */
  cached: boolean;
  /** Cycle at which a prefetch of its first line ends; -1 where the driver does not do that. */
  prefetchedAt: number;
  /** Lines touched, by their number in the buffer. */
  readonly touched: Uint32Array;
  /** What says so in `touched`: another number for each packet. */
  packet: number;
}

export interface CoreCounts {
  insns: number;
  branches: number;
  mispredicts: number;
  forwards: number;
  blockedForwards: number;
}

export class Core {
  now = 0;
  readonly counts: CoreCounts = {
    insns: 0, branches: 0, mispredicts: 0, forwards: 0, blockedForwards: 0,
  }; // prettier-ignore
  /** Cycles in which nothing was dispatched: no room to reorder in, and the wrong way taken. */
  readonly lost = { fullCycles: 0, mispredictCycles: 0 };
  readonly memory: CoreMemory;
  readonly lastBranches: LastBranches;
  readonly window: PacketWindow = {
    start: 0, end: 0, cached: true, prefetchedAt: -1, touched: new Uint32Array(64), packet: 0,
  }; // prettier-ignore
  readonly #params: CoreParams;
  readonly #predictor = new BranchPredictor();
  /** When each register is ready, and behind them when the block's late loads get data. */
  readonly #ready = new Float64Array(LOAD_SOURCE + MAX_ACCESSES);
  readonly #next = new Float64Array(LOAD_SOURCE);
  /** Ring of µops counted up to the end of each block, and when it retired. */
  readonly #retiredUops = new Float64Array(RETIRED);
  readonly #retiredAt = new Float64Array(RETIRED);
  #retiredHead = 0;
  #retiredTail = 0;
  #uops = 0;
  #retires = 0;
  #room = 0;
  readonly #storeWord = new Int32Array(STORES).fill(-1);
  readonly #storeAt = new Float64Array(STORES);
  /** First byte of the word that is stored, times 16, and how many. */
  readonly #storeSpan = new Uint8Array(STORES);
  readonly #lastUse: number[] = [];
  #footprint = 0;
  #idle = 0;
  /** When a branch was taken last. */
  #taken = 0;
  #resolves = 0;

  constructor(params: CoreParams, memory: CoreMemory) {
    this.#params = params;
    this.memory = memory;
    this.lastBranches = new LastBranches(params.lastBranches);
  }

  /** When everything so far has retired. */
  get retired(): number {
    return this.#retires;
  }

  /** Cycles up to now in which it was not idle. */
  get cycles(): number {
    return this.now - this.#idle;
  }

  /** Cycles up to now in which something was dispatched, or could have been. */
  get useful(): number {
    return this.now - this.lost.fullCycles - this.lost.mispredictCycles;
  }

  block(s: BlockSchedule, words: Uint32Array, at: number): void {
    const { inOrder, width } = this.#params;
    const ready = this.#ready;
    const dispatch = this.#dispatch(s.uops);
    const { accesses, outputs } = s;
    for (let i = 0; i < accesses.length; i++) {
      const access = accesses[i]!;
      const address = words[at + i]!;
      ready[LOAD_SOURCE + i] = 0;
      if (access.isLoad) this.#load(access, address, i, dispatch);
      if (access.isStore) this.#store(access, address, dispatch);
    }
    const next = this.#next;
    for (let i = 0, output = 0; i < outputs.length; output++) {
      let time = dispatch + outputs[i + 1]!;
      const end = outputs[i + 2]!;
      for (i += 3; i < end; i += 2) {
        const at = ready[outputs[i]!]! + outputs[i + 1]!;
        if (at > time) time = at;
      }
      next[output] = time;
    }
    this.#resolves = this.#time(s.resolves, dispatch);
    const done = this.#time(s.done, dispatch);
    const cycles = this.#decoded(s) ? s.cycles : s.decodedCycles;
    this.now = dispatch + cycles;
    if (inOrder) this.now = Math.max(this.now, this.#time(s.issued, dispatch));
    for (let i = 0, output = 0; i < outputs.length; i = outputs[i + 2]!, output++) {
      ready[outputs[i]!] = next[output]!;
    }
    this.#retire(s.uops, Math.max(this.#retires + s.uops / width, done));
    this.counts.insns += s.insns;
  }

  /** A conditional branch; what it compares is in the block that ends with it. */
  went({ block, branches }: BlockSchedule, taken: boolean, to: number): void {
    if (branches) {
      this.counts.branches++;
      if (!this.#predictor.branch(placeOf(block.id), taken)) {
        this.#recover();
        if (taken) this.lastBranches.add(block.id, to, true, this.now);
        return;
      }
    }
    if (!taken) return;
    const apart = to === block.id ? 1 : this.#params.takenBranchCycles;
    this.now = Math.max(this.now, this.#taken + apart);
    this.#taken = this.now;
    this.lastBranches.add(block.id, to, false, this.now);
  }

  /** An indirect jump or call that was not foreseen. */
  strayed(): void {
    this.counts.branches++;
    this.#recover();
  }

  #recover(): void {
    this.counts.mispredicts++;
    const at = this.#resolves + this.#params.mispredictCycles;
    if (at <= this.now) return;
    this.lost.mispredictCycles += at - this.now;
    this.now = at;
  }

  /**
   * Code that is known by its costs alone.
   * @param cycles that it keeps the front end
   * @param latency from its operands, which are there at `operands`, to its result
   * @returns when that is there
   */
  opaque(insns: number, cycles: number, latency: number, operands: number): number {
    const { inOrder, width } = this.#params;
    let done = operands;
    // In parts, as the reorder buffer takes them.
    const parts = Math.max(1, Math.ceil(insns / OPAQUE_PART));
    const uops = insns / parts;
    for (let part = 0; part < parts; part++) {
      const dispatch = this.#dispatch(uops);
      this.now = dispatch + cycles / parts;
      if (part === 0) done = Math.max(dispatch, operands) + latency;
      if (inOrder) this.now = Math.max(this.now, done);
      const finished = part === parts - 1 ? Math.max(done, this.now) : this.now;
      this.#retire(uops, Math.max(this.#retires + uops / width, finished));
    }
    this.counts.insns += insns;
    return done;
  }

  ready(register: number): number {
    return this.#ready[register]!;
  }

  setReady(register: number, at: number): void {
    this.#ready[register] = at;
  }

  /** Nothing happened until then. */
  idleUntil(cycle: number): void {
    if (cycle > this.now) {
      this.#idle += cycle - this.now;
      this.now = cycle;
    }
    if (cycle > this.#retires) this.#retires = cycle;
  }

  /** Cycles beyond L1's of a load that is there from `at` on. */
  loadLate(address: number, at: number): number {
    const { window } = this;
    if (address < window.start || address >= window.end) {
      return this.memory.load(address >>> LINE_SHIFT, at);
    }
    const line = (address - window.start) >>> LINE_SHIFT;
    if (window.touched[line] === window.packet) {
      this.memory.counts.l1Loads++;
      return 0;
    }
    window.touched[line] = window.packet;
    if (line > 0 && window.touched[line - 1] === window.packet) return this.memory.streamed();
    const late = this.memory.fromDevice(window.cached, at);
    if (window.prefetchedAt < 0) return late;
    return Math.max(0, Math.min(late, window.prefetchedAt - at));
  }

  #dispatch(uops: number): number {
    const oldest = this.#uops + Math.min(uops, OPAQUE_PART) - this.#params.reorderBuffer;
    while (this.#retiredTail !== this.#retiredHead) {
      const at = this.#retiredTail & (RETIRED - 1);
      if (this.#retiredUops[at]! > oldest) break;
      this.#room = this.#retiredAt[at]!;
      this.#retiredTail++;
    }
    if (this.#room <= this.now) return this.now;
    this.lost.fullCycles += this.#room - this.now;
    return this.#room;
  }

  #retire(uops: number, at: number): void {
    this.#uops += uops;
    this.#retires = at;
    const slot = this.#retiredHead++ & (RETIRED - 1);
    this.#retiredUops[slot] = this.#uops;
    this.#retiredAt[slot] = at;
    if (this.#retiredHead - this.#retiredTail > RETIRED) this.#retiredTail++;
  }

  #time(list: Terms, dispatch: number): number {
    const ready = this.#ready;
    let time = dispatch + list[0]!;
    for (let i = 1; i < list.length; i += 2) {
      const at = ready[list[i]!]! + list[i + 1]!;
      if (at > time) time = at;
    }
    return time;
  }

  #load(access: ScheduledAccess, address: number, index: number, dispatch: number): void {
    const late = this.loadLate(address, dispatch);
    const { forwardCycles, blockedForwardCycles, load } = this.#params;
    const slot = (address >>> 3) & (STORES - 1);
    let forwarded = 0;
    if (this.#storeWord[slot] === address >>> 3) {
      const stored = this.#storeAt[slot]!;
      const span = this.#storeSpan[slot]!;
      const first = address & 7;
      const covered = first >= span >>> 4 && first + access.bytes <= (span >>> 4) + (span & 15);
      const overlaps = first < (span >>> 4) + (span & 15) && first + access.bytes > span >>> 4;
      if (!covered && overlaps) {
        // Until the store has retired and is written.
        const cycles = stored + blockedForwardCycles;
        if (cycles > dispatch) {
          this.counts.blockedForwards++;
          forwarded = cycles;
        }
      } else if (covered && stored + forwardCycles > dispatch + load.latency) {
        this.counts.forwards++;
        forwarded = stored + forwardCycles;
      }
    }
    if (late === 0 && forwarded === 0) return;
    const began = late === 0 ? 0 : this.#time(access.address, dispatch) + load.latency + late;
    this.#ready[LOAD_SOURCE + index] = Math.max(began, forwarded);
  }

  #store(access: ScheduledAccess, address: number, dispatch: number): void {
    const line = address >>> LINE_SHIFT;
    const { window } = this;
    let at = this.#time(access.value, dispatch);
    if (address < window.start || address >= window.end) this.memory.store(line);
    if (access.isAtomic) {
      const wait = this.memory.own(line);
      at += wait;
      // What comes behind an atomic operation waits for it.
      if (wait > 0) this.#room = Math.max(this.#room, at);
    }
    const slot = (address >>> 3) & (STORES - 1);
    this.#storeWord[slot] = address >>> 3;
    this.#storeAt[slot] = at;
    const bytes = Math.min(8, access.bytes);
    this.#storeSpan[slot] = ((address & 7) << 4) | Math.min(bytes, 8 - (address & 7));
  }

  /** Its µops are in the cache of decoded code. */
  #decoded({ block, uops }: BlockSchedule): boolean {
    const { cachedUops } = this.#params.decode;
    if (cachedUops === 0) return false;
    const before = this.#lastUse[block.id];
    this.#lastUse[block.id] = this.#uops;
    if (before === undefined) {
      this.#footprint += uops;
      return false;
    }
    return this.#footprint <= cachedUops || this.#uops - before <= cachedUops;
  }
}

/** Blocks are numbered one by one; predictors want addresses that differ in more than that. */
const placeOf = (block: number): number => Math.imul(block, 0x45d9_f3b) >>> 4;
