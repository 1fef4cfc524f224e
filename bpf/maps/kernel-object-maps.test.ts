/** Maps of kernel objects: devices, CPUs, stacks, and what sockets and cgroups keep. */
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { uapi } from '../uapi.ts';
import type { BpfMap } from './map.ts';
import type { StackTraceMap } from './stack-trace.ts';
import type { LocalStorageMap } from './storage.ts';
import { CgroupStorageMap } from './storage.ts';

import { mapRig } from '../../test/support/map-rig.ts';

const { BPF_ANY, BPF_NOEXIST } = uapi;
const NULL = 0 as RamOffset;

let machine: BareMachine;
let key: RamOffset;
let value: RamOffset;
const rig = mapRig();
const { goodSpec, make, setKey, keysOf } = rig;
beforeEach(() => {
  ({ machine, key, value } = rig);
});

describe('devmap and devmap_hash', () => {
  beforeEach(() => {
    Object.assign(machine.kernel, { netDeviceExists: (ifindex: number) => ifindex < 10 });
  });
  const put = (map: BpfMap, n: number, ifindex: number, flags = 0, progFd = 0) => {
    machine.ram.view.setUint32(value, ifindex, true);
    machine.ram.view.setInt32(value + 4, progFd, true);
    return map.update(setKey(map, n), value, flags);
  };

  it('hold devices that exist', () => {
    for (const type of ['devmap', 'devmap_hash'] as const) {
      const map = make(goodSpec(type));
      expect(put(map, 3, 7)).toBe(0);
      expect(map.redirectTarget!(3)).toBe(true);
      expect(map.redirectTarget!(2)).toBe(false);
      expect(machine.ram.view.getUint32(map.lookup(setKey(map, 3)), true)).toBe(7);
      expect(put(map, 3, 99)).toBe(-errno.EINVAL);
      expect(put(map, 3, 7, 0, 5)).toBe(-errno.EINVAL);
      expect(map.copyValue(setKey(map, 3), value, 0)).toBe(0);
      expect(machine.ram.view.getUint32(value, true)).toBe(7);
      expect(map.copyValue(setKey(map, 4), value, 0)).toBe(-errno.ENOENT);
      expect(map.delete(setKey(map, 3))).toBe(0);
      expect(map.lookup(setKey(map, 3))).toBe(0);
      expect(map.spec.flags & uapi.BPF_F_RDONLY_PROG).not.toBe(0);
    }
  });

  it('a devmap is an array, a devmap_hash takes any key', () => {
    const array = make(goodSpec('devmap'));
    expect(put(array, 8, 1)).toBe(-errno.E2BIG);
    expect(put(array, 1, 1, BPF_NOEXIST)).toBe(-errno.EEXIST);
    expect(put(array, 1, 0)).toBe(0);
    expect(array.delete(setKey(array, 8))).toBe(-errno.EINVAL);
    expect(keysOf(array)).toHaveLength(8);
    const hash = make(goodSpec('devmap_hash'));
    for (const n of [100, 4, 12, 1]) expect(put(hash, n, 1)).toBe(0);
    expect(put(hash, 4, 2, BPF_NOEXIST)).toBe(-errno.EEXIST);
    expect(put(hash, 4, 0)).toBe(-errno.EINVAL);
    // By bucket, the newest of a bucket first: 100, 4 and 12 share one of eight.
    expect(keysOf(hash)).toEqual([1, 12, 4, 100]);
    for (const n of [2, 3, 5, 6]) put(hash, n, 1);
    expect(put(hash, 7, 1)).toBe(-errno.E2BIG);
    expect(hash.delete(setKey(hash, 50))).toBe(-errno.ENOENT);
  });
});

