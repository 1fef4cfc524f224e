/**
 * Figures of the hXDP model, each with its source. HX is the paper: Brunella et al., "hXDP: Efficient
 * Software Packet Processing on FPGA NICs" (OSDI'20). Its prototype sits in a NetFPGA-SUME.
 */

/** HX 4.3: clock and frame size of the NetFPGA reference NIC. */
export const CLOCK_HZ = 156.25e6;
export const FRAME_BYTES = 32;
/** HX 4.1.3; 1 to 8 are studied in figure 9. */
export const LANES = 4;
export const MAX_LANES = 8;
/** Rows of the instruction memory (prototype's ROM images: 256 lines). */
export const MAX_ROWS = 256;
/** HX 4.1.3. */
export const STACK_BYTES = 512;

/**
 * Cycles of a packet beside its rows: fitted to programs that consist of little else (HX figures 13 to
 * 15). 10 and 40 calls of a helper, one a row, take 15.9 and 46.2 cycles.
 */
export const START_CYCLES = 2;
/**
 * The next packet can begin no sooner: its frames are read, and those of one that is sent written, by
 * one state machine. A one-row program that drops takes 3 cycles, one that sends 7.
 */
export const LEAST_CYCLES = { dropped: 3, sent: 7 } as const;
/**
 * An exit whose verdict is in r0 waits for what wrote it to commit: the 3 cycles that early exit saves
 * (HX 4.2). With them a bare redirect takes 10 cycles; measured are 15 Mpps, 10.4.
 */
export const LATE_CYCLES = 3;
/** Until the pipeline is empty, where the exit is not recognised early: 7 instead of 3 (HX figure 13). */
export const DRAIN_CYCLES = 4;

/** A lookup takes one cycle for a key of up to so many bytes (HX 5.3). */
export const KEY_BYTES_PER_CYCLE = 32;

/** The input queue's memory: 6.5 blocks of 36 Kbit (HX table 1). */
export const INPUT_QUEUE_BYTES = (6.5 * 36 * 1024) / 8;

/**
 * MACs, PHYs, serialisation and the tester's own way: the round trip of a 64-byte packet takes about
 * 1.2 µs with the simple firewall (HX figure 12, digitised), of which its program is 0.15.
 */
export const PORT_NS = 1050;

/** Blocks: LUTs, registers, block RAMs (HX table 1). */
export const BLOCKS: readonly (readonly [string, number, number, number])[] = [
  ['input queue', 215, 58, 6.5],
  ['packet selector', 9000, 10000, 4],
  ['processor', 27000, 4000, 0],
  ['instruction memory', 0, 0, 7.7],
  ['stack', 1000, 136, 16],
  ['helpers', 339, 150, 0],
];
/** The map subsystem as measured, with one map of 64 rows of 64 bytes. */
export const MAPS_BLOCK: readonly [number, number, number] = [5800, 2500, 16];
/** Of an xc7vx690t (HX: 42 K LUTs are 9.91 %, 18 K registers 2.09 %, 50 block RAMs 3.40 %). */
export const DEVICE = { luts: 433200, registers: 866400, blockRams: 1470 } as const;
export const BLOCK_RAM_BYTES = (36 * 1024) / 8;
/** LUTs and registers of the processor grow with its lanes; four were measured. */
export const MEASURED_LANES = 4;

/** What crosses PCIe for an operation of bpf(2): a posted write and a read back (hw/nic/params.ts). */
export { PCIE } from '../../nic/params.ts';
