/** The switch pipeline: does what the program does, or says why it cannot; one packet a clock. */
import { describe, expect, it } from 'vitest';
import type { Subject } from '../../scenarios/compare/subject.ts';
import { WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import {
  loadWorkload,
  outcomes,
  packetsOf,
  reference,
  workload,
} from '../../test/support/workloads.ts';
import { Datapath } from '../datapath.ts';
import type { AsicImage } from './image.ts';
import { CLOCK_HZ, STAGE, STAGES } from './params.ts';
import { createAsic } from './target.ts';

const target = createAsic();

/** Why the others do not fit: reason, and the C line's part that it is about. */
const REFUSED: Readonly<Record<string, string>> = {
  adjust_tail: 'pointer-arithmetic',
  rxq_info: 'unsupported-context',
  firewall: 'table-change',
  balancer: 'unsupported-operation',
  dnat: 'variable-offset',
  csum1: 'unsupported-helper',
  csum10: 'unsupported-helper',
  csum40: 'unsupported-helper',
};

function compiled({ program }: Subject): AsicImage {
  const result = target.compile(program);
  if (result.kind === 'refused') throw new Error(result.diagnostics[0]!.message);
  return result.image;
}

const fitting = WORKLOADS.filter(({ name }) => REFUSED[name] === undefined);

describe.each(fitting)('$name', (each) => {
  it('goes the ways that the compiler knows, and does what the interpreter does', () => {
    const device = outcomes(each, (subject) => {
      const run = target.execute(compiled(subject), subject.runtime);
      return (xdp) => run.run(xdp);
    });
    expect(device).toEqual(reference(each));
  });

  it('takes one clock a packet, and always the same time', () => {
    const subject = loadWorkload(each);
    const image = compiled(subject);
    const path = new Datapath(subject.runtime, subject.program, target.timing(image, subject.runtime, {}), each.ports); // prettier-ignore
    const gapNs = 1e9 / CLOCK_HZ;
    packetsOf(each).forEach(({ data, port }, i) => {
      const arrivalNs = i * gapNs;
      path.packet(data, arrivalNs, port);
      expect(path.doneNs - arrivalNs).toBeCloseTo(image.latencyCycles * gapNs, 3);
    });
  });

  it('takes no more of a stage than there is, and waits only for earlier stages', () => {
    const { allocation } = compiled(loadWorkload(each));
    for (const used of allocation.stages.used) {
      for (const [what, limit] of Object.entries(STAGE)) {
        expect(used[what as keyof typeof STAGE], what).toBeLessThanOrEqual(limit);
      }
    }
    for (const { stage, waits } of allocation.actions) {
      expect(stage).toBeLessThan(STAGES);
      for (const wait of waits) expect(wait.stage).toBeLessThan(stage);
    }
  });
});

it.each(Object.entries(REFUSED))('%s is refused: %s', (name, reason) => {
  const result = target.compile(loadWorkload(workload(name)).program);
  expect(result.kind).toBe('refused');
  if (result.kind !== 'refused') return;
  expect(result.diagnostics[0]!.reason).toBe(reason);
  expect(result.diagnostics[0]!.insn).toBeGreaterThanOrEqual(0);
});

it('a burst waits, and is lost where the buffer ends', () => {
  const subject = loadWorkload(workload('drop'));
  const timing = target.timing(compiled(subject), subject.runtime, {});
  const path = new Datapath(subject.runtime, subject.program, timing);
  const frame = new Uint8Array(1500);
  for (let i = 0; i < 100; i++) path.packet(frame, 0);
  expect(path.counts.lost).toBeGreaterThan(0);
  expect(path.counts.lost).toBeLessThan(100);
  expect(timing.report().counters['cycles waited']).toBeGreaterThan(0);
});
