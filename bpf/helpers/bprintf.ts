/**
 * The format language of bpf_trace_printk, bpf_snprintf and bpf_seq_printf.
 *
 *   bprintf(format, args, memory)   the text as bytes, or -errno
 *
 * Follows Linux 6.1: bpf_bprintf_prepare checks the whole format first and reads what pointers
 * point at into a buffer of 512 bytes; bstr_printf then prints (lib/vsprintf.c). Quirks are kept:
 * letters and digits after a %p conversion are swallowed, so "%pI6c" prints as "%pI6".
 */
import { errno } from '../../kernel/types/errno.ts';

/** What a format may look at. */
export interface PrintMemory {
  /** Up to and without the NUL; a negative errno where it cannot be read. */
  kernelString(address: bigint, limit: number): Uint8Array | number;
  userString(address: bigint, limit: number): Uint8Array | number;
  kernelBytes(address: bigint, sizeBytes: number): Uint8Array | undefined;
  /** `%s` of an address below this is user memory. */
  readonly taskSize: bigint;
  symbolAt(
    address: bigint,
  ): { readonly name: string; readonly offset: number; readonly size?: number } | undefined;
  /** The 32 bits that `%p` shows instead of the address. */
  hashPointer(address: bigint): number;
}

/** MAX_BPRINTF_BIN_ARGS: room for arguments and the strings that they point at. */
const ARGUMENT_BYTES = 512;

const isAscii = (byte: number) => byte < 0x80;
const isSpace = (byte: number) => (byte >= 9 && byte <= 13) || byte === 32 || byte === 160;
const isDigit = (byte: number) => byte >= 48 && byte <= 57;
const isAlnum = (byte: number) =>
  isDigit(byte) || ((byte | 0x20) >= 97 && (byte | 0x20) <= 122 && isAscii(byte));
const isPrint = (byte: number) => byte >= 32 && byte < 127;
const isPunct = (byte: number) => isPrint(byte) && !isAlnum(byte) && byte !== 32;
const code = (character: string) => character.charCodeAt(0);
const PERCENT = code('%');

interface Flags {
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  /** -1 where the format says none. */
  readonly width: number;
}

type Conversion =
  | { readonly kind: 'text'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'integer';
      readonly flags: Flags;
      readonly bits: 32 | 64;
      readonly letter: string;
    }
  | { readonly kind: 'char'; readonly flags: Flags }
  | { readonly kind: 'string'; readonly flags: Flags; readonly space: 's' | 'k' | 'u' }
  /** '' (hashed), K, x, s, S, B, I4, i4, I6, i6. */
  | { readonly kind: 'pointer'; readonly flags: Flags; readonly extension: string };

class FormatReader {
  readonly #format: Uint8Array;
  at = 0;

  constructor(format: Uint8Array) {
    this.#format = format;
  }

  /** 0 past the end, as C's NUL. */
  peek(ahead = 0): number {
    return this.#format[this.at + ahead] ?? 0;
  }

  char(ahead = 0): string {
    return String.fromCharCode(this.peek(ahead));
  }

  get done(): boolean {
    return this.at >= this.#format.length;
  }

  slice(from: number): Uint8Array {
    return this.#format.subarray(from, this.at);
  }

  skipWhile(test: (byte: number) => boolean): void {
    while (!this.done && test(this.peek())) this.at++;
  }
}

/** What follows a conversion of its own length: end, space or punctuation. */
function endsHere(reader: FormatReader, ahead: number): boolean {
  const byte = reader.peek(ahead);
  return byte === 0 || isSpace(byte) || isPunct(byte);
}

function readFlags(reader: FormatReader): Flags {
  const start = reader.at;
  reader.skipWhile((byte) => '0+- '.includes(String.fromCharCode(byte)));
  const seen = String.fromCharCode(...reader.slice(start));
  const widthAt = reader.at;
  reader.skipWhile(isDigit);
  const digits = String.fromCharCode(...reader.slice(widthAt));
  return {
    left: seen.includes('-'),
    plus: seen.includes('+'),
    space: seen.includes(' '),
    zero: seen.includes('0'),
    width: digits === '' ? -1 : Number(digits),
  };
}

