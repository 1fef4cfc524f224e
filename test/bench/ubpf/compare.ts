/**
 * The WASM JIT beside uBPF's x86-64 JIT, on the bench's computing programs: the instructions that
 * the verifier made, the same packets, results and packet bytes that must agree.
 *
 *   npx tsx test/bench/ubpf/compare.ts SOURCE BUILD [ROUNDS]
 *
 * SOURCE and BUILD are uBPF's (see ../README.md). Each round measures a program in one engine right
 * after the other, each in a process of its own; times are the best of the rounds, ratios the median
 * of the rounds' ratios.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '../../../bpf/asm/assemble.ts';
import type { Engine } from '../../../bpf/engine.ts';
import { createInterpreter } from '../../../bpf/interp/interp.ts';
import { encodeInsns } from '../../../bpf/isa/codec.ts';
import { createWasmJit } from '../../../bpf/jit/jit.ts';
import type { HostAssets } from '../../../kernel/config.ts';
import { coreModule } from '../../support/assets.ts';
import { unverifiedProgram } from '../../support/unverified.ts';
import { geometricMean, measureNs } from '../measure.ts';
import {
  COMPUTE_PROGRAMS,
  loadProgram,
  rigOf,
  type ProgramName,
  type ProgramRig,
} from '../program-rig.ts';

/** A program of two instructions: what entering costs. It is not in the mean. */
const ENTRY = 'entry';
const PROGRAMS = [ENTRY, ...COMPUTE_PROGRAMS] as const;

/** The word for SOURCE with which the script calls itself, a program's name as BUILD. */
const ENGINES = { interp: createInterpreter, wasm: createWasmJit } as const;
type EngineName = keyof typeof ENGINES;

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

function rig(assets: HostAssets, name: ProgramName | typeof ENTRY, engine: Engine): ProgramRig {
  if (name !== ENTRY) return loadProgram(assets, name, engine);
  const { runtime } = loadProgram(assets, 'alu', engine);
  return rigOf(unverifiedProgram(assemble('r0 = 2\n exit')), runtime, engine);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** In a process of its own. */
function measure(rig: ProgramRig): Measured {
  return { digest: digest(rig), ns: measureNs(rig.run) / rig.frames.length };
}

function inProcess(command: string, args: readonly string[]): Measured {
  return JSON.parse(execFileSync(command, args, { encoding: 'utf8' })) as Measured;
}

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
  const packets = join(folder, 'packets');
  return PROGRAMS.map((name): Row => {
    const program = join(folder, `${name}.insns`);
    const cold = rig(assets, name, createInterpreter());
    writeFileSync(program, encodeInsns(cold.verified.insns));
    writeFileSync(packets, packetFile(cold));
    const ours = (engine: EngineName): Measured =>
      inProcess(process.execPath, [...process.execArgv, import.meta.filename, engine, name]);
    const interp = ours('interp');
    const pairs = Array.from({ length: rounds }, () => {
      const [wasm, ubpf] = [ours('wasm'), inProcess(driver, [program, packets])];
      for (const { digest } of [wasm, ubpf]) {
        if (digest !== interp.digest) throw new Error(`${name}: results differ`);
      }
      return { wasmNs: wasm.ns, ubpfNs: ubpf.ns };
    });
    return {
      name,
      insns: cold.verified.insns.length,
      interpNs: interp.ns,
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
  const computing = rows.filter(({ name }) => name !== ENTRY);
  const mean = geometricMean(computing.map(({ ratio }) => ratio)).toFixed(2);
  console.log(`| geometric mean | | | | | ${mean} |`);
}

async function main([source, build, rounds = '5']: readonly string[]): Promise<void> {
  if (source === undefined || build === undefined) {
    throw new Error('usage: compare.ts SOURCE BUILD [ROUNDS]');
  }
  const assets = { core: await coreModule() };
  if (source === 'interp' || source === 'wasm') {
    const program = rig(assets, build as ProgramName, ENGINES[source]());
    console.log(JSON.stringify(measure(program)));
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'skep-ubpf-'));
  try {
    print(compare(assets, folder, buildDriver(folder, source, build), Number(rounds)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await main(process.argv.slice(2));
