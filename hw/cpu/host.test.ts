/** The model with machine code, driver and card around it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { loadSubject, type Subject } from '../../scenarios/compare/subject.ts';
import { workloadNamed, type Workload } from '../../scenarios/workloads/workloads.ts';
import { coreModule } from '../../test/support/assets.ts';
import { Datapath } from '../datapath.ts';
import { PacketSlot } from '../packet-slot.ts';
import { CORTEX_A53, createArm, MVNETA, NEOVERSE_N1, NEOVERSE_V2 } from '../arm/target.ts';
import { BROADWELL, createX86, MLX5 } from '../x86/target.ts';
import { createX86Engine } from '../x86/engine.ts';
import type { Target, TimingOptions } from '../target.ts';
import type { CodeBlock } from './events.ts';
import { I40E } from './drivers.ts';
import type { HostTiming } from './host.ts';

const assets = { core: await coreModule() };
const MIX = { flows: 16, bytes: 60 };

function subjectOf(workload: Workload, mix = MIX): Subject {
  const file = `${workload.name}.bpf.o`;
  const path = join(import.meta.dirname, '../../scenarios/workloads', file);
  const subject = loadSubject(assets, readFileSync(path), file);
  workload.prepare?.(subject.put, mix);
  return subject;
}

function pathOf(workload: Workload, target: Target, options: TimingOptions = {}, mix = MIX) {
  const subject = subjectOf(workload, mix);
  const compiled = target.compile(subject.program);
  if (compiled.kind === 'refused') throw new Error(`${workload.name} was refused`);
  const timing = target.timing(compiled.image, subject.runtime, options);
  const path = new Datapath(subject.runtime, subject.program, timing, workload.ports);
  return { subject, path };
}

/** Millions of packets a second, offered every so many nanoseconds. */
function rate(path: Datapath, workload: Workload, packets: number, gapNs: number, mix = MIX) {
  const frames = workload.packets(mix);
  for (let i = 0; i < packets; i++) {
    const { data, port } = frames[i % frames.length]!;
    path.packet(data, i * gapNs, port);
  }
  const { offered, lost, lastDoneNs } = path.counts;
  return ((offered - lost) / lastDoneNs) * 1e3;
}

/** The engine's own tests run all; these differ in what the model sees of them. */
const KINDS = [
  'drop_read', 'xdp2', 'adjust_tail', 'router_ipv4', 'tx_iptunnel', 'redirect_map', 'firewall',
  'balancer', 'suricata', 'csum1',
].map((name) => workloadNamed(name)!); // prettier-ignore

describe.each(KINDS)('$name', (workload) => {
  it('becomes what the interpreter makes of it, at every length', () => {
    const { subject, path } = pathOf(workload, createX86());
    const plain = subjectOf(workload);
    const executable = createInterpreter().compile(plain.program.host, plain.runtime);
    const slot = new PacketSlot(plain.runtime.ram, workload.ports);
    const frames = workload.packets(MIX);
    const first = frames[0]!.data;
    const cut = Array.from({ length: Math.min(64, first.length) }, (_, bytes) => ({
      data: first.subarray(0, Math.max(14, bytes)),
      port: 0,
    }));
    [...frames, ...frames, ...cut].forEach(({ data, port }, i) => {
      path.packet(data, i * 1000, port);
      slot.place(data, port);
      const verdict = executable.run(slot.xdp.offset);
      expect([path.verdict, path.bytes()]).toEqual([verdict, slot.bytes()]);
    });
    expect(subject.contents()).toEqual(plain.contents());
  });
});

