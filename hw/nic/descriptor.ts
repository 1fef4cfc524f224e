/**
 * Ring descriptors: 16 bytes, little-endian, in host memory, in the shape of the 82599's advanced
 * descriptors (datasheet 7.1.6 and 7.2.3.2). Addresses are bus addresses: offsets into RAM.
 *
 *   receive, as the driver writes it:  u64 buffer address, u64 0
 *   receive, written back:             u32 packet type, u32 RSS hash, u32 status, u16 length, u16 tag
 *   transmit, as the driver writes it: u64 buffer address, u32 length and command, u32 payload length
 *   transmit, written back:            u64 0, u32 0, u32 status
 *
 * Word indices below are of 32-bit words within a descriptor.
 */

export const DESCRIPTOR_BYTES = 16;
export const DESCRIPTOR_WORDS = 4;

export const RX_ADDRESS_WORD = 0;
export const RX_HASH_WORD = 1;
export const RX_STATUS_WORD = 2;
/** Low half: bytes of the frame. */
export const RX_LENGTH_WORD = 3;
/** Descriptor done, end of packet. */
export const RX_STATUS_DD = 1;
export const RX_STATUS_EOP = 2;

export const TX_ADDRESS_WORD = 0;
export const TX_LENGTH_WORD = 2;
export const TX_STATUS_WORD = 3;
export const TX_LENGTH_MASK = 0xffff;
/** End of packet, insert frame check sequence, report status (bits 24, 25, 27). */
export const TX_COMMAND = 0x0b000000;
export const TX_STATUS_DD = 1;
