/**
 * One contract for all map types: each row of the table must be made and freed without losing
 * memory, refuse what Linux refuses, and keep its kind's rules for elements.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { MAP_TYPES, mapTypeNumber, uapi } from '../uapi.ts';
import type { MapSpec } from './map.ts';
import { createMap, mapTypes } from './table.ts';

import { mapRig } from '../../test/support/map-rig.ts';

const { BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK } = uapi;
const NULL = 0 as RamOffset;

let machine: BareMachine;
let value: RamOffset;
const rig = mapRig();
const { specOf, goodSpec, make, setKey, setValue, add, keysOf } = rig;
beforeEach(() => {
  ({ machine, value } = rig);
});

const BYTE_HASHES = ['hash', 'percpu_hash', 'lru_hash', 'lru_percpu_hash', 'lpm_trie'] as const;
const BOUNDED = ['hash', 'percpu_hash', 'lpm_trie'] as const;
const ARRAYS = ['array', 'percpu_array'] as const;
const FD_MAPS = ['prog_array', 'array_of_maps', 'hash_of_maps'] as const;

/** No table of functions is there to implement, so no such map can be made. */
const makeable = [...mapTypes.keys()].filter((type) => type !== 'struct_ops');

describe.each(makeable)('%s', (type) => {
  it('is made as asked and gives all its memory back', () => {
    const spec = goodSpec(type);
    // The first allocation of a size class makes a slab that stays.
    make(spec).free();
    const before = machine.ram.pages.freeBytes;
    for (let i = 0; i < 3; i++) {
      const map = make(spec);
      expect({ ...map.spec, flags: spec.flags }).toEqual(spec);
      expect(machine.runtime.mapAt(map.offset)).toBe(map);
      expect(machine.ram.u32[(map.offset + 24) / 4]).toBe(mapTypeNumber(type));
      map.free();
      expect(machine.runtime.mapAt(map.offset)).toBeUndefined();
    }
    expect(machine.ram.pages.freeBytes).toBe(before);
  });

  it('refuses no entries, unknown flags and both access restrictions', () => {
    const spec = goodSpec(type);
    // Storages have none, and refuse to be told a number.
    const maxEntries = spec.maxEntries === 0 ? 1 : 0;
    expect(createMap(machine.runtime, { ...spec, maxEntries })).toBe(-errno.EINVAL);
    expect(createMap(machine.runtime, { ...spec, flags: spec.flags | 0x80000000 })).toBe(
      -errno.EINVAL,
    );
    const both = spec.flags | uapi.BPF_F_RDONLY_PROG | uapi.BPF_F_WRONLY_PROG;
    expect(createMap(machine.runtime, { ...spec, flags: both })).toBe(-errno.EINVAL);
  });

  it('keeps id and frozen where programs can read them', () => {
    const map = make(goodSpec(type));
    map.id = 77;
    expect(machine.ram.u32[(map.offset + 68) / 4]).toBe(77);
    expect(map.frozen).toBe(false);
    map.frozen = true;
    expect(map.frozen).toBe(true);
    expect(map.id).toBe(77);
  });
});

it('struct_ops is refused as a kernel without such tables refuses it', () => {
  const spec: MapSpec = {
    type: 'struct_ops',
    keyBytes: 4,
    valueBytes: 64,
    maxEntries: 1,
    flags: 0,
    name: 'ops',
    btfVmlinuxValueTypeId: 1,
  };
  const caps = { bpf: false, netAdmin: true, sysAdmin: false };
  expect(createMap(machine.runtime, spec)).toBe(-errno.ENOTSUPP);
  expect(createMap(machine.runtime, spec, caps)).toBe(-errno.EPERM);
  for (const wrong of [{ keyBytes: 8 }, { maxEntries: 2 }, { flags: 1 }] as Partial<MapSpec>[]) {
    expect(createMap(machine.runtime, { ...spec, ...wrong })).toBe(-errno.EINVAL);
  }
});

it('there is a row for every map type of 6.1', () => {
  const missing = MAP_TYPES.filter((type) => !mapTypes.has(type));
  expect(missing).toEqual(['unspec']);
});

