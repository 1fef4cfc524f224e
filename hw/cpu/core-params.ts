/**
 * What a model of a core is told about it: widths, ports, latencies, buffers, caches. The figures are
 * in `cores/`, each with its source; this file says what they mean.
 */
import type { InsnKind } from './events.ts';

/** What one kind of µop asks of the core. */
export interface UopCost {
  /** Ports that can take it, as a bit mask; 0 where none is needed (done by the renamer). */
  readonly ports: number;
  /** From its operands to its result. */
  readonly latency: number;
  /** Cycles that its port is taken; 1 where absent. */
  readonly cycles?: number;
  /** µops where it is more than one. */
  readonly uops?: number;
}

export interface CacheParams {
  readonly bytes: number;
  readonly ways: number;
  /** Load to use, where the level answers. Of the last level: the part in cycles of the core. */
  readonly cycles: number;
}

export interface CoreParams {
  readonly name: string;
  readonly clockHz: number;
  /** µops renamed, and retired, a cycle. */
  readonly width: number;
  /** Instructions issue in program order, and wait for their operands there. */
  readonly inOrder: boolean;
  /** µops between rename and retirement. */
  readonly reorderBuffer: number;
  readonly decode: {
    readonly bytesPerCycle: number;
    readonly insnsPerCycle: number;
    /** µops of the cache of decoded code; 0 where there is none. */
    readonly cachedUops: number;
  };
  /** Least cycles from one branch that is taken to the next; a block that repeats itself takes 1. */
  readonly takenBranchCycles: number;
  /** From a branch's resolution to the first µop of the right way. */
  readonly mispredictCycles: number;
  readonly returnStack: number;
  /** Entries that a last-branch record has; 0: none. */
  readonly lastBranches: number;
  readonly costs: Readonly<Record<Exclude<InsnKind, 'load' | 'store' | 'divide'>, UopCost>>;
  /** By operand size: up to 32 bits, and 64. */
  readonly divide: { readonly bits32: UopCost; readonly bits64: UopCost };
  /** L1 hit; its port. */
  readonly load: UopCost;
  readonly store: { readonly address: number; readonly data: number };
  /** Load of what a store before it has not yet written. */
  readonly forwardCycles: number;
  /** The same where the store covers only a part of it. */
  readonly blockedForwardCycles: number;
  /** Mnemonics that become one µop with a branch behind them. */
  readonly fusesWithBranch: readonly string[];
  /** Copies of registers are done by the renamer. */
  readonly eliminatesMoves: boolean;
  /** Register whose pushes and pops cost no addition. */
  readonly stackPointer: number;
  readonly l1: CacheParams;
  readonly l2: CacheParams;
  /** Absent where L2 is the last level. */
  readonly l3?: CacheParams;
  /**
   * What ring or mesh add to the last level's cycles, in cycles of their own clock, which follows the
   * core's within limits.
   */
  readonly uncore: {
    readonly cycles: number;
    /** The same for a line that a device wrote and no core has read yet. */
    readonly deviceCycles: number;
    readonly leastHz: number;
    readonly mostHz: number;
  };
  readonly memoryNs: number;
  /** Of all cores together. */
  readonly memoryBytesPerNs: number;
  /** Ways of the last level that DMA writes go to; 0: DMA goes to memory. */
  readonly ioWays: number;
  /** Instructions a cycle of driver and kernel code that hits its caches. */
  readonly kernelIpc: number;
  /** Power of one core at work, watts, and where it is from. */
  readonly power?: { readonly watts: number; readonly source: string };
}

export const LINE_SHIFT = 6;
export const LINE_BYTES = 64;
