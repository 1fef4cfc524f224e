/**
 * Programs as clang makes them, on real packets, loaded as libbpf loads them: verdict, packet and
 * every byte of RAM are the same whichever engine runs them.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readObject } from '../../bpf/elf/object.ts';
import type { Engine } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { CORE_RESERVED_BYTES } from '../../bpf/native/core.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { COMPUTE_PROGRAMS, HELPER_PROGRAMS, loadProgram } from '../bench/program-rig.ts';
import { coreModule } from '../support/assets.ts';

/** What programs and maps use lies below. */
const END = 2 ** 24;

const scenario = (file: string): Uint8Array =>
  readFileSync(new URL(`../../scenarios/first-light/${file}`, import.meta.url));

async function loaded(engine: Engine): Promise<(packet: Uint8Array) => unknown> {
  const machine = new BareMachine({ core: await coreModule() }, { level: '6.1', engine });
  const spec = readObject(scenario('xdp_count.bpf.o'), 'xdp_count.bpf.o');
  const outcome = runDirect(loadObject(machine.loaderUser(), spec, { logLevel: 0 }));
  if (outcome.kind === 'failed') throw new Error(outcome.messages.join('\n'));
  const { fd } = outcome.programs[0]!;
  const { caller } = machine;
  const { ram } = machine.bpf.host.runtime;
  const out = caller.place(2048);
  return (packet) => {
    const { result, attr } = machine.call('prog_test_run', {
      prog_fd: fd,
      data_in: caller.place(packet),
      data_size_in: packet.length,
      data_out: out,
      data_size_out: 2048,
      repeat: 1,
    });
    const bytes = Buffer.from(caller.bytesAt(out, attr.data_size_out)).toString('hex');
    return { result, retval: attr.retval, bytes, ram: Buffer.from(ram.u8.buffer) };
  };
}

it('xdp_count does, call by call', async () => {
  const engines = [createInterpreter(), createWasmJit(), createWasmJit({ inline: false })];
  const runs = await Promise.all(engines.map(loaded));
  const { frames } = readCapture(scenario('traffic.pcap'), 'traffic.pcap');
  const seen = new Set<unknown>();
  for (const { data } of frames) {
    const [expected, ...others] = runs.map((run) => run(data)) as {
      retval: number;
      ram: Buffer;
    }[];
    const { ram, ...answer } = expected!;
    seen.add(answer.retval);
    for (const { ram: otherRam, ...other } of others) {
      expect(other).toEqual(answer);
      expect(ram.compare(otherRam, CORE_RESERVED_BYTES, END, CORE_RESERVED_BYTES, END)).toBe(0);
    }
  }
  // The capture holds packets that pass and packets to the blocked port.
  expect([...seen].sort()).toEqual([1, 2]);
});

it.each([...COMPUTE_PROGRAMS, ...HELPER_PROGRAMS])('the bench’s %s does', async (name) => {
  const assets = { core: await coreModule() };
  const engines = [createInterpreter(), createWasmJit(), createWasmJit({ inline: false })];
  const [expected, ...others] = engines.map((engine) => {
    const { run, runtime } = loadProgram(assets, name, engine);
    // Twice: what is in the maps by then changes what programs do.
    const verdicts = [run(), run()];
    engineState(runtime).programs.forget();
    return { verdicts, ram: Buffer.from(runtime.ram.u8.buffer) };
  });
  for (const { verdicts, ram } of others) {
    expect(verdicts).toEqual(expected!.verdicts);
    const same = ram.compare(expected!.ram, CORE_RESERVED_BYTES, END, CORE_RESERVED_BYTES, END);
    expect(same).toBe(0);
  }
});

/** What isa_v4.bpf.c computes, in the widths of C. */
const V4: Readonly<Record<string, () => bigint>> = {
  arithmetic: () => {
    const [wide, narrow, tiny, small, big] = [-77n, -13n, -3n, -299n, 0x1122_3344_5566_7788n];
    const swapped = 0x8877_6655_4433_2211n + 0x8877_6655n + 0x8877n;
    const extended = BigInt.asIntN(8, big) + BigInt.asIntN(16, big) + BigInt.asIntN(32, big);
    return wide / narrow + (wide % tiny) + narrow / small + (narrow % tiny) + extended + swapped;
  },
  atomics: () => {
    let big = 0x1122_3344_5566_7788n;
    let sum = 0n;
    const steps = [
      big + 3n,
      (big + 3n) | 4n,
      ((big + 3n) | 4n) & 5n,
      (((big + 3n) | 4n) & 5n) ^ 6n,
      7n,
      8n,
    ];
    for (const next of steps) {
      sum += big;
      big = next;
    }
    return sum + BigInt.asUintN(32, -13n);
  },
};

it.each(Object.keys(V4))('%s in instruction set v4 does, as clang 19 compiles it', async (name) => {
  const assets = { core: await coreModule() };
  const file = 'isa_v4.o';
  const object = readFileSync(new URL(`../objects/${file}`, import.meta.url));
  const engines = [createInterpreter(), createWasmJit(), createWasmJit({ inline: false })];
  const [expected, ...others] = engines.map((engine) => {
    const machine = new BareMachine(assets, { level: 'latest', engine });
    const spec = readObject(object, file);
    const outcome = runDirect(loadObject(machine.loaderUser(), spec, { logLevel: 0 }));
    if (outcome.kind === 'failed') throw new Error(outcome.messages.join('\n'));
    const { fd } = outcome.programs.find((program) => program.name === name)!;
    const { result, attr } = machine.call('prog_test_run', { prog_fd: fd });
    expect(result).toBe(0);
    return { retval: attr.retval, ram: Buffer.from(machine.bpf.host.runtime.ram.u8.buffer) };
  });
  expect(expected!.retval).toBe(Number(BigInt.asUintN(32, V4[name]!())));
  for (const { retval, ram } of others) {
    expect(retval).toBe(expected!.retval);
    const same = ram.compare(expected!.ram, CORE_RESERVED_BYTES, END, CORE_RESERVED_BYTES, END);
    expect(same).toBe(0);
  }
});
