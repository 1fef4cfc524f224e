/** Maps that a program uses. */
import type { Example } from './example.ts';
import { LOOKUP } from './parts.ts';
import { lockMap } from './types.ts';

const USE_MAP = `
      r1 = map_fd(0)
      r0 = 0
      exit`;

export const mapUse: readonly Example[] = [
  {
    code: 'bad-map-fd',
    about: 'The descriptor in the instruction is not open.',
    setup: { maps: [{}] },
    refused: `
      r1 = map_fd(7)
      r0 = 0
      exit`,
    mended: USE_MAP,
  },
  {
    code: 'bad-map-value',
    about: 'An address behind the end of the value.',
    setup: { maps: [{ valueBytes: 16 }] },
    refused: `
      r1 = map_value(0, 16)
      r0 = 0
      exit`,
    mended: `
      r1 = map_value(0, 8)
      r0 = *(u64 *)(r1 +0)
      exit`,
  },
  {
    code: 'map-direct-value',
    about: 'A read from a frozen, read-only array of several entries.',
    setup: { maps: [{ maxEntries: 4, flags: 0x80, frozen: true }] },
    mendedSetup: { maps: [{ maxEntries: 1, flags: 0x80, frozen: true }] },
    refused: `
      ${LOOKUP}
      r0 = *(u64 *)(r0 +0)
      exit`,
    mended: `
      ${LOOKUP}
      r0 = *(u64 *)(r0 +0)
      exit`,
  },
  {
    code: 'map-permission',
    about: 'A write to a map that programs may only read.',
    setup: { maps: [{ valueBytes: 16, flags: 0x80 }] },
    refused: `
      ${LOOKUP}
      r1 = 1
      *(u64 *)(r0 +0) = r1
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r0 = *(u64 *)(r0 +0)
      exit`,
  },
  {
    code: 'map-program-type',
    about: 'A map whose values have a spin lock, in a socket filter.',
    setup: { maps: [lockMap] },
    mendedSetup: { type: 'sched_cls', maps: [lockMap] },
    note: 'a value of map 0 is `{ u64 count; struct bpf_spin_lock lock; }`',
    refused: USE_MAP,
    mended: USE_MAP,
  },
  {
    code: 'cgroup-storage',
    about: 'Two cgroup storages.',
    setup: {
      type: 'cgroup_skb',
      maps: [
        { type: 'cgroup_storage', keyBytes: 16 },
        { type: 'cgroup_storage', keyBytes: 16 },
      ],
    },
    refused: `
      r1 = map_fd(0)
      r2 = map_fd(1)
      r0 = 1
      exit`,
    mended: `
      r1 = map_fd(0)
      r0 = 1
      exit`,
  },
];
