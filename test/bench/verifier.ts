/**
 * `skep bench verifier`: how fast programs are verified: a straight one, a loop, an ordinary XDP
 * program, programs that reach the limit of 1,000,000 processed instructions in different ways, and
 * programs made to take long or much memory in other ways than by that number. The last two kinds
 * run alone in a process, so that memory is that of one program, and nothing is warm.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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
import { bundledFile } from '../../tools/bundle.mjs';
import {
  BLOCK,
  ENDLESS_PROGRAMS,
  HARD_PROGRAMS,
  UNKNOWNS,
  loop,
  type Pathological,
} from '../verifier/pathological.ts';
import { measureNs } from './measure.ts';

const XDP_COUNT = join(import.meta.dirname, '../../scenarios/first-light/xdp_count.bpf.o');

const STRAIGHT_INSNS = 1000;
const straight = (): Insn[] => {
  const end = assemble('r0 = 0\n r1 = 0\n r2 = 0\n r3 = 0\n r4 = 0\n r5 = 0\n exit');
  const blocks = assemble(UNKNOWNS + BLOCK.repeat(99));
  return [...blocks, ...end.slice(-(STRAIGHT_INSNS - blocks.length))];
};

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
  const ns = measureNs(() => verified(insns), 2, 200, 1000);
  const row = `verifier ${name} (${processed} processed)`;
  return { name: row, value: (processed / ns) * 1e3, unit: 'M insns/s', target: '>= 1' };
}

/** A program alone in a process of its own: seconds from its instructions to the verdict, and memory. */
interface Alone {
  readonly processed: number;
  readonly seconds: number;
  readonly memoryMiB: number;
}

async function alone(name: string): Promise<Alone> {
  const file = await bundledFile('test/bench/verify-alone.ts');
  const { stdout, stderr } = spawnSync(process.execPath, [file, name], { encoding: 'utf8' });
  if (stdout === '') throw new Error(`verifier bench ${name}: ${stderr}`);
  return JSON.parse(stdout) as Alone;
}

async function hardRows(kind: string, programs: readonly Pathological[]): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { name } of programs) {
    const { processed, seconds, memoryMiB } = await alone(name);
    const of = kind === 'limit' ? '' : ` (${processed} processed)`;
    const row = `verifier ${kind}, ${name}`;
    rows.push(
      { name: row + of, value: seconds, unit: 's', target: '<= 3' },
      { name: `${row}, memory`, value: memoryMiB, unit: 'MiB', target: '<= 500' },
    );
  }
  return rows;
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
  ],
  async run() {
    const typical = await ordinary();
    const speeds = [speed('straight', straight()), speed('loop', loop(8300))];
    const limits = await hardRows('limit', ENDLESS_PROGRAMS);
    return [...typical, ...speeds, ...limits, ...(await hardRows('hard', HARD_PROGRAMS))];
  },
};
