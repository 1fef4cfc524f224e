/**
 * `skep bench verifier`: how fast programs are verified: a straight one, a loop, an ordinary XDP
 * program, programs that reach the limit of 1,000,000 processed instructions in different ways, and
 * programs made to take long in other ways than by that number.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assemble } from '../../bpf/asm/assemble.ts';
import { readObject } from '../../bpf/elf/object.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { verify } from '../../bpf/verifier/verify.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { coreModule } from '../support/assets.ts';
import { measureNs } from './measure.ts';

const XDP_COUNT = join(import.meta.dirname, '../../scenarios/first-light/xdp_count.bpf.o');

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
const ENDLESS_ROUNDS = 0x7fffffff;
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

/** The same with all frames that there may be: a state is 8 stacks, of which one changes. */
function deepFrames(): Insn[] {
  const spills = Array.from({ length: 60 }, (_, i) => `*(u64 *)(r10 -${8 * (i + 1)}) = r10`);
  const caller = (callee: number) => [...spills, `call f${callee}`, 'r0 = 0', 'exit'];
  const frames = Array.from({ length: 7 }, (_, i) => [`f${i}:`, ...caller(i + 1)]).flat();
  const innermost = ['f7:', ...spills, 'r6 = 0', 'again:', 'r6 += 1', 'r7 = 1'];
  const end = [`if r6 < ${ENDLESS_ROUNDS} goto again`, 'r0 = 0', 'exit'];
  return assemble([...frames, ...innermost, ...end].join('\n'));
}

const repeated = (text: string, count: number): Insn[] => {
  const insns = assemble(text);
  return Array.from({ length: count }, () => insns).flat();
};

/** Each round asks for the exact value of one number, which was made at the very beginning. */
const exactValues = (): Insn[] => [
  ...assemble('r6 = 1'),
  ...repeated('r1 = r10\n r1 += r6', 400_000),
  ...assemble('r0 = 0\n exit'),
];

/** Each round asks for the exact value of a number from a call, behind which nothing is followed. */
const valuesFromCalls = `
  r8 = 0
again:
  r8 += 1
  call one
  r6 = r0
  r1 = r10
  r1 += r6
  if r8 < 0x7fffffff goto again
  r0 = 0
  exit
one:
  r0 = 1
  exit`;

/** One jump more than may wait to be explored. */
const waitingJumps = (): Insn[] => [
  ...assemble('r6 = *(u32 *)(r1 +0)\n r0 = 0'),
  ...Array.from({ length: 8193 }, (_, i) => {
    const [jump] = assemble('if r6 == 1 goto end\n end: exit');
    return { ...jump!, off: 8192 - i };
  }),
  ...assemble('exit'),
];

/** As long as a program may be. */
const longest = (): Insn[] => [
  ...assemble('r0 = 0'),
  ...repeated('r0 += 1', 999_998),
  ...assemble('exit'),
];

const ENDLESS: readonly (readonly [string, Insn[]])[] = [
  ['loop', loop(ENDLESS_ROUNDS)],
  ['tight loop', assemble(tightLoop)],
  ['branches', assemble(branches)],
  ['wide states', assemble(wideStates)],
  ['deep frames', deepFrames()],
  ['values from calls', assemble(valuesFromCalls)],
];

const HARD: readonly (readonly [string, () => Insn[]])[] = [
  ['exact values', exactValues],
  ['waiting jumps', waitingJumps],
  ['longest program', longest],
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

/** So that the memory of one program is not that of all before it. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Time until the limit says no. */
function limit([name, insns]: readonly [string, Insn[]]): BenchRow {
  collectGarbage();
  const start = performance.now();
  const { processed, accepted } = verified(insns);
  const seconds = (performance.now() - start) / 1e3;
  if (accepted || processed < 1e6) throw new Error(`verifier bench ${name}: stopped early`);
  return { name: `verifier limit, ${name}`, value: seconds, unit: 's', target: '<= 3' };
}

/** Time until the verdict, whatever it is. */
function hard([name, insnsOf]: readonly [string, () => Insn[]]): BenchRow {
  const insns = insnsOf();
  const start = performance.now();
  const { processed } = verified(insns);
  const seconds = (performance.now() - start) / 1e3;
  const row = `verifier hard, ${name} (${processed} processed)`;
  return { name: row, value: seconds, unit: 's', target: '<= 3' };
}

/** From the bytes of an object to the verdict on its program, first and later loads. */
async function ordinary(): Promise<BenchRow[]> {
  const bytes = new Uint8Array(readFileSync(XDP_COUNT));
  const machine = new BareMachine({ core: await coreModule() }, { level: '6.1' });
  const load = () => {
    machine.caller.reset();
    const object = readObject(bytes, 'xdp_count.bpf.o');
    const loaded = runDirect(loadObject(machine.loaderUser(), object, {}));
    if (loaded.kind === 'failed') throw new Error(loaded.messages.join('\n'));
  };
  const start = performance.now();
  load();
  const coldMs = performance.now() - start;
  const warmMs = measureNs(load, 50, 10) / 1e6;
  return [
    { name: 'verifier xdp_count, object to verdict, first', value: coldMs, unit: 'ms' },
    { name: 'verifier xdp_count, object to verdict', value: warmMs, unit: 'ms' },
  ];
}

export const verifierBench: Bench = {
  names: [
    'verifier straight',
    'verifier loop',
    'verifier xdp_count',
    'verifier limit',
    'verifier hard',
    'verifier memory',
  ],
  async run() {
    const typical = await ordinary();
    const speeds = [speed('straight', straight()), speed('loop', loop(8300))];
    const limits = ENDLESS.map(limit);
    const memoryMiB = process.resourceUsage().maxRSS / 1024;
    const memory = { name: 'verifier memory', value: memoryMiB, unit: 'MiB', target: '<= 500' };
    return [...typical, ...speeds, ...limits, memory, ...HARD.map(hard)];
  },
};
