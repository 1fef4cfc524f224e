/**
 * Text between bytes and strings, UTF-8, nothing lost: a byte that is no UTF-8 becomes a lone
 * surrogate U+DC80…U+DCFF (as Python's `surrogateescape` has it) and that byte again on the way
 * back. File names, arguments and what tools print may be any bytes.
 */
const ESCAPE = 0xdc00;
/** With the flag `u`, a surrogate that is part of a pair does not match. */
const ESCAPED = /[\udc80-\udcff]/u;

export function encodeText(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (!ESCAPED.test(text)) return encoder.encode(text);
  const parts = text.split(/([\udc80-\udcff])/u).map((part) => {
    const isByte = part.length === 1 && ESCAPED.test(part);
    return isByte ? Uint8Array.of(part.charCodeAt(0) - ESCAPE) : encoder.encode(part);
  });
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Bytes that `encodeText` gives. */
export function encodedLength(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) >= 0x80) return encodeText(text).length;
  }
  return text.length;
}

export function decodeText(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return text.includes('\ufffd') ? decodeStrictly(bytes) : text;
}

/** Sequence by sequence (RFC 3629 section 4). */
function decodeStrictly(bytes: Uint8Array): string {
  let out = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length === 0) out += String.fromCharCode(ESCAPE + bytes[at++]!);
    else {
      out += String.fromCodePoint(codePoint(bytes, at, length));
      at += length;
    }
  }
  return out;
}

/** 0 where no well-formed sequence starts. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const second = bytes[at + 1] ?? 0;
  const isTail = (offset: number): boolean => ((bytes[at + offset] ?? 0) & 0xc0) === 0x80;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !isTail(1)) return 0;
  if (first < 0xe0) return 2;
  if (!isTail(2)) return 0;
  if (first < 0xf0) {
    const isOverlong = first === 0xe0 && second < 0xa0;
    const isSurrogate = first === 0xed && second > 0x9f;
    return isOverlong || isSurrogate ? 0 : 3;
  }
  const isOutside = (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f);
  return isOutside || !isTail(3) ? 0 : 4;
}

function codePoint(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return bytes[at]!;
  let code = bytes[at]! & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code;
}