/** After `%p`; undefined for an extension that BPF does not have. */
function readPointer(reader: FormatReader, flags: Flags): Conversion | undefined {
  reader.at++;
  const first = reader.char();
  const second = reader.char(1);
  const space = first === 'k' || first === 'u' ? first : undefined;
  let conversion: Conversion | undefined;
  if (endsHere(reader, 0)) {
    conversion = { kind: 'pointer', flags, extension: '' };
  } else if (space && second === 's') {
    if (endsHere(reader, 2)) conversion = { kind: 'string', flags, space };
  } else if ('KxsSB'.includes(first)) {
    conversion = { kind: 'pointer', flags, extension: first };
  } else if ('iI'.includes(first) && '46'.includes(second)) {
    conversion = { kind: 'pointer', flags, extension: first + second };
  }
  return conversion;
}

function readConversion(reader: FormatReader): Conversion | undefined {
  reader.at++;
  if (!isAscii(reader.peek())) return undefined;
  const flags = readFlags(reader);
  switch (reader.char()) {
    case 'p': {
      const conversion = readPointer(reader, flags);
      reader.skipWhile(isAlnum);
      return conversion;
    }
    case 's':
      reader.at++;
      return endsHere(reader, 0) ? { kind: 'string', flags, space: 's' } : undefined;
    case 'c':
      reader.at++;
      return { kind: 'char', flags };
  }
  let longs = 0;
  while (longs < 2 && reader.char() === 'l') {
    longs++;
    reader.at++;
  }
  const letter = reader.char();
  if (!'iduxX'.includes(letter)) return undefined;
  reader.at++;
  return { kind: 'integer', flags, bits: longs > 0 ? 64 : 32, letter };
}

function parse(format: Uint8Array): readonly Conversion[] | undefined {
  const reader = new FormatReader(format);
  const conversions: Conversion[] = [];
  while (!reader.done) {
    if (reader.peek() !== PERCENT) {
      const start = reader.at;
      reader.skipWhile((byte) => byte !== PERCENT);
      const bytes = reader.slice(start);
      if (bytes.some((byte) => isAscii(byte) && !isPrint(byte) && !isSpace(byte))) return undefined;
      conversions.push({ kind: 'text', bytes });
    } else if (reader.peek(1) === PERCENT) {
      const start = ++reader.at;
      reader.at++;
      conversions.push({ kind: 'text', bytes: reader.slice(start) });
    } else {
      const conversion = readConversion(reader);
      if (!conversion) return undefined;
      conversions.push(conversion);
    }
  }
  return conversions;
}

const ascii = (text: string) => Uint8Array.from(text, code);

function pad(bytes: Uint8Array, { width, left }: Flags): Uint8Array {
  if (bytes.length >= width) return bytes;
  const padded = new Uint8Array(width).fill(32);
  padded.set(bytes, left ? 0 : width - bytes.length);
  return padded;
}

function integer(value: bigint, letter: string, bits: 32 | 64, flags: Flags): Uint8Array {
  const signed = letter === 'd' || letter === 'i';
  const number = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const isHex = letter === 'x' || letter === 'X';
  const magnitude = (number < 0n ? -number : number).toString(isHex ? 16 : 10);
  const digits = letter === 'X' ? magnitude.toUpperCase() : magnitude;
  const sign = number < 0n ? '-' : signed && flags.plus ? '+' : signed && flags.space ? ' ' : '';
  if (flags.zero && !flags.left) {
    return ascii(sign + digits.padStart(flags.width - sign.length, '0'));
  }
  return pad(ascii(sign + digits), flags);
}

/** An address: 16 digits unless the format gives a width. */
function rawPointer(address: bigint, flags: Flags): Uint8Array {
  const wide = flags.width === -1 ? { ...flags, width: 16, zero: true } : flags;
  return integer(address, 'x', 64, wide);
}

function hashedPointer(address: bigint, flags: Flags, memory: PrintMemory): Uint8Array {
  const value = BigInt.asUintN(64, address);
  // NULL and ERR_PTRs give nothing away.
  const isNullOrError = value === 0n || value >= 2n ** 64n - 4095n;
  return rawPointer(isNullOrError ? value : BigInt(memory.hashPointer(value) >>> 0), flags);
}

function symbol(address: bigint, extension: string, memory: PrintMemory): Uint8Array {
  const value = BigInt.asUintN(64, address);
  // %pB is for return addresses: the call stands before.
  const found = memory.symbolAt(extension === 'B' ? value - 1n : value);
  if (!found) return ascii(`0x${value.toString(16)}`);
  if (extension === 's') return ascii(found.name);
  const distance = found.offset + (extension === 'B' ? 1 : 0);
  return ascii(`${found.name}+0x${distance.toString(16)}/0x${(found.size ?? 0).toString(16)}`);
}

