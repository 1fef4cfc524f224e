/** The pipeline does what the program does, packet by packet, and fits or says why not. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createInterpreter } from '../../../bpf/interp/interp.ts';
import type { RamOffset } from '../../../kernel/types/units.ts';
import { loadSubject, type Subject } from '../../../scenarios/compare/subject.ts';
import { WORKLOADS, type Workload } from '../../../scenarios/workloads/workloads.ts';
import { coreModule } from '../../../test/support/assets.ts';
import { PacketSlot } from '../../packet-slot.ts';
import type { PipelineImage } from './image.ts';
import { createPipeline, type PipelineOptions } from './target.ts';

const assets = { core: await coreModule() };
const MIX = { flows: 32, bytes: 60 };

function load({ name, prepare }: Pick<Workload, 'name' | 'prepare'>): Subject {
  const path = new URL(`../../../scenarios/workloads/${name}.bpf.o`, import.meta.url);
  const subject = loadSubject(assets, readFileSync(path), name);
  prepare?.(subject.put, MIX);
  return subject;
}

function compiled(subject: Subject, options?: PipelineOptions): PipelineImage {
  const result = createPipeline(options).compile(subject.program);
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.diagnostics[0]));
  return result.image;
}

/** Packets of the workload, whole and cut short at every length that a check could be about. */
function packetsOf(each: Workload) {
  const whole = each.packets(MIX);
  const cut = Array.from({ length: 61 }, (_, length) => {
    const { data, port } = whole[length % whole.length]!;
    return { data: data.subarray(0, length), port };
  });
  return [...whole, ...cut];
}

function outcomes(each: Workload, start: (subject: Subject) => (xdp: RamOffset) => number) {
  const subject = load(each);
  const run = start(subject);
  const slot = new PacketSlot(subject.runtime.ram, each.ports);
  const results = packetsOf(each).map(({ data, port }) => {
    slot.place(data, port);
    return [run(slot.xdp.offset), slot.bytes().slice()];
  });
  return { results, maps: subject.contents() };
}

const reference = (each: Workload) =>
  outcomes(each, ({ program, runtime }) => {
    const executable = createInterpreter().compile(program.host, runtime);
    return (xdp) => executable.run(xdp);
  });

describe.each(WORKLOADS)('$name', (each) => {
  it.each([32, 64] as const)(
    'in frames of %i bytes does what the interpreter does',
    (frameBytes) => {
      const device = outcomes(each, (subject) => {
        const run = createPipeline().execute(compiled(subject, { frameBytes }), subject.runtime);
        return (xdp) => run.run(xdp);
      });
      expect(device).toEqual(reference(each));
    },
  );
});
