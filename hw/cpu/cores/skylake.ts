/**
 * A Skylake-SP core. IO is Intel's optimization reference manual (248966) 2.2; UI uops.info; AF Agner
 * Fog's microarchitecture manual, chapter 11; WC WikiChip "Skylake (server)".
 */
import type { CoreParams } from '../core-params.ts';
import { HASWELL, INTEL_COSTS } from './haswell.ts';

const P0 = 1;

export const SKYLAKE: CoreParams = {
  ...HASWELL,
  name: 'Skylake-SP',
  clockHz: 2.1e9,
  // IO 2.2.1: 224 entries; rename stays at four.
  reorderBuffer: 224,
  // WC: five decoders.
  decode: { bytesPerCycle: 16, insnsPerCycle: 5, cachedUops: 1536 },
  // AF 3.8: 16.5 from the cache of µops.
  mispredictCycles: 16,
  // SDM volume 3, 17.12.
  lastBranches: 32,
  costs: INTEL_COSTS,
  // UI: div r32 26 cycles, 6 between two; div r64 35 to 88, 21.
  divide: {
    bits32: { ports: P0, latency: 26, cycles: 6, uops: 10 },
    bits64: { ports: P0, latency: 42, cycles: 24, uops: 36 },
  },
  // WC: 1 MiB at 14 cycles, 1.375 MiB of L3 a core.
  l2: { bytes: 1 << 20, ways: 16, cycles: 14 },
  // WC: 50 to 70 cycles, about 20 ns in all over the mesh at 2.4 GHz.
  l3: { bytes: 22 << 20, ways: 11, cycles: 26 },
  // Mesh clock 1.2 to 2.4 GHz (WC); lines of DMA as with Haswell.
  uncore: { cycles: 30, deviceCycles: 60, leastHz: 1.2e9, mostHz: 2.4e9 },
  // WC and Intel MLC figures: about 90 ns, six channels of DDR4-2666.
  memoryNs: 90,
  memoryBytesPerNs: 115,
  power: { watts: 7.8, source: 'Intel ARK: 125 W TDP, 16 cores (Gold 6130)' },
};
