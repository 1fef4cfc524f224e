/**
 * Figures of the NIC model, each with its source. The device is a generic multi-queue Ethernet
 * controller; where real ones differ it follows Intel's 82599 (ring formats and sizes) or
 * ConnectX-5 (what is hashed, how interrupts are armed and moderated), as the comments say.
 */

/** Preamble and start delimiter 8, frame check sequence 4, inter-frame gap 12 (IEEE 802.3). */
export const WIRE_OVERHEAD_BYTES = 24;
/** A frame on the wire has at least 64 bytes with its check sequence (IEEE 802.3). */
export const MIN_FRAME_BYTES = 60;

/** Descriptors a ring: default, least and most (Linux 6.1, drivers/net/ethernet/intel/ixgbe/ixgbe.h). */
export const RING_DEFAULT = 512;
export const RING_MIN = 64;
export const RING_MAX = 4096;

/** Entries of the indirection table (82599 datasheet, 7.1.2.8: 128 of RETA). */
export const INDIRECTION_ENTRIES = 128;

/**
 * Least time between two interrupts of a vector: ConnectX's default under Linux
 * (MLX5E_PARAMS_DEFAULT_RX_CQ_MODERATION_USEC, 0x10). Its other condition, 32 packets, is left out.
 */
export const MODERATION_NS = 16_000;

/**
 * PCIe. Neugebauer et al., "Understanding PCIe performance for end host networking" (SIGCOMM'18):
 * a generation 3 link of 8 lanes carries 62.96 Gb/s of transaction packets, each with 24 bytes of
 * header and framing for a write of up to 256 bytes (their model, MPS 256, 64-bit addresses); a
 * read of 64 bytes takes 547 ns in the median (NFP6000 in a Haswell host). A posted write or a
 * doorbell crosses once, so half of that (derived).
 */
export const PCIE = {
  bytesPerNs: 62.96 / 8,
  headerBytes: 24,
  maxPayloadBytes: 256,
  readNs: 547,
  writeNs: 274,
} as const;

/** Default link speed: 10GBASE-T, what the 82599 and X540 are. */
export const BITS_PER_SECOND = 10_000_000_000;
