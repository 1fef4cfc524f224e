/**
 * Cortex-A53 as in Marvell's Armada 3700 (Espressobin). LLVM: its scheduling model of the core
 * (AArch64SchedA53.td); TRM: Arm's reference manual (DDI 0500); XPP: notes of the xdp-project.
 */
import type { CoreParams } from '../core-params.ts';

const ALUS = 0b11;
const MULTIPLIER = 0b100;
const DIVIDER = 0b1000;
const MEMORY = 0b1_0000;
const BRANCH = 0b10_0000;

export const CORTEX_A53: CoreParams = {
  name: 'Cortex-A53',
  // XPP: 1 GHz.
  clockHz: 1e9,
  // LLVM: two a cycle, in order.
  width: 2,
  inOrder: true,
  // Instructions in the pipeline's eight stages (TRM).
  reorderBuffer: 16,
  decode: { bytesPerCycle: 8, insnsPerCycle: 2, cachedUops: 0 },
  takenBranchCycles: 2,
  // LLVM: 9.
  mispredictCycles: 9,
  returnStack: 8,
  lastBranches: 0,
  // Results are forwarded: an addition's to the next cycle.
  costs: {
    nop: { ports: 0, latency: 0 },
    move: { ports: ALUS, latency: 1 },
    alu: { ports: ALUS, latency: 1 },
    shift: { ports: ALUS, latency: 2 },
    // LLVM: 4 cycles.
    multiply: { ports: MULTIPLIER, latency: 4 },
    'byte-swap': { ports: ALUS, latency: 2 },
    address: { ports: ALUS, latency: 1 },
    // A loop of exclusives: load, add, store and a branch back.
    atomic: { ports: MEMORY, latency: 12, cycles: 12, uops: 4 },
    branch: { ports: BRANCH, latency: 1 },
    jump: { ports: BRANCH, latency: 1 },
    'jump-indirect': { ports: BRANCH, latency: 1 },
    call: { ports: BRANCH, latency: 1 },
    'call-indirect': { ports: BRANCH, latency: 1 },
    return: { ports: BRANCH, latency: 1 },
    barrier: { ports: MEMORY, latency: 10, cycles: 10 },
  },
  // LLVM: 4 to 35 cycles by the operands; half way.
  divide: {
    bits32: { ports: DIVIDER, latency: 12, cycles: 12 },
    bits64: { ports: DIVIDER, latency: 20, cycles: 20 },
  },
  // LLVM: 3 cycles from load to use.
  load: { ports: MEMORY, latency: 3 },
  store: { address: MEMORY, data: MEMORY },
  forwardCycles: 3,
  blockedForwardCycles: 8,
  fusesWithBranch: [],
  eliminatesMoves: false,
  stackPointer: 31,
  // Armada 3700 datasheet: 32 KiB, 256 KiB shared, DDR4 of 16 bits; cycles of L2 after TRM.
  l1: { bytes: 32 << 10, ways: 4, cycles: 3 },
  l2: { bytes: 256 << 10, ways: 16, cycles: 15 },
  uncore: { cycles: 0, deviceCycles: 0, leastHz: 1e9, mostHz: 1e9 },
  // What fits XPP's 1422 cycles a packet, with the driver's six lines.
  memoryNs: 130,
  memoryBytesPerNs: 3.2,
  // DMA goes to memory.
  ioWays: 0,
  // XPP: 0.27 with its misses; without them an instruction in less than two cycles (assumed).
  kernelIpc: 0.7,
};