describe('who may create', () => {
  const caps = { bpf: false, netAdmin: false, sysAdmin: false };
  it.each(['lru_hash', 'lru_percpu_hash', 'lpm_trie', 'queue', 'stack', 'bloom_filter'] as const)(
    '%s needs CAP_BPF',
    (type) => {
      expect(createMap(machine.runtime, goodSpec(type), caps)).toBe(-errno.EPERM);
      expect(createMap(machine.runtime, goodSpec(type), { ...caps, bpf: true })).not.toBe(
        -errno.EPERM,
      );
    },
  );

  it('BPF_F_ZERO_SEED needs CAP_SYS_ADMIN', () => {
    const spec = specOf('hash', { flags: uapi.BPF_F_ZERO_SEED });
    expect(createMap(machine.runtime, spec, { ...caps, bpf: true })).toBe(-errno.EPERM);
  });
});

describe('attributes that Linux refuses', () => {
  it.each([
    [specOf('array', { keyBytes: 8 }), errno.EINVAL],
    [specOf('array', { valueBytes: 0 }), errno.EINVAL],
    [specOf('array', { valueBytes: 0x80000000 }), errno.E2BIG],
    [specOf('percpu_array', { valueBytes: 32769 }), errno.E2BIG],
    [specOf('percpu_array', { flags: uapi.BPF_F_MMAPABLE }), errno.EINVAL],
    [specOf('array', { flags: uapi.BPF_F_PRESERVE_ELEMS }), errno.EINVAL],
    [specOf('hash', { valueBytes: 4 << 20 }), errno.E2BIG],
    [specOf('hash', { flags: uapi.BPF_F_NO_COMMON_LRU }), errno.EINVAL],
    [specOf('lru_hash', { flags: uapi.BPF_F_NO_PREALLOC }), errno.ENOTSUPP],
    [specOf('hash', { maxEntries: 0x80000001 }), errno.E2BIG],
    [specOf('hash', { maxEntries: 1 << 24 }), errno.ENOMEM],
    [specOf('lpm_trie', { keyBytes: 8 }), errno.EINVAL],
    [specOf('lpm_trie', { keyBytes: 4, flags: 1 }), errno.EINVAL],
    [specOf('lpm_trie', { keyBytes: 261, flags: 1 }), errno.EINVAL],
    [specOf('queue', { keyBytes: 4 }), errno.EINVAL],
    [specOf('ringbuf', { keyBytes: 0, valueBytes: 0, maxEntries: 4097 }), errno.EINVAL],
    [specOf('ringbuf', { keyBytes: 0, valueBytes: 0, maxEntries: 2048 }), errno.EINVAL],
    [specOf('prog_array', { valueBytes: 8 }), errno.EINVAL],
    [specOf('array_of_maps', { valueBytes: 4 }), errno.EINVAL],
    [specOf('bloom_filter', { keyBytes: 0, mapExtra: 16n }), errno.EINVAL],
    [specOf('unspec'), errno.EINVAL],
  ])('%o', (spec, error) => {
    expect(createMap(machine.runtime, spec)).toBe(-error);
  });

  it('maps of maps take no second level and no programs', () => {
    const outer = make(goodSpec('array_of_maps'));
    const nested = specOf('array_of_maps', { valueBytes: 4, innerMap: outer });
    expect(createMap(machine.runtime, nested)).toBe(-errno.EINVAL);
    const programs = make(goodSpec('prog_array'));
    const ofPrograms = specOf('hash_of_maps', { valueBytes: 4, innerMap: programs });
    expect(createMap(machine.runtime, ofPrograms)).toBe(-errno.ENOTSUPP);
  });

  it('a failed creation leaves no memory behind', () => {
    createMap(machine.runtime, specOf('hash', { maxEntries: 1 << 24 }));
    const before = machine.ram.pages.freeBytes;
    for (const type of ['hash', 'percpu_hash', 'lru_hash', 'percpu_array'] as const) {
      expect(createMap(machine.runtime, specOf(type, { maxEntries: 1 << 20 }))).toBe(-errno.ENOMEM);
      expect(machine.ram.pages.freeBytes, type).toBe(before);
    }
  });
});

