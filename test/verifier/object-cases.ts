/** Of packets, maps, helpers, references, calls and pruning. */
import { type Case, ok, no, unpriv, xdp, tc, array16, ringbuf, LOOKUP, PACKET } from './case.ts';

export const packetCases: readonly Case[] = [
  ok(
    'checked against the end',
    `${PACKET} r4 = r2\n r4 += 14\n r0 = 0\n if r4 > r3 goto pc+1\n r0 = *(u8 *)(r2 +13)\n exit`,
    xdp,
  ),
  no(
    'one byte too far',
    `${PACKET} r4 = r2\n r4 += 14\n r0 = 0\n if r4 > r3 goto pc+1\n r0 = *(u8 *)(r2 +14)\n exit`,
    'invalid-packet-access',
    'R2 offset is outside of the packet',
    xdp,
  ),
  no(
    'not checked',
    `${PACKET} r0 = *(u8 *)(r2 +0)\n exit`,
    'invalid-packet-access',
    'R2 offset is outside of the packet',
    xdp,
  ),
  no(
    'the wrong side of the check',
    `${PACKET} r4 = r2\n r4 += 14\n r0 = 0\n if r4 <= r3 goto pc+1\n r0 = *(u8 *)(r2 +0)\n exit`,
    'invalid-packet-access',
    'R2 offset is outside of the packet',
    xdp,
  ),
  ok(
    'a length from the packet, masked',
    `${PACKET}
     r4 = r2
     r4 += 1
     r0 = 0
     if r4 > r3 goto out
     r5 = *(u8 *)(r2 +0)
     r5 &= 15
     r2 += r5
     r4 = r2
     r4 += 4
     if r4 > r3 goto out
     r0 = *(u32 *)(r2 +0)
     out: exit`,
    xdp,
  ),
  no(
    'a helper that moves the packet',
    `r6 = r1
     ${PACKET}
     r7 = r2
     r4 = r2
     r4 += 8
     r0 = 0
     if r4 > r3 goto out
     r2 = -4
     call xdp_adjust_head#44
     r0 = *(u8 *)(r7 +0)
     out: exit`,
    'invalid-pointer',
    "R7 invalid mem access 'scalar'",
    xdp,
  ),
  no(
    'a write where it may only be read',
    'r2 = *(u32 *)(r1 +76)\n r3 = *(u32 *)(r1 +80)\n r4 = r2\n r4 += 1\n r0 = 0\n if r4 > r3 goto pc+1\n *(u8 *)(r2 +0) = r0\n exit',
    'packet-write',
    'cannot write into packet',
    { type: 'lwt_in' },
  ),
  ok(
    'a write in traffic control',
    'r2 = *(u32 *)(r1 +76)\n r3 = *(u32 *)(r1 +80)\n r4 = r2\n r4 += 1\n r0 = 0\n if r4 > r3 goto pc+1\n *(u8 *)(r2 +0) = r0\n exit',
    tc,
  ),
];

