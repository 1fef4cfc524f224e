/** Calls of helpers. */
import type { Example } from './example.ts';
import { LOOKUP, array16, xdp } from './parts.ts';
import { functions } from './types.ts';

const FORMAT = (text: string) => ({
  type: 'array' as const,
  valueBytes: 16,
  flags: 0x80,
  frozen: true,
  text,
});

const SNPRINTF = `
      *(u64 *)(r10 -8) = 7
      r1 = r10
      r1 += -32
      r2 = 16
      r3 = map_value(0, 0)
      r4 = r10
      r4 += -8
      r5 = 8
      call snprintf#165
      r0 = 0
      exit`;

const LOOP = `
      r1 = 4
      r2 = func(body)
      r3 = 0
      r4 = 0
      call loop#181
      r0 = 0
      exit
      body: r0 = 0
      exit`;

export const helperCalls: readonly Example[] = [
  {
    code: 'unknown-helper',
    about: 'An id that no helper has.',
    refused: `
      call 9999
      exit`,
    mended: `
      call ktime_get_ns#5
      exit`,
  },
  {
    code: 'helper-not-allowed',
    about: 'A socket filter cannot redirect packets.',
    mendedSetup: { type: 'sched_cls' },
    refused: `
      r1 = 1
      r2 = 0
      call redirect#23
      exit`,
    mended: `
      r1 = 1
      r2 = 0
      call redirect#23
      exit`,
  },
  {
    code: 'gpl-only',
    about: 'trace_printk in a program under the MIT licence.',
    setup: { license: 'MIT' },
    mendedSetup: { license: 'Dual MIT/GPL' },
    refused: `
      *(u64 *)(r10 -8) = 10
      r1 = r10
      r1 += -8
      r2 = 8
      call trace_printk#6
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 10
      r1 = r10
      r1 += -8
      r2 = 8
      call trace_printk#6
      r0 = 0
      exit`,
  },
  {
    code: 'helper-might-sleep',
    about: 'Reading user memory that may have to be fetched first.',
    setup: { type: 'kprobe' },
    mendedSetup: { type: 'kprobe', flags: 0x10 },
    refused: `
      r1 = r10
      r1 += -8
      r2 = 8
      r3 = 0
      call copy_from_user#148
      r0 = 0
      exit`,
    mended: `
      r1 = r10
      r1 += -8
      r2 = 8
      r3 = 0
      call copy_from_user#148
      r0 = 0
      exit`,
  },
  {
    code: 'argument-type',
    about: 'The key itself is passed where its address is wanted.',
    setup: array16,
    refused: `
      r1 = map_fd(0)
      r2 = 0
      call map_lookup_elem#1
      r0 = 0
      exit`,
    mended: `
      *(u32 *)(r10 -4) = 0
      r1 = map_fd(0)
      r2 = r10
      r2 += -4
      call map_lookup_elem#1
      r0 = 0
      exit`,
  },
  {
    code: 'helper-packet-access',
    about: 'A helper that does not take packet memory is given some.',
    setup: { type: 'sched_cls' },
    refused: `
      r6 = r1
      r2 = *(u32 *)(r1 +76)
      r3 = *(u32 *)(r1 +80)
      r4 = r2
      r4 += 8
      r0 = 0
      if r4 > r3 goto out
      r3 = r2
      r1 = r6
      r2 = 0
      r4 = 4
      r5 = 0
      call skb_store_bytes#9
      out: r0 = 0
      exit`,
    mended: `
      *(u32 *)(r10 -4) = 0
      r2 = 0
      r3 = r10
      r3 += -4
      r4 = 4
      r5 = 0
      call skb_store_bytes#9
      r0 = 0
      exit`,
  },
  {
    code: 'helper-flags',
    about: 'Local storage is asked for with flags.',
    setup: { type: 'cgroup_skb', maps: [{ type: 'cgroup_storage', keyBytes: 16 }] },
    refused: `
      r1 = map_fd(0)
      r2 = 1
      call get_local_storage#81
      r0 = 1
      exit`,
    mended: `
      r1 = map_fd(0)
      r2 = 0
      call get_local_storage#81
      r0 = 1
      exit`,
  },
  {
    code: 'map-helper',
    about: 'A program array has nothing to look up: it is for tail calls.',
    setup: { maps: [{ type: 'prog_array', valueBytes: 4 }] },
    refused: `
      *(u32 *)(r10 -4) = 0
      r1 = map_fd(0)
      r2 = r10
      r2 += -4
      call map_lookup_elem#1
      r0 = 0
      exit`,
    mended: `
      r2 = map_fd(0)
      r3 = 0
      call tail_call#12
      r0 = 0
      exit`,
  },
  {
    code: 'format-string',
    about: 'Two conversions, one argument.',
    setup: { type: 'kprobe', maps: [FORMAT('%d and %d')] },
    mendedSetup: { type: 'kprobe', maps: [FORMAT('just %d')] },
    refused: SNPRINTF,
    mended: SNPRINTF,
  },
  {
    code: 'constant-string',
    about: 'The format lies in a map that may still change.',
    setup: { type: 'kprobe', maps: [{ valueBytes: 16 }] },
    mendedSetup: { type: 'kprobe', maps: [FORMAT('just %d')] },
    refused: SNPRINTF,
    mended: SNPRINTF,
  },
  {
    code: 'dynptr',
    about: 'A dynptr is read before a helper made it.',
    setup: array16,
    refused: `
      *(u64 *)(r10 -8) = 0
      *(u64 *)(r10 -16) = 0
      r1 = r10
      r1 += -32
      r2 = 8
      r3 = r10
      r3 += -16
      r4 = 0
      r5 = 0
      call dynptr_read#201
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = r0
      r2 = 16
      r3 = 0
      r4 = r10
      r4 += -16
      call dynptr_from_mem#197
      r1 = r10
      r1 += -32
      r2 = 8
      r3 = r10
      r3 += -16
      r4 = 0
      r5 = 0
      call dynptr_read#201
      r0 = 0
      exit`,
  },
  {
    code: 'callback',
    about: 'bpf_loop needs to know the type of the function that it calls.',
    setup: xdp,
    mendedSetup: { ...xdp, ...functions(8, 'static') },
    refused: LOOP,
    mended: LOOP,
    note: 'the mended one has BTF and func_info, as `clang -g` makes them',
  },
  {
    code: 'callback-changes-caller',
    about: 'A callback replaces a pointer of its caller by a number.',
    setup: { ...array16, type: 'xdp', ...functions(13, 'static') },
    mendedSetup: { ...array16, type: 'xdp', ...functions(13, 'static') },
    refused: `
      *(u64 *)(r10 -8) = r1
      r1 = 4
      r2 = func(body)
      r3 = r10
      r3 += -8
      r4 = 0
      call loop#181
      r0 = 0
      r0 = 1
      r0 = 2
      r0 += 0
      exit
      body: r3 = *(u64 *)(r2 +0)
      r3 = *(u32 *)(r3 +0)
      *(u64 *)(r2 +0) = r3
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -8) = 0
      r1 = 4
      r2 = func(body)
      r3 = r10
      r3 += -8
      r4 = 0
      call loop#181
      r1 = *(u64 *)(r10 -8)
      r0 = r1
      r0 = 2
      r0 += 0
      exit
      body: r3 = 0
      *(u64 *)(r2 +0) = r3
      r0 = 0
      exit`,
  },
];