function ip4(bytes: Uint8Array, padded: boolean): string {
  return [...bytes].map((byte) => String(byte).padStart(padded ? 3 : 0, '0')).join('.');
}

function ip6(bytes: Uint8Array, separator: string): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16).padStart(4, '0'));
  }
  return groups.join(separator);
}

function ipAddress(address: bigint, extension: string, memory: PrintMemory): Uint8Array {
  const size = extension[1] === '4' ? 4 : 16;
  const bytes = memory.kernelBytes(address, size) ?? new Uint8Array(size);
  if (size === 4) return ascii(ip4(bytes, extension === 'i4'));
  return ascii(ip6(bytes, extension === 'I6' ? ':' : ''));
}

/** Counts the argument buffer's bytes, as its limit can be met. */
class ArgumentRoom {
  #used = 0;

  get left(): number {
    return ARGUMENT_BYTES - this.#used;
  }

  take(bytes: number): void {
    this.#used = Math.min(this.#used + bytes, ARGUMENT_BYTES);
  }

  /** Room for a number, 4-byte aligned; false if there is none. */
  takeNumber(bytes: number): boolean {
    this.#used = Math.ceil(this.#used / 4) * 4;
    if (this.left < bytes) return false;
    this.#used += bytes;
    return true;
  }
}

function copyString(
  address: bigint,
  space: 's' | 'k' | 'u',
  limit: number,
  memory: PrintMemory,
): Uint8Array {
  const isUser = space === 'u' || (space === 's' && BigInt.asUintN(64, address) < memory.taskSize);
  const text = isUser ? memory.userString(address, limit) : memory.kernelString(address, limit);
  if (typeof text === 'number') return new Uint8Array(0);
  return text.subarray(0, limit - 1);
}

/** One conversion with its argument: its text, or -ENOSPC. */
function print(
  conversion: Exclude<Conversion, { kind: 'text' }>,
  argument: bigint,
  room: ArgumentRoom,
  memory: PrintMemory,
): Uint8Array | number {
  const { flags } = conversion;
  switch (conversion.kind) {
    case 'integer':
      if (!room.takeNumber(conversion.bits / 8)) return -errno.ENOSPC;
      return integer(argument, conversion.letter, conversion.bits, flags);
    case 'char':
      if (room.left === 0) return -errno.ENOSPC;
      room.take(1);
      return pad(Uint8Array.of(Number(argument & 0xffn)), flags);
    case 'string': {
      if (room.left === 0) return -errno.ENOSPC;
      const text = copyString(argument, conversion.space, room.left, memory);
      room.take(text.length + 1);
      return conversion.space === 's' ? pad(text, flags) : text;
    }
    case 'pointer':
      return printPointer(argument, conversion.extension, flags, room, memory);
  }
}

function printPointer(
  argument: bigint,
  extension: string,
  flags: Flags,
  room: ArgumentRoom,
  memory: PrintMemory,
): Uint8Array | number {
  if (extension === 'B' || extension.length === 2) {
    const isAddress = extension !== 'B';
    if (isAddress && room.left < (extension[1] === '4' ? 4 : 16)) return -errno.ENOSPC;
    const text = isAddress
      ? ipAddress(argument, extension, memory)
      : symbol(argument, extension, memory);
    const kept = text.subarray(0, Math.max(room.left - 1, 0));
    room.take(text.length + 1);
    return kept;
  }
  if (!room.takeNumber(8)) return -errno.ENOSPC;
  switch (extension) {
    case 'x':
      return rawPointer(BigInt.asUintN(64, argument), flags);
    case 's':
    case 'S':
      return pad(symbol(argument, extension, memory), flags);
    default:
      return hashedPointer(argument, flags, memory);
  }
}

/** @param format without its NUL */
export function bprintf(
  format: Uint8Array,
  args: readonly bigint[],
  memory: PrintMemory,
): Uint8Array<ArrayBuffer> | number {
  const conversions = parse(format);
  if (!conversions) return -errno.EINVAL;
  if (conversions.filter(({ kind }) => kind !== 'text').length > args.length) return -errno.EINVAL;
  const room = new ArgumentRoom();
  const parts: Uint8Array[] = [];
  let next = 0;
  for (const conversion of conversions) {
    const text =
      conversion.kind === 'text'
        ? conversion.bytes
        : print(conversion, args[next++]!, room, memory);
    if (typeof text === 'number') return text;
    parts.push(text);
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
