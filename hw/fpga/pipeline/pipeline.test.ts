/** The pipeline does what the program does, packet by packet, and fits or says why not. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assemble } from '../../../bpf/asm/assemble.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import type { Subject } from '../../../scenarios/compare/subject.ts';
import { WORKLOADS } from '../../../scenarios/workloads/workloads.ts';
import { unverifiedProgram } from '../../../test/support/unverified.ts';
import {
  loadWorkload,
  outcomes,
  packetsOf,
  reference,
  workload,
} from '../../../test/support/workloads.ts';
import { Datapath } from '../../datapath.ts';
import { PacketSlot } from '../../packet-slot.ts';
import { PipelineClock } from './clock.ts';
import { evaluate } from './evaluate.ts';
import { Graph } from './graph.ts';
import { type Node } from './node.ts';
import type { PipelineImage } from './image.ts';
import type { PipelineRun } from './run.ts';
import { createPipeline, type PipelineOptions } from './target.ts';

function compiled({ program }: Subject, options?: PipelineOptions): PipelineImage {
  const result = createPipeline(options).compile(program);
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.diagnostics));
  return result.image;
}

const onDevice = (name: string, options?: PipelineOptions) =>
  outcomes(workload(name), (subject) => {
    const run = createPipeline(options).execute(compiled(subject, options), subject.runtime);
    return (xdp) => run.run(xdp);
  });

it.each(WORKLOADS)('$name does what the interpreter does', (each) => {
  expect(onDevice(each.name)).toEqual(reference(each));
});

it.each(['adjust_tail', 'tx_iptunnel', 'xdp2'])('%s also in frames of 32 bytes', (name) => {
  expect(onDevice(name, { frameBytes: 32 })).toEqual(reference(workload(name)));
});

it.each(['balancer'])('%s: the trace tells which packets flush', (name) => {
  const each = workload(name);
  const traced = loadWorkload(each);
  const image = compiled(traced);
  const timing = createPipeline().timing(image, traced.runtime, { clockHz: 1e9 });
  const path = new Datapath(traced.runtime, traced.program, timing, each.ports);
  const other = loadWorkload(each);
  const run = createPipeline().execute(compiled(other), other.runtime) as PipelineRun;
  const slot = new PacketSlot(other.runtime.ram, each.ports);
  const clock = new PipelineClock(image.schedule.stages, image.hazards);
  let flushes = 0;
  packetsOf(each).forEach(({ data, port }, i) => {
    slot.place(data, port);
    run.run(slot.xdp.offset);
    clock.packet(i * 20, 1, run.wrote);
    if (run.wrote) flushes++;
    path.packet(data, i * 20, port);
    const sends = path.verdict! > 1;
    const frames = sends ? Math.max(1, Math.ceil(slot.length / 64)) : 1;
    expect(path.doneNs, `packet ${i}`).toBe(clock.leaves + frames + (sends ? 800 : 0));
  });
  expect(flushes).toBeGreaterThan(0);
  expect(timing.report().counters['flushes']).toBe(flushes);
});

it('a flush sends those behind back: by hand', () => {
  const flush = { stage: 3, writers: [] };
  const clock = new PipelineClock(5, { interval: 1, flush });
  clock.packet(0, 1, true);
  // Written in cycle 0, read from the ring in 1, in stage 0 in 2, at the output five stages later.
  expect([clock.entry, clock.leaves]).toEqual([2, 7]);
  clock.packet(1, 1, false);
  // In stage 0 in cycle 3, sent back in 5, begun again in 6, in stage 0 in 7.
  expect([clock.entry, clock.flushed]).toEqual([7, 4]);
  clock.packet(20, 2, false);
  expect([clock.entry, clock.flushed, clock.leaves]).toEqual([23, 0, 28]);
});

it('an interval keeps packets apart, frames as well: by hand', () => {
  const clock = new PipelineClock(4, { interval: 3 });
  const entries = [1, 1, 5, 1].map((frames) => {
    clock.packet(0, frames, false);
    return clock.entry;
  });
  // The third is whole in cycle 6, the fourth waits for its five frames.
  expect(entries).toEqual([2, 5, 8, 13]);
});

function refused(text: string, program = unverifiedProgram(assemble(text), { type: 'xdp' })) {
  const both = { device: program, host: program } satisfies Record<string, VerifiedProgram>;
  const result = createPipeline().compile(both);
  if (result.kind === 'image') throw new Error('it fits');
  const [{ reason, insn, errno, hint }] = result.diagnostics as [(typeof result.diagnostics)[0]];
  expect(hint).toBeDefined();
  return [reason, insn, errno];
}

it('refuses what has no form as a pipeline, with reason, instruction and errno', () => {
  const EOPNOTSUPP = 95;
  const ENOSPC = 28;
  expect(refused('r0 = 3\nagain: r0 -= 1\n if r0 != 0 goto again\n exit')).toEqual([
    'loop',
    1,
    EOPNOTSUPP,
  ]);
  expect(refused('call sub\n exit\nsub: r0 = 1\n exit')).toEqual(['subprogram', 2, EOPNOTSUPP]);
  expect(refused('call 7\n exit')).toEqual(['unsupported-helper', 0, EOPNOTSUPP]);
  expect(refused('r2 = r10\n r0 = *(u64 *)(r2 - 8)\n exit')).toEqual([
    'uninitialised-stack',
    1,
    EOPNOTSUPP,
  ]);
  expect(refused('r0 = *(u32 *)(r1 + 0)\n r0 = *(u8 *)(r0 + 300)\n exit')).toEqual([
    'packet-offset',
    1,
    EOPNOTSUPP,
  ]);
  const sums = Array.from({ length: 400 }, () => ' r2 *= r2\n').join('');
  expect(refused(`r2 = *(u32 *)(r1 + 12)\n${sums} r0 = r2\n exit`)).toEqual([
    'program-too-large',
    undefined,
    ENOSPC,
  ]);
});

it('folding changes no value', () => {
  const OPS = ['add', 'sub', 'mul', 'and', 'or', 'xor', 'shl', 'eq', 'ult', 'low', 'mux'] as const;
  const step = fc.tuple(fc.constantFrom(...OPS), fc.nat(30), fc.nat(30), fc.nat(63));
  const constants = fc.array(fc.bigInt(0n, (1n << 64n) - 1n), { minLength: 3, maxLength: 3 });
  const inputs = fc.array(fc.bigInt(0n, (1n << 64n) - 1n), { minLength: 2, maxLength: 2 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), constants, inputs, (steps, fixed, given) => {
      const graph = new Graph();
      const frame = graph.input('frame', 128, 0n);
      const nodes: Node[] = [graph.slice(frame, 0, 64), graph.slice(frame, 64, 64)];
      const plain = [...given, ...fixed, 0n, 1n, 255n];
      nodes.push(...[...fixed, 0n, 1n, 255n].map((value) => graph.const(value)));
      for (const [op, i, j, by] of steps) {
        const [a, b] = [i % nodes.length, j % nodes.length];
        const [node, value] = both(graph, op, nodes[a]!, nodes[b]!, plain[a]!, plain[b]!, by);
        nodes.push(node);
        plain.push(value);
      }
      const values = new Map<Node, bigint>();
      for (const node of graph.nodes) {
        const args = node.args.map((arg) => values.get(arg)!);
        const whole = given[0]! | (given[1]! << 64n);
        values.set(node, node.op === 'frame' ? whole : evaluate(node, args));
      }
      expect(nodes.map((node) => values.get(node))).toEqual(plain);
    }),
    { numRuns: 1500 },
  );
});

/** One operation as a node, and as arithmetic. */
function both(
  graph: Graph,
  op: 'add' | 'sub' | 'mul' | 'and' | 'or' | 'xor' | 'shl' | 'eq' | 'ult' | 'low' | 'mux',
  a: Node,
  b: Node,
  x: bigint,
  y: bigint,
  by: number,
): readonly [Node, bigint] {
  const wrapped = (value: bigint): bigint => BigInt.asUintN(64, value);
  const truth = (holds: boolean): bigint => (holds ? 1n : 0n);
  switch (op) {
    case 'add':
      return [graph.add(a, b), wrapped(x + y)];
    case 'sub':
      return [graph.sub(a, b), wrapped(x - y)];
    case 'mul':
      return [graph.mul(a, b), wrapped(x * y)];
    case 'and':
      return [graph.and(a, b), x & y];
    case 'or':
      return [graph.or(a, b), x | y];
    case 'xor':
      return [graph.xor(a, b), x ^ y];
    case 'shl':
      return [graph.shl(a, graph.const(BigInt(by)), 64), wrapped(x << BigInt(by))];
    case 'eq':
      return [graph.eq(a, b), truth(x === y)];
    case 'ult':
      return [graph.ult(a, b), truth(x < y)];
    case 'low': {
      const low = by % 32;
      return [graph.slice(a, low, 32), (x >> BigInt(low)) & 0xffff_ffffn];
    }
    case 'mux':
      return [graph.mux(graph.ult(a, b), a, b), x < y ? x : y];
  }
}