it('counts the instructions that the simulator ran', () => {
  const workload = workloadNamed('firewall')!;
  const counted = subjectOf(workload);
  const blocks: CodeBlock[] = [];
  let insns = 0;
  let branches = 0;
  const engine = createX86Engine();
  engine.observe(counted.runtime, {
    blocks: (made) => made.forEach((block) => (blocks[block.id] = block)),
    events(words, count) {
      for (let at = 0; at < count;) {
        const block = blocks[words[at]!]!;
        insns += block.insns.length;
        if (block.end.kind === 'branch') branches++;
        at += 1 + block.words;
      }
    },
  });
  const executable = engine.compile(counted.program.host, counted.runtime);
  const slot = new PacketSlot(counted.runtime.ram, workload.ports);
  // Nothing beside the program.
  const nic = { ...I40E, receiveCycles: 0, transmitCycles: 0, redirectCycles: 0, passCycles: 0 };
  const { path } = pathOf(workload, createX86({ nic }));
  const frames = workload.packets(MIX);
  for (const [i, { data, port }] of frames.entries()) {
    slot.place(data, port);
    executable.run(slot.xdp.offset);
    path.packet(data, i * 1000, port);
  }
  const { instructions, counters, cycles, breakdown } = path.timing.report();
  expect(counters['branches']).toBe(branches);
  // Kernel functions, two or three a packet, come on top.
  expect(instructions).toBeGreaterThan(insns);
  expect(instructions - insns).toBe(
    frames.length * Math.round((instructions - insns) / frames.length),
  );
  expect(Object.values(breakdown).reduce((sum, part) => sum + part)).toBe(cycles);
});

it('offers counters and last branches as perf events ask for them', () => {
  const workload = workloadNamed('xdp1')!;
  const { path } = pathOf(workload, createX86());
  rate(path, workload, 100, 1000);
  const [pmu] = (path.timing as HostTiming).pmus;
  const { instructions, counters, cycles } = path.timing.report();
  const [hardware, caches] = [0, 3];
  const read = (type: number, config: number) => Number(pmu!.counter(type, BigInt(config))?.());
  expect(read(hardware, 1)).toBe(instructions);
  expect(read(hardware, 4)).toBe(counters['branches']);
  expect(read(hardware, 5)).toBe(counters['branch-misses']);
  expect(read(caches, 0x1_00_00)).toBe(counters['L1-dcache-load-misses']);
  // Idle, it counts nothing.
  expect(read(hardware, 0)).toBe(Math.floor(cycles));
  expect(pmu!.counter(hardware, 9n)).toBeUndefined();
  expect(pmu!.counter(1, 0n)).toBeUndefined();
  const records = pmu!.lastBranches();
  expect(records.length).toBeGreaterThan(4);
  // Within the one image, where the simulator put it.
  for (const { from, to } of records) {
    expect(from >> 12n).toBe(0xffff_ffff_c000_0n);
    expect(to >> 12n).toBe(0xffff_ffff_c000_0n);
  }
});

describe("Arm's cores", () => {
  const cyclesOf = (core: typeof NEOVERSE_N1, name: string): number => {
    const workload = workloadNamed(name)!;
    const { subject, path } = pathOf(
      workload,
      createArm({ core, nic: core === CORTEX_A53 ? MVNETA : MLX5 }),
    );
    const plain = subjectOf(workload);
    const executable = createInterpreter().compile(plain.program.host, plain.runtime);
    const slot = new PacketSlot(plain.runtime.ram, workload.ports);
    const frames = workload.packets(MIX);
    for (let i = 0; i < 20 * frames.length; i++) {
      const { data, port } = frames[i % frames.length]!;
      path.packet(data, i * 5000, port);
      slot.place(data, port);
      expect(path.verdict).toBe(executable.run(slot.xdp.offset));
      expect(path.bytes()).toEqual(slot.bytes());
    }
    expect(subject.contents()).toEqual(plain.contents());
    return path.timing.report().cycles / path.counts.offered;
  };

  it.each(['firewall', 'balancer'])('run %s, the wider the faster', (name) => {
    const [small, n1, v2] = [CORTEX_A53, NEOVERSE_N1, NEOVERSE_V2].map((core) =>
      cyclesOf(core, name),
    );
    expect(v2).toBeLessThan(n1! * 0.8);
    expect(n1).toBeLessThan(small! * 0.5);
  });

  it('an Espressobin drops 0.7 million packets a second', () => {
    expect(1e3 / cyclesOf(CORTEX_A53, 'drop')).toBeCloseTo(0.7, 1);
  });
});

