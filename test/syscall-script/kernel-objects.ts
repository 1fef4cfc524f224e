/** What scripts on a whole kernel have in common: descriptors of its objects, and facts of them. */
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import type { AttachType } from '../../bpf/uapi.ts';
import type { Value } from './script.ts';
import { word, type Writer } from './writer.ts';

export type Values = Readonly<Record<string, Value>>;

export const attachType = (name: AttachType) => ATTACH_TYPES.indexOf(name);
/** linux/fcntl.h */
export const AT_FDCWD = -100;
export const O_RDWR = 2;
/** The loopback interface. */
export const LO = 1;
/** A BTF with one type, int, as btf_load takes it. */
export const INT_BTF =
  `9feb0100${word(24)}${word(0)}${word(16)}${word(16)}${word(5)}` +
  `${word(1)}${word(0x01000000)}${word(4)}${word(0x01000020)}00696e7400`;
export const INT_BTF_BYTES = INT_BTF.length / 2;

export const loadBtf = (w: Writer) =>
  w.call('btf_load', { btf: w.buf(INT_BTF), btf_size: INT_BTF_BYTES });

/** Information about a descriptor's object in a buffer: '^name:4' is its id. */
export function info(w: Writer, fd: string, bytes = 256): string {
  const at = w.buf(bytes);
  w.call('obj_get_info_by_fd', { bpf_fd: fd, info: at, info_len: bytes });
  return at;
}
export const idIn = (buffer: string, at = 4) => `^${buffer.slice(1)}:${at}`;

export const tracing = (w: Writer, attach: AttachType, target: string, asm = 'r0 = 0\nexit') =>
  w.prog('tracing', asm, {
    expected_attach_type: attachType(attach),
    attach_btf_id: target,
  });

export function open(w: Writer, path: string, flags = 0): string {
  return w.sys('openat', AT_FDCWD, w.text(path), flags, 0);
}

/** struct perf_event_attr of a tracepoint. */
export function perfEvent(w: Writer, tracepoint: string): string {
  const PERF_TYPE_TRACEPOINT = 2;
  const attr = w.buf(word(PERF_TYPE_TRACEPOINT) + word(128) + '00'.repeat(120), [
    [8, `%tp:${tracepoint}`],
  ]);
  return w.sys('perf_event_open', attr, -1, 0, -1, 0);
}
