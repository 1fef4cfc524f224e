/** Maps against plain models: any sequence of operations gives what the model gives. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { bareMachine } from '../../test/support/assets.ts';
import { uapi } from '../uapi.ts';
import type { BpfMap, MapSpec } from './map.ts';
import { createMap } from './table.ts';

let machine: BareMachine;
let key: RamOffset;
let value: RamOffset;
let next: RamOffset;

beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 64, cpuCount: 2 });
  [key, value, next] = [0, 1, 2].map(() => machine.ram.kzalloc(512)) as [
    RamOffset,
    RamOffset,
    RamOffset,
  ];
});

function withMap(spec: Partial<MapSpec>, use: (map: BpfMap) => void): void {
  const map = createMap(machine.runtime, {
    type: 'hash',
    keyBytes: 4,
    valueBytes: 4,
    maxEntries: 10,
    flags: 0,
    name: 'm',
    ...spec,
  });
  if (typeof map === 'number') throw new Error(String(map));
  use(map);
  map.free();
}

type Operation =
  | { readonly op: 'update'; readonly key: number; readonly value: number; readonly flags: number }
  | { readonly op: 'delete'; readonly key: number }
  | { readonly op: 'lookup'; readonly key: number };

const keyNumber = fc.nat(14);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    op: fc.constant('update' as const),
    key: keyNumber,
    value: fc.nat(),
    flags: fc.constantFrom(uapi.BPF_ANY, uapi.BPF_NOEXIST, uapi.BPF_EXIST),
  }),
  fc.record({ op: fc.constant('delete' as const), key: keyNumber }),
  fc.record({ op: fc.constant('lookup' as const), key: keyNumber }),
);

/** Keys of any size from their number: all bytes count, the last ones too. */
function putKey(n: number, bytes: number): RamOffset {
  for (let i = 0; i < bytes; i++)
    machine.ram.u8[key + i] = i === bytes - 1 ? n : (n * 31 + i) & 255;
  return key;
}

function countKeys(map: BpfMap): number {
  let count = 0;
  for (let at = 0 as RamOffset; map.nextKey(at, next) === 0; count++) {
    machine.ram.u8.copyWithin(key, next, next + map.spec.keyBytes);
    at = key;
  }
  return count;
}

describe('hash maps behave as a dictionary with a bound', () => {
  const kinds = fc.record({
    type: fc.constantFrom('hash' as const, 'percpu_hash' as const),
    flags: fc.constantFrom(0, uapi.BPF_F_NO_PREALLOC),
    keyBytes: fc.integer({ min: 1, max: 29 }),
    valueBytes: fc.integer({ min: 4, max: 20 }),
  });

  it('whatever the key size, preallocated or not, per CPU or not', () => {
    fc.assert(
      fc.property(kinds, fc.array(operation, { maxLength: 120 }), (kind, operations) => {
        const model = new Map<number, number>();
        withMap(kind, (map) => {
          for (const step of operations) {
            const k = putKey(step.key, kind.keyBytes);
            if (step.op === 'update') {
              machine.ram.u32[value / 4] = step.value;
              expect(map.update(k, value, step.flags)).toBe(modelUpdate(model, step));
            } else if (step.op === 'delete') {
              expect(map.delete(k)).toBe(model.delete(step.key) ? 0 : -errno.ENOENT);
            } else {
              const found = map.lookup(k);
              const stored = found === 0 ? undefined : machine.ram.view.getUint32(found, true);
              expect(stored).toBe(model.get(step.key));
            }
          }
          expect(countKeys(map)).toBe(model.size);
        });
      }),
      { numRuns: 300 },
    );
  });

  function modelUpdate(
    model: Map<number, number>,
    step: Extract<Operation, { op: 'update' }>,
  ): number {
    const exists = model.has(step.key);
    if (exists && step.flags === uapi.BPF_NOEXIST) return -errno.EEXIST;
    if (!exists && step.flags === uapi.BPF_EXIST) return -errno.ENOENT;
    if (!exists && model.size === 10) return -errno.E2BIG;
    model.set(step.key, step.value);
    return 0;
  }
});

