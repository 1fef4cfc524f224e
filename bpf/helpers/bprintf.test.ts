import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { PrintMemory } from './bprintf.ts';
import { bprintf } from './bprintf.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const strings = new Map<bigint, string>([
  [0xffff_8880_0001_0000n, 'kernel text'],
  [0x5000n, 'user text'],
]);
const addresses = new Map<bigint, readonly number[]>([
  [0xffff_8880_0002_0000n, [192, 168, 1, 20]],
  [0xffff_8880_0003_0000n, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
]);
const memory: PrintMemory = {
  taskSize: 0x7fff_ffff_f000n,
  kernelString: (address, limit) =>
    strings.has(address) && address > 0x8000_0000_0000n
      ? encode(strings.get(address)!).subarray(0, limit)
      : -errno.EFAULT,
  userString: (address, limit) =>
    strings.has(address) && address < 0x8000_0000_0000n
      ? encode(strings.get(address)!).subarray(0, limit)
      : -errno.EFAULT,
  kernelBytes: (address, size) =>
    addresses.has(address) ? Uint8Array.from(addresses.get(address)!).subarray(0, size) : undefined,
  symbolAt: (address) =>
    address >= 0xffff_ffff_8100_0000n && address < 0xffff_ffff_8100_0040n
      ? { name: 'do_work', offset: Number(address - 0xffff_ffff_8100_0000n), size: 0x40 }
      : undefined,
  hashPointer: () => 0xdeadbeef,
};

const print = (format: string, ...args: bigint[]) => {
  const text = bprintf(encode(format), args, memory);
  return typeof text === 'number' ? text : new TextDecoder().decode(text);
};

describe('formats of bpf_trace_printk', () => {
  it.each<[string, bigint[], string]>([
    ['plain, 100%%, grün\n', [], 'plain, 100%, grün\n'],
    ['%d %i %u', [-1n, 7n, -1n], '-1 7 4294967295'],
    ['%d', [0x1_0000_0005n], '5'],
    ['%ld %lld %lu', [-1n, -(2n ** 63n), -1n], '-1 -9223372036854775808 18446744073709551615'],
    ['%x %X %lx %llX', [0xabcn, 0xabcn, -1n, 255n], 'abc ABC ffffffffffffffff FF'],
    ['[%5d|%-5d|%05d|%+d|% d]', [42n, 42n, -42n, 42n, 42n], '[   42|42   |-0042|+42| 42]'],
    ['[%08x|%-8x|%3x]', [0x1fn, 0x1fn, 0x12345n], '[0000001f|1f      |12345]'],
    ['%c%c[%3c]', [104n, 105n, 33n], 'hi[  !]'],
    [
      '%s|%pks|%pus',
      [0xffff_8880_0001_0000n, 0xffff_8880_0001_0000n, 0x5000n],
      'kernel text|kernel text|user text',
    ],
    ['%s', [0x5000n], 'user text'],
    ['[%14s|%-14s]', [0x5000n, 0x5000n], '[     user text|user text     ]'],
    ['<%s>', [0xffff_8880_9999_0000n], '<>'],
    ['%px', [0xffff_8880_0001_0000n], 'ffff888000010000'],
    [
      '%p %pK',
      [0xffff_8880_0001_0000n, 0xffff_8880_0001_0000n],
      '00000000deadbeef 00000000deadbeef',
    ],
    ['%p', [0n], '0000000000000000'],
    ['%p', [-14n], 'fffffffffffffff2'],
    ['%pS %ps', [0xffff_ffff_8100_0010n, 0xffff_ffff_8100_0010n], 'do_work+0x10/0x40 do_work'],
    ['%pB', [0xffff_ffff_8100_0010n], 'do_work+0x10/0x40'],
    ['%pS', [0x1234n], '0x1234'],
    ['%pI4 %pi4', [0xffff_8880_0002_0000n, 0xffff_8880_0002_0000n], '192.168.1.20 192.168.001.020'],
    ['%pI6', [0xffff_8880_0003_0000n], '2001:0db8:0000:0000:0000:0000:0000:0001'],
    ['%pi6', [0xffff_8880_0003_0000n], '20010db8000000000000000000000001'],
    ['%pI4', [0x1n], '0.0.0.0'],
    // Letters after a %p conversion belong to it, whatever they are.
    ['%pI6c.', [0xffff_8880_0003_0000n], '2001:0db8:0000:0000:0000:0000:0000:0001.'],
    ['%d', [1n, 2n, 3n], '1'],
  ])('%s', (format, args, text) => {
    expect(print(format, ...args)).toBe(text);
  });

  it.each([
    ['too few arguments', '%d %d'],
    ['a control character', 'a\x01b %d'],
    ['an unknown conversion', '%q'],
    ['a percent at the end', '50%'],
    ['floating point', '%f'],
    ['octal', '%o'],
    ['a precision', '%.3d'],
    ['an alternate form', '%#x'],
    ['a short', '%hd'],
    ['a MAC address', '%pM'],
    ['letters after %s', '%sx'],
    ['a byte above ASCII after the percent', '%\u00e4'],
    ['%pk without s', '%pk'],
  ])('%s is -EINVAL', (_, format) => {
    expect(print(format, 1n)).toBe(-errno.EINVAL);
  });

  it('has 512 bytes for arguments: longer strings are cut, then there is no space', () => {
    const long: PrintMemory = {
      ...memory,
      kernelString: (_, limit) => new Uint8Array(limit).fill(97),
    };
    const address = 0xffff_8880_0000_1000n;
    const one = bprintf(encode('%s'), [address], long);
    expect(one).toHaveLength(511);
    expect(bprintf(encode('%s %s'), [address, address], long)).toBe(-errno.ENOSPC);
    expect(bprintf(encode('%s %d'), [address, 1n], long)).toBe(-errno.ENOSPC);
  });
});

interface RecordedFormat {
  readonly format: string;
  /** Numbers, or 'str' and 'ip' for pointers to the two values below. */
  readonly args: readonly string[];
  /** What bpf_trace_printk returned on Linux 6.1.192: a length or a negative errno. */
  readonly result: number;
}

describe('formats recorded from Linux', () => {
  const text = encode('hello world');
  const bytes = Uint8Array.of(192, 168, 1, 20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
  const pointers: Record<string, bigint> = { str: 2n ** 63n + 1n, ip: 2n ** 63n + 2n };
  const recordedMemory: PrintMemory = {
    taskSize: 0x7fff_ffff_f000n,
    kernelString: (address, limit) =>
      address === pointers['str'] ? text.subarray(0, limit) : -errno.EFAULT,
    userString: () => -errno.EFAULT,
    kernelBytes: (address, size) =>
      address === pointers['ip'] ? bytes.subarray(0, size) : undefined,
    symbolAt: () => undefined,
    hashPointer: () => 1,
  };
  const recorded = readFileSync(new URL('linux-6.1.formats.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordedFormat);

  it('have the length, or the error, that Linux returned', () => {
    expect(recorded.length).toBeGreaterThan(200);
    for (const { format, args, result } of recorded) {
      const values = args.map((arg) => pointers[arg] ?? BigInt(arg));
      const printed = bprintf(encode(format), values, recordedMemory);
      expect(typeof printed === 'number' ? printed : printed.length, format).toBe(result);
    }
  });
});
