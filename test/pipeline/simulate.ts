/**
 * A workload's packets through the emitted Verilog of its pipeline, in iverilog or verilator, and through
 * the model, for comparison.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BpfMap } from '../../bpf/maps/map.ts';
import { PipelineClock } from '../../hw/fpga/pipeline/clock.ts';
import { indexBits, isArray, setsOf } from '../../hw/fpga/pipeline/accesses.ts';
import type { PipelineImage } from '../../hw/fpga/pipeline/image.ts';
import { createPipeline } from '../../hw/fpga/pipeline/target.ts';
import type { PipelineRun } from '../../hw/fpga/pipeline/run.ts';
import { type Frame, readOutput, stimulus, testbench } from '../../hw/fpga/pipeline/testbench.ts';
import { setOf } from '../../hw/fpga/pipeline/verilog-library.ts';
import type { HostMemory } from '../../hw/fpga/pipeline/verilog-maps.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import type { Subject } from '../../scenarios/compare/subject.ts';
import type { OfferedPacket, Workload } from '../../scenarios/workloads/workloads.ts';
import { loadWorkload } from '../support/workloads.ts';

export type Simulator = 'iverilog' | 'verilator';

export const hasTool = (tool: string): boolean =>
  spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined;

/** What is simulated: loaded anew for each run, so that both begin with the same maps. */
export interface Subjects {
  load(): Pick<Subject, 'program' | 'runtime' | 'maps' | 'contents'>;
  readonly ports?: Workload['ports'];
}
type Loaded = ReturnType<Subjects['load']>;

export const ofWorkload = (each: Workload): Subjects => ({
  load: () => loadWorkload(each),
  ...(each.ports && { ports: each.ports }),
});

export function compiled(
  subject: Pick<Subject, 'program'>,
  frameBytes: 32 | 64 = 64,
): PipelineImage {
  const result = createPipeline({ frameBytes }).compile(subject.program);
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.diagnostics));
  return result.image;
}

export interface Packet extends OfferedPacket {
  /** Clock at which its first frame is offered. */
  readonly cycle: number;
}

export interface Left {
  readonly verdict: number;
  readonly redirect: number;
  /** Empty for a drop. */
  readonly bytes: string;
  /** Clock at which its first frame leaves. */
  readonly cycle: number;
}

export interface Outcome {
  readonly left: readonly Left[];
  /** Values of maps by key. */
  readonly maps: Readonly<Record<string, readonly string[]>>;
}

/** The model: packets by the image's own run, clocks by its clock. */
export function modelled(
  each: Subjects,
  packets: readonly Packet[],
  frameBytes: 32 | 64 = 64,
): Outcome {
  const subject = each.load();
  const image = compiled(subject, frameBytes);
  const run = createPipeline().execute(image, subject.runtime) as PipelineRun;
  const clock = new PipelineClock(image.schedule.stages, image.hazards);
  const slot = new PacketSlot(subject.runtime.ram, each.ports);
  const left = packets.map(({ data, port, cycle }): Left => {
    slot.place(data, port);
    const verdict = run.run(slot.xdp.offset);
    clock.packet(cycle, Math.max(1, Math.ceil(data.length / frameBytes)), run.wrote);
    const sends = verdict >= 2 && verdict <= 4;
    return {
      verdict,
      redirect: verdict === 4 ? run.redirect : 0,
      bytes: sends ? Buffer.from(slot.bytes()).toString('hex') : '',
      cycle: clock.leaves,
    };
  });
  return { left, maps: mapsOf(subject) };
}