describe('lpm_trie', () => {
  interface Prefix {
    readonly bits: number;
    readonly address: number;
  }
  const mask = (bits: number) => (bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0);
  const covers = (prefix: Prefix, other: Prefix) =>
    prefix.bits <= other.bits && ((prefix.address ^ other.address) & mask(prefix.bits)) === 0;
  /** Few distinct addresses, so that prefixes nest and share. */
  const prefix: fc.Arbitrary<Prefix> = fc
    .tuple(fc.integer({ min: 0, max: 32 }), fc.constantFrom(0x0a, 0x0b, 0xc0), fc.nat(7), fc.nat(7))
    .map(([bits, a, b, c]) => ({ bits, address: ((a << 24) | (b << 15) | c) >>> 0 }));

  function putPrefix({ bits, address }: Prefix): RamOffset {
    machine.ram.view.setUint32(key, bits, true);
    machine.ram.view.setUint32(key + 4, address, false);
    return key;
  }

  const id = ({ bits, address }: Prefix) => `${(address & mask(bits)) >>> 0}/${bits}`;

  it('finds the longest prefix, as a search through all of them does', () => {
    const step = fc.record({ prefix, remove: fc.boolean() });
    const spec = { type: 'lpm_trie', keyBytes: 8, flags: 1, maxEntries: 1000 } as const;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(prefix), (steps, queries) => {
        const model = new Map<string, { prefix: Prefix; value: number }>();
        withMap(spec, (map) => {
          steps.forEach(({ prefix: p, remove }, i) => {
            machine.ram.u32[value / 4] = i;
            if (remove) {
              const expected = model.delete(id(p)) ? 0 : -errno.ENOENT;
              expect(map.delete(putPrefix(p))).toBe(expected);
            } else {
              expect(map.update(putPrefix(p), value, uapi.BPF_ANY)).toBe(0);
              model.set(id(p), { prefix: p, value: i });
            }
          });
          for (const query of queries) {
            const best = [...model.values()]
              .filter((entry) => covers(entry.prefix, query))
              .sort((a, b) => b.prefix.bits - a.prefix.bits)[0];
            const found = map.lookup(putPrefix(query));
            const stored = found === 0 ? undefined : machine.ram.view.getUint32(found, true);
            expect(stored).toBe(best?.value);
          }
          expect(countKeys(map)).toBe(model.size);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('iterates more specific prefixes before those that hold them', () => {
    withMap({ type: 'lpm_trie', keyBytes: 8, flags: 1, maxEntries: 100 }, (map) => {
      const texts = ['192.168.0.0/16', '192.168.0.0/24', '192.168.128.0/24', '192.168.1.0/24'];
      for (const text of texts) {
        const [address, bits] = text.split('/');
        const number = address!.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
        map.update(putPrefix({ bits: Number(bits), address: number }), value, 0);
      }
      const order: string[] = [];
      for (let at = 0 as RamOffset; map.nextKey(at, next) === 0; at = key) {
        machine.ram.u8.copyWithin(key, next, next + 8);
        const bytes = machine.ram.u8.slice(key + 4, key + 8);
        order.push(`${bytes.join('.')}/${machine.ram.u32[key / 4]}`);
      }
      // The order that kernel/bpf/lpm_trie.c gives for this very example.
      expect(order).toEqual([
        '192.168.0.0/24',
        '192.168.1.0/24',
        '192.168.128.0/24',
        '192.168.0.0/16',
      ]);
    });
  });

  it('refuses a prefix that is too long', () => {
    withMap({ type: 'lpm_trie', keyBytes: 8, flags: 1 }, (map) => {
      const long = putPrefix({ bits: 33, address: 0 });
      expect(map.update(long, value, 0)).toBe(-errno.EINVAL);
      expect(map.delete(long)).toBe(-errno.EINVAL);
      expect(map.lookup(long)).toBe(0);
    });
  });
});

describe('LRU hash', () => {
  const touch = (map: BpfMap, n: number) => map.lookup(putKey(n, 4)) !== 0;
  const insert = (map: BpfMap, n: number) => {
    machine.ram.u32[value / 4] = n;
    return map.update(putKey(n & 255, 4), value, uapi.BPF_ANY);
  };

  it('always takes a new element and never holds more than its entries', () => {
    for (const flags of [0, uapi.BPF_F_NO_COMMON_LRU]) {
      withMap({ type: 'lru_hash', maxEntries: 16, flags }, (map) => {
        for (let n = 0; n < 200; n++) {
          machine.kernel.setCpu(n % 2);
          expect(insert(map, n)).toBe(0);
          expect(touch(map, n)).toBe(true);
          expect(countKeys(map)).toBeLessThanOrEqual(16);
        }
        machine.kernel.setCpu(0);
      });
    }
  });

  it('evicts what nobody looked at and keeps what is in use', () => {
    // Larger than the 128 nodes that a CPU takes at a time, so that the lists rotate.
    withMap({ type: 'lru_hash', keyBytes: 4, maxEntries: 1024 }, (map) => {
      const put = (n: number) => {
        machine.ram.u32[key / 4] = n;
        return map.update(key, value, uapi.BPF_ANY);
      };
      const hot = Array.from({ length: 64 }, (_, i) => 1_000_000 + i);
      const look = (n: number) => {
        machine.ram.u32[key / 4] = n;
        return map.lookup(key) !== 0;
      };
      hot.forEach(put);
      for (let n = 0; n < 20_000; n++) {
        put(n);
        if (n % 16 === 0) hot.forEach(look);
      }
      expect(hot.filter(look)).toEqual(hot);
      expect(look(0)).toBe(false);
      expect(look(19_999)).toBe(true);
    });
  });

  it('without lookups evicts the oldest, four at a time where each CPU has its list', () => {
    withMap({ type: 'lru_hash', maxEntries: 32, flags: 2 }, (map) => {
      const numbers = Array.from({ length: 17 }, (_, n) => n);
      for (const n of numbers) insert(map, n);
      // PERCPU_FREE_TARGET of kernel/bpf/bpf_lru_list.c.
      expect(numbers.filter((n) => !touch(map, n))).toEqual([0, 1, 2, 3]);
    });
  });

  it('rounds its entries up to a multiple of the CPUs when each CPU has its list', () => {
    withMap({ type: 'lru_hash', maxEntries: 15, flags: uapi.BPF_F_NO_COMMON_LRU }, (map) => {
      expect(map.spec.maxEntries).toBe(16);
    });
  });

  it('looking from user space does not count as use, looking from a program does', () => {
    withMap({ type: 'lru_hash', maxEntries: 32, flags: 2 }, (map) => {
      const numbers = Array.from({ length: 16 }, (_, n) => n);
      for (const n of numbers) insert(map, n);
      expect(map.copyValue(putKey(1, 4), value, 0)).toBe(0);
      expect(touch(map, 2)).toBe(true);
      insert(map, 16);
      // Four are looked at; of these the one in use stays.
      expect(numbers.filter((n) => !touch(map, n))).toEqual([0, 1, 3]);
    });
  });
});
