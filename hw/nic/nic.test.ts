/** The device alone, driven by a few lines that do what a driver does. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Ram } from '../../kernel/ram/ram.ts';
import { EventQueue } from '../../kernel/time/event-queue.ts';
import type { Ns, RamOffset } from '../../kernel/types/units.ts';
import { RX_HASH_WORD, RX_LENGTH_WORD, RX_STATUS_DD, RX_STATUS_WORD } from './descriptor.ts';
import { TX_COMMAND, TX_STATUS_WORD } from './descriptor.ts';
import { CaptureSource, FrameQueue, GeneratorSource } from './frames.ts';
import { Nic } from './nic.ts';
import { MODERATION_NS, PCIE } from './params.ts';

const RING = 64;
const BUFFER_BYTES = 2048;
const MAX_FRAME = 1522;
const SECOND = 1e9;

let ram: Ram;
let events: EventQueue;
let interrupts: [queue: number, timeNs: number][];
let nic: Nic;
let rings: RamOffset[];

beforeEach(() => {
  ram = new Ram(8 * 1024 * 1024, 0);
  events = new EventQueue();
  interrupts = [];
  nic = new Nic(ram, events, {
    queues: 2,
    interrupt: (queue) => interrupts.push([queue, events.now]),
  });
  rings = [0, 1].map((queue) => {
    const ring = ram.pages.alloc(0);
    const buffers = ram.pages.alloc(6);
    for (let i = 0; i < RING; i++) {
      ram.u32.fill(0, (ring >>> 2) + i * 4, (ring >>> 2) + i * 4 + 4);
      ram.u32[(ring >>> 2) + i * 4] = buffers + i * BUFFER_BYTES;
    }
    nic.setRxRing(queue, ring, RING);
    nic.setRxTail(queue, RING - 1, 0);
    return ring;
  });
  nic.start(MAX_FRAME, 0);
});

const word = (queue: number, index: number, field: number) =>
  ram.u32[(rings[queue]! >>> 2) + index * 4 + field]!;
const done = (queue: number, index: number) =>
  (word(queue, index, RX_STATUS_WORD) & RX_STATUS_DD) !== 0;
const runUntil = (timeNs: number) => {
  while (events.runNext(timeNs));
  events.advanceTo(timeNs as Ns);
};
/** A UDP frame of a flow; queue 0 or 1 by the source port. */
const frame = (length: number, port = 1000) => {
  const bytes = new Uint8Array(length);
  bytes.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 12);
  bytes.set([port >> 8, port & 255, 0, 53], 34);
  return bytes;
};
const queueOf = (bytes: Uint8Array) => nic.rss.queueOf(nic.rss.hash(bytes, 0, bytes.length));
const portFor = (queue: number) => {
  for (let port = 1000; ; port++) if (queueOf(frame(60, port)) === queue) return port;
};

/** What a lone frame takes from its first bit to host memory, by the parameters. */
const arrivalNs = (length: number) => {
  const wire = (Math.max(length, 60) + 24) * 0.8;
  const transaction = (length + 16 + 24 * Math.ceil((length + 16) / 256)) / PCIE.bytesPerNs;
  return Math.ceil(wire + transaction + PCIE.writeNs);
};

