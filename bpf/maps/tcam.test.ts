/** Ternary maps against a plain model, and as programs and bpf(2) see them. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareMachine, type BareMachine } from '../../test/support/assets.ts';
import { uapi } from '../uapi.ts';
import type { BpfMap, MapSpec } from './map.ts';
import { createMap } from './table.ts';

let machine: BareMachine;
let key: RamOffset;
let value: RamOffset;

beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 16 });
  key = machine.ram.kzalloc(1024);
  value = machine.ram.kzalloc(64);
});

const DATA_BYTES = 2;
const ENTRIES = 12;

const tcam = (changes: Partial<MapSpec> = {}) =>
  createMap(machine.runtime, {
    type: 'tcam',
    keyBytes: 4 + 2 * DATA_BYTES,
    valueBytes: 4,
    maxEntries: ENTRIES,
    flags: 0,
    name: 'm',
    ...changes,
  });

interface Entry {
  readonly priority: number;
  readonly data: number;
  readonly mask: number;
}

function putKey({ priority, data, mask }: Entry): RamOffset {
  const { view } = machine.ram;
  view.setUint32(key, priority, true);
  view.setUint16(key + 4, data, false);
  view.setUint16(key + 6, mask, false);
  return key;
}

function putValue(n: number): RamOffset {
  machine.ram.view.setUint32(value, n, true);
  return value;
}

const valueAt = (at: RamOffset) => (at === 0 ? undefined : machine.ram.view.getUint32(at, true));
const match = (map: BpfMap, data: number) =>
  valueAt(map.lookup(putKey({ priority: 77, data, mask: 0x1234 })));

const same = (a: Entry, b: Entry) =>
  a.priority === b.priority && a.data === b.data && a.mask === b.mask;

/** Few bits, so that entries overlap and are met again. */
const bits = fc.nat(7).map((n) => n | (n << 13));
const entry = fc
  .record({ priority: fc.nat(3), data: bits, mask: bits })
  .map(({ priority, data, mask }) => ({ priority, data: data & mask, mask }));
const step = fc.oneof(
  fc.record({
    op: fc.constant('update' as const),
    entry,
    value: fc.nat(1000),
    flags: fc.constantFrom(0, 0, 1, 2),
  }),
  fc.record({ op: fc.constant('delete' as const), entry }),
  fc.record({ op: fc.constant('match' as const), data: bits }),
);

it('any sequence of operations gives what a sorted list gives', () => {
  const property = fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
    const map = tcam() as BpfMap;
    let model: (Entry & { value: number })[] = [];
    for (const each of steps) {
      if (each.op === 'match') {
        const first = model.find(({ data, mask }) => ((each.data ^ data) & mask) === 0);
        expect(match(map, each.data)).toBe(first?.value);
        continue;
      }
      const old = model.find((one) => same(one, each.entry));
      if (each.op === 'delete') {
        expect(map.delete(putKey(each.entry))).toBe(old ? 0 : -errno.ENOENT);
        model = model.filter((one) => one !== old);
        continue;
      }
      const refused =
        each.flags === uapi.BPF_NOEXIST && old
          ? -errno.EEXIST
          : each.flags === uapi.BPF_EXIST && !old
            ? -errno.ENOENT
            : !old && model.length === ENTRIES
              ? -errno.ENOSPC
              : 0;
      expect(map.update(putKey(each.entry), putValue(each.value), each.flags)).toBe(refused);
      if (refused < 0) continue;
      if (old) old.value = each.value;
      else {
        const behind = model.findIndex(({ priority }) => priority > each.entry.priority);
        model.splice(behind < 0 ? model.length : behind, 0, { ...each.entry, value: each.value });
      }
    }
    expect(dump(map)).toEqual(model);
    map.free();
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

/** As bpf(2) goes over it: each entry by its own key, whatever else matches it. */
function dump(map: BpfMap): (Entry & { value: number })[] {
  const { view, u8 } = machine.ram;
  const next = (key + 512) as RamOffset;
  const found = [];
  for (let at = 0 as RamOffset; map.nextKey(at, next) === 0; at = key) {
    u8.copyWithin(key, next, next + 8);
    expect(map.copyValue(key, value, 0)).toBe(0);
    found.push({
      priority: view.getUint32(key, true),
      data: view.getUint16(key + 4, false),
      mask: view.getUint16(key + 6, false),
      value: view.getUint32(value, true),
    });
  }
  return found;
}

describe('an entry', () => {
  it('has no data outside of its mask', () => {
    const map = tcam() as BpfMap;
    const wrong = putKey({ priority: 0, data: 0x0100, mask: 0x00ff });
    expect(map.update(wrong, putValue(1), 0)).toBe(-errno.EINVAL);
    expect(map.update(putKey({ priority: 0, data: 1, mask: 0xff }), value, 3)).toBe(-errno.EINVAL);
    map.free();
  });

  it('keeps its place in memory while others come and go', () => {
    const map = tcam() as BpfMap;
    const mine = { priority: 5, data: 0x0a00, mask: 0xff00 };
    map.update(putKey(mine), putValue(42), 0);
    const at = map.lookup(putKey(mine));
    for (let priority = 0; priority < 5; priority++) {
      map.update(putKey({ priority, data: 0x0b00, mask: 0xff00 }), putValue(1), 0);
    }
    map.delete(putKey({ priority: 2, data: 0x0b00, mask: 0xff00 }));
    expect(map.lookup(putKey(mine))).toBe(at);
    expect(valueAt(at)).toBe(42);
    map.free();
  });
});

it.each<[string, Partial<MapSpec>, number]>([
  ['no entries', { maxEntries: 0 }, errno.EINVAL],
  ['no data', { keyBytes: 4 }, errno.EINVAL],
  ['data without a mask of the same size', { keyBytes: 7 }, errno.EINVAL],
  ['more data than a trie has', { keyBytes: 4 + 2 * 257 }, errno.EINVAL],
  ['no values', { valueBytes: 0 }, errno.EINVAL],
  ['unknown flags', { flags: uapi.BPF_F_NO_PREALLOC }, errno.EINVAL],
  ['values too large', { valueBytes: (4 << 20) + 1 }, errno.E2BIG],
])('cannot be made with %s', (_, changes, error) => {
  expect(tcam(changes)).toBe(-error);
});
