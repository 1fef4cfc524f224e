/** The NFP-4000: does what the program does, or says as the driver would why not; takes its time. */
import { describe, expect, it } from 'vitest';
import type { Subject } from '../../scenarios/compare/subject.ts';
import { SHARED_COUNTERS, WORKLOADS, X86_MEASURED } from '../../scenarios/workloads/workloads.ts';
import {
  loadWorkload,
  outcomes,
  packetsOf,
  reference,
  workload,
} from '../../test/support/workloads.ts';
import { Datapath } from '../datapath.ts';
import { PacketSlot } from '../packet-slot.ts';
import { ACTIONS } from './compile.ts';
import type { NpuImage } from './image.ts';
import { decode, encode } from './isa.ts';
import { DATAPATH_PACKETS_PER_SECOND, WAITING_PACKETS } from './params.ts';
import type { NpuRun } from './run.ts';
import { createNpu } from './target.ts';

const target = createNpu();
const ALL = [...WORKLOADS, ...X86_MEASURED, ...SHARED_COUNTERS];

/** Why the others do not fit. */
const REFUSED: Readonly<Record<string, string>> = {
  redirect: 'unsupported-helper',
  xdp1: 'unsupported-map-type',
  xdp2: 'unsupported-map-type',
  adjust_tail: 'unsupported-helper',
  router_ipv4: 'map-flags',
  rxq_info: 'unsupported-map-type',
  tx_iptunnel: 'unsupported-map-type',
  redirect_map: 'unsupported-map-type',
  firewall: 'unsupported-map-type',
  balancer: 'unsupported-map-type',
  dnat: 'unsupported-map-type',
  suricata: 'unsupported-helper',
  csum1: 'unsupported-helper',
  csum10: 'unsupported-helper',
  csum40: 'unsupported-helper',
  hit4: 'unsupported-map-type',
  hit16: 'unsupported-map-type',
  sum1: 'unsupported-map-type',
  sum10: 'unsupported-map-type',
  sum40: 'unsupported-map-type',
};

function compiled({ program }: Subject): NpuImage {
  const result = target.compile(program);
  if (result.kind === 'refused') throw new Error(result.diagnostics[0]!.message);
  return result.image;
}

describe.each(ALL.filter(({ name }) => REFUSED[name] === undefined))('$name', (each) => {
  it('does what the interpreter does', () => {
    const device = outcomes(each, (subject) => {
      const run = target.execute(compiled(subject), subject.runtime);
      return (xdp) => run.run(xdp);
    });
    expect(device).toEqual(reference(each));
  });

  it('is timed with as many instructions as are executed, and tells the firmware its verdict', () => {
    const subject = loadWorkload(each);
    const image = compiled(subject);
    const timing = target.timing(image, subject.runtime, {});
    const path = new Datapath(subject.runtime, subject.program, timing, each.ports);
    const other = loadWorkload(each);
    const run = target.execute(compiled(other), other.runtime) as NpuRun;
    const slot = new PacketSlot(other.runtime.ram, each.ports);
    let instructions = 0;
    packetsOf(each).forEach(({ data, port }, i) => {
      path.packet(data, i * 1000, port);
      slot.place(data, port);
      const verdict = run.run(slot.xdp.offset);
      instructions += run.instructions;
      expect(timing.report().counters['program instructions'], `packet ${i}`).toBe(instructions);
      expect(run.action).toBe((ACTIONS.table >>> (8 * verdict)) & 0xff);
    });
  });

  it('is encoded in words that say all of it', () => {
    const { code, bytes } = compiled(loadWorkload(each));
    expect(bytes.length).toBe(8 * code.insns.length);
    expect(decode(bytes)).toEqual(code.insns);
    expect(decode(encode(code.insns))).toEqual(code.insns);
  });
});

it.each(Object.entries(REFUSED))('%s is refused: %s', (name, reason) => {
  const result = target.compile(loadWorkload(workload(name)).program);
  if (result.kind !== 'refused') throw new Error('it fits');
  const [first] = result.diagnostics;
  expect(first).toMatchObject({ reason, errno: expect.any(Number), hint: expect.any(String) });
  expect(first!.message).toMatch(/^(\[nfp\]|nfp:) /);
});

function saturated(name: string, frame: Uint8Array, packets = 20_000) {
  const subject = loadWorkload(workload(name));
  const timing = target.timing(compiled(subject), subject.runtime, {});
  const path = new Datapath(subject.runtime, subject.program, timing);
  for (let i = 0; i < packets; i++) path.packet(frame, (i * (frame.length + 24) * 8) / 40);
  return { path, timing };
}

const FRAME = workload('l2_acl').packets({ flows: 1, bytes: 60 })[0]!.data;

it('the fixed datapath bounds short programs; what it has no room for is lost', () => {
  const { path } = saturated('drop', FRAME);
  const { counts } = path;
  const rate = (counts.offered - counts.lost) / (counts.lastDoneNs - counts.firstArrivalNs);
  expect((rate * 1e9) / DATAPATH_PACKETS_PER_SECOND).toBeGreaterThan(0.95);
  expect((rate * 1e9) / DATAPATH_PACKETS_PER_SECOND).toBeLessThan(1.01);
  expect(counts.lost).toBeGreaterThan(0);
});

it('a burst waits for threads, and is lost where the buffers end', () => {
  const subject = loadWorkload(workload('l2_acl'));
  const timing = target.timing(compiled(subject), subject.runtime, { parallel: 1 });
  const path = new Datapath(subject.runtime, subject.program, timing);
  for (let i = 0; i < 1000; i++) path.packet(FRAME, 0);
  expect(1000 - path.counts.lost).toBeLessThanOrEqual(WAITING_PACKETS + 4);
  expect(path.counts.lost).toBeLessThan(1000);
});

it('threads hide what each waits for, until their core has no more turns to give', () => {
  const rate = (parallel: number): number => {
    const subject = loadWorkload(workload('l2_acl'));
    const timing = target.timing(compiled(subject), subject.runtime, { parallel });
    const path = new Datapath(subject.runtime, subject.program, timing);
    for (let i = 0; i < 4000; i++) path.packet(FRAME, i * 30);
    const { counts } = path;
    const { breakdown } = timing.report();
    const busy = (breakdown['program']! + breakdown['firmware']!) / 0.8 / parallel;
    expect(busy / counts.lastDoneNs, `${parallel} cores`).toBeLessThanOrEqual(1);
    return (counts.offered - counts.lost) / counts.lastDoneNs;
  };
  const [one, two] = [rate(1), rate(2)];
  expect(two / one).toBeGreaterThan(1.9);
  expect(two / one).toBeLessThan(2.1);
});

it('packets leave in the order in which they came', () => {
  const subject = loadWorkload(workload('l2_acl'));
  const timing = target.timing(compiled(subject), subject.runtime, {});
  const path = new Datapath(subject.runtime, subject.program, timing);
  const packets = workload('l2_acl').packets({ flows: 64, bytes: 60 });
  let last = 0;
  for (let i = 0; i < 2000; i++) {
    path.packet(packets[i % packets.length]!.data, i * 30);
    if (path.verdict !== 2) continue;
    expect(path.doneNs).toBeGreaterThanOrEqual(last);
    last = path.doneNs;
  }
  expect(last).toBeGreaterThan(0);
});
