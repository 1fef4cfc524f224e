/**
 * Random programs on devices: what a device takes, it does as the interpreter does, on a hundred
 * packets each. More of them: SKEP_FUZZ_RUNS=20000 SKEP_FUZZ_SEED=7 npx vitest run test/hw/random
 */
import { describe, expect, it } from 'vitest';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { offloadProgram } from '../../hw/offload.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import type { Executor, OffloadProgram, Target } from '../../hw/target.ts';
import { elementsOf } from '../../scenarios/map-contents.ts';
import { type CompareTarget, TARGETS } from '../../scenarios/compare/targets.ts';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { generate } from '../oracle/generate/generate.ts';
import { Random } from '../oracle/generate/random.ts';
import type { RequestJson } from '../oracle/request.ts';
import { coreModule } from '../support/assets.ts';

/** Programs that each target must have taken. */
const RUNS = Number(process.env.SKEP_FUZZ_RUNS ?? 25);
const SEED = Number(process.env.SKEP_FUZZ_SEED ?? 1);
const PACKETS = 100;
/** Programs are made so many at a time. */
const ROUND = 200;
const SIZES = [0, 1, 13, 14, 15, 33, 34, 42, 60, 64, 100, 128];

const assets = { core: await coreModule() };

/** A machine that programs are loaded into, one after the other. */
class Loader {
  #program: OffloadProgram | undefined;
  readonly machine = new BatchMachine(assets, {
    devices: [1, 2],
    verified: (spec, env, verdict) => {
      if (verdict.kind !== 'accepted' || spec.type !== 'xdp') return;
      this.#program ??= offloadProgram(spec, env, verdict.program);
    },
  });

  /** Undefined where the verifier refuses it. */
  load(request: RequestJson): OffloadProgram | undefined {
    this.#program = undefined;
    this.machine.answer(parseRequest({ ...request, run: [], dump_maps: false }));
    return this.#program;
  }
}

function* packets(seed: number): Generator<Uint8Array> {
  const random = new Random(seed);
  for (let i = 0; i < PACKETS; i++) {
    const data = Uint8Array.from({ length: random.pick(SIZES) }, () => random.below(256));
    // Most programs look for IPv4.
    if (data.length >= 34 && random.chance(0.7)) data.set([8, 0, 0x45], 12);
    yield data;
  }
}

/** Verdict and bytes of each packet, and the maps afterwards. */
function outcome(
  { machine }: Loader,
  program: OffloadProgram,
  seed: number,
  executable: Pick<Executor, 'run' | 'free'>,
) {
  const { ram } = machine.runtime;
  const slot = new PacketSlot(ram);
  const results = [...packets(seed)].map((data) => {
    slot.place(data);
    const verdict = executable.run(slot.xdp.offset);
    return `${verdict} ${Buffer.from(slot.bytes()).toString('hex')}`;
  });
  const maps = program.host.usedMaps.map((map) =>
    elementsOf(ram, map).map((pair) => pair.map((bytes) => Buffer.from(bytes).toString('hex'))),
  );
  slot.free();
  executable.free();
  return { results, maps };
}

/** Compares what becomes of a program on target and host; false where one does not take it. */
class Comparison {
  readonly #device: Target;
  readonly #onDevice = new Loader();
  readonly #onHost = new Loader();
  readonly #interpreter = createInterpreter();

  constructor(target: CompareTarget) {
    this.#device = target.create();
  }

  compare(request: RequestJson, seed: number): boolean {
    const program = this.#onDevice.load(request);
    if (!program || program.host.usedMaps.some(({ spec }) => this.#device.refuseMap(spec))) {
      return false;
    }
    const compiled = this.#device.compile(program);
    if (compiled.kind === 'refused') return false;
    const device = this.#device.execute(compiled.image, this.#onDevice.machine.runtime);
    const seen = outcome(this.#onDevice, program, seed, device);
    const { host } = this.#onHost.load(request)!;
    const interpreted = this.#interpreter.compile(host, this.#onHost.machine.runtime);
    const expected = outcome(this.#onHost, { ...program, host }, seed, interpreted);
    expect(seen, JSON.stringify(request)).toEqual(expected);
    return true;
  }
}

/** Servers whose machine code is that of another one in the list. */
const SAME_CODE = ['x86-2.1', 'x86-1.2', 'x86-100g', 'skylake', 'neoverse-v2'];

describe.each(TARGETS.filter(({ id }) => !SAME_CODE.includes(id)))('$id', (target) => {
  it(`does what the interpreter does with ${RUNS} random programs`, { timeout: 4e6 }, () => {
    const comparison = new Comparison(target);
    let taken = 0;
    for (let round = 0; taken < RUNS; round++) {
      const requests = generate(ROUND, SEED * 10_000 + round, 'structured');
      for (const [i, request] of requests.entries()) {
        if (request.prog_type !== 'xdp' || taken >= RUNS) continue;
        if (comparison.compare(request, round * ROUND + i)) taken++;
      }
    }
    expect(taken).toBe(RUNS);
  });
});
