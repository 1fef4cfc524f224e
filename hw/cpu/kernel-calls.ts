/**
 * Calls of kernel functions on the model of a core: what each takes on the map that it is given, and
 * which lines of memory it touches. Tables of maps have lines of their own here, as where the C core
 * keeps buckets and elements is no kernel's layout.
 *
 *   calls.call(core, block, symbol, first, second)   with the low halves of its first arguments
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Core } from './core.ts';
import { LINE_BYTES, type CoreParams } from './core-params.ts';
import { callCycles, kernelFunction, type KernelVersion } from './kernel-functions.ts';

/** Registers by which kernel functions are called. */
export interface CallConvention {
  readonly arguments: readonly number[];
  readonly result: number;
}

/** Lines of tables that only the model knows, above RAM (which ends below 2^32). */
const TABLE_LINES = 1 << 26;
/** A bucket takes 16 bytes: four a line. */
const BUCKETS_SHIFT = 2;
/** struct htab_elem without key and value (kernel/bpf/hashtab.c). */
const ELEMENT_HEADER_BYTES = 48;
/** HX table 3: programs and their helpers together run at 2.2 on such a core. */
const KERNEL_FUNCTION_IPC = 2.2;
/** Cycles of driver and kernel code are given for a core that does so many instructions a cycle. */
export const REFERENCE_IPC = 2.8;
const MAX_SITES = 256;

interface CallSite {
  /** First argument. */
  readonly map: number;
  readonly insns: number;
  readonly cycles: number;
  readonly hashes: boolean;
  readonly locks: boolean;
  /** Of a trie with as many elements as it had, and what each takes. */
  readonly levels: number;
  readonly levelCycles: number;
  /** First of the lines that its elements take. */
  readonly table: number;
  readonly bucketLines: number;
  readonly elementLines: number;
  readonly entries: number;
  readonly keyBytes: number;
}

export class KernelCalls {
  readonly #runtime: BpfRuntime;
  readonly #kernel: KernelVersion;
  readonly #convention: CallConvention;
  readonly #scale: number;
  /** Of each block that ends with a call, the last. */
  readonly #lastSites: CallSite[] = [];
  readonly #sites = new Map<string, Map<number, CallSite>>();
  readonly #tables = new Map<number, number>();
  #nextTable = TABLE_LINES;

  constructor(
    runtime: BpfRuntime,
    core: CoreParams,
    kernel: KernelVersion,
    convention: CallConvention,
  ) {
    this.#runtime = runtime;
    this.#kernel = kernel;
    this.#convention = convention;
    this.#scale = REFERENCE_IPC / core.kernelIpc;
  }

  call(core: Core, block: number, symbol: string, first: number, second: number): void {
    let site = this.#lastSites[block];
    if (site?.map !== first) site = this.#lastSites[block] = this.#site(symbol, first);
    let operands = 0;
    for (const register of this.#convention.arguments) {
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
    } else if (site.levels > 0) {
      const wait = site.levels * site.levelCycles + this.#walk(core, site, second);
      cycles += wait;
      latency += wait;
      if (site.locks) cycles += core.memory.own(site.table);
    } else if (site.locks) {
      cycles += core.memory.own(site.table);
    }
    const done = core.opaque(site.insns, cycles, latency, operands);
    core.setReady(this.#convention.result, done);
  }

  /** What a function costs on the map that its first argument is. */
  #site(symbol: string, map: number): CallSite {
    let sites = this.#sites.get(symbol);
    if (sites === undefined) this.#sites.set(symbol, (sites = new Map<number, CallSite>()));
    const cost = kernelFunction(symbol);
    const known = sites.get(map);
    if (known !== undefined) return known;
    const spec = this.#runtime.mapAt(map as RamOffset)?.spec;
    const inTrie = cost.levelCycles === undefined ? 0 : this.#elements(map);
    const reference = callCycles(cost, spec, this.#kernel);
    const elementBytes = ELEMENT_HEADER_BYTES + (spec?.keyBytes ?? 0) + (spec?.valueBytes ?? 0);
    const elementLines = Math.ceil(elementBytes / LINE_BYTES);
    const entries = Math.max(1, spec?.maxEntries ?? 1);
    const site: CallSite = {
      map,
      insns: Math.round(reference * KERNEL_FUNCTION_IPC),
      cycles: reference * this.#scale,
      hashes: cost.hashes === true && spec !== undefined,
      locks: cost.locks === true,
      levels: inTrie === 0 ? 0 : Math.ceil(Math.log2(inTrie + 1)),
      levelCycles: (cost.levelCycles ?? 0) * this.#scale,
      table: spec === undefined ? TABLE_LINES : this.#table(map, entries * (elementLines + 1)),
      bucketLines: Math.ceil(entries / (1 << BUCKETS_SHIFT)),
      elementLines,
      entries,
      keyBytes: spec?.keyBytes ?? 0,
    };
    // Functions without a map get anything as their first argument.
    if (sites.size < MAX_SITES) sites.set(map, site);
    return site;
  }

  /** Cycles that the lines of a trie's nodes take on the way to that key, one after the other. */
  #walk(core: Core, site: CallSite, key: number): number {
    const hash = this.#hash(key, site.keyBytes);
    let cycles = 0;
    for (let level = 0; level < site.levels; level++) {
      const node = (1 << level) + (level === 0 ? 0 : hash >>> (32 - level));
      cycles += core.memory.load(site.table + node * site.elementLines, core.now);
    }
    return cycles;
  }

  /** How many elements a map has when it is first used. */
  #elements(at: number): number {
    const { ram } = this.#runtime;
    const map = this.#runtime.mapAt(at as RamOffset);
    if (map === undefined) return 0;
    const keyBytes = Math.max(8, map.spec.keyBytes);
    const keys = [ram.kzalloc(keyBytes), ram.kzalloc(keyBytes)] as const;
    let count = 0;
    let from = 0 as RamOffset;
    for (; map.nextKey(from, keys[count & 1]!) === 0; count++) from = keys[count & 1]!;
    for (const key of keys) ram.kfree(key);
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
