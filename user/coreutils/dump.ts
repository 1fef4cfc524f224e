/** hexdump(1) (default and -C), xxd(1), od(1): bytes shown as numbers. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { concatBytes, decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';

function* contents(
  p: Process,
  files: readonly string[],
  skip: number,
  length: number,
): UserFlow<{ bytes: Uint8Array; status: number }> {
  const parts: Uint8Array[] = [];
  let wanted = skip + length;
  const status = yield* eachInput(p, files, function* (stream) {
    // No further than asked: some files have no end.
    while (wanted > 0) {
      const part = yield* stream.readChunk();
      if (part.length === 0) break;
      parts.push(part);
      wanted -= part.length;
    }
  });
  return { bytes: concatBytes(parts).subarray(skip, skip + length), status };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const printable = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');

/** Rows of 16, a row equal to the one before as a single '*'. */
function* rows(
  p: Process,
  bytes: Uint8Array,
  squeeze: boolean,
  row: (offset: number, part: Uint8Array) => string,
): UserFlow<void> {
  let before = '';
  let isSqueezed = false;
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const key = part.join();
    if (squeeze && key === before && part.length === 16) {
      if (!isSqueezed) yield* p.println('*');
      isSqueezed = true;
      continue;
    }
    isSqueezed = false;
    before = key;
    yield* p.println(row(at, part));
  }
}

export const hexdump: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Display file contents in hexadecimal, decimal, octal, or ascii.',
    options: [
      { short: 'C', long: 'canonical', help: 'canonical hex+ASCII display' },
      { short: 'n', long: 'length', arg: 'LENGTH', help: 'interpret only length bytes of input' },
      { short: 's', long: 'skip', arg: 'OFFSET', help: 'skip offset bytes from the beginning' },
      { short: 'v', long: 'no-squeezing', help: 'output identical lines' },
    ],
  });
  const skip = Number(o.value('skip') ?? 0);
  const { bytes, status } = yield* contents(
    p,
    o.operands,
    skip,
    Number(o.value('length') ?? Infinity),
  );
  const width = o.has('canonical') ? 8 : 7;
  yield* rows(p, bytes, !o.has('no-squeezing'), (at, part) => {
    if (!o.has('canonical')) {
      let words = '';
      for (let i = 0; i < part.length; i += 2)
        words += ` ${hex(part[i]! | ((part[i + 1] ?? 0) << 8), 4)}`;
      return hex(skip + at, width) + words.padEnd(40);
    }
    const cells = Array.from({ length: 16 }, (_, i) => (i < part.length ? hex(part[i]!, 2) : '  '));
    const halves = `${cells.slice(0, 8).join(' ')}  ${cells.slice(8).join(' ')}`;
    return `${hex(skip + at, width)}  ${halves}  |${printable(part)}|`;
  });
  if (bytes.length > 0) yield* p.println(hex(skip + bytes.length, width));
  return status;
};

export const xxd: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]',
    about: 'Make a hex dump.',
    options: [
      { short: 'p', long: 'plain', help: 'output in postscript plain hexdump style' },
      { short: 'r', long: 'revert', help: 'convert a plain hexdump (-p) into binary' },
      { short: 'l', long: 'len', arg: 'LEN', help: 'stop after LEN bytes' },
      { short: 's', long: 'seek', arg: 'OFFSET', help: 'start at OFFSET' },
    ],
  });
  const skip = Number(o.value('seek') ?? 0);
  const { bytes, status } = yield* contents(
    p,
    o.operands.slice(0, 1),
    skip,
    Number(o.value('len') ?? Infinity),
  );
  if (o.has('revert')) {
    const text = decodeText(bytes);
    const digits = o.has('plain')
      ? text
      : text.replace(/^[0-9a-f]+:((?: ?[0-9a-f]{2}){0,16}).*$/gm, '$1');
    const pairs = digits.replace(/[^0-9a-fA-F]/g, '').match(/../g) ?? [];
    yield* p.print(Uint8Array.from(pairs, (pair) => parseInt(pair, 16)));
    return status;
  }
  if (o.has('plain')) {
    for (let at = 0; at < bytes.length; at += 30) {
      yield* p.println(Array.from(bytes.subarray(at, at + 30), (b) => hex(b, 2)).join(''));
    }
    return status;
  }
  yield* rows(p, bytes, false, (at, part) => {
    let words = '';
    for (let i = 0; i < 16; i += 2) {
      const pair = Array.from(part.subarray(i, i + 2), (b) => hex(b, 2)).join('');
      words += `${pair.padEnd(4)} `;
    }
    return `${hex(skip + at, 8)}: ${words} ${printable(part)}`;
  });
  return status;
};

export const od: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Write an unambiguous representation, octal 2-byte units by default, of FILE.',
    options: [
      { short: 'A', long: 'address-radix', arg: 'RADIX', help: 'one of d, o, x, n (none)' },
      { short: 't', long: 'format', arg: 'TYPE', help: 'c, or d/o/u/x with a size of 1, 2, 4, 8' },
      { short: 'N', long: 'read-bytes', arg: 'BYTES', help: 'limit dump to BYTES input bytes' },
      { short: 'j', long: 'skip-bytes', arg: 'BYTES', help: 'skip BYTES input bytes first' },
      { short: 'c', help: 'same as -t c' },
      { short: 'x', help: 'same as -t x2' },
      { short: 'v', long: 'output-duplicates', help: 'do not use * to mark line suppression' },
    ],
  });
  const format = o.has('c') ? 'c' : o.has('x') ? 'x2' : (o.value('format') ?? 'o2');
  const match = /^(?:([doux])([1248]?)|c)z?$/.exec(format);
  if (!match) return yield* usageError(p, `invalid type string '${format}'`);
  const radix = { d: 10, o: 8, x: 16, n: 0 }[o.value('address-radix') ?? 'o'];
  if (radix === undefined) return yield* usageError(p, `invalid output address radix`);
  const skip = Number(o.value('skip-bytes') ?? 0);
  const { bytes, status } = yield* contents(
    p,
    o.operands,
    skip,
    Number(o.value('read-bytes') ?? Infinity),
  );
  const address = (at: number): string =>
    radix === 0 ? '' : (skip + at).toString(radix).padStart(radix === 16 ? 6 : 7, '0');
  const unit = match[1] === undefined ? 1 : Number(match[2] || 4);
  yield* rows(p, bytes, !o.has('output-duplicates'), (at, part) => {
    let line = address(at);
    for (let i = 0; i < part.length; i += unit) {
      line +=
        match[1] === undefined
          ? charCell(part[i]!)
          : numberCell(part.subarray(i, i + unit), match[1], unit);
    }
    return line;
  });
  if (radix !== 0) yield* p.println(address(bytes.length));
  return status;
};

function charCell(byte: number): string {
  const names: Record<number, string> = {
    0: '\\0',
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
  };
  const isPrintable = byte >= 0x20 && byte < 0x7f;
  const text =
    names[byte] ?? (isPrintable ? String.fromCharCode(byte) : byte.toString(8).padStart(3, '0'));
  return text.padStart(4);
}

function numberCell(bytes: Uint8Array, kind: string, unit: number): string {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  const bits = unit * 8;
  if (kind === 'x') return ` ${value.toString(16).padStart(unit * 2, '0')}`;
  if (kind === 'o') return ` ${value.toString(8).padStart(Math.ceil(bits / 3), '0')}`;
  const digits = (2n ** BigInt(bits)).toString().length;
  const shown = kind === 'd' ? BigInt.asIntN(bits, value) : value;
  return ` ${shown.toString().padStart(kind === 'd' ? digits + 1 : digits)}`;
}
