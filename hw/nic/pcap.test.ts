/** Readers and writer of capture files against real files, their byte-swapped twins and mutants. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CaptureError } from './capture.ts';
import { readCapture, writePcap } from './pcap.ts';

const file = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../${name}`, import.meta.url)));
const traffic = file('scenarios/first-light/traffic.pcap');
const microseconds = file('test/captures/us.pcap');
const twoInterfaces = file('test/captures/two-interfaces.pcapng');
const cooked = file('test/captures/cooked.pcap');
const loopback = file('test/captures/lo.pcapng');

/** The same classic file in the other byte order. */
function swapPcap(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const from = new DataView(bytes.buffer, bytes.byteOffset);
  const swap32 = (at: number) => view.setUint32(at, from.getUint32(at, true), false);
  for (const at of [0, 8, 12, 16, 20]) swap32(at);
  for (const at of [4, 6]) view.setUint16(at, from.getUint16(at, true), false);
  for (let at = 24; at < bytes.length; at += 16 + from.getUint32(at + 8, true)) {
    for (const field of [0, 4, 8, 12]) swap32(at + field);
  }
  return out;
}

/** The same pcapng file in the other byte order: headers, fixed parts and the options in use. */
function swapPcapng(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const from = new DataView(bytes.buffer, bytes.byteOffset);
  const swap32 = (at: number) => view.setUint32(at, from.getUint32(at, true), false);
  const swap16 = (at: number) => view.setUint16(at, from.getUint16(at, true), false);
  const swapOptions = (start: number, end: number) => {
    for (let at = start; at + 4 <= end;) {
      swap16(at);
      swap16(at + 2);
      at += 4 + Math.ceil(from.getUint16(at + 2, true) / 4) * 4;
    }
  };
  for (let at = 0; at < bytes.length;) {
    const type = from.getUint32(at, true);
    const length = from.getUint32(at + 4, true);
    for (const field of [0, 4, length - 4]) swap32(at + field);
    if (type === 0x0a0d0d0a) {
      swap32(at + 8);
      for (const field of [12, 14]) swap16(at + field);
      swapOptions(at + 24, at + length - 4);
    } else if (type === 1) {
      swap16(at + 8);
      swap32(at + 12);
      swapOptions(at + 16, at + length - 4);
    } else if (type === 6) {
      for (const field of [8, 12, 16, 20, 24]) swap32(at + field);
    }
    at += length;
  }
  return out;
}

const problemOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    if (error instanceof CaptureError) return error.problem;
    throw error;
  }
  return 'accepted';
};

