/** bpf_strtol and bpf_strtoul: the number at the start of a buffer (kernel/bpf/helpers.c, 6.1). */
import { errno } from '../../kernel/types/errno.ts';

/** BPF_STRTOX_BASE_MASK: the base is in the flags; 0 finds it from the text's prefix. */
const BASE_MASK = 0x1fn;
/** The kernel copies this much of the digits at most. */
const MAX_DIGITS_BYTES = 63;

export interface ParsedLong {
  readonly value: bigint;
  readonly consumedBytes: number;
}

/** ctype.h of the kernel: also the no-break space. */
const isSpace = (byte: number) => (byte >= 9 && byte <= 13) || byte === 32 || byte === 160;

function digitOf(byte: number | undefined): number {
  if (byte === undefined) return 36;
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : 36;
}

/** A negative errno where there is no number or it does not fit. */
export function parseLong(text: Uint8Array, flags: bigint, signed: boolean): ParsedLong | number {
  let base = Number(flags & BASE_MASK);
  if (text.length === 0) return -errno.EINVAL;
  if (![0, 8, 10, 16].includes(base) || (flags & ~BASE_MASK) !== 0n) return -errno.EINVAL;
  let at = 0;
  while (at < text.length && isSpace(text[at]!)) at++;
  const negative = text[at] === 45;
  if (negative) at++;
  if (at === text.length) return -errno.EINVAL;
  const digits = text.subarray(at, at + MAX_DIGITS_BYTES);
  const prefixed = digits[0] === 48 && (digits[1]! | 0x20) === 120 && digitOf(digits[2]) < 16;
  if (base === 0) base = digits[0] !== 48 ? 10 : prefixed ? 16 : 8;
  const isHexPrefix = base === 16 && digits[0] === 48 && (digits[1]! | 0x20) === 120;
  const start = isHexPrefix ? 2 : 0;
  let end = start;
  let magnitude = 0n;
  for (; digitOf(digits[end]) < base; end++) {
    magnitude = magnitude * BigInt(base) + BigInt(digitOf(digits[end]));
  }
  if (magnitude >= 2n ** 64n) return -errno.ERANGE;
  if (end === start) return -errno.EINVAL;
  const consumedBytes = at + end;
  if (!signed) return negative ? -errno.EINVAL : { value: magnitude, consumedBytes };
  const value = negative ? -magnitude : magnitude;
  const fits = value >= -(2n ** 63n) && value < 2n ** 63n;
  return fits ? { value, consumedBytes } : -errno.ERANGE;
}
