/**
 * Netlink messages: constants of linux/netlink.h, writing and reading messages and attributes.
 *
 *   const message = new MessageWriter(type, flags, seq, portId);
 *   message.raw(header); message.u32(IFLA_MTU, 1500); message.nested(IFLA_XDP, () => …)
 *   message.finish()                 bytes, length filled in
 *
 *   attributesOf(bytes, at)          type -> payload, as nla_parse: the last of a type counts
 */

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Types below are control messages. */
export const NLMSG_MIN_TYPE = 0x10;
export const NLMSG_HDRLEN = 16;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_FILTERED = 0x20;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** Of an acknowledgement: the request is not whole; attributes follow. */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSGERR_ATTR_MSG = 1;
export const NLMSGERR_ATTR_OFFS = 2;

const NLA_HDRLEN = 4;
const NLA_TYPE_MASK = 0x3fff;

export const align4 = (length: number): number => (length + 3) & ~3;

export interface MessageHeader {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly portId: number;
}

export function headerAt(bytes: Uint8Array, at: number): MessageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, NLMSG_HDRLEN);
  return {
    length: view.getUint32(0, true),
    type: view.getUint16(4, true),
    flags: view.getUint16(6, true),
    seq: view.getUint32(8, true),
    portId: view.getUint32(12, true),
  };
}

export class MessageWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  constructor(type: number, flags: number, seq: number, portId: number) {
    this.#room(NLMSG_HDRLEN);
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags, true);
    this.#view.setUint32(8, seq, true);
    this.#view.setUint32(12, portId, true);
  }

  /** The family's own header, or anything else that is no attribute. */
  raw(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#room(bytes.length));
    return this;
  }

  bytes(type: number, payload: Uint8Array): this {
    const at = this.#room(NLA_HDRLEN + payload.length);
    this.#view.setUint16(at, NLA_HDRLEN + payload.length, true);
    this.#view.setUint16(at + 2, type, true);
    this.#bytes.set(payload, at + NLA_HDRLEN);
    return this;
  }

  u8(type: number, value: number): this {
    return this.bytes(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    return this.bytes(type, u32Bytes(value));
  }

  /** With its NUL. */
  string(type: number, text: string): this {
    const encoded = new TextEncoder().encode(text);
    const payload = new Uint8Array(encoded.length + 1);
    payload.set(encoded);
    return this.bytes(type, payload);
  }

  /** nla_nest_start_noflag: what `fill` writes becomes the payload. */
  nested(type: number, fill: () => void): this {
    const at = this.#room(NLA_HDRLEN);
    this.#view.setUint16(at + 2, type, true);
    fill();
    this.#view.setUint16(at, this.#end - at, true);
    return this;
  }

  finish(): Uint8Array {
    this.#view.setUint32(0, this.#end, true);
    return this.#bytes.slice(0, align4(this.#end));
  }

  /** Aligned, zeroed room at the end; its offset. The end itself stays unaligned. */
  #room(length: number): number {
    const at = align4(this.#end);
    if (at + length + 4 > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length + length);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#end = align4(at + length);
    return at;
  }
}

export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Attributes from `at` to the end; what is malformed ends the list, as nla_ok does. */
export function attributesOf(bytes: Uint8Array, at: number): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  while (at + NLA_HDRLEN <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < NLA_HDRLEN || at + length > bytes.length) break;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    attributes.set(type, bytes.subarray(at + NLA_HDRLEN, at + length));
    at += align4(length);
  }
  return attributes;
}

/** undefined where the attribute is absent; null where it is too short for its type. */
export function u32Of(payload: Uint8Array | undefined): number | undefined | null {
  if (payload === undefined) return undefined;
  if (payload.length < 4) return null;
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true);
}

/** Up to the NUL. */
export function stringOf(payload: Uint8Array): string {
  const end = payload.indexOf(0);
  return new TextDecoder().decode(end < 0 ? payload : payload.subarray(0, end));
}

/** NLMSG_ERROR for a request: error 0 acknowledges. Layout as netlink_ack writes it. */
export function acknowledgement(
  request: Uint8Array,
  portId: number,
  error: number,
  options: { readonly message?: string | undefined; readonly capped: boolean },
): Uint8Array {
  const { seq } = headerAt(request, 0);
  const capped = options.capped || error === 0;
  const flags = (capped ? NLM_F_CAPPED : 0) | (options.message ? NLM_F_ACK_TLVS : 0);
  const writer = new MessageWriter(NLMSG_ERROR, flags, seq, portId);
  writer.raw(u32Bytes(error));
  writer.raw(capped ? request.subarray(0, NLMSG_HDRLEN) : request);
  if (options.message) writer.string(NLMSGERR_ATTR_MSG, options.message);
  return writer.finish();
}
