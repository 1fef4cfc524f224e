/**
 * Figures of the pipeline model, each with its source. EHDL: Rivitti et al., "eHDL: Turning eBPF/XDP
 * Programs into Hardware Designs for the NIC" (ASPLOS'23): an Alveo U50 with 100 GbE, whose shell
 * (Corundum) runs at 250 MHz.
 */

/** EHDL: clock of the pipelines. */
export const CLOCK_HZ = 250e6;
/** EHDL: packets come in words of 64 bytes, the width of a 100 GbE stream at that clock. */
export const FRAME_BYTES = 64;
/** Bytes of a packet that programs may look at (ours: four frames), and room in front of it. */
export const WINDOW_BYTES = 256;
export const HEAD_BYTES = 64;
/** Room behind a packet: a page less headroom and skb_shared_info (Linux's drivers: a page a packet). */
export const PAGE_BYTES = 4096;

/**
 * Nanoseconds of logic, as estimates for UltraScale+ at speed grade -2 (AMD DS923: a LUT takes about
 * 0.1 ns, a net between neighbouring slices 0.2 to 0.4, eight bits of carry 0.05): what may share
 * a stage. A stage has the clock's period less clock-to-out and set-up.
 */
export const NS = {
  lut: 0.4,
  carry: 0.4,
  carryPerBit: 0.015,
  /** A selector that many bits hang on. */
  fanOut: 0.3,
  clockToOut: 0.15,
  setUp: 0.15,
} as const;

/** Stages that units take; their results are there at the beginning of the stage behind. */
export const STAGES = {
  /** Block RAM with its address registered by the stage in front (UG573). */
  memory: 1,
  /** A DSP column of 27 × 18 bit multipliers with its three registers (UG579). */
  multiply: 3,
  /** Restoring division makes so many bits a stage: a subtraction and a choice each. */
  divideBits: 2,
  /** A set of the table is read, then compared. */
  lookup: 2,
} as const;

/** Slots of a set of a hash table: entries whose hash is equal. */
export const WAYS = 8;

/** Between a flush and the first packet that runs again: its frame is read from the ring. */
export const RESTART_CYCLES = 1;
/** A packet is written to the ring, then read: cycles in front of the first stage. */
export const FETCH_CYCLES = 2;
/** Frames that the ring in front holds: two of the largest packets, and what is on its way. */
export const RING_FRAMES = 128;
export const RING_PACKETS = 64;

/** Alveo U50 (AMD DS965): what there is. */
export const DEVICE = { luts: 872_000, registers: 1_743_000, blockRams: 1344, dsps: 5952 } as const;
export const BLOCK_RAM_BITS = 36 * 1024;
/** Stages that a design may have; beyond, place and route take days (ours). */
export const MAX_STAGES = 1024;

/**
 * MACs, PCS and the shell's queues. EHDL measures about 1 µs from the tester and back for programs of
 * 20 to 90 stages of 4 ns; what is not pipeline is this.
 */
export const PORT_NS = 800;

/** The shell beside the pipeline (Corundum for the U50: MACs, DMA, queues): part of the device. */
export { PCIE } from '../../nic/params.ts';
