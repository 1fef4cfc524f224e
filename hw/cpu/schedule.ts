/**
 * A block of machine code as the core sees it, computed once: how many µops, how long they keep the
 * front end and the ports, and when each result is there as a function of when the block is
 * dispatched, when the registers that it reads are ready, and when its loads that missed get data.
 *
 *   schedule(block, core)   what Core runs a block by
 *
 * Such a function is a list of terms (source, latency); its value is the latest of
 * dispatch + constant and source + latency. What is lost by that: contention for ports counts for the
 * block's throughput, not for the order within it.
 */
import type { CoreParams, UopCost } from './core-params.ts';
import { FLAGS, type CodeBlock, type InsnDescriptor } from './events.ts';

/** Where in the array of times the results of late loads stand, behind the registers and flags. */
export const LOAD_SOURCE = FLAGS + 1;

/** `[constant, source, latency, source, latency …]`; constant is from dispatch. */
export type Terms = Int32Array;

export interface ScheduledAccess {
  readonly isLoad: boolean;
  readonly isStore: boolean;
  readonly isAtomic: boolean;
  readonly bytes: number;
  /** When the address is there. */
  readonly address: Terms;
  /** When the stored value is there; empty for loads. */
  readonly value: Terms;
}

export interface BlockSchedule {
  readonly block: CodeBlock;
  readonly insns: number;
  readonly uops: number;
  /** Cycles that it takes rename or its busiest port, whichever is longer. */
  readonly cycles: number;
  /** The same where the code has to be decoded. */
  readonly decodedCycles: number;
  /** In the order of the block's words. */
  readonly accesses: readonly ScheduledAccess[];
  /**
   * Registers and when they are ready, one behind the other: `[register, constant, end, terms …]`,
   * where terms go up to index `end`. Flags do not live from block to block.
   */
  readonly outputs: Int32Array;
  /** When the branch at its end is known to go one way or the other. */
  readonly resolves: Terms;
  /** When everything in it is done. */
  readonly done: Terms;
  /** When its last instruction has issued: with cores that issue in order, the next comes behind it. */
  readonly issued: Terms;
  readonly branches: boolean;
}

/** Source -> latency; DISPATCH is always there. */
type Times = Map<number, number>;
const DISPATCH = -1;

export function schedule(block: CodeBlock, core: CoreParams): BlockSchedule {
  return new Scheduling(block, core).result();
}

class Scheduling {
  readonly #block: CodeBlock;
  readonly #core: CoreParams;
  readonly #registers = new Map<number, Times>();
  readonly #accesses: ScheduledAccess[] = [];
  readonly #done: Times = new Map([[DISPATCH, 0]]);
  #resolves: Times = new Map([[DISPATCH, 0]]);
  /** Of the latest instruction; only order matters, so only cores in order look at it. */
  #issued: Times = new Map([[DISPATCH, 0]]);
  #uops = 0;
  /** Cycles of work by set of ports. */
  readonly #demand = new Map<number, number>();

  constructor(block: CodeBlock, core: CoreParams) {
    this.#block = block;
    this.#core = core;
  }

