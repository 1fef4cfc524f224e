/** What a workload of `skep compare` does with its packets in an engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../bpf/engine.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import { loadSubject } from '../../scenarios/compare/subject.ts';
import type { Workload } from '../../scenarios/workloads/workloads.ts';
import { coreModule } from '../support/assets.ts';

const MIX = { flows: 64, bytes: 60 };

/** Verdict and bytes of each packet, and the maps afterwards. */
export async function outcomesOf(workload: Workload, engine: Engine): Promise<object> {
  const file = `${workload.name}.bpf.o`;
  const path = join(import.meta.dirname, '../../scenarios/workloads', file);
  const subject = loadSubject({ core: await coreModule() }, readFileSync(path), file);
  workload.prepare?.(subject.put, MIX);
  const executable = engine.compile(subject.program.host, subject.runtime);
  const slot = new PacketSlot(subject.runtime.ram, workload.ports);
  const packets = workload.packets(MIX).map(({ data, port }) => {
    slot.place(data, port);
    const verdict = executable.run(slot.xdp.offset);
    return `${verdict} ${Buffer.from(slot.bytes()).toString('hex')}`;
  });
  return { packets, maps: subject.contents() };
}
