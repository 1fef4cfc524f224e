/** Of the program's shape, registers, stack and context. */
import { type Case, ok, no, unpriv } from './case.ts';

export const shapeCases: readonly Case[] = [
  ok('the smallest program', 'r0 = 0\n exit'),
  no('no exit at the end', 'r0 = 0', 'falls-through', 'last insn is not an exit or jmp'),
  no(
    'code that nothing reaches',
    'r0 = 0\n exit\n r0 = 1\n exit',
    'unreachable-insn',
    'unreachable insn 2',
  ),
  no(
    'a jump out of the program',
    'r0 = 0\n goto pc+7\n exit',
    'jump-out-of-range',
    'jump out of range from insn 1 to 9',
  ),
  no(
    'a jump into a 64-bit load',
    'if r1 == 0 goto pc+1\n r0 = 1 ll\n exit',
    'jump-into-ldimm64',
    'jump into the middle of ldimm64 insn 1',
  ),
  no(
    'an endless loop',
    'r0 = 0\n loop: goto loop\n exit',
    'unreachable-insn',
    'unreachable insn 2',
  ),
  no(
    'a loop that gets nowhere',
    'r0 = 0\n loop: if r0 == 1 goto out\n goto loop\n out: exit',
    'infinite-loop',
    'infinite loop detected at insn 1',
  ),
  no(
    'any loop, without CAP_BPF',
    'r0 = 0\n loop: r0 += 1\n if r0 < 4 goto loop\n exit',
    'infinite-loop',
    'back-edge from insn 2 to 1',
    unpriv,
  ),
  ok('a bounded loop', 'r0 = 0\n loop: r0 += 1\n if r0 < 40 goto loop\n exit'),
  no(
    'a loop too long to explore',
    'r0 = 0\n loop: r0 += 1\n if r0 < 2000000 goto loop\n exit',
    'too-complex',
    'BPF program is too large. Processed 1000001 insn',
    { logLevel: 0 },
  ),
];

export const registerCases: readonly Case[] = [
  no('r0 is not set', 'exit', 'uninitialised-register', 'R0 !read_ok'),
  no('a register never written', 'r0 = r3\n exit', 'uninitialised-register', 'R3 !read_ok'),
  no(
    'set on one branch only',
    'if r1 == 0 goto pc+1\n r0 = 1\n exit',
    'uninitialised-register',
    'R0 !read_ok',
  ),
  no(
    'arguments do not survive a call',
    'r1 = 1\n call get_prandom_u32#7\n r0 = r1\n exit',
    'uninitialised-register',
    'R1 !read_ok',
  ),
  no(
    'the frame pointer is fixed',
    'r10 = 0\n exit',
    'frame-pointer-write',
    'frame pointer is read only',
  ),
  no('division by 0', 'r0 = 1\n r0 /= 0\n exit', 'division-by-zero', 'div by zero'),
  no('a shift by too much', 'r0 = 1\n w0 <<= 32\n exit', 'invalid-shift', 'invalid shift 32'),
  no(
    'the sum of two pointers',
    'r0 = r10\n r0 += r1\n r0 = 0\n exit',
    'pointer-arithmetic',
    'R0 pointer += pointer prohibited',
  ),
  no(
    'a mask on a pointer',
    'r0 = r10\n r0 &= 8\n r0 = 0\n exit',
    'pointer-arithmetic',
    'R0 bitwise operator &= on pointer prohibited',
  ),
  no(
    'a pointer as result',
    'r0 = r10\n exit',
    'pointer-leak',
    'R0 leaks addr as return value',
    unpriv,
  ),
  no('half a pointer', 'w0 = w1\n exit', 'pointer-leak', 'R1 partial copy of pointer', unpriv),
  no(
    'comparing pointers',
    'r0 = 0\n if r1 == r10 goto pc+0\n exit',
    'pointer-comparison',
    'R10 pointer comparison prohibited',
    unpriv,
  ),
];

