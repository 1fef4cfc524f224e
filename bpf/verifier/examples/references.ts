/** References and locks. */
import type { Example, Setup } from './example.ts';
import { LOOKUP, RESERVE, SOCKET, ringbuf, tc } from './parts.ts';
import { lockMap, timerMap } from './types.ts';

const locks: Setup = { type: 'sched_cls', maps: [lockMap] };
const LOCKS_NOTE = 'a value of map 0 is `{ u64 count; struct bpf_spin_lock lock; }`';

export const references: readonly Example[] = [
  {
    code: 'reference-leak',
    about: 'A record is reserved and forgotten.',
    setup: ringbuf,
    refused: `
      ${RESERVE}
      if r0 == 0 goto out
      *(u64 *)(r0 +0) = 1
      out: r0 = 2
      exit`,
    mended: `
      ${RESERVE}
      if r0 == 0 goto out
      *(u64 *)(r0 +0) = 1
      r1 = r0
      r2 = 0
      call ringbuf_submit#132
      out: r0 = 2
      exit`,
  },
  {
    code: 'release-unreferenced',
    about: 'The packet’s own socket is released, which the program did not acquire.',
    setup: tc,
    refused: `
      r0 = 0
      r1 = *(u64 *)(r1 +168)
      if r1 == 0 goto out
      call sk_release#86
      out: r0 = 0
      exit`,
    mended: `
      ${SOCKET}
      if r0 == 0 goto out
      r1 = r0
      call sk_release#86
      out: r0 = 0
      exit`,
  },
  {
    code: 'two-references',
    about: 'Two reserved records go to one call.',
    setup: ringbuf,
    refused: `
      ${RESERVE}
      if r0 == 0 goto out
      r6 = r0
      ${RESERVE}
      if r0 == 0 goto one
      r7 = r0
      *(u64 *)(r6 +0) = 0
      *(u64 *)(r7 +0) = 0
      r1 = r6
      r2 = 8
      r3 = r7
      r4 = 8
      r5 = 0
      call csum_diff#28
      r1 = r7
      r2 = 0
      call ringbuf_discard#133
      one: r1 = r6
      r2 = 0
      call ringbuf_discard#133
      out: r0 = 2
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 0
      ${RESERVE}
      if r0 == 0 goto out
      r6 = r0
      *(u64 *)(r6 +0) = 0
      r1 = r6
      r2 = 8
      r3 = r10
      r3 += -8
      r4 = 8
      r5 = 0
      call csum_diff#28
      r1 = r6
      r2 = 0
      call ringbuf_discard#133
      out: r0 = 2
      exit`,
  },
  {
    code: 'lock-held',
    about: 'A helper is called between lock and unlock.',
    setup: locks,
    note: LOCKS_NOTE,
    refused: `
      ${LOOKUP}
      r6 = r0
      r1 = r6
      r1 += 8
      call spin_lock#93
      call ktime_get_ns#5
      *(u64 *)(r6 +0) = r0
      r1 = r6
      r1 += 8
      call spin_unlock#94
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r6 = r0
      call ktime_get_ns#5
      r7 = r0
      r1 = r6
      r1 += 8
      call spin_lock#93
      *(u64 *)(r6 +0) = r7
      r1 = r6
      r1 += 8
      call spin_unlock#94
      r0 = 0
      exit`,
  },
  {
    code: 'lock-not-held',
    about: 'A lock is released that was not taken.',
    setup: locks,
    note: LOCKS_NOTE,
    refused: `
      ${LOOKUP}
      r1 = r0
      r1 += 8
      call spin_unlock#94
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r6 = r0
      r1 = r6
      r1 += 8
      call spin_lock#93
      r1 = r6
      r1 += 8
      call spin_unlock#94
      r0 = 0
      exit`,
  },
  {
    code: 'kernel-field',
    about: 'The lock is not at the start of the value.',
    setup: locks,
    note: LOCKS_NOTE,
    refused: `
      ${LOOKUP}
      r1 = r0
      call spin_lock#93
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r6 = r0
      r1 = r6
      r1 += 8
      call spin_lock#93
      r1 = r6
      r1 += 8
      call spin_unlock#94
      r0 = 0
      exit`,
  },
  {
    code: 'timer-map',
    about: 'A timer of map 0 is initialised with map 1.',
    setup: { type: 'sched_cls', maps: [timerMap, timerMap] },
    note: 'values are `{ u64 count; struct bpf_timer timer; }`',
    refused: `
      ${LOOKUP}
      r1 = r0
      r1 += 8
      r2 = map_fd(1)
      r3 = 1
      call timer_init#169
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = r0
      r1 += 8
      r2 = map_fd(0)
      r3 = 1
      call timer_init#169
      r0 = 0
      exit`,
  },
];