  result(): BlockSchedule {
    const { insns } = this.#block;
    const { width, decode } = this.#core;
    insns.forEach((insn, i) => this.#add(insn, insns[i - 1]));
    const renamed = this.#uops / width;
    const cycles = Math.max(renamed, portCycles(this.#demand));
    const bytes = insns.reduce((sum, insn) => sum + insn.bytes, 0);
    const last = insns.at(-1);
    return {
      block: this.#block,
      insns: insns.length,
      uops: this.#uops,
      cycles,
      decodedCycles: Math.max(
        cycles,
        bytes / decode.bytesPerCycle,
        insns.length / decode.insnsPerCycle,
      ),
      accesses: this.#accesses,
      outputs: this.#outputs(),
      resolves: terms(this.#resolves),
      done: terms(this.#done),
      issued: terms(this.#issued),
      branches: last?.kind === 'branch',
    };
  }

  #outputs(): Int32Array {
    const list: number[] = [];
    for (const [register, times] of this.#registers) {
      if (register === FLAGS) continue;
      const [constant, ...rest] = terms(times);
      list.push(register, constant!, list.length + 3 + rest.length, ...rest);
    }
    return Int32Array.from(list);
  }

  #add(insn: InsnDescriptor, before: InsnDescriptor | undefined): void {
    const { kind, memory, reads, writes } = insn;
    const { inOrder, width, load, store, costs, fusesWithBranch } = this.#core;
    const fused =
      kind === 'branch' &&
      before !== undefined &&
      before.kind === 'alu' &&
      before.memory.length === 0 &&
      fusesWithBranch.includes(before.mnemonic);
    if (!fused) this.#uops++;
    const dispatch: Times = new Map([[DISPATCH, Math.floor(Math.max(0, this.#uops - 1) / width)]]);
    const cost = this.#costOf(insn);
    const addresses = new Set(memory.flatMap(({ registers }) => registers));
    const isPlainAccess = kind === 'load' || kind === 'store';
    const stackOnly = (register: number): boolean =>
      register === this.#core.stackPointer && writes.includes(register);
    // What is read for the operation itself; what only makes the address is waited for there.
    const operands = reads.filter((r) => !addresses.has(r) || (!isPlainAccess && !stackOnly(r)));
    const ready = latest(dispatch, ...operands.map((r) => this.#register(r)));
    const addressAt = latest(dispatch, ...[...addresses].map((r) => this.#register(r)));
    // In order: nobody overtakes, and all operands are waited for.
    const begins = inOrder ? latest(ready, addressAt, this.#issued) : ready;
    const addressBegins = inOrder ? begins : addressAt;
    if (inOrder) this.#issued = begins;

    let operand = begins;
    for (const { access, bytes } of memory) {
      if (access !== 'load' && access !== 'load-store') continue;
      const source = LOAD_SOURCE + this.#accesses.length;
      this.#access(access, kind, bytes, addressBegins);
      this.#use(load.ports, load.cycles ?? 1);
      const data = latest(delayed(addressBegins, load.latency), new Map([[source, 0]]));
      operand = latest(operand, data);
      this.#finish(data);
    }
    const hasLoad = operand !== begins;
    // A load is its own µop where nothing else is done with it.
    const result = kind === 'load' && hasLoad ? operand : delayed(operand, cost.latency);
    if (!isPlainAccess && !fused) {
      this.#use(
        cost.ports,
        (cost.cycles ?? 1) * (cost.cycles === undefined ? (cost.uops ?? 1) : 1),
      );
      this.#uops += (cost.uops ?? 1) - 1;
    }
    for (const [i, { access, bytes }] of memory.entries()) {
      if (access === 'load') continue;
      const value = isPlainAccess ? begins : result;
      if (access === 'store') this.#access(access, kind, bytes, addressBegins, value);
      else this.#setValue(memory.slice(0, i).length, memory.length, value);
      this.#use(store.address, 1);
      this.#use(store.data, 1);
      if (access === 'load-store') this.#uops++;
      this.#finish(value);
    }
    this.#finish(result);
    for (const register of writes) {
      // The renamer moves the stack pointer.
      if (stackOnly(register) && memory.length > 0 && addresses.has(register)) {
        this.#registers.set(register, latest(dispatch, this.#register(register)));
      } else {
        this.#registers.set(register, insn.zeroing ? dispatch : result);
      }
    }
    if (kind === 'branch' || kind === 'jump-indirect' || kind === 'return') {
      this.#resolves = latest(result, delayed(begins, costs.branch.latency));
    }
  }

  #costOf({ kind, widthBits, zeroing, memory, reads, wideImmediate }: InsnDescriptor): UopCost {
    const { costs, divide, eliminatesMoves, load } = this.#core;
    switch (kind) {
      case 'load':
      case 'store':
        return load;
      case 'divide':
        return widthBits === 64 ? divide.bits64 : divide.bits32;
      case 'move': {
        const isCopy = memory.length === 0 && reads.length > 0 && !wideImmediate;
        return isCopy && eliminatesMoves ? FREE : costs.move;
      }
      default:
        return zeroing ? FREE : costs[kind];
    }
  }

  #access(
    access: 'load' | 'store' | 'load-store',
    kind: InsnDescriptor['kind'],
    bytes: number,
    address: Times,
    value?: Times,
  ): void {
    this.#accesses.push({
      isLoad: access !== 'store',
      isStore: access !== 'load',
      isAtomic: kind === 'atomic',
      bytes,
      address: terms(address),
      value: value === undefined ? new Int32Array(0) : terms(value),
    });
  }

  /** The store half of a read-modify-write, whose load half was noted before. */
  #setValue(operand: number, operands: number, value: Times): void {
    const at = this.#accesses.length - (operands - operand);
    this.#accesses[at] = { ...this.#accesses[at]!, value: terms(value) };
  }

  #register(register: number): Times {
    return this.#registers.get(register) ?? new Map([[register, 0]]);
  }

  #finish(times: Times): void {
    for (const [source, latency] of times) raise(this.#done, source, latency);
  }

  #use(ports: number, cycles: number): void {
    if (ports !== 0) this.#demand.set(ports, (this.#demand.get(ports) ?? 0) + cycles);
  }
}

const FREE: UopCost = { ports: 0, latency: 0 };

function raise(times: Times, source: number, latency: number): void {
  const known = times.get(source);
  if (known === undefined || known < latency) times.set(source, latency);
}

function latest(...all: readonly Times[]): Times {
  const times: Times = new Map();
  for (const each of all) for (const [source, latency] of each) raise(times, source, latency);
  return times;
}

function delayed(times: Times, by: number): Times {
  return new Map([...times].map(([source, latency]) => [source, latency + by]));
}

function terms(times: Times): Terms {
  const list = [times.get(DISPATCH) ?? 0];
  for (const [source, latency] of times) if (source !== DISPATCH) list.push(source, latency);
  return Int32Array.from(list);
}

/**
 * Cycles of the busiest ports, with work spread as well as can be: for each union of the sets that
 * µops may choose from, what must be done there by the number of ports in it.
 */
function portCycles(demand: ReadonlyMap<number, number>): number {
  let unions = new Set<number>([0]);
  for (const ports of demand.keys())
    unions = new Set([...unions, ...[...unions].map((u) => u | ports)]);
  let most = 0;
  for (const union of unions) {
    if (union === 0) continue;
    let work = 0;
    for (const [ports, cycles] of demand) if ((ports & ~union) === 0) work += cycles;
    most = Math.max(most, work / bitCount(union));
  }
  return most;
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
