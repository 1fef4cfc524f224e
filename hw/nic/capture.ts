/**
 * What a capture file holds, whatever its format, and how a bad one is told.
 *
 *   readCapture (pcap.ts)   bytes of a .pcap or .pcapng file -> Capture, or throws CaptureError
 *   toEthernet              a frame of another link type as the Ethernet frame it stands for
 */

/** One frame, Ethernet header first, without the frame check sequence. */
export interface CapturedFrame {
  /** Since the first frame of the file; negative where frames are out of order. */
  readonly timeNs: number;
  readonly data: Uint8Array;
  /** Length on the wire; more than `data` where the capture cut it (snaplen). */
  readonly wireBytes: number;
}

export interface Capture {
  readonly frames: readonly CapturedFrame[];
  /** Time stamp of the first frame, nanoseconds since 1970; 0 where the file has none. */
  readonly startNs: bigint;
}

export type CaptureProblem =
  | 'not-a-capture'
  | 'version'
  | 'truncated'
  | 'bad-length'
  | 'bad-option'
  | 'no-interface'
  | 'link-type';

/** The file is not what it says: which one, where, and why. */
export class CaptureError extends Error {
  override name = 'CaptureError';
  readonly file: string;
  /** Byte offset in the file. */
  readonly offset: number;
  readonly problem: CaptureProblem;

  constructor(file: string, offset: number, problem: CaptureProblem, what: string) {
    super(`${file}: ${what} (at byte ${offset})`);
    this.file = file;
    this.offset = offset;
    this.problem = problem;
  }
}

/** libpcap's MAXIMUM_SNAPLEN: no format with larger frames is in use. */
export const MAX_FRAME_BYTES = 262144;

const ETHERNET_HEADER_BYTES = 14;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

interface LinkType {
  readonly name: string;
  /** Undefined where the frame is too short to tell. */
  readonly convert: (frame: Uint8Array) => Uint8Array | undefined;
}

/**
 * Link types by number (https://www.tcpdump.org/linktypes.html). Those without an Ethernet header get
 * one with zero addresses, as frames of `lo` have; a cooked capture keeps the sender's address.
 */
const LINK_TYPES = new Map<number, LinkType>([
  [0, { name: 'NULL', convert: (frame) => ipFrame(frame, 4) }],
  [1, { name: 'ETHERNET', convert: (frame) => frame }],
  [12, { name: 'RAW', convert: (frame) => ipFrame(frame, 0) }],
  [14, { name: 'RAW', convert: (frame) => ipFrame(frame, 0) }],
  [101, { name: 'RAW', convert: (frame) => ipFrame(frame, 0) }],
  [108, { name: 'LOOP', convert: (frame) => ipFrame(frame, 4) }],
  [113, { name: 'LINUX_SLL', convert: (frame) => cookedFrame(frame, 16, 14, 4, 6) }],
  [228, { name: 'IPV4', convert: (frame) => ipFrame(frame, 0) }],
  [229, { name: 'IPV6', convert: (frame) => ipFrame(frame, 0) }],
  [276, { name: 'LINUX_SLL2', convert: (frame) => cookedFrame(frame, 20, 0, 11, 12) }],
]);

export const knowsLinkType = (linkType: number): boolean => LINK_TYPES.has(linkType);

/** Undefined where the frame is too short to have the headers of its link type. */
export function toEthernet(linkType: number, frame: Uint8Array): Uint8Array | undefined {
  return LINK_TYPES.get(linkType)?.convert(frame);
}

/** `headerBytes` of link header, then IP; which version, the packet itself says. */
function ipFrame(frame: Uint8Array, headerBytes: number): Uint8Array | undefined {
  const version = (frame[headerBytes] ?? 0) >> 4;
  if (version !== 4 && version !== 6) return undefined;
  return withHeader(frame.subarray(headerBytes), version === 4 ? ETH_P_IP : ETH_P_IPV6);
}

/** Linux cooked headers: where protocol, address length and address stand in them. */
function cookedFrame(
  frame: Uint8Array,
  headerBytes: number,
  protocolAt: number,
  lengthAt: number,
  addressAt: number,
): Uint8Array | undefined {
  if (frame.length < headerBytes) return undefined;
  const protocol = (frame[protocolAt]! << 8) | frame[protocolAt + 1]!;
  const result = withHeader(frame.subarray(headerBytes), protocol);
  // LINUX_SLL's length is 16 bits, big-endian, of which the low byte is the one that counts.
  const addressBytes = headerBytes === 16 ? frame[lengthAt + 1]! : frame[lengthAt]!;
  if (addressBytes === 6) result.set(frame.subarray(addressAt, addressAt + 6), 6);
  return result;
}

function withHeader(payload: Uint8Array, protocol: number): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER_BYTES + payload.length);
  frame[12] = protocol >> 8;
  frame[13] = protocol;
  frame.set(payload, ETHERNET_HEADER_BYTES);
  return frame;
}
