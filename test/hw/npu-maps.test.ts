/** Map values on the NPU: read by commands, updated and deleted by the firmware's routines. */
import { expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { createNpu } from '../../hw/npu/target.ts';
import { offloadProgram } from '../../hw/offload.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import type { Executor, OffloadProgram } from '../../hw/target.ts';
import { elementsOf } from '../../scenarios/map-contents.ts';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { coreModule } from '../support/assets.ts';

const assets = { core: await coreModule() };

/** The packet's first word is the key; what is found is written to the packet. */
const TEXT = `
  r6 = *(u32 *)(r1 +0)
  r7 = *(u32 *)(r1 +4)
  r2 = r6
  r2 += 64
  if r2 > r7 goto out
  r1 = *(u32 *)(r6 +0)
  *(u32 *)(r10 -4) = r1
  r2 = r10
  r2 += -4
  r1 = map_fd(0)
  call map_lookup_elem#1
  if r0 == 0 goto missing
  r1 = *(u64 *)(r0 +0)
  *(u64 *)(r6 +8) = r1
  r1 = *(u16 *)(r0 +9)
  *(u16 *)(r6 +16) = r1
  r1 = *(u8 *)(r0 +15)
  *(u8 *)(r6 +18) = r1
  r1 = *(u32 *)(r0 +0)
  *(u32 *)(r6 +20) = r1
  r1 = *(u32 *)(r0 +4)
  *(u32 *)(r6 +24) = r1
  r1 = *(u64 *)(r6 +32)
  lock *(u64 *)(r0 +16) += r1
  lock *(u32 *)(r0 +24) += r1
  r1 = *(u8 *)(r6 +4)
  if r1 & 1 goto out
  r2 = r10
  r2 += -4
  r1 = map_fd(0)
  call map_delete_elem#3
  goto out
missing:
  r1 = 0
  *(u64 *)(r10 -16) = r1
  *(u64 *)(r10 -24) = r1
  r1 = *(u64 *)(r6 +40)
  *(u64 *)(r10 -32) = r1
  *(u64 *)(r10 -40) = r1
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -40
  r4 = 0
  r1 = map_fd(0)
  call map_update_elem#2
out:
  r0 = 2
  exit`;

function machineWith(): { machine: BatchMachine; program: OffloadProgram } {
  const programs: OffloadProgram[] = [];
  const machine = new BatchMachine(assets, {
    devices: [1],
    verified: (spec, env, verdict) => {
      if (verdict.kind === 'accepted') programs.push(offloadProgram(spec, env, verdict.program));
    },
  });
  const insns = assemble(TEXT);
  const fixups = insns.flatMap(({ code, src }, insn) =>
    code === 0x18 && src === 1 ? [{ insn, map: 0 }] : [],
  );
  const answer = machine.answer(
    parseRequest({
      id: 'maps',
      prog_type: 'xdp',
      insns: Buffer.from(encodeInsns(insns)).toString('hex'),
      maps: [{ type: 'hash', key_size: 4, value_size: 32, max_entries: 8 }],
      fixups,
      license: 'GPL',
    }),
  );
  expect(programs, JSON.stringify(answer)).toHaveLength(1);
  return { machine, program: programs[0]! };
}

function outcome(start: (on: ReturnType<typeof machineWith>) => Pick<Executor, 'run'>) {
  const on = machineWith();
  const { ram } = on.machine.runtime;
  const run = start(on);
  const slot = new PacketSlot(ram);
  const packets = Array.from({ length: 200 }, (_, i) => {
    const data = Uint8Array.from({ length: 64 }, (_, at) => (i * 37 + at * 11) & 255);
    data.set([i % 11, 0, 0, 0, (i * 7) >> 3], 0);
    slot.place(data);
    return `${run.run(slot.xdp.offset)} ${Buffer.from(slot.bytes()).toString('hex')}`;
  });
  return { packets, map: elementsOf(ram, on.program.host.usedMaps[0]!) };
}

it('reads, counts, updates and deletes as the interpreter does', () => {
  const target = createNpu();
  const device = outcome(({ machine, program }) => {
    const result = target.compile(program);
    if (result.kind === 'refused') throw new Error(result.diagnostics[0]!.message);
    return target.execute(result.image, machine.runtime);
  });
  const host = outcome(({ machine, program }) =>
    createInterpreter().compile(program.host, machine.runtime),
  );
  expect(device).toEqual(host);
  expect(device.map.length).toBeGreaterThan(0);
});
