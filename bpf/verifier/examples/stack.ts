/** Registers, stack and the return value. */
import type { Example } from './example.ts';
import { array16, unpriv } from './parts.ts';

export const registersAndStack: readonly Example[] = [
  {
    code: 'uninitialised-register',
    about: 'A call does not keep r1 to r5.',
    refused: `
      r1 = 1
      call get_prandom_u32#7
      r0 = r1
      exit`,
    mended: `
      r6 = 1
      call get_prandom_u32#7
      r0 = r6
      exit`,
  },
  {
    code: 'invalid-register',
    about: 'An instruction names r11.',
    refused: `
      r11 = 0
      r0 = 0
      exit`,
    mended: `
      r9 = 0
      r0 = 0
      exit`,
  },
  {
    code: 'frame-pointer-write',
    about: 'Room on the stack is not made by moving r10: it is there.',
    refused: `
      r10 += -16
      r0 = 0
      exit`,
    mended: `
      r2 = r10
      r2 += -16
      r0 = 0
      exit`,
  },
  {
    code: 'uninitialised-stack',
    about: 'The key of a lookup was never written.',
    setup: { ...array16, unpriv: true },
    refused: `
      r2 = r10
      r2 += -4
      r1 = map_fd(0)
      call map_lookup_elem#1
      r0 = 0
      exit`,
    mended: `
      *(u32 *)(r10 -4) = 0
      r2 = r10
      r2 += -4
      r1 = map_fd(0)
      call map_lookup_elem#1
      r0 = 0
      exit`,
  },
  {
    code: 'stack-out-of-bounds',
    about: 'The stack lies below r10, not above.',
    refused: `
      *(u64 *)(r10 +8) = 1
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 1
      r0 = 0
      exit`,
  },
  {
    code: 'variable-stack-offset',
    about: 'An atomic addition to an element of an array on the stack.',
    refused: `
      *(u64 *)(r10 -8) = 0
      *(u64 *)(r10 -16) = 0
      r2 = *(u32 *)(r1 +0)
      r2 &= 8
      r2 += r10
      r2 += -16
      r3 = 1
      lock *(u64 *)(r2 +0) += r3
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 0
      *(u64 *)(r10 -16) = 0
      r3 = 1
      lock *(u64 *)(r10 -16) += r3
      r0 = 0
      exit`,
  },
  {
    code: 'partial-pointer-spill',
    about: 'Half of a pointer is saved.',
    refused: `
      *(u32 *)(r10 -8) = r1
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = r1
      r0 = 0
      exit`,
  },
  {
    code: 'partial-pointer-fill',
    about: 'Half of a saved pointer is loaded.',
    refused: `
      *(u64 *)(r10 -8) = r1
      r0 = *(u32 *)(r10 -8)
      exit`,
    mended: `
      *(u64 *)(r10 -8) = r1
      r1 = *(u64 *)(r10 -8)
      r0 = *(u32 *)(r1 +0)
      exit`,
  },
  {
    code: 'spilled-pointer-overwrite',
    about: 'One byte of a saved pointer is overwritten.',
    setup: unpriv,
    refused: `
      *(u64 *)(r10 -8) = r1
      *(u8 *)(r10 -8) = 1
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = r1
      *(u8 *)(r10 -16) = 1
      r0 = 0
      exit`,
  },
  {
    code: 'return-value',
    about: 'A cgroup program says 0 (drop) or 1 (pass).',
    setup: { type: 'cgroup_sock', attach: 'cgroup_inet_sock_create' },
    refused: `
      r0 = 2
      exit`,
    mended: `
      r0 = 1
      exit`,
  },
];
