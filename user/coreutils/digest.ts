/** md5sum(1), sha1sum(1), sha224sum … sha512sum, b2sum, cksum(1), base64(1), base32(1). */
import { blake2b } from '@noble/hashes/blake2.js';
import { md5, sha1 } from '@noble/hashes/legacy.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { decodeText, hexBytes } from '../libc/text.ts';
import { closeStream, eachInput, isDirectoryStream, openStream } from './input.ts';

type Hash = (bytes: Uint8Array) => Uint8Array;

function digestTool(label: string, hash: Hash): Tool {
  return function* (p, args) {
    const o = yield* getopt(p, args, {
      usage: '[OPTION]... [FILE]...',
      about: `Print or check ${label} checksums.`,
      options: [
        { short: 'b', long: 'binary', help: 'read in binary mode' },
        { short: 'c', long: 'check', help: 'read checksums from the FILEs and check them' },
        { long: 'tag', help: 'create a BSD-style checksum' },
        { short: 't', long: 'text', help: 'read in text mode (default)' },
        { short: 'z', long: 'zero', help: 'end each output line with NUL, not newline' },
        { long: 'ignore-missing', help: "don't fail or report status for missing files" },
        { long: 'quiet', help: "don't print OK for each successfully verified file" },
        { long: 'status', help: "don't output anything, status code shows success" },
        { long: 'strict', help: 'exit non-zero for improperly formatted checksum lines' },
        { short: 'w', long: 'warn', help: 'warn about improperly formatted checksum lines' },
      ],
    });
    if (o.has('check')) return yield* check(p, o, hash);
    const end = o.has('zero') ? '\0' : '\n';
    return yield* eachInput(p, o.operands, function* (stream, name) {
      const digest = hexBytes(hash(yield* stream.readAll()));
      if (stream.error < 0) return;
      const mark = o.has('binary') ? '*' : ' ';
      const line = o.has('tag') ? `${label} (${name}) = ${digest}` : `${digest} ${mark}${name}`;
      yield* p.print(line + end);
    });
  };
}

function* check(p: Process, o: Options, hash: Hash): UserFlow<number> {
  let status = 0;
  for (const list of o.operands.length === 0 ? ['-'] : o.operands) {
    const stream = yield* openStream(p, list);
    if (!stream) {
      status = 1;
      continue;
    }
    const counts = { lines: 0, bad: 0, unread: 0, mismatched: 0 };
    const lines = decodeText(yield* stream.readAll())
      .replace(/\n$/, '')
      .split('\n');
    yield* closeStream(p, stream);
    for (const line of lines) {
      const match =
        /^([0-9a-fA-F]+) [ *](.*)$/.exec(line) ?? /^\w+ \((.*)\) = ([0-9a-f]+)$/.exec(line);
      if (!match) {
        counts.bad++;
        continue;
      }
      counts.lines++;
      const isTag = line.includes(') = ');
      const [digest, name] = isTag ? [match[2]!, match[1]!] : [match[1]!, match[2]!];
      const file = yield* openStream(p, name, o.has('ignore-missing') ? 'silent' : undefined);
      if (!file) {
        if (o.has('ignore-missing')) continue;
        if (!o.has('status')) yield* p.println(`${name}: FAILED open or read`);
        counts.unread++;
        continue;
      }
      const isOk = hexBytes(hash(yield* file.readAll())) === digest.toLowerCase();
      yield* closeStream(p, file);
      if (!isOk) counts.mismatched++;
      const isShown = !o.has('status') && !(isOk && o.has('quiet'));
      if (isShown) yield* p.println(`${name}: ${isOk ? 'OK' : 'FAILED'}`);
    }
    if (counts.lines === 0) {
      yield* p.error(`${list}: no properly formatted checksum lines found`);
      status = 1;
    }
    if (counts.unread + counts.mismatched > 0) status = 1;
    const warn = function* (count: number, text: string): UserFlow<void> {
      if (count > 0 && !o.has('status')) {
        yield* p.error(
          `WARNING: ${count} ${count === 1 ? text : text.replace('line is', 'lines are').replace('file', 'files').replace('checksum did', 'checksums did')}`,
        );
      }
    };
    if (counts.lines > 0) yield* warn(counts.bad, 'line is improperly formatted');
    yield* warn(counts.unread, 'listed file could not be read');
    yield* warn(counts.mismatched, 'computed checksum did NOT match');
  }
  return status;
}

