/**
 * `skep bench programs`: a set of programs made by clang, on real packets: interpreter, WASM JIT, and
 * what inlining of helpers saves. Times are of one packet, entry into the program included.
 */
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { Engine } from '../../bpf/engine.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { HostAssets } from '../../kernel/config.ts';
import type { Bench, BenchRow } from '../../ui/cli/bench.ts';
import { coreModule } from '../support/assets.ts';
import { geometricMean, measureNs } from './measure.ts';
import { COMPUTE_PROGRAMS, HELPER_PROGRAMS, loadProgram, type ProgramName } from './program-rig.ts';

function packetNs(assets: HostAssets, name: ProgramName, engine: Engine): number {
  const { run, frames } = loadProgram(assets, name, engine);
  return measureNs(run) / frames.length;
}

function rowsOf(assets: HostAssets, name: ProgramName): { rows: BenchRow[]; ratio: number } {
  const interpNs = packetNs(assets, name, createInterpreter());
  const wasmNs = packetNs(assets, name, createWasmJit());
  const ratio = interpNs / wasmNs;
  const rows: BenchRow[] = [
    { name: `programs ${name} interp`, value: interpNs, unit: 'ns/packet' },
    { name: `programs ${name} wasm`, value: wasmNs, unit: 'ns/packet' },
    {
      name: `programs ${name} wasm/interp`,
      value: ratio,
      unit: 'times faster',
      against: 'interp',
    },
  ];
  if (!(HELPER_PROGRAMS as readonly string[]).includes(name)) return { rows, ratio };
  const calledNs = packetNs(assets, name, createWasmJit({ inline: false }));
  rows.push(
    { name: `programs ${name} wasm, helpers called`, value: calledNs, unit: 'ns/packet' },
    {
      name: `programs ${name} inlined/called`,
      value: calledNs / wasmNs,
      unit: 'times faster',
      against: 'called',
    },
  );
  return { rows, ratio };
}

export const programsBench: Bench = {
  names: ['programs'],
  async run() {
    const assets = { core: await coreModule() };
    const compute = COMPUTE_PROGRAMS.map((name) => rowsOf(assets, name));
    const others = HELPER_PROGRAMS.map((name) => rowsOf(assets, name));
    return [
      ...[...compute, ...others].flatMap(({ rows }) => rows),
      {
        name: 'programs wasm/interp mean, computing',
        value: geometricMean(compute.map(({ ratio }) => ratio)),
        unit: 'times faster',
        against: 'interp',
        target: '>= 20',
      },
    ];
  },
};
