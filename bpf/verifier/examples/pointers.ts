/** What pointers may be used for. */
import type { Example } from './example.ts';
import { LOOKUP, PACKET, array16, tc, unpriv, xdp } from './parts.ts';

export const pointers: readonly Example[] = [
  {
    code: 'invalid-pointer',
    about: 'The packet may have moved: pointers into it are numbers then.',
    setup: xdp,
    refused: `
      r6 = r1
      ${PACKET}
      r7 = r2
      r4 = r2
      r4 += 8
      if r4 > r3 goto out
      r2 = -4
      call xdp_adjust_head#44
      r0 = *(u8 *)(r7 +0)
      out: r0 = 2
      exit`,
    mended: `
      r6 = r1
      r2 = -4
      call xdp_adjust_head#44
      r2 = *(u32 *)(r6 +0)
      r3 = *(u32 *)(r6 +4)
      r4 = r2
      r4 += 8
      if r4 > r3 goto out
      r0 = *(u8 *)(r2 +0)
      out: r0 = 2
      exit`,
  },
  {
    code: 'modified-pointer',
    about: 'The context pointer is moved to a member before the load.',
    refused: `
      r1 += 8
      r0 = *(u32 *)(r1 +0)
      exit`,
    mended: `
      r0 = *(u32 *)(r1 +8)
      exit`,
  },
  {
    code: 'pointer-arithmetic',
    about: 'A pointer is rounded down with a mask.',
    refused: `
      *(u64 *)(r10 -8) = 0
      r2 = r10
      r2 += -4
      r2 &= -8
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 0
      r2 = r10
      r2 += -8
      r0 = 0
      exit`,
  },
  {
    code: 'unprivileged-pointer-arithmetic',
    about: 'An index is added to and the result may leave the value, which is checked too late.',
    setup: { ...array16, unpriv: true },
    refused: `
      ${LOOKUP}
      r1 = *(u32 *)(r0 +0)
      r0 += r1
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = *(u32 *)(r0 +0)
      r1 &= 7
      r0 += r1
      r0 = *(u8 *)(r0 +0)
      exit`,
  },
  {
    code: 'pointer-comparison',
    about: 'The context is compared with the stack.',
    setup: unpriv,
    refused: `
      r0 = 0
      if r1 == r10 goto out
      r0 = 1
      out: exit`,
    mended: `
      r0 = 0
      r1 = *(u32 *)(r1 +0)
      if r1 == 64 goto out
      r0 = 1
      out: exit`,
  },
  {
    code: 'pointer-leak',
    about: 'A stack address is written to a map, where user space would read it.',
    setup: { ...array16, unpriv: true },
    refused: `
      ${LOOKUP}
      *(u64 *)(r0 +0) = r10
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = 7
      *(u64 *)(r0 +0) = r1
      r0 = 0
      exit`,
  },
  {
    code: 'different-pointers',
    about: 'One load of the context on one path, of the stack on the other.',
    refused: `
      r6 = r1
      *(u64 *)(r10 -8) = 0
      r2 = r10
      r2 += -8
      r0 = *(u32 *)(r1 +0)
      if r0 == 0 goto load
      r2 = r6
      load: r0 = *(u32 *)(r2 +0)
      exit`,
    mended: `
      r6 = r1
      *(u64 *)(r10 -8) = 0
      r2 = r10
      r2 += -8
      r0 = *(u32 *)(r1 +0)
      if r0 == 0 goto load
      r0 = *(u32 *)(r6 +0)
      exit
      load: r0 = *(u32 *)(r2 +0)
      exit`,
  },
  {
    code: 'stack-pointer-escape',
    about: 'A function returns the address of its own stack.',
    refused: `
      call func
      r0 = 0
      exit
      func: r0 = r10
      exit`,
    mended: `
      r1 = r10
      r1 += -8
      call func
      r0 = *(u64 *)(r10 -8)
      exit
      func: r2 = 7
      *(u64 *)(r1 +0) = r2
      r0 = 0
      exit`,
  },
  {
    code: 'context-store',
    about: 'The mark of a packet is set to a constant in one instruction.',
    setup: tc,
    refused: `
      *(u32 *)(r1 +8) = 1
      r0 = 0
      exit`,
    mended: `
      r2 = 1
      *(u32 *)(r1 +8) = r2
      r0 = 0
      exit`,
  },
  {
    code: 'atomic-target',
    about: 'An atomic addition to a member of the context.',
    refused: `
      r2 = 1
      lock *(u32 *)(r1 +8) += r2
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 0
      r2 = 1
      lock *(u64 *)(r10 -8) += r2
      r0 = 0
      exit`,
  },
];
