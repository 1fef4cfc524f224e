/**
 * Figures of the pipeline, each with its source. P4C is p4c's back end for Tofino, which was published
 * with its machine description; RMT is Bosshart et al., "Forwarding Metamorphosis" (SIGCOMM'13); GIBB
 * is Gibb et al., "Design Principles for Packet Parsers" (ANCS'13).
 */

/** P4C: stages of one pipe (20 in the second generation). */
export const STAGES = 12;

/** P4C: what each stage has. */
export const STAGE = {
  /** Logical tables; each brings a gateway. */
  tables: 16,
  /** Blocks of 1024 words of 128 bits. */
  sram: 80,
  /** Blocks of 512 words of 44 bits. */
  tcam: 24,
  statefulAlus: 4,
  statisticsAlus: 4,
  /** Bytes of keys on the crossbars. */
  exactKeyBytes: 128,
  ternaryKeyBytes: 66,
} as const;
export const SRAM_WORDS = 1024;
export const SRAM_BITS = 128;
export const TCAM_WORDS = 512;
export const TCAM_BITS = 44;

/** P4C: 64 containers of 8 bits, 96 of 16, 64 of 32. */
export const PHV_BITS = 64 * 8 + 96 * 16 + 64 * 32;
/** Widest container, and so the widest operation of one stage. */
export const CONTAINER_BITS = 32;

/** P4C: a stateful ALU's register is 32 bits wide, or a pair of them. */
export const REGISTER_BITS = 64;

/** GIBB: words of the parser's TCAM, each a transition. */
export const PARSER_ENTRIES = 256;

/** P4C: the clock that its power estimates assume. */
export const CLOCK_HZ = 1.27e9;

/** P4C: cycles that a stage takes, and what some of its parts add. */
export const STAGE_CYCLES = { base: 20, ternary: 2, stateful: 4 } as const;
/** P4C: cycles after which the next stage starts, by what it waits for. */
export const DEPENDENT_CYCLES = { action: 2, none: 1 } as const;

/**
 * Ports of a pipe: 16 of 100 Gb/s (the first generation has four pipes for 6.4 Tb/s).
 */
export const PIPE_BITS_PER_SECOND = 1.6e12;

/**
 * Bytes that may wait before a pipe's parsers. No figure is published; packets of a port come no
 * faster than the pipe takes them unless all are short, so a little is enough.
 */
export const INPUT_BUFFER_BYTES = 64 * 1024;

/** What crosses PCIe for an operation of bpf(2). */
export { PCIE } from '../nic/params.ts';