function mapsOf(subject: Loaded): Record<string, readonly string[]> {
  const found: Record<string, readonly string[]> = {};
  for (const [name, elements] of subject.contents()) {
    const { valueBytes, type } = subject.maps.get(name)!.spec;
    if (type === 'devmap') continue;
    const shown = elements
      .filter(([, value]) => !isArray(subject.maps.get(name)!) || value.some((byte) => byte !== 0))
      .map(([key, value]) => `${hexOf(key)}=${hexOf(value.subarray(0, valueBytes))}`);
    found[name] = shown.sort();
  }
  return found;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The emitted hardware. */
export function simulated(
  each: Subjects,
  packets: readonly Packet[],
  simulator: Simulator,
  frameBytes: 32 | 64 = 64,
): Outcome & { readonly seconds: number } {
  const subject = each.load();
  const image = compiled(subject, frameBytes);
  const emitted = image.verilog();
  const directory = mkdtempSync(join(tmpdir(), 'skep-pipeline-'));
  try {
    const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
    write('pipeline.v', emitted.text);
    write(
      'testbench.v',
      testbench(emitted, {
        frameBytes,
        timeNs: BigInt(subject.runtime.kernel.nowNs()),
        packets: packets.length,
        maxCycles: packets.at(-1)!.cycle + 100 * packets.length + 10_000,
        rows: emitted.memories.map(rowsIn),
      }),
    );
    write('frames.txt', stimulus(packets.flatMap((packet) => framesOf(each, packet, frameBytes))));
    const filled = fill(subject, emitted.memories);
    filled.forEach((text, i) => write(`memory${i}.hex`, text));
    build(directory, simulator);
    const started = process.hrtime.bigint();
    const output = command(directory, join(directory, 'sim'), []);
    const took = Number(process.hrtime.bigint() - started) / 1e9;
    return { ...outcome(subject, emitted.memories, output, frameBytes), seconds: took };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function build(directory: string, simulator: Simulator): void {
  const sources = ['pipeline.v', 'testbench.v'];
  if (simulator === 'iverilog') {
    command(directory, 'iverilog', ['-g2012', '-s', 'testbench', '-o', 'sim', ...sources]);
    return;
  }
  command(directory, 'verilator', [
    '--binary', '-Wno-fatal', '-Wno-lint', '-Wno-style', '-O3', '-CFLAGS', '-O2',
    '--top-module', 'testbench', '-o', 'sim', '--Mdir', 'obj', ...sources,
  ]); // prettier-ignore
  command(directory, 'cp', ['obj/sim', 'sim']);
}

function command(directory: string, name: string, args: readonly string[]): string {
  const result = spawnSync(name, args, { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 30 });
  if (result.status !== 0)
    throw new Error(
      `${name}: ${result.error ?? ''}${result.stderr}${result.stdout}`.slice(0, 4000),
    );
  return result.stdout;
}

function framesOf(each: Subjects, { data, port, cycle }: Packet, frameBytes: number): Frame[] {
  const { ifindex, queue } = (each.ports ?? [{ ifindex: 1, queue: 0 }])[port]!;
  const count = Math.max(1, Math.ceil(data.length / frameBytes));
  return Array.from({ length: count }, (_, i) => {
    const frame = new Uint8Array(frameBytes);
    frame.set(data.subarray(i * frameBytes, (i + 1) * frameBytes));
    return {
      cycle: cycle + i,
      last: i === count - 1,
      bytes: data.length,
      ifindex,
      queue,
      data: frame,
    };
  });
}

const rowsIn = ({ map, kind }: HostMemory): number => {
  if (kind === 'count') return 1;
  if (isArray(map) || kind === 'ports') return map.spec.maxEntries;
  return 2 ** indexBits(map);
};

/** Rows of each memory, as the driver would write them. */
function fill(subject: Loaded, memories: readonly HostMemory[]): string[] {
  const contents = subject.contents();
  const lines = memories.map((): string[] => []);
  for (const [name, map] of subject.maps) {
    const elements = contents.get(name) ?? [];
    const used = new Map<number, number>();
    elements.forEach(([key, value], i) => {
      const row = slotFor(map, key, i, used);
      memories.forEach((memory, at) => {
        if (memory.map !== map) return;
        const number = contentOf(memory, key, value, elements.length);
        if (memory.kind === 'count') lines[at] = [`0 ${number}\n`];
        else lines[at]!.push(`${row} ${number}\n`);
      });
    });
  }
  return lines.map((each) => each.join(''));
}

function slotFor(map: BpfMap, key: Uint8Array, i: number, used: Map<number, number>): number {
  if (isArray(map) || map.spec.type === 'devmap') {
    return new DataView(key.buffer, key.byteOffset).getUint32(0, true);
  }
  if (map.spec.type === 'lpm_trie') return i;
  const set = setOf(key, setsOf(map));
  const way = used.get(set) ?? 0;
  if (way >= 8) throw new Error(`set ${set} of ${map.spec.name} is full`);
  used.set(set, way + 1);
  return set * 8 + way;
}

function contentOf(memory: HostMemory, key: Uint8Array, value: Uint8Array, count: number): string {
  const word = (bytes: Uint8Array): string => Buffer.from(bytes).reverse().toString('hex');
  switch (memory.kind) {
    case 'keys':
      return `1${word(key)}`;
    case 'count':
      return count.toString(16);
    case 'ports':
      return `1${word(value.subarray(0, 4))}`;
    case 'bank':
      return word(Uint8Array.from(memory.bytes, (byte) => value[byte]!));
  }
}

function outcome(
  subject: Loaded,
  memories: readonly HostMemory[],
  output: string,
  frameBytes: number,
): Outcome {
  const { beats, rows } = readOutput(output);
  const left: Left[] = [];
  let bytes: number[] = [];
  let start = 0;
  for (const beat of beats) {
    if (beat.first) {
      bytes = [...beat.head];
      start = beat.cycle;
    }
    bytes.push(...beat.data);
    if (!beat.last) continue;
    const sends = beat.verdict >= 2 && beat.verdict <= 4;
    const head = bytes.length % frameBytes;
    const packet = Uint8Array.from(bytes.slice(head + beat.from, head + beat.to));
    left.push({
      verdict: beat.verdict,
      redirect: beat.redirect,
      bytes: sends ? hexOf(packet) : '',
      cycle: start,
    });
  }
  const maps: Record<string, readonly string[]> = {};
  for (const [name, map] of subject.maps) {
    if (map.spec.type === 'devmap') continue;
    maps[name] = elementsOf(map, memories, rows).sort();
  }
  return { left, maps };
}

function elementsOf(
  map: BpfMap,
  memories: readonly HostMemory[],
  rows: ReadonlyMap<number, ReadonlyMap<number, bigint>>,
): string[] {
  const { keyBytes, valueBytes } = map.spec;
  const mine = memories.flatMap((memory, i) => (memory.map === map ? [{ memory, i }] : []));
  const value = (row: number): Uint8Array => {
    const bytes = new Uint8Array(valueBytes);
    for (const { memory, i } of mine) {
      if (memory.kind !== 'bank') continue;
      const word = rows.get(i)?.get(row) ?? 0n;
      memory.bytes.forEach((byte, at) => {
        bytes[byte] = Number((word >> BigInt(8 * at)) & 255n);
      });
    }
    return bytes;
  };
  const numbered = (number: bigint, bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, (_, i) => Number((number >> BigInt(8 * i)) & 255n));
  if (isArray(map)) {
    const used = new Set(mine.flatMap(({ i }) => [...(rows.get(i)?.keys() ?? [])]));
    return [...used].map((row) => `${hexOf(numbered(BigInt(row), keyBytes))}=${hexOf(value(row))}`);
  }
  const keys = mine.find(({ memory }) => memory.kind === 'keys')!;
  return [...(rows.get(keys.i) ?? [])]
    .filter(([, word]) => word >> BigInt(keyBytes * 8) === 1n)
    .map(([row, word]) => `${hexOf(numbered(word, keyBytes))}=${hexOf(value(row))}`);
}