export const mapCases: readonly Case[] = [
  ok('a value, after the null check', `${LOOKUP} r0 = *(u64 *)(r0 +8)\n exit`, array16),
  no(
    'without the null check',
    '*(u32 *)(r10 -4) = 0\n r2 = r10\n r2 += -4\n r1 = map_fd(0)\n call map_lookup_elem#1\n r0 = *(u64 *)(r0 +0)\n exit',
    'missing-null-check',
    "R0 invalid mem access 'map_value_or_null'",
    array16,
  ),
  no(
    'past the end of the value',
    `${LOOKUP} r0 = *(u64 *)(r0 +16)\n exit`,
    'out-of-bounds',
    'R0 min value is outside of the allowed memory range',
    array16,
  ),
  ok(
    'a masked index',
    `${LOOKUP} r1 = *(u32 *)(r0 +0)\n r1 &= 15\n r0 += r1\n r0 = *(u8 *)(r0 +0)\n exit`,
    array16,
  ),
  no(
    'an index that may be one too much',
    `${LOOKUP} r1 = *(u32 *)(r0 +0)\n r1 &= 31\n r0 += r1\n r0 = *(u8 *)(r0 +0)\n exit`,
    'out-of-bounds',
    'R0 max value is outside of the allowed memory range',
    array16,
  ),
  no(
    'an index without a bound',
    `${LOOKUP} r1 = *(u32 *)(r0 +0)\n r0 += r1\n r0 = *(u8 *)(r0 +0)\n exit`,
    'unbounded-offset',
    'R0 unbounded memory access, make sure to bounds check any such access',
    array16,
  ),
  no(
    'a signed bound only',
    `${LOOKUP} r1 = *(u64 *)(r0 +0)\n if r1 s> 15 goto pc+3\n r0 += r1\n r0 = *(u8 *)(r0 +0)\n exit\n r0 = 0\n exit`,
    'unbounded-offset',
    'math between map_value pointer and register with unbounded min value is not allowed',
    array16,
  ),
  no(
    'a key that is not there',
    'r2 = r10\n r2 += -4\n r1 = map_fd(0)\n call map_lookup_elem#1\n r0 = 0\n exit',
    'uninitialised-stack',
    'invalid indirect read from stack R2 off -4+0 size 4',
    { ...array16, unpriv: true },
  ),
  no(
    'the wrong map for the helper',
    'r1 = map_fd(0)\n r2 = 0\n r3 = 0\n call tail_call#12\n r0 = 0\n exit',
    'argument-type',
    'R1 type=map_ptr expected=ctx',
    array16,
  ),
  no(
    'a map that programs only read',
    `${LOOKUP} *(u64 *)(r0 +0) = 1\n exit`,
    'map-permission',
    'write into map forbidden, value_size=16 off=0 size=8',
    { maps: [{ valueBytes: 16, flags: 0x80 }] },
  ),
  ok('a value by its address', 'r1 = map_value(0, 8)\n r0 = *(u64 *)(r1 +0)\n exit', {
    maps: [{ valueBytes: 16 }],
  }),
  no(
    'an address outside of the value',
    'r1 = map_value(0, 16)\n r0 = 0\n exit',
    'bad-map-value',
    'invalid access to map value pointer, value_size=16 off=16',
    { maps: [{ valueBytes: 16 }] },
  ),
  no(
    'a pointer into a map',
    `${LOOKUP} *(u64 *)(r0 +0) = r10\n r0 = 0\n exit`,
    'pointer-leak',
    'R10 leaks addr into map',
    { ...array16, unpriv: true },
  ),
];

export const helperCases: readonly Case[] = [
  no('an id that no helper has', 'call 9999\n exit', 'unknown-helper', 'invalid func unknown#9999'),
  no(
    'a helper of another program type',
    'call redirect#23\n exit',
    'helper-not-allowed',
    'unknown func bpf_redirect#23',
  ),
  no(
    'a helper for GPL programs',
    '*(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n r2 = 8\n call trace_printk#6\n exit',
    'gpl-only',
    'cannot call GPL-restricted function from non-GPL compatible program',
    { license: 'MIT' },
  ),
  no(
    'a helper that needs CAP_PERFMON',
    'call get_current_task#35\n exit',
    'helper-not-allowed',
    'unknown func bpf_get_current_task#35',
    { bpfOnly: true },
  ),
  no(
    'a size that may be negative',
    `${LOOKUP} r6 = *(u64 *)(r0 +0)\n r1 = r10\n r1 += -8\n r2 = r6\n call get_current_comm#16\n r0 = 0\n exit`,
    'negative-size',
    "R2 min value is negative, either use unsigned or 'var &= const'",
    { ...array16, type: 'tracepoint' },
  ),
  no(
    'a size of 0',
    'r1 = r10\n r1 += -8\n r2 = 0\n call get_current_comm#16\n r0 = 0\n exit',
    'zero-sized-access',
    'invalid zero-sized read',
    { type: 'tracepoint' },
  ),
  ok(
    'memory that the helper fills',
    'r1 = r10\n r1 += -16\n r2 = 16\n call get_current_comm#16\n r0 = *(u64 *)(r10 -16)\n exit',
    { type: 'tracepoint' },
  ),
  no(
    'what a string helper returns has an upper bound only',
    `r1 = r10
     r1 += -16
     r2 = 16
     r3 = 0
     call probe_read_kernel_str#115
     r1 = r10
     r1 += r0
     r0 = *(u8 *)(r1 -17)
     exit`,
    'stack-out-of-bounds',
    'invalid variable-offset read from stack R1 var_off=(0x0; 0xffffffffffffffff) size=1',
    { type: 'kprobe' },
  ),
];

