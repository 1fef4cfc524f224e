import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { bareMachine } from '../../test/support/assets.ts';
import { RingbufMap } from '../maps/ringbuf.ts';
import { createMap } from '../maps/table.ts';
import { uapi } from '../uapi.ts';

const SIZE = 4096;
const PAGE = 4096;

let machine: BareMachine;
let map: RingbufMap;

beforeEach(async () => {
  machine = await bareMachine({ ramMiB: 16 });
  const spec = { keyBytes: 0, valueBytes: 0, maxEntries: SIZE, flags: 0, name: 'rb' };
  map = createMap(machine.runtime, { type: 'ringbuf', ...spec }) as RingbufMap;
  expect(map).toBeInstanceOf(RingbufMap);
});

const core = () => machine.core.exports;
const reserve = (bytes: number) => core().ringbuf_reserve(map.offset, BigInt(bytes), 0n) >>> 0;

/** A reader as libbpf's: it sees only the pages that mmap gives, the data twice. */
class Reader {
  #mapped(position: number): number {
    const page = map.pages[2 + Math.floor(position / PAGE)]!;
    return page + (position % PAGE);
  }

  #u64 = (page: number) => Number(machine.ram.readU64(map.pages[page]!));

  /** Records up to the first that is still being written. */
  read(): number[][] {
    const records: number[][] = [];
    let consumer = this.#u64(0);
    while (consumer < this.#u64(1)) {
      const start = consumer % SIZE;
      const header = machine.ram.view.getUint32(this.#mapped(start), true);
      if ((header & uapi.BPF_RINGBUF_BUSY_BIT) !== 0) break;
      const length = header & ~uapi.BPF_RINGBUF_DISCARD_BIT;
      if ((header & uapi.BPF_RINGBUF_DISCARD_BIT) === 0) {
        const at = start + uapi.BPF_RINGBUF_HDR_SZ;
        records.push(Array.from({ length }, (_, i) => machine.ram.u8[this.#mapped(at + i)]!));
      }
      consumer += Math.ceil((length + uapi.BPF_RINGBUF_HDR_SZ) / 8) * 8;
      machine.ram.writeU64(map.pages[0]!, BigInt(consumer));
    }
    return records;
  }
}

describe('ring buffer', () => {
  it('gives a reader the records in order, whole, also across the end', () => {
    const reader = new Reader();
    const record = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }),
      discard: fc.boolean(),
    });
    let sent = 0;
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), (records) => {
        const expected: number[][] = [];
        for (const { bytes, discard } of records) {
          const sample = reserve(bytes.length);
          expect(sample).not.toBe(0);
          machine.ram.u8.set(bytes, sample);
          if (discard) core().ringbuf_discard(sample, 0n);
          else core().ringbuf_submit(sample, 0n);
          if (!discard) expected.push([...bytes]);
          sent++;
        }
        expect(reader.read()).toEqual(expected);
        expect(map.availableBytes).toBe(0);
      }),
      { numRuns: 400 },
    );
    expect(sent).toBeGreaterThan(100);
    expect(Number(core().ringbuf_query(map.offset, 3n))).toBeGreaterThan(3 * SIZE);
  });

  it('shows nothing of a record, nor of those after it, before it is committed', () => {
    const reader = new Reader();
    const first = reserve(8);
    const second = reserve(8);
    core().ringbuf_submit(second, 0n);
    expect(reader.read()).toEqual([]);
    core().ringbuf_submit(first, 0n);
    expect(reader.read()).toHaveLength(2);
  });

  it('is full one byte early, and keeps a slow record’s place', () => {
    expect(reserve(SIZE - 8)).toBe(0);
    expect(reserve(SIZE - 16)).not.toBe(0);
    expect(reserve(1)).toBe(0);
    const reader = new Reader();
    expect(reader.read()).toEqual([]);
  });

  it('frees space when the reader moves on', () => {
    const reader = new Reader();
    for (let i = 0; i < 3; i++) core().ringbuf_submit(reserve(1000), 0n);
    expect(reserve(1200)).toBe(0);
    reader.read();
    expect(reserve(1200)).not.toBe(0);
  });

  it('refuses flags and sizes as Linux does', () => {
    const data = machine.ram.kzalloc(64);
    const output = (size: number, flags: bigint) =>
      core().ringbuf_output(map.offset, data, BigInt(size), flags);
    expect(core().ringbuf_reserve(map.offset, 8n, 1n)).toBe(0);
    expect(core().ringbuf_reserve(map.offset, 0x4000_0000n, 0n)).toBe(0);
    expect(core().ringbuf_reserve(map.offset, 2n ** 63n, 0n)).toBe(0);
    expect(output(16, 4n)).toBe(-errno.EINVAL);
    expect(output(5000, 0n)).toBe(-errno.EAGAIN);
    expect(output(16, 0n)).toBe(0);
    expect(output(0, 0n)).toBe(0);
    expect(new Reader().read()).toEqual([Array(16).fill(0), []]);
  });

  it('wakes readers when they have caught up, or as the flags say', () => {
    const woken = () => machine.kernel.woken.splice(0).length;
    const submit = (flags: number) => core().ringbuf_submit(reserve(8), BigInt(flags));
    submit(0);
    expect(woken()).toBe(1);
    // The reader has not looked yet, so it knows that there is something.
    submit(0);
    expect(woken()).toBe(0);
    submit(uapi.BPF_RB_FORCE_WAKEUP);
    expect(woken()).toBe(1);
    new Reader().read();
    submit(uapi.BPF_RB_NO_WAKEUP);
    expect(woken()).toBe(0);
  });

  it('answers bpf_ringbuf_query', () => {
    core().ringbuf_submit(reserve(20), 0n);
    expect([0n, 1n, 2n, 3n, 4n].map((what) => core().ringbuf_query(map.offset, what))).toEqual([
      32n,
      BigInt(SIZE),
      0n,
      32n,
      0n,
    ]);
  });

  it('writes the record’s page offset where Linux has it', () => {
    const sample = reserve(8) as RamOffset;
    expect(machine.ram.view.getUint32(sample - 4, true)).toBe(3);
    expect(machine.ram.view.getUint32(sample - 8, true)).toBe(8 + uapi.BPF_RINGBUF_BUSY_BIT);
  });
});