describe('cpumap', () => {
  it('takes CPUs that exist and queues that are not too long', () => {
    const map = make(goodSpec('cpumap'));
    const put = (cpu: number, queueSize: number, flags = 0, progFd = 0) => {
      machine.ram.view.setUint32(value, queueSize, true);
      machine.ram.view.setInt32(value + 4, progFd, true);
      return map.update(setKey(map, cpu), value, flags);
    };
    expect(put(1, 64)).toBe(0);
    expect(put(2, 64)).toBe(-errno.ENODEV);
    expect(put(8, 64)).toBe(-errno.E2BIG);
    expect(put(1, 16385)).toBe(-errno.EOVERFLOW);
    expect(put(1, 64, BPF_NOEXIST)).toBe(-errno.EEXIST);
    // Any program that does not do, but not where the slot is emptied.
    expect(put(1, 64, 0, 9)).toBe(-errno.ENOMEM);
    expect(put(0, 0, 0, 9)).toBe(0);
    expect(map.redirectTarget!(1)).toBe(true);
    expect(put(1, 0)).toBe(0);
    expect(map.redirectTarget!(1)).toBe(false);
  });
});

describe('stack_trace', () => {
  it('gives equal stacks one id and keeps different ones apart', () => {
    const map = make(goodSpec('stack_trace')) as StackTraceMap;
    const stack = (n: number) => [BigInt(n), BigInt(n + 1), BigInt(n + 2)];
    const id = map.put(stack(1), 0);
    expect(map.put(stack(1), 0)).toBe(id);
    expect(map.copyValue(setKey(map, id), value, 0)).toBe(0);
    expect([0, 8, 16, 24].map((at) => machine.ram.readU64((value + at) as RamOffset))).toEqual([
      1n,
      2n,
      3n,
      0n,
    ]);
    // Eight buckets: some other stack has the same one.
    let clash = 2;
    while (map.put(stack(clash), 0) !== -errno.EEXIST) clash++;
    const reused = map.put(stack(clash), uapi.BPF_F_REUSE_STACKID);
    expect(reused).toBeGreaterThanOrEqual(0);
    expect(map.put(stack(clash), 0)).toBe(reused);
    expect(map.delete(setKey(map, reused))).toBe(0);
    expect(map.delete(setKey(map, reused))).toBe(-errno.ENOENT);
    expect(map.delete(setKey(map, 8))).toBe(-errno.E2BIG);
    expect(map.update(setKey(map, 0), value, 0)).toBe(-errno.EINVAL);
  });
});

describe('storage of kernel objects', () => {
  it('has a value an owner, made when asked for, gone with it', () => {
    const map = make(goodSpec('sk_storage')) as LocalStorageMap;
    const [one, two] = [0x20000, 0x30000] as RamOffset[];
    expect(map.get(one!, NULL, false)).toBe(0);
    machine.ram.u32[value / 4] = 77;
    const mine = map.get(one!, value, true);
    expect(machine.ram.u32[mine / 4]).toBe(77);
    expect(map.get(one!, NULL, true)).toBe(mine);
    expect(machine.ram.u32[map.get(two!, NULL, true) / 4]).toBe(0);
    expect(map.remove(one!)).toBe(0);
    expect(map.remove(one!)).toBe(-errno.ENOENT);
    expect(map.get(one!, NULL, false)).toBe(0);
    expect(map.copyValue(setKey(map, 5), value, 0)).toBe(-errno.EBADF);
  });

  it('a cgroup’s is there while a program is attached', () => {
    for (const type of ['cgroup_storage', 'percpu_cgroup_storage'] as const) {
      const map = make(goodSpec(type)) as CgroupStorageMap;
      machine.ram.u8.fill(0, key, key + 16);
      machine.ram.writeU64(key, 9n);
      machine.ram.view.setUint32(key + 8, 1, true);
      expect(map.update(key, value, BPF_ANY)).toBe(-errno.ENOENT);
      expect(map.link(CgroupStorageMap.keyText(9n, 1))).toBe(true);
      machine.ram.u8.fill(6, value, value + map.userValueBytes);
      expect(map.update(key, value, BPF_ANY)).toBe(0);
      expect(machine.ram.u8[map.current('9/1')]).toBe(6);
      expect(map.update(key, value, BPF_NOEXIST)).toBe(-errno.EINVAL);
      expect(map.delete(key)).toBe(-errno.EINVAL);
      map.unlink('9/1');
      expect(map.lookup(key)).toBe(0);
    }
  });
});