export const referenceCases: readonly Case[] = [
  ok(
    'a record, submitted',
    `r1 = map_fd(0)
     r2 = 8
     r3 = 0
     call ringbuf_reserve#131
     if r0 == 0 goto out
     *(u64 *)(r0 +0) = 1
     r1 = r0
     r2 = 0
     call ringbuf_submit#132
     out: r0 = 0
     exit`,
    ringbuf,
  ),
  no(
    'a record, forgotten',
    'r1 = map_fd(0)\n r2 = 8\n r3 = 0\n call ringbuf_reserve#131\n if r0 == 0 goto pc+0\n r0 = 0\n exit',
    'reference-leak',
    'Unreleased reference id=2 alloc_insn=4',
    ringbuf,
  ),
  no(
    'a record, used after it was submitted',
    `r1 = map_fd(0)
     r2 = 8
     r3 = 0
     call ringbuf_reserve#131
     if r0 == 0 goto out
     r6 = r0
     r1 = r0
     r2 = 0
     call ringbuf_submit#132
     r0 = *(u64 *)(r6 +0)
     exit
     out: exit`,
    'invalid-pointer',
    "R6 invalid mem access 'scalar'",
    ringbuf,
  ),
  no(
    'more than was reserved',
    `r1 = map_fd(0)
     r2 = 8
     r3 = 0
     call ringbuf_reserve#131
     if r0 == 0 goto out
     *(u64 *)(r0 +8) = 1
     out: exit`,
    'out-of-bounds',
    'R0 min value is outside of the allowed memory range',
    ringbuf,
  ),
];

export const callCases: readonly Case[] = [
  ok('a function', 'r1 = 3\n call twice\n exit\n twice: r0 = r1\n r0 += r1\n exit'),
  no(
    'subprograms need CAP_BPF',
    'call f\n exit\n f: r0 = 0\n exit',
    'subprograms-need-cap-bpf',
    'loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN',
    unpriv,
  ),
  no(
    'a jump between functions',
    'call f\n goto other\n f: r0 = 0\n other: r0 = 1\n exit',
    'jump-out-of-range',
    'jump out of range from insn 1 to 3',
  ),
  no(
    'recursion',
    'call f\n exit\n f: call f\n exit',
    'infinite-loop',
    'back-edge from insn 2 to 2',
  ),
  no(
    'a pointer to the frame that ends',
    'call f\n exit\n f: r0 = r10\n exit',
    'stack-pointer-escape',
    'cannot return stack pointer to the caller',
  ),
  no(
    'too much stack in all',
    'call f\n exit\n f: *(u64 *)(r10 -480) = 0\n call g\n exit\n g: *(u64 *)(r10 -64) = 0\n r0 = 0\n exit',
    'stack-too-large',
    'combined stack size of 3 calls is 576. Too large',
  ),
  no(
    'a tail call in a function without BTF',
    'call f\n exit\n f: r2 = map_fd(0)\n r3 = 0\n call tail_call#12\n r0 = 0\n exit',
    'missing-btf',
    'tail_call is not allowed in subprogs without BTF',
    { maps: [{ type: 'prog_array', valueBytes: 4 }] },
  ),
];

/** Programs that look safe until one considers what went on elsewhere. */
export const pruningCases: readonly Case[] = [
  no(
    'a check on one branch does not count on the other',
    `${LOOKUP}
     r6 = *(u64 *)(r0 +0)
     r7 = *(u64 *)(r0 +8)
     if r7 == 0 goto unchecked
     if r6 > 15 goto out
     unchecked: r0 += r6
     r0 = *(u8 *)(r0 +0)
     exit
     out: r0 = 0
     exit`,
    'unbounded-offset',
    'math between map_value pointer and register with unbounded min value is not allowed',
    array16,
  ),
  {
    name: 'a copy that was checked is another number here',
    text: `${LOOKUP}
     r9 = r0
     call get_prandom_u32#7
     r6 = r0
     call get_prandom_u32#7
     r7 = r0
     call get_prandom_u32#7
     if r0 == 0 goto pc+1
     r6 = r7
     if r6 > 15 goto out
     r9 += r7
     r0 = *(u8 *)(r9 +0)
     exit
     out: r0 = 0
     exit`,
    options: { ...array16, flags: 8 },
    refused: {
      reason: 'unbounded-offset',
      line: 'math between map_value pointer and register with unbounded min value is not allowed',
    },
    differs: '6.1 prunes the path on which the checked number is not the one that is used',
  },
];
