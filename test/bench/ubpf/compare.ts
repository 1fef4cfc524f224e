/**
 * The WASM JIT beside uBPF's x86-64 JIT, on the bench's computing programs: the instructions that
 * the verifier made, the same packets, results and packet bytes that must agree.
 *
 *   npx tsx test/bench/ubpf/compare.ts SOURCE BUILD [ROUNDS]
 *
 * SOURCE and BUILD are uBPF's (see README.md). Each round measures a program in one engine right
 * after the other; times are the best of the rounds, ratios the median of the rounds' ratios.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterpreter } from '../../../bpf/interp/interp.ts';
import { encodeInsns } from '../../../bpf/isa/codec.ts';
import { createWasmJit } from '../../../bpf/jit/jit.ts';
import type { HostAssets } from '../../../kernel/config.ts';
import { coreModule } from '../../support/assets.ts';
import { geometricMean, measureNs } from '../measure.ts';
import { COMPUTE_PROGRAMS, loadProgram, type ProgramRig } from '../program-rig.ts';

interface Measured {
  readonly digest: string;
  readonly ns: number;
}

const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;

/** Of every result and every packet's bytes after one run each, as driver.c computes it. */
function digest({ executable, frames, runtime }: ProgramRig): string {
  let hash = FNV_BASIS;
  const add = (bytes: Uint8Array): void => {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  };
  for (const { ctx, data, bytes } of frames) {
    add(new Uint8Array(Uint32Array.of(executable.run(ctx)).buffer));
    add(runtime.ram.u8.subarray(data, data + bytes));
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Each packet's length as u32, and its bytes. */
function packetFile({ frames, runtime }: ProgramRig): Uint8Array {
  return Buffer.concat(
    frames.flatMap(({ data, bytes }) => [
      new Uint8Array(Uint32Array.of(bytes).buffer),
      runtime.ram.u8.slice(data, data + bytes),
    ]),
  );
}

function buildDriver(folder: string, source: string, build: string): string {
  const driver = join(folder, 'driver');
  const includes = [join(source, 'vm/inc'), join(build, 'vm')].map((path) => `-I${path}`);
  const library = join(build, 'lib/libubpf.a');
  const main = join(import.meta.dirname, 'driver.c');
  execFileSync('cc', ['-O2', '-Wall', ...includes, main, library, '-lm', '-o', driver]);
  return driver;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

interface Row {
  readonly name: string;
  readonly insns: number;
  readonly interpNs: number;
  readonly wasmNs: number;
  readonly ubpfNs: number;
  /** uBPF's time over ours: above 1, ours is faster. */
  readonly ratio: number;
}

function compare(assets: HostAssets, folder: string, driver: string, rounds: number): Row[] {
  const measured = COMPUTE_PROGRAMS.map((name) => {
    const program = join(folder, `${name}.insns`);
    const packets = join(folder, 'packets');
    const rig = loadProgram(assets, name, createWasmJit());
    writeFileSync(program, encodeInsns(rig.verified.insns));
    writeFileSync(packets, packetFile(rig));
    const ubpf = (): Measured =>
      JSON.parse(execFileSync(driver, [program, packets], { encoding: 'utf8' })) as Measured;
    const [ours, theirs] = [digest(rig), ubpf().digest];
    if (ours !== theirs) throw new Error(`${name}: results differ, ${ours} and ${theirs}`);
    const pairs = Array.from({ length: rounds }, () => ({
      wasmNs: measureNs(rig.run) / rig.frames.length,
      ubpfNs: ubpf().ns,
    }));
    return { name, insns: rig.verified.insns.length, pairs };
  });
  return measured.map(({ name, insns, pairs }) => {
    const interp = loadProgram(assets, name, createInterpreter());
    return {
      name,
      insns,
      interpNs: measureNs(interp.run) / interp.frames.length,
      wasmNs: Math.min(...pairs.map(({ wasmNs }) => wasmNs)),
      ubpfNs: Math.min(...pairs.map(({ ubpfNs }) => ubpfNs)),
      ratio: median(pairs.map(({ wasmNs, ubpfNs }) => ubpfNs / wasmNs)),
    };
  });
}

function print(rows: readonly Row[]): void {
  const ns = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));
  console.log('| program | instructions | interpreter | WASM | uBPF | uBPF / WASM |');
  console.log('| --- | --: | --: | --: | --: | --: |');
  for (const { name, insns, interpNs, wasmNs, ubpfNs, ratio } of rows) {
    const cells = [name, insns, ns(interpNs), ns(wasmNs), ns(ubpfNs), ratio.toFixed(2)];
    console.log(`| ${cells.join(' | ')} |`);
  }
  const mean = geometricMean(rows.map(({ ratio }) => ratio)).toFixed(2);
  console.log(`| geometric mean | | | | | ${mean} |`);
}

async function main([source, build, rounds = '5']: readonly string[]): Promise<void> {
  if (source === undefined || build === undefined) {
    throw new Error('usage: compare.ts SOURCE BUILD [ROUNDS]');
  }
  const folder = mkdtempSync(join(tmpdir(), 'skep-ubpf-'));
  try {
    const driver = buildDriver(folder, source, build);
    print(compare({ core: await coreModule() }, folder, driver, Number(rounds)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await main(process.argv.slice(2));
