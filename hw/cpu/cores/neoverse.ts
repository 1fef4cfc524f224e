/**
 * Neoverse N1 and V2. SOG is Arm's software optimization guide of the core (N1: PJDOC-466751330-9707,
 * V2: PJDOC-466751330-593177), TRM its technical reference manual; AT AnandTech's measurements of
 * Graviton 2 (March 2020), CC Chips and Cheese's of Grace (2024).
 */
import type { CoreParams } from '../core-params.ts';

/** N1: B, two simple integer pipes, the one that multiplies, two for loads and stores (SOG 2.1). */
const N1_B = 1;
const N1_M = 8;
const N1_INTEGER = 0b1110;
const N1_MEMORY = 0b11_0000;
const N1_STORE_DATA = 0b1100_0000;

export const NEOVERSE_N1: CoreParams = {
  name: 'Neoverse N1',
  // Graviton 2.
  clockHz: 2.5e9,
  // SOG 2.1, TRM: four instructions decoded, 128 in flight.
  width: 4,
  inOrder: false,
  reorderBuffer: 128,
  decode: { bytesPerCycle: 16, insnsPerCycle: 4, cachedUops: 0 },
  takenBranchCycles: 1,
  // Eleven stages, about as many lost (SOG 2.1).
  mispredictCycles: 11,
  returnStack: 16,
  // No branch record buffer.
  lastBranches: 0,
  // SOG 3.2 to 3.9.
  costs: {
    nop: { ports: 0, latency: 0 },
    move: { ports: N1_INTEGER, latency: 1 },
    alu: { ports: N1_INTEGER, latency: 1 },
    shift: { ports: N1_INTEGER, latency: 1 },
    multiply: { ports: N1_M, latency: 3 },
    'byte-swap': { ports: N1_INTEGER, latency: 1 },
    address: { ports: N1_INTEGER, latency: 1 },
    // ldadd and its like to a line in L1: about as a pair of exclusives (AT).
    atomic: { ports: N1_MEMORY, latency: 8, cycles: 8, uops: 3 },
    branch: { ports: N1_B, latency: 1 },
    jump: { ports: N1_B, latency: 1 },
    'jump-indirect': { ports: N1_B, latency: 1 },
    call: { ports: N1_B, latency: 1 },
    'call-indirect': { ports: N1_B, latency: 1 },
    return: { ports: N1_B, latency: 1 },
    barrier: { ports: N1_MEMORY, latency: 8, cycles: 8 },
  },
  // SOG 3.6: 5 to 12, and 5 to 20.
  divide: {
    bits32: { ports: N1_M, latency: 12, cycles: 12 },
    bits64: { ports: N1_M, latency: 20, cycles: 20 },
  },
  load: { ports: N1_MEMORY, latency: 4 },
  store: { address: N1_MEMORY, data: N1_STORE_DATA },
  forwardCycles: 5,
  blockedForwardCycles: 15,
  // SOG 4.8: compare (subs and its like) and a conditional branch behind it.
  fusesWithBranch: ['subs', 'adds', 'ands'],
  eliminatesMoves: false,
  stackPointer: 31,
  // TRM; AT: 4 and 11 cycles, system cache 32 MiB.
  l1: { bytes: 64 << 10, ways: 4, cycles: 4 },
  l2: { bytes: 1 << 20, ways: 8, cycles: 11 },
  l3: { bytes: 32 << 20, ways: 16, cycles: 20 },
  // AT: about 30 ns to the system cache, memory 96 ns in all, eight channels of DDR4-3200. How much
  // of the cache devices may fill is not published: a quarter is assumed.
  uncore: { cycles: 50, deviceCycles: 70, leastHz: 2.0e9, mostHz: 2.5e9 },
  memoryNs: 66,
  memoryBytesPerNs: 174,
  ioWays: 4,
  // SPECint 2017 a clock about that of Skylake (AT).
  kernelIpc: 2.8,
};

/** V2: two branch, four simple and two multiplying integer pipes, two for both, one for loads. */
const V2_B = 0b11;
const V2_M = 0b1100_0000;
const V2_INTEGER = 0b1111_1100;
const V2_LOAD = 0b111 << 8;
const V2_STORE_ADDRESS = 0b011 << 8;
const V2_STORE_DATA = 0b11 << 11;

export const NEOVERSE_V2: CoreParams = {
  ...NEOVERSE_N1,
  name: 'Neoverse V2',
  // Grace.
  clockHz: 3.4e9,
  // SOG 2.1: eight micro-operations a cycle; 320 in flight (Arm at Hot Chips 2023).
  width: 8,
  reorderBuffer: 320,
  decode: { bytesPerCycle: 24, insnsPerCycle: 6, cachedUops: 1536 },
  mispredictCycles: 10,
  returnStack: 32,
  costs: {
    ...NEOVERSE_N1.costs,
    move: { ports: V2_INTEGER, latency: 1 },
    alu: { ports: V2_INTEGER, latency: 1 },
    shift: { ports: V2_INTEGER, latency: 1 },
    multiply: { ports: V2_M, latency: 2 },
    'byte-swap': { ports: V2_INTEGER, latency: 1 },
    address: { ports: V2_INTEGER, latency: 1 },
    atomic: { ports: V2_STORE_ADDRESS, latency: 8, cycles: 8, uops: 3 },
    branch: { ports: V2_B, latency: 1 },
    jump: { ports: V2_B, latency: 1 },
    'jump-indirect': { ports: V2_B, latency: 1 },
    call: { ports: V2_B, latency: 1 },
    'call-indirect': { ports: V2_B, latency: 1 },
    return: { ports: V2_B, latency: 1 },
    barrier: { ports: V2_STORE_ADDRESS, latency: 8, cycles: 8 },
  },
  divide: {
    bits32: { ports: V2_M, latency: 12, cycles: 12 },
    bits64: { ports: V2_M, latency: 20, cycles: 20 },
  },
  load: { ports: V2_LOAD, latency: 4 },
  store: { address: V2_STORE_ADDRESS, data: V2_STORE_DATA },
  // SOG 4: copies of 64-bit registers are done at rename.
  eliminatesMoves: true,
  // Grace: 1 MiB at 10 cycles, 114 MiB of system cache at about 38 ns (CC).
  l2: { bytes: 1 << 20, ways: 8, cycles: 10 },
  l3: { bytes: 114 << 20, ways: 12, cycles: 20 },
  uncore: { cycles: 65, deviceCycles: 85, leastHz: 2.0e9, mostHz: 2.0e9 },
  // CC: LPDDR5X, about 140 ns in all, 500 GB/s.
  memoryNs: 100,
  memoryBytesPerNs: 500,
  ioWays: 3,
  // About half as much again a clock as N1 (Arm, Hot Chips 2023: V1 50 % over N1, V2 13 % over V1).
  kernelIpc: 4.2,
};