describe.each(BYTE_HASHES)('elements of %s', (type) => {
  it('obey BPF_NOEXIST, BPF_EXIST and refuse other flags', () => {
    const map = make(goodSpec(type));
    expect(add(map, 1, BPF_EXIST)).toBe(-errno.ENOENT);
    expect(add(map, 1, BPF_NOEXIST)).toBe(0);
    expect(add(map, 1, BPF_NOEXIST)).toBe(-errno.EEXIST);
    expect(add(map, 1, BPF_EXIST)).toBe(0);
    expect(add(map, 1, BPF_ANY)).toBe(0);
    expect(add(map, 1, 3)).toBe(-errno.EINVAL);
    expect(add(map, 1, BPF_F_LOCK)).toBe(-errno.EINVAL);
    expect(keysOf(map)).toEqual([1]);
  });

  it('are found, read back, deleted', () => {
    const map = make(goodSpec(type));
    add(map, 3);
    expect(map.lookup(setKey(map, 3))).not.toBe(0);
    expect(map.lookup(setKey(map, 4))).toBe(0);
    machine.ram.u8.fill(0xee, value, value + 512);
    expect(map.copyValue(setKey(map, 3), value, 0)).toBe(0);
    const stored = [...machine.ram.u8.subarray(value, value + map.userValueBytes)];
    expect(stored).toEqual(Array(map.userValueBytes).fill(4));
    expect(machine.ram.u8[value + map.userValueBytes]).toBe(0xee);
    expect(map.delete(setKey(map, 3))).toBe(0);
    expect(map.delete(setKey(map, 3))).toBe(-errno.ENOENT);
    expect(map.copyValue(setKey(map, 3), value, 0)).toBe(-errno.ENOENT);
    expect(map.lookup(setKey(map, 3))).toBe(0);
  });

  it('are all visited once, and so if each is deleted when visited', () => {
    const map = make(goodSpec(type));
    for (let n = 0; n < 8; n++) expect(add(map, n)).toBe(0);
    expect(keysOf(map).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const visited = new Set(keysOf(map, (n) => map.delete(setKey(map, n))));
    expect(visited.size).toBe(8);
    expect(keysOf(map)).toEqual([]);
    expect(map.nextKey(NULL, value)).toBe(-errno.ENOENT);
  });
});

describe.each(BOUNDED)('a full %s', (type) => {
  it('takes no new element, still replaces, and takes one again after a deletion', () => {
    const full = type === 'lpm_trie' ? errno.ENOSPC : errno.E2BIG;
    for (const flags of type === 'lpm_trie' ? [1] : [0, uapi.BPF_F_NO_PREALLOC]) {
      const map = make({ ...goodSpec(type), flags });
      for (let n = 0; n < 8; n++) expect(add(map, n)).toBe(0);
      expect(add(map, 8)).toBe(-full);
      for (let round = 0; round < 20; round++) expect(add(map, 3)).toBe(0);
      expect(map.delete(setKey(map, 0))).toBe(0);
      expect(add(map, 9)).toBe(0);
      expect(add(map, 10)).toBe(-full);
    }
  });
});

describe.each(ARRAYS)('elements of %s', (type) => {
  it('all exist from the start and cannot be deleted', () => {
    const map = make(goodSpec(type));
    expect(keysOf(map)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(add(map, 7)).toBe(0);
    expect(add(map, 8)).toBe(-errno.E2BIG);
    expect(add(map, 7, BPF_NOEXIST)).toBe(-errno.EEXIST);
    expect(add(map, 7, BPF_EXIST)).toBe(0);
    expect(add(map, 7, 8)).toBe(-errno.EINVAL);
    expect(map.delete(setKey(map, 7))).toBe(-errno.EINVAL);
    expect(map.lookup(setKey(map, 8))).toBe(0);
    expect(map.copyValue(setKey(map, 8), value, 0)).toBe(-errno.ENOENT);
  });

  it('iterate from the start again for a key beyond the end', () => {
    const map = make(goodSpec(type));
    expect(map.nextKey(setKey(map, 99), value)).toBe(0);
    expect(machine.ram.view.getUint32(value, true)).toBe(0);
    expect(map.nextKey(setKey(map, 7), value)).toBe(-errno.ENOENT);
  });
});

describe.each(['percpu_hash', 'lru_percpu_hash', 'percpu_array'] as const)('%s', (type) => {
  it('has a value a CPU: programs see theirs, user space all, rounded up to 8', () => {
    const map = make(goodSpec(type));
    expect(map.userValueBytes).toBe(32);
    for (let cpu = 0; cpu < 2; cpu++) {
      machine.kernel.setCpu(cpu);
      machine.ram.u8.fill(cpu + 1, value, value + 12);
      expect(map.update(setKey(map, 5), value, BPF_ANY)).toBe(0);
    }
    expect(map.copyValue(setKey(map, 5), value, 0)).toBe(0);
    const bytes = [...machine.ram.u8.subarray(value, value + 32)];
    const half = (n: number) => [...Array(12).fill(n), 0, 0, 0, 0];
    expect(bytes).toEqual([...half(1), ...half(2)]);
    const mine = map.lookup(setKey(map, 5));
    expect(machine.ram.u8[mine]).toBe(2);
    machine.kernel.setCpu(0);
    expect(machine.ram.u8[map.lookup(setKey(map, 5))]).toBe(1);
  });
});

describe('percpu_hash', () => {
  it('starts the other CPUs’ values at zero, also in an element that was used before', () => {
    const map = make(goodSpec('percpu_hash'));
    for (let round = 0; round < 20; round++) {
      expect(add(map, round)).toBe(0);
      expect(map.delete(setKey(map, round))).toBe(0);
    }
    machine.ram.u8.fill(9, value, value + 12);
    expect(map.update(setKey(map, 100), value, BPF_ANY)).toBe(0);
    map.copyValue(setKey(map, 100), value, 0);
    expect([...machine.ram.u8.subarray(value + 16, value + 32)]).toEqual(Array(16).fill(0));
  });
});

describe.each(FD_MAPS)('%s', (type) => {
  it('keeps references', () => {
    const map = make(goodSpec(type));
    const inner = make(specOf('array'));
    const reference = type === 'prog_array' ? 42 : inner.offset;
    machine.ram.view.setUint32(value, reference, true);
    expect(map.updateFromUser(setKey(map, 2), value, BPF_ANY)).toBe(0);
    machine.ram.view.setUint32(value, 0, true);
    expect(map.copyValue(setKey(map, 2), value, 0)).toBe(0);
    expect(machine.ram.view.getUint32(value, true)).toBe(reference);
    expect(map.copyValue(setKey(map, 3), value, 0)).toBe(-errno.ENOENT);
    if (type === 'prog_array') expect(map.progIdAt!(2)).toBe(42);
    else expect(map.lookup(setKey(map, 2))).toBe(reference);
    expect(map.delete(setKey(map, 2))).toBe(0);
    expect(map.delete(setKey(map, 2))).toBe(-errno.ENOENT);
  });
});

describe('queue and stack', () => {
  it.each([
    ['queue', [1, 2, 3]],
    ['stack', [3, 2, 1]],
  ] as const)('a %s gives them back in its order', (type, order) => {
    const map = make(specOf(type, { keyBytes: 0, maxEntries: 3 }));
    for (const n of [1, 2, 3]) expect(map.updateFromUser(NULL, setValue(map, n), 0)).toBe(0);
    expect(map.updateFromUser(NULL, setValue(map, 4), 0)).toBe(-errno.E2BIG);
    expect(map.updateFromUser(NULL, setValue(map, 4), BPF_NOEXIST)).toBe(-errno.EINVAL);
    for (const n of order) {
      expect(map.copyValue(NULL, value, 0)).toBe(0);
      expect(machine.ram.u8[value]).toBe(n);
      expect(map.lookupAndDelete!(NULL, value, 0)).toBe(0);
      expect(machine.ram.u8[value]).toBe(n);
    }
    expect(map.lookupAndDelete!(NULL, value, 0)).toBe(-errno.ENOENT);
    expect(machine.ram.u8[value]).toBe(0);
  });

  it('BPF_EXIST gives up the oldest', () => {
    for (const [type, first] of [['queue', 2] as const, ['stack', 4] as const]) {
      const map = make(specOf(type, { keyBytes: 0, maxEntries: 3 }));
      for (const n of [1, 2, 3]) map.updateFromUser(NULL, setValue(map, n), 0);
      expect(map.updateFromUser(NULL, setValue(map, 4), BPF_EXIST)).toBe(0);
      map.lookupAndDelete!(NULL, value, 0);
      expect(machine.ram.u8[value]).toBe(first);
    }
  });
});

describe('bloom_filter', () => {
  it('never denies a member and denies most others', () => {
    const map = make(specOf('bloom_filter', { keyBytes: 0, valueBytes: 5, maxEntries: 100 }));
    const set = (n: number) => {
      machine.ram.view.setUint32(value, n, true);
      return value;
    };
    for (let n = 0; n < 100; n++) expect(map.updateFromUser(NULL, set(n), BPF_ANY)).toBe(0);
    for (let n = 0; n < 100; n++) expect(map.copyValue(NULL, set(n), 0)).toBe(0);
    let wrong = 0;
    for (let n = 100; n < 1100; n++) if (map.copyValue(NULL, set(n), 0) === 0) wrong++;
    expect(wrong).toBeLessThan(100);
    expect(map.updateFromUser(NULL, set(1), BPF_EXIST)).toBe(-errno.EINVAL);
  });
});
