/**
 * Capture files: the reader of both formats and the classic one's reader and writer.
 *
 *   readCapture(bytes, file)    pcap or pcapng, either byte order; throws CaptureError
 *   writePcap(frames, startNs)  a little-endian pcap with nanoseconds, link type Ethernet
 *
 * Formats: draft-ietf-opsawg-pcap (classic) and draft-ietf-opsawg-pcapng (pcapng.ts).
 */
import type { Capture, CapturedFrame } from './capture.ts';
import { CaptureError, MAX_FRAME_BYTES, knowsLinkType, toEthernet } from './capture.ts';
import { SECTION_HEADER, readPcapng } from './pcapng.ts';

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LINKTYPE_ETHERNET = 1;

export function readCapture(bytes: Uint8Array, file: string): Capture {
  if (bytes.length < 4) {
    throw new CaptureError(file, 0, 'truncated', 'too short to be a capture file');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) === SECTION_HEADER) return readPcapng(bytes, file);
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) continue;
    return readPcap(bytes, file, littleEndian, magic === MAGIC_NANOSECONDS ? 1 : 1000);
  }
  throw new CaptureError(file, 0, 'not-a-capture', 'neither a pcap nor a pcapng file');
}

function readPcap(
  bytes: Uint8Array,
  file: string,
  littleEndian: boolean,
  nsPerFraction: number,
): Capture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FILE_HEADER_BYTES) {
    throw new CaptureError(file, 0, 'truncated', 'the file header is cut off');
  }
  const major = view.getUint16(4, littleEndian);
  if (major !== 2) {
    throw new CaptureError(file, 4, 'version', `pcap version ${major} is not known`);
  }
  // The upper half holds the length of a frame check sequence, which no reader here needs.
  const linkType = view.getUint32(20, littleEndian) & 0xffff;
  if (!knowsLinkType(linkType)) {
    throw new CaptureError(file, 20, 'link-type', `frames of link type ${linkType} are no packets`);
  }
  const frames: CapturedFrame[] = [];
  let start = 0n;
  let at = FILE_HEADER_BYTES;
  while (at < bytes.length) {
    if (at + RECORD_HEADER_BYTES > bytes.length) {
      throw new CaptureError(file, at, 'truncated', 'a frame header is cut off');
    }
    const seconds = view.getUint32(at, littleEndian);
    const fraction = view.getUint32(at + 4, littleEndian);
    const captured = view.getUint32(at + 8, littleEndian);
    const wire = view.getUint32(at + 12, littleEndian);
    if (captured > MAX_FRAME_BYTES) {
      throw new CaptureError(file, at + 8, 'bad-length', `a frame of ${captured} bytes`);
    }
    const dataAt = at + RECORD_HEADER_BYTES;
    if (dataAt + captured > bytes.length) {
      throw new CaptureError(file, dataAt, 'truncated', `a frame of ${captured} bytes is cut off`);
    }
    const data = toEthernet(linkType, bytes.slice(dataAt, dataAt + captured));
    if (!data) throw new CaptureError(file, dataAt, 'bad-length', 'a frame without its headers');
    const time = BigInt(seconds) * 1_000_000_000n + BigInt(fraction * nsPerFraction);
    if (frames.length === 0) start = time;
    frames.push({
      timeNs: Number(time - start),
      data,
      wireBytes: Math.max(data.length, wire + data.length - captured),
    });
    at = dataAt + captured;
  }
  return { frames, startNs: start };
}

/** @param startNs what `timeNs` 0 is in nanoseconds since 1970 */
export function writePcap(
  frames: readonly { readonly timeNs: number; readonly data: Uint8Array; wireBytes?: number }[],
  startNs = 0n,
): Uint8Array {
  const size = frames.reduce(
    (sum, frame) => sum + RECORD_HEADER_BYTES + frame.data.length,
    FILE_HEADER_BYTES,
  );
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_NANOSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, MAX_FRAME_BYTES, true);
  view.setUint32(20, LINKTYPE_ETHERNET, true);
  let at = FILE_HEADER_BYTES;
  for (const frame of frames) {
    const time = startNs + BigInt(Math.round(frame.timeNs));
    view.setUint32(at, Number(time / 1_000_000_000n), true);
    view.setUint32(at + 4, Number(time % 1_000_000_000n), true);
    view.setUint32(at + 8, frame.data.length, true);
    view.setUint32(at + 12, frame.wireBytes ?? frame.data.length, true);
    bytes.set(frame.data, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + frame.data.length;
  }
  return bytes;
}
