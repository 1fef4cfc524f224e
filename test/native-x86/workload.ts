/** What a workload of `skep compare` does with its packets in an engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../bpf/engine.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import { loadSubject } from '../../scenarios/compare/subject.ts';
import type { Workload } from '../../scenarios/workloads/workloads.ts';
import { coreModule } from '../support/assets.ts';

const MIX = { flows: 64, bytes: 60 };

/** Ethernet, IPv4 and TCP headers, and some. */
const LONGEST_CUT = 60;

/** The workload's packets, then some cut short at every length. */
function* packetsOf(workload: Workload): Generator<{ data: Uint8Array; port: number }> {
  const whole = workload.packets(MIX);
  yield* whole;
  for (let length = 0; length <= LONGEST_CUT; length++) {
    const { data, port } = whole[length % whole.length]!;
    yield { data: data.subarray(0, length), port };
  }
}

/** Verdict and bytes of each packet, and the maps afterwards. */
export async function outcomesOf(workload: Workload, engine: Engine): Promise<object> {
  const file = `${workload.name}.bpf.o`;
  const path = join(import.meta.dirname, '../../scenarios/workloads', file);
  const subject = loadSubject({ core: await coreModule() }, readFileSync(path), file);
  workload.prepare?.(subject.put, MIX);
  const executable = engine.compile(subject.program.host, subject.runtime);
  const slot = new PacketSlot(subject.runtime.ram, workload.ports);
  const packets = Array.from(packetsOf(workload), ({ data, port }) => {
    slot.place(data, port);
    const verdict = executable.run(slot.xdp.offset);
    return `${verdict} ${Buffer.from(slot.bytes()).toString('hex')}`;
  });
  return { packets, maps: subject.contents() };
}
