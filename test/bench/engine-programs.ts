/** What the engine bench runs: small kernels of computation, each with how many instructions it takes. */
import { assemble } from '../../bpf/asm/assemble.ts';
import type { Insn } from '../../bpf/isa/insn.ts';

export interface ComputeProgram {
  readonly name: string;
  readonly insns: readonly Insn[];
  /** Executed in one run. */
  readonly steps: number;
}

const ROUNDS = 1000;

/** Sums, xors and shifts over a stack slot. */
const aluLoop = `
  r0 = 0
  r1 = ${ROUNDS}
loop:
  r0 += r1
  r0 ^= 5
  r2 = r0
  r2 >>= 3
  r0 += r2
  w0 *= 7
  *(u64 *)(r10 -8) = r0
  r3 = *(u64 *)(r10 -8)
  r0 ^= r3
  r1 += -1
  if r1 != 0 goto loop
  exit`;

/** The Internet checksum of 256 bytes of stack, 16 bits at a time. */
const checksum = `
  r1 = r10
  r1 += -256
  r2 = 0
  r0 = 0
sum:
  r3 = *(u16 *)(r1 +0)
  r0 += r3
  r1 += 2
  r2 += 2
  if r2 < 256 goto sum
  r3 = r0
  r3 >>= 16
  r0 &= 0xffff
  r0 += r3
  r0 ^= 0xffff
  exit`;

/** Jenkins' one-at-a-time hash over a counter. */
const hash = `
  w0 = 0x9e3779b9
  w1 = ${ROUNDS}
mix:
  w0 += w1
  w2 = w0
  w2 <<= 10
  w0 += w2
  w2 = w0
  w2 >>= 6
  w0 ^= w2
  w1 += -1
  if w1 != 0 goto mix
  exit`;

/** Steps of the Collatz sequence of 97, ten times: unpredictable branches. */
const branches = `
  r6 = 10
  r0 = 0
again:
  r1 = 97
step:
  r0 += 1
  r2 = r1
  r2 &= 1
  if r2 == 0 goto even
  r1 *= 3
  r1 += 1
  goto step
even:
  r1 >>= 1
  if r1 != 1 goto step
  r6 += -1
  if r6 != 0 goto again
  exit`;

/** Greatest common divisors: 64-bit division by a register. */
const division = `
  r6 = 100
  r0 = 0
next:
  r1 = 832040
  r2 = 514229
gcd:
  r3 = r1
  r3 %= r2
  r1 = r2
  r2 = r3
  if r2 != 0 goto gcd
  r0 += r1
  r6 += -1
  if r6 != 0 goto next
  exit`;

/** A subprogram called in a loop. */
const calls = `
  r6 = ${ROUNDS}
  r7 = 0
loop:
  r1 = r6
  r2 = r7
  call add
  r7 = r0
  r6 += -1
  if r6 != 0 goto loop
  r0 = r7
  exit
add:
  r0 = r1
  r0 += r2
  exit`;

export const COMPUTE_PROGRAMS: readonly ComputeProgram[] = [
  { name: 'alu', insns: assemble(aluLoop), steps: 3 + 11 * ROUNDS },
  { name: 'checksum', insns: assemble(checksum), steps: 10 + 5 * 128 },
  { name: 'hash', insns: assemble(hash), steps: 3 + 9 * ROUNDS },
  { name: 'branches', insns: assemble(branches), steps: 0 },
  { name: 'division', insns: assemble(division), steps: 0 },
  { name: 'calls', insns: assemble(calls), steps: 0 },
];
