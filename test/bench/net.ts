/**
 * `skep bench net`: packets a second of host time through NIC, NAPI and XDP, in a whole machine with
 * its scheduler. The programs are those of the XDP paper's first test: drop at once, and drop after
 * reading the packet.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { Engine } from '../../bpf/engine.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { createRuntime } from '../../bpf/runtime.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { bareKernel } from '../../bpf/testing/bare-kernel.ts';
import { changeXdpProgram } from '../../hooks/xdp-attach.ts';
import { GeneratorSource } from '../../hw/nic/frames.ts';
import type { Machine } from '../../kernel/machine.ts';
import { bootMachine } from '../../kernel/machine.ts';
import type { Network } from '../../kernel/net/boot.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { coreModule } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';

/** Enough that compiling the hot path does not count. */
const PACKETS = 1_000_000;
const FRAME_BYTES = 60;
const FLOWS = 64;
const LINE_RATE_10G = 1e10 / ((FRAME_BYTES + 24) * 8);

const DROP = assemble('r0 = 1\nexit');
/** data and data_end of struct xdp_buff; an IPv4 packet is dropped, others pass. */
const READ_AND_DROP = assemble(`
  r2 = *(u64 *)(r1 +0)
  r3 = *(u64 *)(r1 +8)
  r0 = 2
  r4 = r2
  r4 += 34
  if r4 > r3 goto pc+3
  r5 = *(u16 *)(r2 +12)
  if r5 != 0x8 goto pc+1
  r0 = 1
  exit
`);

interface Rig {
  readonly machine: Machine;
  readonly network: Network;
}

async function rig(queues: number): Promise<Rig> {
  const machine = await bootMachine(
    { cpus: queues, ramMiB: 64, nics: [{ name: 'eth0', queues }] },
    { core: await coreModule() },
  );
  const { network } = machine;
  network.net.byName('eth0')!.open();
  return { machine, network };
}

function udpFrame(flow: number): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
  frame.set([10, 0, flow >> 8, flow & 255, 10, 0, 0, 1, 4, flow & 255, 0, 53], 26);
  return frame;
}

/** Attach what an engine made of a program; no bpf(2), so that only packets are measured. */
function attach({ machine, network }: Rig, engine: Engine, insns: ReturnType<typeof assemble>) {
  const runtime = createRuntime(machine.ram, machine.core, bareKernel(machine.ram));
  const verified = unverifiedProgram(insns, { type: 'xdp' });
  const executable = engine.compile(verified, runtime);
  const program = {
    id: 1,
    attachType: 'xdp',
    prog: { verified, name: 'bench', run: (ctx: RamOffset) => executable.run(ctx) },
    get: () => program,
    put: () => {},
  } as unknown as ProgObject;
  const device = network.net.byName('eth0')!;
  if (changeXdpProgram(device, { program, flags: 0 }, {}) < 0) throw new Error('not attached');
}

/** Host time for PACKETS frames at the line rate; throws unless each was polled or missed. */
function packetsPerSecond({ machine, network }: Rig): { mpps: number; missed: number } {
  const device = network.net.byName('eth0')!;
  const frames = Array.from({ length: FLOWS }, (_, flow) => udpFrame(flow));
  const run = (count: number): number => {
    const source = new GeneratorSource(frames, {
      startNs: machine.now,
      packetsPerSecond: LINE_RATE_10G,
      count,
    });
    const before = device.linkStats();
    network.nic('eth0')!.connect(source);
    const start = performance.now();
    machine.run({ untilNs: machine.now + (count / LINE_RATE_10G) * 1e9 + 1e7 });
    const seconds = (performance.now() - start) / 1e3;
    const after = device.linkStats();
    missed = after.rx_missed_errors - before.rx_missed_errors;
    if (after.rx_packets - before.rx_packets + missed !== count) throw new Error('packets lost');
    return count / seconds / 1e6;
  };
  let missed = 0;
  run(PACKETS / 10);
  return { mpps: Math.max(run(PACKETS), run(PACKETS), run(PACKETS)), missed };
}

async function xdpRows(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const engines = [
    ['interp', () => createInterpreter()],
    ['wasm', () => createWasmJit()],
  ] as const;
  for (const queues of [1, 2]) {
    for (const [name, makeEngine] of engines) {
      for (const [what, insns] of [
        ['drop', DROP],
        ['read and drop', READ_AND_DROP],
      ] as const) {
        const bench = await rig(queues);
        attach(bench, makeEngine(), insns);
        const { mpps } = packetsPerSecond(bench);
        const isTarget = name === 'wasm';
        rows.push({
          name: `net xdp ${what}, ${name}, ${queues} queue${queues > 1 ? 's' : ''}`,
          value: mpps,
          unit: 'M packets/s',
          ...(isTarget ? { target: '>= 1' } : {}),
        });
      }
    }
  }
  return rows;
}

async function stackRow(): Promise<BenchRow> {
  const bench = await rig(2);
  const { mpps, missed } = packetsPerSecond(bench);
  return {
    name: 'net no program, 2 queues',
    value: (mpps * (PACKETS - missed)) / PACKETS,
    unit: 'M packets/s',
  };
}

export const netBench: Bench = {
  names: ['net xdp drop', 'net xdp read and drop', 'net no program'],
  async run() {
    return [...(await xdpRows()), await stackRow()];
  },
};