export const stackCases: readonly Case[] = [
  ok(
    'spill and fill',
    '*(u64 *)(r10 -8) = r1\n r2 = *(u64 *)(r10 -8)\n r0 = *(u32 *)(r2 +0)\n exit',
  ),
  no(
    'beyond the stack',
    '*(u64 *)(r10 -520) = r1\n r0 = 0\n exit',
    'stack-out-of-bounds',
    'invalid write to stack R10 off=-520 size=8',
  ),
  no(
    'above the frame pointer',
    '*(u64 *)(r10 +8) = r1\n r0 = 0\n exit',
    'stack-out-of-bounds',
    'invalid write to stack R10 off=8 size=8',
  ),
  no(
    'not aligned',
    '*(u32 *)(r10 -7) = 1\n r0 = 0\n exit',
    'misaligned-access',
    'misaligned stack access off (0x0; 0x0)+0+-7 size 4',
  ),
  no(
    'not initialised',
    '*(u64 *)(r10 -16) = 0\n r0 = *(u64 *)(r10 -8)\n exit',
    'uninitialised-stack',
    'invalid read from stack off -8+0 size 8',
    unpriv,
  ),
  ok('not initialised, with CAP_PERFMON', 'r0 = *(u64 *)(r10 -8)\n exit'),
  no(
    'part of a spilled pointer',
    '*(u64 *)(r10 -8) = r1\n r0 = *(u32 *)(r10 -8)\n exit',
    'partial-pointer-fill',
    'invalid size of register fill',
  ),
  no(
    'over a spilled pointer',
    '*(u64 *)(r10 -8) = r1\n *(u8 *)(r10 -8) = 1\n r0 = 0\n exit',
    'spilled-pointer-overwrite',
    'attempt to corrupt spilled pointer on stack',
    unpriv,
  ),
  ok(
    'an offset that is a range',
    `*(u64 *)(r10 -8) = 0
     *(u64 *)(r10 -16) = 0
     r2 = *(u32 *)(r1 +0)
     r2 &= 8
     r2 -= 16
     r2 += r10
     r0 = *(u32 *)(r2 +0)
     exit`,
  ),
  no(
    'a range that leaves the stack',
    `r2 = *(u32 *)(r1 +0)
     r2 &= 15
     r2 -= 8
     r2 += r10
     r0 = *(u8 *)(r2 +0)
     exit`,
    'stack-out-of-bounds',
    'invalid variable-offset read from stack R2 var_off=(0x0; 0xffffffffffffffff) size=1',
  ),
];

export const contextCases: readonly Case[] = [
  ok('a member', 'r0 = *(u32 *)(r1 +0)\n exit'),
  ok('a part of a member', 'r0 = *(u8 *)(r1 +2)\n exit'),
  no(
    'two members at once',
    'r0 = *(u64 *)(r1 +0)\n exit',
    'invalid-context-access',
    'invalid bpf_context access off=0 size=8',
  ),
  no(
    'a store to a member that is not ours',
    'r0 = 0\n *(u32 *)(r1 +0) = r0\n exit',
    'invalid-context-access',
    'invalid bpf_context access off=0 size=4',
  ),
  no(
    'at a distance',
    'r1 += 8\n r0 = *(u32 *)(r1 +0)\n exit',
    'modified-pointer',
    'dereference of modified ctx ptr R1 off=8 disallowed',
  ),
  no(
    'a constant into it',
    '*(u32 *)(r1 +48) = 1\n r0 = 0\n exit',
    'context-store',
    'BPF_ST stores into R1 ctx is not allowed',
  ),
  no(
    'not for this type',
    'r0 = *(u32 *)(r1 +76)\n exit',
    'invalid-context-access',
    'invalid bpf_context access off=76 size=4',
  ),
  no(
    'one load of context or stack',
    `r6 = r1
     *(u64 *)(r10 -8) = 0
     r2 = r10
     r2 += -8
     r0 = *(u32 *)(r1 +0)
     if r0 == 0 goto pc+1
     r2 = r6
     r0 = *(u32 *)(r2 +0)
     exit`,
    'different-pointers',
    'same insn cannot be used with different pointers',
  ),
  no(
    'a return value that the hook does not know',
    'r0 = 2\n exit',
    'return-value',
    'At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)',
    { type: 'cgroup_skb' },
  ),
];
