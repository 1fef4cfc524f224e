/** Accesses of memory. */
import type { Example, Setup } from './example.ts';
import { LOOKUP, PACKET, array16, ringbuf, xdp } from './parts.ts';
import { lockMap } from './types.ts';

const tracepoint: Setup = { type: 'tracepoint' };
const tracepointArray: Setup = { ...array16, type: 'tracepoint' };

export const memory: readonly Example[] = [
  {
    code: 'missing-null-check',
    about: 'A map lookup gives NULL where there is no such entry.',
    setup: array16,
    refused: `
      *(u32 *)(r10 -4) = 0
      r2 = r10
      r2 += -4
      r1 = map_fd(0)
      call map_lookup_elem#1
      r0 = *(u64 *)(r0 +0)
      exit`,
    mended: `
      *(u32 *)(r10 -4) = 0
      r2 = r10
      r2 += -4
      r1 = map_fd(0)
      call map_lookup_elem#1
      if r0 == 0 goto out
      r0 = *(u64 *)(r0 +0)
      out: exit`,
  },
  {
    code: 'invalid-packet-access',
    about: 'The Ethernet type is read without a look at the packet’s length.',
    setup: xdp,
    refused: `
      ${PACKET}
      r0 = *(u16 *)(r2 +12)
      r0 = 2
      exit`,
    mended: `
      ${PACKET}
      r4 = r2
      r4 += 14
      if r4 > r3 goto out
      r0 = *(u16 *)(r2 +12)
      out: r0 = 2
      exit`,
  },
  {
    code: 'out-of-bounds',
    about: 'An index of up to 31 into a value of 16 bytes.',
    setup: array16,
    refused: `
      ${LOOKUP}
      r1 = *(u32 *)(r0 +0)
      r1 &= 31
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit`,
    mended: `
      ${LOOKUP}
      r1 = *(u32 *)(r0 +0)
      r1 &= 15
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit`,
  },
  {
    code: 'unbounded-offset',
    about: 'A signed comparison leaves negative numbers; an unsigned one does not.',
    setup: array16,
    refused: `
      ${LOOKUP}
      r1 = *(u64 *)(r0 +0)
      if r1 s> 15 goto out
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit
      out: r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = *(u64 *)(r0 +0)
      if r1 > 15 goto out
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit
      out: r0 = 0
      exit`,
  },
  {
    code: 'negative-offset',
    about: 'An index between -8 and 7.',
    setup: array16,
    refused: `
      ${LOOKUP}
      r1 = *(u32 *)(r0 +0)
      r1 &= 15
      r1 -= 8
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit`,
    mended: `
      ${LOOKUP}
      r1 = *(u32 *)(r0 +0)
      r1 &= 15
      r1 -= 8
      if r1 s< 0 goto out
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit
      out: r0 = 0
      exit`,
  },
  {
    code: 'offset-too-large',
    about: 'A pointer is moved by a gigabyte.',
    setup: array16,
    refused: `
      ${LOOKUP}
      r0 += 1073741824
      r0 = *(u8 *)(r0 +0)
      exit`,
    mended: `
      ${LOOKUP}
      r0 += 8
      r0 = *(u8 *)(r0 +0)
      exit`,
  },
  {
    code: 'misaligned-access',
    about: 'Four bytes of stack at an odd offset.',
    refused: `
      *(u32 *)(r10 -7) = 1
      r0 = 0
      exit`,
    mended: `
      *(u32 *)(r10 -8) = 1
      r0 = 0
      exit`,
  },
  {
    code: 'read-only-memory',
    about: 'A member of a socket is set by a store; sockets may only be read.',
    setup: { type: 'sched_cls' },
    refused: `
      r0 = 0
      r2 = *(u64 *)(r1 +168)
      if r2 == 0 goto out
      r3 = 1
      *(u32 *)(r2 +16) = r3
      out: exit`,
    mended: `
      r0 = 0
      r2 = *(u64 *)(r1 +168)
      if r2 == 0 goto out
      out: exit`,
  },
  {
    code: 'packet-write',
    about: 'A program on incoming tunnel packets may read the packet only.',
    setup: { type: 'lwt_in' },
    mendedSetup: { type: 'lwt_xmit' },
    refused: `
      r2 = *(u32 *)(r1 +76)
      r3 = *(u32 *)(r1 +80)
      r4 = r2
      r4 += 1
      r0 = 0
      if r4 > r3 goto out
      *(u8 *)(r2 +0) = r0
      out: exit`,
    mended: `
      r2 = *(u32 *)(r1 +76)
      r3 = *(u32 *)(r1 +80)
      r4 = r2
      r4 += 1
      r0 = 0
      if r4 > r3 goto out
      *(u8 *)(r2 +0) = r0
      out: exit`,
  },
  {
    code: 'zero-sized-access',
    about: 'A buffer of 0 bytes for the command’s name.',
    setup: tracepoint,
    refused: `
      r1 = r10
      r1 += -16
      r2 = 0
      call get_current_comm#16
      r0 = 0
      exit`,
    mended: `
      r1 = r10
      r1 += -16
      r2 = 16
      call get_current_comm#16
      r0 = 0
      exit`,
  },
  {
    code: 'negative-size',
    about: 'A size from memory, compared as a signed number.',
    setup: tracepointArray,
    refused: `
      ${LOOKUP}
      r2 = *(u64 *)(r0 +0)
      if r2 s> 16 goto out
      r1 = r10
      r1 += -16
      call get_current_comm#16
      out: r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -16) = 0
      *(u64 *)(r10 -24) = 0
      ${LOOKUP}
      r2 = *(u64 *)(r0 +0)
      r2 &= 15
      r2 += 1
      r1 = r10
      r1 += -24
      call get_current_comm#16
      r0 = 0
      exit`,
  },
  {
    code: 'unbounded-size',
    about: 'A size of which only the lower end is known.',
    setup: tracepointArray,
    refused: `
      ${LOOKUP}
      r2 = *(u32 *)(r0 +0)
      if r2 == 0 goto out
      r1 = r10
      r1 += -16
      r3 = 0
      call probe_read_kernel#113
      out: r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -16) = 0
      *(u64 *)(r10 -24) = 0
      ${LOOKUP}
      r2 = *(u32 *)(r0 +0)
      if r2 > 16 goto out
      r1 = r10
      r1 += -24
      r3 = 0
      call probe_read_kernel#113
      out: r0 = 0
      exit`,
  },
  {
    code: 'size-not-constant',
    about: 'A ring buffer record of a size that is known at run time only.',
    setup: ringbuf,
    refused: `
      r2 = *(u32 *)(r1 +12)
      r2 &= 63
      r1 = map_fd(0)
      r3 = 0
      call ringbuf_reserve#131
      if r0 == 0 goto out
      r1 = r0
      r2 = 0
      call ringbuf_submit#132
      out: r0 = 2
      exit`,
    mended: `
      r2 = 64
      r1 = map_fd(0)
      r3 = 0
      call ringbuf_reserve#131
      if r0 == 0 goto out
      r1 = r0
      r2 = 0
      call ringbuf_submit#132
      out: r0 = 2
      exit`,
  },
  {
    code: 'kernel-field-access',
    about: 'A store over the spin lock in a map value.',
    setup: { type: 'sched_cls', maps: [lockMap] },
    note: 'a value of map 0 is `{ u64 count; struct bpf_spin_lock lock; }`',
    refused: `
      ${LOOKUP}
      r1 = 0
      *(u32 *)(r0 +8) = r1
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = 0
      *(u64 *)(r0 +0) = r1
      r0 = 0
      exit`,
  },
];
