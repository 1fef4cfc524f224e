/**
 * The workloads for tests of devices: what becomes of their packets, and of packets cut short at every
 * length that a check could be about.
 */
import { readFileSync } from 'node:fs';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { loadSubject, type Subject } from '../../scenarios/compare/subject.ts';
import type { OfferedPacket, Workload } from '../../scenarios/workloads/workloads.ts';
import { workloadNamed } from '../../scenarios/workloads/workloads.ts';
import { coreModule } from './assets.ts';

const assets = { core: await coreModule() };
const MIX = { flows: 32, bytes: 60 };
const SHORT_BYTES = 61;

/** On fresh maps, filled. */
export function loadWorkload({ name, prepare }: Pick<Workload, 'name' | 'prepare'>): Subject {
  const path = new URL(`../../scenarios/workloads/${name}.bpf.o`, import.meta.url);
  const subject = loadSubject(assets, readFileSync(path), name);
  prepare?.(subject.put, MIX);
  return subject;
}

export const workload = (name: string): Workload => workloadNamed(name)!;

/** Whole, and cut short. */
export function packetsOf(each: Workload): readonly OfferedPacket[] {
  const whole = each.packets(MIX);
  const cut = Array.from({ length: SHORT_BYTES }, (_, length) => {
    const { data, port } = whole[length % whole.length]!;
    return { data: data.subarray(0, length), port };
  });
  return [...whole, ...cut];
}

/** Verdict and bytes of each packet, and what is in the maps then. */
export function outcomes(each: Workload, start: (on: Subject) => (xdp: RamOffset) => number) {
  const subject = loadWorkload(each);
  const run = start(subject);
  const slot = new PacketSlot(subject.runtime.ram, each.ports);
  const results = packetsOf(each).map(({ data, port }) => {
    slot.place(data, port);
    return [run(slot.xdp.offset), slot.bytes().slice()];
  });
  return { results, maps: subject.contents() };
}

/** What the interpreter makes of them. */
export const reference = (each: Workload) =>
  outcomes(each, ({ program, runtime }) => {
    const executable = createInterpreter().compile(program.host, runtime);
    return (xdp) => executable.run(xdp);
  });
