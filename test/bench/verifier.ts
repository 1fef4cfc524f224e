/**
 * `skep bench verifier`: how fast programs are verified, on a straight program, on a loop, and on
 * programs that reach the limit of 1,000,000 processed instructions in different ways.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { verify } from '../../bpf/verifier/verify.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { measureNs } from './measure.ts';

/** Arithmetic on known and unknown numbers, and the stack: what compilers make, without branches. */
const BLOCK = `
  r2 = r6
  r2 &= 255
  r2 += 7
  *(u64 *)(r10 -8) = r2
  r3 = *(u64 *)(r10 -8)
  r3 <<= 2
  w4 = w7
  w4 >>= 3
  r0 += r3
  r0 ^= r4
`;
const UNKNOWNS = `
  r6 = *(u32 *)(r1 +0)
  r7 = *(u32 *)(r1 +8)
  r0 = 0
`;
const STRAIGHT_INSNS = 1000;
const straight = (): Insn[] => {
  const end = assemble('r0 = 0\n r1 = 0\n r2 = 0\n r3 = 0\n r4 = 0\n r5 = 0\n exit');
  const blocks = assemble(UNKNOWNS + BLOCK.repeat(99));
  return [...blocks, ...end.slice(-(STRAIGHT_INSNS - blocks.length))];
};

/** 11 instructions a round. */
const loop = (rounds: number): Insn[] =>
  assemble(`
  ${UNKNOWNS}
  r8 = 0
again:
  ${BLOCK}
  r8 += 1
  if r8 < ${rounds} goto again
  r0 = 0
  exit`);

/** A loop of one condition and one addition, as short as it gets. */
const tightLoop = `
  r0 = 0
again:
  r0 += 1
  if r0 < 0x7fffffff goto again
  exit`;

/** Each round doubles the paths: what is looked at differs, so that no path covers another. */
const branches = `
  ${UNKNOWNS}
  r8 = 0
again:
  r8 += 1
  r3 = r6
  r3 >>= 1
  if r6 & 1 goto odd
  r0 += 1
odd:
  if r7 > r8 goto more
  r0 += 3
more:
  *(u64 *)(r10 -16) = r0
  r6 = r3
  if r8 < 0x7fffffff goto again
  exit`;

/** A loop with nearly all of the stack in use. */
const wideStates = `
  ${Array.from({ length: 60 }, (_, i) => `*(u64 *)(r10 -${8 * (i + 1)}) = r1`).join('\n')}
  r6 = 0
again:
  r6 += 1
  r7 = *(u64 *)(r10 -${8 * 30})
  if r6 < 0x7fffffff goto again
  r0 = 0
  exit`;

const ENDLESS_ROUNDS = 0x7fffffff;
const ENDLESS: readonly (readonly [string, Insn[]])[] = [
  ['loop', loop(ENDLESS_ROUNDS)],
  ['tight loop', assemble(tightLoop)],
  ['branches', assemble(branches)],
  ['wide states', assemble(wideStates)],
];

function verified(insns: readonly Insn[]): { processed: number; accepted: boolean; log: string } {
  const spec: ProgramSpec = {
    type: 'socket_filter',
    expectedAttachType: 'cgroup_inet_ingress',
    name: 'bench',
    license: 'GPL',
    insns,
    mapByFd: () => undefined,
    flags: 0,
  };
  const verdict = verify(spec, {
    ops: progTypeOps('socket_filter')!,
    caps: { bpf: true, perfmon: true, netAdmin: true, sysAdmin: true },
    level: '6.1',
    logLevel: 0,
    mapAddress: () => 0n,
  });
  return verdict.kind === 'accepted'
    ? { processed: verdict.program.verifiedInsns, accepted: true, log: verdict.log }
    : { processed: verdict.verifiedInsns, accepted: false, log: verdict.log };
}

function speed(name: string, insns: readonly Insn[]): BenchRow {
  const { processed, accepted, log } = verified(insns);
  if (!accepted) throw new Error(`verifier bench ${name}: ${log}`);
  const ns = measureNs(() => verified(insns), 200, 5);
  const row = `verifier ${name} (${processed} processed)`;
  return { name: row, value: (processed / ns) * 1e3, unit: 'M insns/s', target: '>= 1' };
}

/** Time until the limit says no. */
function limit([name, insns]: readonly [string, Insn[]]): BenchRow {
  const start = performance.now();
  const { processed, accepted } = verified(insns);
  const seconds = (performance.now() - start) / 1e3;
  if (accepted || processed < 1e6) throw new Error(`verifier bench ${name}: stopped early`);
  return { name: `verifier limit, ${name}`, value: seconds, unit: 's', target: '<= 3' };
}

export const verifierBench: Bench = {
  names: ['verifier straight', 'verifier loop', 'verifier limit', 'verifier memory'],
  run() {
    const speeds = [speed('straight', straight()), speed('loop', loop(8300))];
    const limits = ENDLESS.map(limit);
    const memoryMiB = process.resourceUsage().maxRSS / 1024;
    const memory = { name: 'verifier memory', value: memoryMiB, unit: 'MiB', target: '<= 500' };
    return Promise.resolve([...speeds, ...limits, memory]);
  },
};