export const md5sum = digestTool('MD5', md5);
export const sha1sum = digestTool('SHA1', sha1);
export const sha224sum = digestTool('SHA224', sha224);
export const sha256sum = digestTool('SHA256', sha256);
export const sha384sum = digestTool('SHA384', sha384);
export const sha512sum = digestTool('SHA512', sha512);
export const b2sum = digestTool('BLAKE2b', blake2b);

/** The CRC of POSIX's cksum: polynomial 0x04C11DB7, the length appended, inverted. */
const POLYNOMIAL = 0x04c11db7;

function crc(bytes: Uint8Array): number {
  const table = Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index << 24;
    for (let bit = 0; bit < 8; bit++)
      value = value & 0x80000000 ? (value << 1) ^ POLYNOMIAL : value << 1;
    return value >>> 0;
  });
  let value = 0;
  const step = (byte: number): void => {
    value = ((value << 8) ^ table[((value >>> 24) ^ byte) & 0xff]!) >>> 0;
  };
  for (const byte of bytes) step(byte);
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256))
    step(length & 0xff);
  return ~value >>> 0;
}

export const cksum: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[FILE]...',
    about: 'Print CRC checksum and byte counts of each FILE.',
  });
  return yield* eachInput(p, o.operands, function* (stream, name) {
    if (yield* isDirectoryStream(p, stream)) {
      yield* stream.readChunk();
      return;
    }
    const bytes = yield* stream.readAll();
    yield* p.println(`${crc(bytes)} ${bytes.length}${o.operands.length === 0 ? '' : ` ${name}`}`);
  });
};

const ALPHABETS = {
  base64: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  base32: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
};

function baseTool(kind: 'base64' | 'base32'): Tool {
  const bits = kind === 'base64' ? 6 : 5;
  const group = kind === 'base64' ? 4 : 8;
  const alphabet = ALPHABETS[kind];
  return function* (p, args) {
    const o = yield* getopt(p, args, {
      usage: '[OPTION]... [FILE]',
      about: `${kind} encode or decode FILE, or standard input, to standard output.`,
      options: [
        { short: 'd', long: 'decode', help: 'decode data' },
        {
          short: 'i',
          long: 'ignore-garbage',
          help: 'when decoding, ignore non-alphabet characters',
        },
        {
          short: 'w',
          long: 'wrap',
          arg: 'COLS',
          help: 'wrap encoded lines after COLS character (76)',
        },
      ],
    });
    const [file = '-', extra] = o.operands;
    if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`);
    const wrap = o.value('wrap') ?? '76';
    if (!/^\d+$/.test(wrap)) {
      yield* p.error(`invalid wrap size: '${wrap}'`);
      return 1;
    }
    const stream = yield* openStream(p, file);
    if (!stream) return 1;
    const bytes = yield* stream.readAll();
    yield* closeStream(p, stream);
    if (o.has('decode')) {
      const text = decodeText(bytes).replace(/\n/g, '');
      const clean = o.has('ignore-garbage') ? text.replace(/[^A-Za-z0-9+/=]/g, '') : text;
      const { out, isWhole } = decode(clean, alphabet, bits, group);
      yield* p.print(out);
      if (isWhole) return 0;
      yield* p.error('invalid input');
      return 1;
    }
    const text = encode(bytes, alphabet, bits, group);
    const columns = Number(wrap);
    if (columns === 0) yield* p.print(text);
    else
      for (let at = 0; at < text.length; at += columns)
        yield* p.println(text.slice(at, at + columns));
    return 0;
  };
}

function encode(bytes: Uint8Array, alphabet: string, bits: number, group: number): string {
  let out = '';
  let held = 0;
  let count = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    count += 8;
    while (count >= bits) {
      count -= bits;
      out += alphabet[(held >> count) & ((1 << bits) - 1)]!;
    }
    held &= (1 << count) - 1;
  }
  if (count > 0) out += alphabet[(held << (bits - count)) & ((1 << bits) - 1)]!;
  return out.padEnd(Math.ceil(out.length / group) * group, '=');
}

function decode(
  text: string,
  alphabet: string,
  bits: number,
  group: number,
): { out: Uint8Array; isWhole: boolean } {
  const out: number[] = [];
  let held = 0;
  let count = 0;
  const body = text.replace(/=+$/, '');
  for (const char of body) {
    const value = alphabet.indexOf(char);
    if (value < 0) return { out: Uint8Array.from(out), isWhole: false };
    held = (held << bits) | value;
    count += bits;
    if (count >= 8) {
      count -= 8;
      out.push((held >> count) & 0xff);
    }
    held &= (1 << count) - 1;
  }
  return { out: Uint8Array.from(out), isWhole: text.length % group === 0 };
}

export const base64 = baseTool('base64');
export const base32 = baseTool('base32');