describe('a server', () => {
  const drop = workloadNamed('drop')!;
  const xdp1 = workloadNamed('xdp1')!;

  it('takes the same time every time', () => {
    const run = () => {
      const { path } = pathOf(workloadNamed('suricata')!, createX86());
      const mpps = rate(path, workloadNamed('suricata')!, 2000, 20);
      return [mpps, path.timing.report(), path.latencies.percentile(0.99)];
    };
    expect(run()).toEqual(run());
  });

  it('does no more than the card and no more than the core can', () => {
    const { path } = pathOf(drop, createX86({ clockHz: 8e9 }));
    const most = rate(path, drop, 20_000, 10);
    expect(most / I40E.receiveMpps).toBeCloseTo(0.99, 1);
    expect(most).toBeLessThan(I40E.receiveMpps);
    const slow = pathOf(drop, createX86({ clockHz: 1e9 })).path;
    const mpps = rate(slow, drop, 20_000, 10);
    const cycles = slow.timing.report().cycles / (slow.counts.offered - slow.counts.lost);
    expect(mpps).toBeCloseTo(1e3 / cycles, 0);
    expect(slow.counts.lost).toBeGreaterThan(0);
  });

  it('loses what its ring has no room for, and nothing else', () => {
    const workload = workloadNamed('tx')!;
    const { path } = pathOf(workload, createX86());
    const frames = workload.packets(MIX);
    // As many as descriptors, at once, then a few more.
    for (let i = 0; i < I40E.ringEntries + 400; i++) path.packet(frames[0]!.data, i * 10);
    expect(path.counts.lost).toBeGreaterThan(0);
    const lost = path.counts.lost;
    for (let i = 0; i < 100; i++) path.packet(frames[0]!.data, 1e6 + i * 1000);
    expect(path.counts.lost).toBe(lost);
  });

  it('with more cores does more, as flows are spread', () => {
    const target = createX86({ core: BROADWELL, nic: MLX5 });
    const mix = { flows: 512, bytes: 60 };
    const at = (cores: number, flows: number) => {
      const many = { ...mix, flows };
      const { path } = pathOf(xdp1, target, { parallel: cores }, many);
      return rate(path, xdp1, 20_000, 6.7, many);
    };
    const one = at(1, 512);
    expect(at(2, 512) / one).toBeCloseTo(2, 1);
    expect(at(3, 512) / one).toBeCloseTo(3, 0);
    // One flow has one queue.
    expect(at(4, 1) / one).toBeCloseTo(1, 1);
  });

  it('wakes up for a packet, and is awake for the next', () => {
    const workload = workloadNamed('tx')!;
    const { path } = pathOf(workload, createX86());
    const frame = workload.packets(MIX)[0]!.data;
    path.packet(frame, 0);
    const first = path.doneNs;
    expect(first).toBeGreaterThan(I40E.wakeNs + I40E.ioNs);
    path.packet(frame, 100);
    expect(path.doneNs - first).toBeLessThan(200);
    path.packet(frame, 1e6);
    expect(path.doneNs - 1e6).toBeCloseTo(first, -2);
  });

  it('reads what devices wrote more slowly where their rings do not fit', () => {
    const workload = workloadNamed('drop_read')!;
    const cycles = (bytes: number): number => {
      const { path } = pathOf(workload, createX86(), {}, { flows: 16, bytes });
      rate(path, workload, 2000, 1000, { flows: 16, bytes });
      return path.timing.report().cycles / 2000;
    };
    expect(cycles(1500)).toBeCloseTo(cycles(60), 0);
    const deep = { ...I40E, ringEntries: 4096 };
    const { path } = pathOf(workload, createX86({ nic: deep }), {}, { flows: 16, bytes: 1500 });
    rate(path, workload, 2000, 1000, { flows: 16, bytes: 1500 });
    expect(path.timing.report().cycles / 2000).toBeGreaterThan(cycles(60) + 100);
    // And one, of the context.
    expect(path.timing.report().counters['LLC-load-misses']).toBe(2001);
  });
});
