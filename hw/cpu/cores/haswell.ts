/**
 * Haswell-EP and Broadwell-EP: the servers that XDP was measured on. AF is Agner Fog's "The
 * microarchitecture of Intel, AMD and VIA CPUs" and instruction tables (chapters Haswell and
 * Broadwell, Skylake); UI is uops.info; IO is Intel's optimization reference manual (248966),
 * 2.3 and 2.4; XPP: xdp-project's notes on an E5-1650 v4.
 */
import type { CoreParams } from '../core-params.ts';

const P0156 = 0b0110_0011;
const P06 = 0b0100_0001;
const P15 = 0b0010_0010;
const P1 = 0b0000_0010;
const P6 = 0b0100_0000;
const P23 = 0b0000_1100;
const P237 = 0b1000_1100;
const P4 = 0b0001_0000;
const P0 = 0b0000_0001;

/** Ports and latencies that Haswell to Skylake have in common (UI, AF). */
export const INTEL_COSTS: CoreParams['costs'] = {
  nop: { ports: 0, latency: 0 },
  move: { ports: P0156, latency: 1 },
  alu: { ports: P0156, latency: 1 },
  shift: { ports: P06, latency: 1 },
  multiply: { ports: P1, latency: 3 },
  // 64 bits: two µops (UI).
  'byte-swap': { ports: P15, latency: 2 },
  address: { ports: P15, latency: 1 },
  // lock add, lock xadd (UI: 18 to 20 cycles, one after the other).
  atomic: { ports: P06, latency: 18, cycles: 18, uops: 8 },
  branch: { ports: P06, latency: 1 },
  jump: { ports: P6, latency: 1 },
  'jump-indirect': { ports: P6, latency: 1 },
  call: { ports: P6, latency: 1, uops: 2 },
  'call-indirect': { ports: P6, latency: 1, uops: 3 },
  return: { ports: P6, latency: 1, uops: 2 },
  // lfence (UI: 4 to 6 cycles beside what it waits for).
  barrier: { ports: P0, latency: 5, cycles: 5 },
};

export const HASWELL: CoreParams = {
  name: 'Haswell-EP',
  clockHz: 3.7e9,
  // IO 2.3, AF 10: four fused µops a cycle, 192 entries.
  width: 4,
  inOrder: false,
  reorderBuffer: 192,
  // IO 2.3: 16 bytes, 4 decoders, 1536 µops.
  decode: { bytesPerCycle: 16, insnsPerCycle: 4, cachedUops: 1536 },
  // AF 10.3: one taken branch in two cycles.
  takenBranchCycles: 2,
  // AF 3.8: 15 to 20.
  mispredictCycles: 16,
  returnStack: 16,
  // SDM volume 3, 17.11.
  lastBranches: 16,
  costs: INTEL_COSTS,
  // UI: div r32 22 to 29 cycles, 9 µops; div r64 32 to 96, 36 µops.
  divide: {
    bits32: { ports: P0, latency: 26, cycles: 9, uops: 9 },
    bits64: { ports: P0, latency: 40, cycles: 24, uops: 36 },
  },
  // IO 2.3.5: 4 cycles, two loads and a store a cycle.
  load: { ports: P23, latency: 4 },
  store: { address: P237, data: P4 },
  // AF 10.12: 4 to 5 forwarded; about 11 more where forwarding fails.
  forwardCycles: 5,
  blockedForwardCycles: 15,
  fusesWithBranch: ['cmp', 'test', 'add', 'sub', 'and'],
  eliminatesMoves: true,
  stackPointer: 4,
  // IO 2.3.5: 32 KiB, 256 KiB at 12 cycles, 2.5 MiB a core.
  l1: { bytes: 32 << 10, ways: 8, cycles: 4 },
  l2: { bytes: 256 << 10, ways: 8, cycles: 12 },
  // XPP: 17.45 ns at 3.6 GHz and more; 24 cycles of it in the core's clock (assumed: two L2 times),
  // the rest in the ring's.
  l3: { bytes: 10 << 20, ways: 20, cycles: 24 },
  // Its clock: Hackenberg et al., "An energy efficiency feature survey of the Intel Haswell
  // processor" (2015), figure 4 and table III. Lines of DMA: fitted to HX's programs that read.
  uncore: { cycles: 32, deviceCycles: 62, leastHz: 1.2e9, mostHz: 3.0e9 },
  // DDR4-2133, four channels: about 85 ns and 60 GB/s (Molka et al., ICPP'15).
  memoryNs: 85,
  memoryBytesPerNs: 60,
  // Intel DDIO: two ways by default.
  ioWays: 2,
  // HX table 3: 2.2 to 2.8 over program, driver and kernel.
  kernelIpc: 2.8,
  power: { watts: 35, source: 'Intel ARK: 140 W TDP, 4 cores (E5-1630 v3)' },
};

/** E5-1650 v4: as Haswell with six cores, five cycles less for a division (UI). */
export const BROADWELL: CoreParams = {
  ...HASWELL,
  name: 'Broadwell-EP',
  clockHz: 3.6e9,
  lastBranches: 16,
  l3: { bytes: 15 << 20, ways: 20, cycles: 24 },
  power: { watts: 23.3, source: 'Intel ARK: 140 W TDP, 6 cores (E5-1650 v4)' },
};