describe('receiving', () => {
  it('writes frame, length and hash when the last bit is in and the DMA done, not before', () => {
    const data = frame(200, portFor(0)).map((byte, i) => (i < 38 ? byte : i));
    nic.connect(new CaptureSource([{ timeNs: 0, data }], { startNs: 5000 }));
    nic.sync(0, 5000 + arrivalNs(200) - 1);
    expect(done(0, 0)).toBe(false);
    nic.sync(0, 5000 + arrivalNs(200));
    expect(done(0, 0)).toBe(true);
    expect(word(0, 0, RX_LENGTH_WORD)).toBe(200);
    expect(word(0, 0, RX_HASH_WORD)).toBe(nic.rss.hash(data, 0, 200));
    const buffer = nic.rx[0]!.stats;
    expect(buffer).toEqual({ packets: 1, bytes: 200, missed: 0 });
    expect(ram.bytes((rings[0]! + 0) as RamOffset, 4)).toEqual(new Uint8Array(4));
    // The buffer of descriptor 0 is where the ring's first address pointed.
    const address = word(0, 1, 0) - BUFFER_BYTES;
    expect(ram.bytes(address as RamOffset, 200)).toEqual(data);
  });

  it('receives at line rate: 14.88 million frames of 64 bytes a second at 10 Gb/s', () => {
    nic.connect(
      new GeneratorSource([frame(60, portFor(0))], {
        startNs: 0,
        packetsPerSecond: Infinity,
        count: 2_000_000,
      }),
    );
    let tail = RING - 1;
    for (let t = 0; t <= 10_000_000; t += 2_000) {
      nic.sync(0, t);
      tail = (nic.rx[0]!.head + RING - 1) % RING;
      nic.setRxTail(0, tail, t);
    }
    expect(nic.rx[0]!.stats.missed).toBe(0);
    // 84 bytes at 0.8 ns a byte; the first one is a latency later.
    expect(nic.rx[0]!.stats.packets).toBe(Math.floor((10_000_000 - (arrivalNs(60) - 67.2)) / 67.2));
  });

  it('drops, and counts, what finds no descriptor; the others keep their order', () => {
    const data = Array.from({ length: 80 }, (_, i) => ({
      timeNs: i * 1000,
      data: frame(60, portFor(1)).fill(i, 40),
    }));
    nic.connect(new CaptureSource(data, { startNs: 0 }));
    nic.sync(1, SECOND);
    expect(nic.rx[1]!.stats).toEqual({ packets: RING - 1, bytes: 60 * (RING - 1), missed: 17 });
    expect(done(1, RING - 2)).toBe(true);
    expect(done(1, RING - 1)).toBe(false);
  });

  it('applies a doorbell to frames after it, not to those before', () => {
    const data = (timeNs: number) => ({ timeNs, data: frame(60, portFor(0)) });
    const full = Array.from({ length: RING - 1 }, (_, i) => data(i * 100));
    nic.connect(new CaptureSource([...full, data(20_000), data(40_000)], { startNs: 0 }));
    nic.setRxTail(0, 10, 30_000);
    nic.sync(0, SECOND);
    expect(nic.rx[0]!.stats).toMatchObject({ packets: RING, missed: 1 });
  });

  it('refuses what is longer than the driver allows, and all while stopped', () => {
    const source = new FrameQueue();
    nic.connect(source);
    source.push(frame(MAX_FRAME + 1), 0);
    source.push(frame(MAX_FRAME), 0);
    nic.stop(100_000);
    source.push(frame(60), 200_000);
    nic.start(MAX_FRAME, 300_000);
    expect(nic.stats).toMatchObject({ rxOversize: 1, rxWhileDown: 1 });
  });

  it('merges sources by time', () => {
    const port = portFor(0);
    const make = (tag: number) => frame(60, port).fill(tag, 40);
    nic.connect(
      new CaptureSource(
        [1, 3, 5].map((tag) => ({ timeNs: tag * 1000, data: make(tag) })),
        { startNs: 0 },
      ),
    );
    const queue = new FrameQueue();
    nic.connect(queue);
    queue.push(make(2), 2000);
    queue.push(make(4), 4000);
    nic.sync(0, SECOND);
    const first = word(0, 5, 0) - 5 * BUFFER_BYTES;
    const tags = [0, 1, 2, 3, 4].map((i) => ram.u8[first + i * BUFFER_BYTES + 50]);
    expect(tags).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('interrupts', () => {
  it('comes once, when an armed queue has a frame that the driver has not seen', () => {
    const port = portFor(1);
    const data = [0, 500, 1000].map((timeNs) => ({ timeNs, data: frame(60, port) }));
    nic.connect(new CaptureSource(data, { startNs: 1000 }));
    nic.armInterrupt(1, 0, 0, 0);
    runUntil(SECOND);
    expect(interrupts).toEqual([[1, 1000 + arrivalNs(60)]]);
    // All three are there now; seen two, so arming again reports the third at once.
    nic.armInterrupt(1, 2, 0, SECOND);
    runUntil(2 * SECOND);
    expect(interrupts.slice(1)).toEqual([[1, SECOND]]);
    // Seen all: silence.
    nic.armInterrupt(1, 3, 0, 2 * SECOND);
    runUntil(3 * SECOND);
    expect(interrupts.length).toBe(2);
  });

  it('keeps the moderation interval between two interrupts of a queue', () => {
    const port = portFor(0);
    const data = Array.from({ length: 20 }, (_, i) => ({
      timeNs: i * 10_000,
      data: frame(60, port),
    }));
    nic.connect(new CaptureSource(data, { startNs: 0 }));
    nic.armInterrupt(0, 0, 0, 0);
    for (let limit = 0; limit < 250_000; limit += 1000) {
      const before = interrupts.length;
      runUntil(limit);
      if (interrupts.length > before) nic.armInterrupt(0, nic.rx[0]!.head, 0, limit);
    }
    const times = interrupts.map(([, time]) => time);
    // The first at once, then one every 16 µs, since a frame comes every 10 µs for 190 µs.
    expect(times.length).toBe(14);
    for (let i = 1; i < times.length; i++) {
      expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(MODERATION_NS);
    }
    expect(nic.interruptsOf(0)).toBe(14);
  });

  it('schedules nothing while the driver polls', () => {
    nic.connect(
      new GeneratorSource([frame(60)], { startNs: 0, packetsPerSecond: 1e6, count: 1000 }),
    );
    for (let t = 0; t < 100_000; t += 1000) nic.sync(queueOf(frame(60)), t);
    expect(events.size).toBe(0);
  });
});

describe('transmitting', () => {
  const give = (queue: number, index: number, length: number) => {
    const ring = (rings[queue]! >>> 2) + index * 4;
    ram.u32.set([rings[queue]!, 0, TX_COMMAND | length, length], ring);
  };

  it('puts frames on the line back to back and writes their descriptors back', () => {
    const sent: [endNs: number, length: number][] = [];
    nic.onTransmit = (endNs, _, length) => sent.push([endNs, length]);
    nic.setTxRing(0, rings[0]!, RING);
    for (let i = 0; i < 3; i++) give(0, i, 1514);
    nic.txDoorbell(0, 3, 1000);
    const wire = (1514 + 24) * 0.8;
    expect(sent.map(([, length]) => length)).toEqual([1514, 1514, 1514]);
    expect(sent[1]![0] - sent[0]![0]).toBeCloseTo(wire, 6);
    expect(sent[2]![0] - sent[1]![0]).toBeCloseTo(wire, 6);
    // Doorbell, descriptor fetch, frame fetch, then the line.
    expect(sent[0]![0]).toBeGreaterThan(1000 + PCIE.writeNs + 2 * PCIE.readNs + wire);
    expect(sent[0]![0]).toBeLessThan(1000 + PCIE.writeNs + 2 * PCIE.readNs + wire + 300);
    const doneNs = Math.ceil(sent[0]![0] + PCIE.writeNs);
    nic.sync(0, doneNs - 1);
    expect(word(0, 0, TX_STATUS_WORD) & 1).toBe(0);
    nic.sync(0, doneNs);
    expect([0, 1, 2].map((i) => word(0, i, TX_STATUS_WORD) & 1)).toEqual([1, 0, 0]);
    nic.sync(0, SECOND);
    expect(nic.tx[0]!.stats).toEqual({ packets: 3, bytes: 3 * 1514 });
  });

  it('shares the line between queues and interrupts when a frame is out', () => {
    const ends: number[] = [];
    nic.onTransmit = (endNs) => ends.push(endNs);
    for (const queue of [0, 1]) {
      nic.setTxRing(queue, rings[queue]!, RING);
      give(queue, 0, 1514);
    }
    nic.armInterrupt(1, nic.rx[1]!.head, 0, 0);
    nic.txDoorbell(0, 1, 0);
    nic.txDoorbell(1, 1, 0);
    runUntil(SECOND);
    expect(ends[1]! - ends[0]!).toBeCloseTo((1514 + 24) * 0.8, 6);
    expect(interrupts).toEqual([[1, Math.ceil(ends[1]! + PCIE.writeNs)]]);
  });
});