describe('readCapture', () => {
  it('reads the first-light traffic with nanosecond times', () => {
    const capture = readCapture(traffic, 'traffic.pcap');
    expect(capture.frames.length).toBe(237);
    // The sum of `tcpdump -e`'s lengths, and its last time less its first.
    expect(capture.frames.reduce((sum, frame) => sum + frame.data.length, 0)).toBe(
      traffic.length - 24 - 237 * 16,
    );
    expect(capture.frames[0]!.timeNs).toBe(0);
    expect(capture.frames.at(-1)!.timeNs).toBeGreaterThan(6e9);
    expect(capture.frames.some((frame) => frame.timeNs % 1000 !== 0)).toBe(true);
  });

  it('reads microseconds as the same instants, cut', () => {
    const exact = readCapture(traffic, 'traffic.pcap');
    const cut = readCapture(microseconds, 'us.pcap');
    expect(cut.frames.length).toBe(24);
    cut.frames.forEach((frame, i) => {
      const there = exact.frames[i]!;
      expect(frame.data).toEqual(there.data);
      expect(cut.startNs + BigInt(frame.timeNs)).toBe(
        ((exact.startNs + BigInt(there.timeNs)) / 1000n) * 1000n,
      );
    });
  });

  it('reads two pcapng interfaces with resolutions of their own', () => {
    const { frames, startNs } = readCapture(twoInterfaces, 'two-interfaces.pcapng');
    expect(frames.length).toBe(48);
    const expected = [traffic, microseconds].flatMap((bytes) => {
      const capture = readCapture(bytes, 'x');
      return capture.frames.slice(0, 24).map((frame) => capture.startNs + BigInt(frame.timeNs));
    });
    const order = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);
    expect(frames.map((frame) => startNs + BigInt(frame.timeNs)).sort(order)).toEqual(
      expected.sort(order),
    );
  });

  it.each([
    ['pcap, nanoseconds', traffic, swapPcap],
    ['pcap, microseconds', microseconds, swapPcap],
    ['pcapng', twoInterfaces, swapPcapng],
    ['pcapng of tshark', loopback, swapPcapng],
  ])('reads the same from both byte orders: %s', (_, bytes, swap) => {
    const swapped = swap(bytes);
    expect(swapped).not.toEqual(bytes);
    expect(readCapture(swapped, 'swapped')).toEqual(readCapture(bytes, 'straight'));
  });

  it('makes Ethernet frames of a cooked capture', () => {
    const ethernet = readCapture(loopback, 'lo.pcapng').frames.map((frame) => frame.data);
    const { frames } = readCapture(cooked, 'cooked.pcap');
    // tcpdump -i any sees what tshark sees on lo: the same frames, zero addresses and all.
    expect(frames.length).toBeGreaterThan(3);
    for (const frame of frames) expect(ethernet).toContainEqual(frame.data);
  });

  it('reads what the writer wrote', () => {
    const { frames, startNs } = readCapture(traffic, 'traffic.pcap');
    const written = writePcap(frames, startNs);
    expect(readCapture(written, 'written')).toEqual({ frames, startNs });
    expect(written).toEqual(traffic);
  });

  it('tells simple packet blocks by the interface’s snap length', () => {
    const block = (type: number, body: number[]) => {
      const length = 12 + body.length;
      const word = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255];
      return [...word(type), ...word(length), ...body, ...word(length)];
    };
    const section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    const bytes = new Uint8Array([
      ...block(0x0a0d0d0a, section),
      ...block(1, [1, 0, 0, 0, 16, 0, 0, 0]),
      ...block(3, [60, 0, 0, 0, ...Array.from({ length: 16 }, (_, i) => i)]),
      ...block(3, [3, 0, 0, 0, 7, 8, 9, 0]),
    ]);
    const { frames } = readCapture(bytes, 'simple.pcapng');
    expect(frames.map((frame) => [frame.data.length, frame.wireBytes])).toEqual([
      [16, 60],
      [3, 3],
    ]);
  });

  it('names the file, the place and the cause of what it refuses', () => {
    const patched = (bytes: Uint8Array, at: number, value: number) => {
      const copy = bytes.slice();
      copy[at] = value;
      return copy;
    };
    expect(problemOf(() => readCapture(new Uint8Array(3), 'f'))).toBe('truncated');
    expect(problemOf(() => readCapture(new Uint8Array(64), 'f'))).toBe('not-a-capture');
    expect(problemOf(() => readCapture(patched(traffic, 4, 9), 'f'))).toBe('version');
    expect(problemOf(() => readCapture(patched(traffic, 20, 127), 'f'))).toBe('link-type');
    expect(problemOf(() => readCapture(patched(traffic, 34, 255), 'f'))).toBe('bad-length');
    expect(problemOf(() => readCapture(traffic.subarray(0, traffic.length - 1), 'f'))).toBe(
      'truncated',
    );
    expect(problemOf(() => readCapture(traffic.subarray(0, 30), 'f'))).toBe('truncated');
    const before = twoInterfaces.findIndex(
      (_, i) => i > 0 && twoInterfaces[i] === 6 && i % 4 === 0,
    );
    expect(problemOf(() => readCapture(patched(twoInterfaces, before + 8, 7), 'f'))).toBe(
      'no-interface',
    );
    try {
      readCapture(traffic.subarray(0, 30), 'cut.pcap');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ file: 'cut.pcap', offset: 24 });
      expect((error as Error).message).toBe('cut.pcap: a frame header is cut off (at byte 24)');
    }
  });

  it('throws nothing but CaptureError on mutated real files', () => {
    const originals = [traffic.subarray(0, 4000), microseconds, twoInterfaces, cooked, loopback];
    const edit = fc.record({
      kind: fc.constantFrom('set', 'word', 'cut', 'drop', 'repeat'),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      value: fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat()),
    });
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        fc.array(edit, { minLength: 1, maxLength: 8 }),
        (original, edits) => {
          let bytes = original.slice();
          for (const { kind, at, value } of edits) {
            const position = Math.floor(at * Math.max(0, bytes.length - 4));
            if (kind === 'set') bytes[position] = value;
            else if (kind === 'word' && bytes.length >= 4) {
              new DataView(bytes.buffer).setUint32(position & ~3, value, true);
            } else if (kind === 'cut') bytes = bytes.slice(0, position);
            else if (kind === 'drop') {
              bytes = new Uint8Array([...bytes.slice(0, position), ...bytes.slice(position + 4)]);
            } else if (kind === 'repeat') {
              bytes = new Uint8Array([...bytes, ...bytes.slice(position, position + 256)]);
            }
          }
          const outcome = problemOf(() => readCapture(bytes, 'mutant'));
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        },
      ),
      { numRuns: 4000, seed: 1 },
    );
    // The mutants must reach beyond the first check.
    expect([...outcomes.keys()].sort()).toEqual(
      expect.arrayContaining(['accepted', 'bad-length', 'link-type', 'not-a-capture', 'truncated']),
    );
  });
});
