/** Slot by slot, the device form of a program does what the host's does. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createInterpreter } from '../bpf/interp/interp.ts';
import { loadSubject, type Subject } from '../scenarios/compare/subject.ts';
import { WORKLOADS, type Workload } from '../scenarios/workloads/workloads.ts';
import { coreModule } from '../test/support/assets.ts';
import { type DeviceCpu, DeviceRun, DONE } from './device-cpu.ts';
import { PacketSlot } from './packet-slot.ts';

class InOrder extends DeviceRun {
  protected override drive(cpu: DeviceCpu): number {
    for (let slot = 0; slot !== DONE;) slot = cpu.step(slot);
    return Number(BigInt.asUintN(32, cpu.registers[0]!));
  }
}

const assets = { core: await coreModule() };
const MIX = { flows: 16, bytes: 60 };

function outcomes(workload: Workload, run: (subject: Subject) => (xdp: number) => number) {
  const { name } = workload;
  const path = new URL(`../scenarios/workloads/${name}.bpf.o`, import.meta.url);
  const subject = loadSubject(assets, readFileSync(path), name);
  workload.prepare?.(subject.put, MIX);
  const once = run(subject);
  const slot = new PacketSlot(subject.runtime.ram, workload.ports);
  const results = workload.packets(MIX).map(({ data, port }) => {
    slot.place(data, port);
    return [once(slot.xdp.offset), slot.bytes().slice()];
  });
  return { results, maps: subject.contents() };
}

it.each(WORKLOADS)('$name', (workload) => {
  const device = outcomes(workload, ({ program, runtime }) => {
    const inOrder = new InOrder(program.device, runtime);
    return (xdp) => inOrder.run(xdp as never);
  });
  const host = outcomes(workload, ({ program, runtime }) => {
    const executable = createInterpreter().compile(program.host, runtime);
    return (xdp) => executable.run(xdp as never);
  });
  expect(device).toEqual(host);
});
