/**
 * Figures of the NFP-4000 model, each with its source. FW is Netronome's nic-firmware, DRV the nfp
 * driver (Linux's, and its out-of-tree twin). "Ours" marks what nobody published: an assumption, never
 * fitted to a workload.
 */

/** FW: flow processing cores that run BPF, 5 islands of 10, with 4 threads each. */
export const ISLANDS = 5;
export const CORES_PER_ISLAND = 10;
export const CORES = ISLANDS * CORES_PER_ISLAND;
export const THREADS = 4;
/** FW: clock of the cores. */
export const CLOCK_HZ = 800e6;

/** FW: code for BPF a vNIC, in instructions, and a thread's stack in local memory. */
export const MAX_INSTRUCTIONS = 2560;
export const STACK_BYTES = 512;
/** What may be read or written of a packet: its part in CTM. Ours: a buffer of 2 KiB; less 32 (DRV). */
export const SPLIT_BYTES = 2048 - 32;

/** FW: what the firmware tells the driver of its maps. */
export const MAPS = { count: 128, elements: 2_048_000, elementBytes: 64, keyBytes: 56, valueBytes: 56 } as const; // prettier-ignore

/**
 * Cycles from a command to its answer: the middle of the ranges that Netronome gives for CTM (50 to
 * 100), IMEM and EMEM (150 to 250). Local memory is an operand; setting its pointer takes 3 cycles.
 */
export const LATENCY = { ctm: 75, imem: 200, emem: 200 } as const;
/**
 * Cycles that a memory is busy with a command. Ours: each starts one a cycle, and an atomic operation
 * or a lock reads and writes, so takes two.
 */
export const BUSY = { ctm: 1, imem: 1, emem: 1, atomic: 2 } as const;

/** Words that a firmware routine hashes take so many instructions each, beside a fixed part (FW). */
export const HASH_INSTRUCTIONS = { perWord: 4, fixed: 22 } as const;
/** Of a routine's entry, its compare of a key word, and its return. Ours. */
export const ROUTINE_INSTRUCTIONS = { enter: 8, perWord: 2, leave: 6 } as const;

/** Instructions that a branch which is taken throws away: the cores' pipeline fetches 3 ahead. Ours. */
export const BRANCH_TAKEN_CYCLES = 3;

/**
 * Instructions that the firmware spends on a packet around the program: metadata, port statistics,
 * the verdict. Ours. What is published bounds it: 50 cores drop 32 million packets a second, so it is
 * below 1,250.
 */
export const FIRMWARE_INSTRUCTIONS = { before: 180, after: 80 } as const;

/**
 * The fixed datapath – MAC, packet DMA, distributor – hands out no more packets a second: the one
 * published row, XDP_DROP at 64 bytes (Agilio CX, a secondary source).
 */
export const DATAPATH_PACKETS_PER_SECOND = 32e6;

/**
 * Nanoseconds from the wire to a core's memory and back to the wire beside the cores' time. Ours: a
 * packet is stored whole in CTM, then sent from there; each way some accesses of CTM.
 */
export const PORT_NS = { in: 600, out: 600 } as const;

/** Packets that may wait for a thread: CTM of an island holds 128 of 2 KiB, half for what comes in. Ours. */
export const WAITING_PACKETS = ISLANDS * 64;

/** FW: firmware's limits of bpf_xdp_adjust_head that always succeed, bytes added in front. */
export const GUARANTEED_HEAD_BYTES = 84;

/** What crosses PCIe for an operation of bpf(2): a message to the firmware and its answer. */
export { PCIE } from '../nic/params.ts';
