/**
 * Programs as clang makes them, loaded through the verifier, on real packets: verdicts and every byte
 * of RAM are the interpreter's. Traced runs do the same, and what they show adds up.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { CORE_RESERVED_BYTES } from '../../bpf/native/core.ts';
import { loadProgram } from '../../test/bench/program-rig.ts';
import { coreModule } from '../../test/support/assets.ts';
import { Walk } from '../../test/support/block-walk.ts';
import { createArmEngine } from './engine.ts';

const arm = createArmEngine();

/** The interpreter on a machine that has allocated what the simulated core needs. */
function besideArm(): Engine {
  const interpreter = createInterpreter();
  return {
    ...interpreter,
    compile: (program, runtime) => {
      arm.ownMemory(runtime);
      return interpreter.compile(program, runtime);
    },
  };
}

/** One of each kind: the rest is in the bench, and in x86's test of the parts both share. */
const PROGRAMS = ['parse', 'division', 'calls', 'hash', 'tailcall'] as const;

it.each(PROGRAMS)('the bench’s %s does', async (name) => {
  const assets = { core: await coreModule() };
  const [expected, seen] = [besideArm(), arm].map((engine) => {
    const { run, runtime } = loadProgram(assets, name, engine);
    // Twice: what is in the maps by then changes what programs do.
    const verdicts = [run(), run()];
    engineState(runtime).programs.forget();
    for (const { offset, sizeBytes } of arm.ownMemory(runtime)) {
      runtime.ram.u8.fill(0, offset, offset + sizeBytes);
    }
    return { verdicts, ram: Buffer.from(runtime.ram.u8.buffer) };
  });
  expect(seen!.verdicts).toEqual(expected!.verdicts);
  expect(
    seen!.ram.compare(expected!.ram, CORE_RESERVED_BYTES, undefined, CORE_RESERVED_BYTES),
  ).toBe(0);
});

describe('a traced run', () => {
  it.each(['calls', 'hash', 'tailcall'] as const)(
    'of %s shows blocks that follow each other, and gives the same verdict',
    async (name) => {
      const engine = createArmEngine();
      const rig = loadProgram({ core: await coreModule() }, name, engine);
      const plain = rig.run();
      const walk = new Walk(rig.runtime.ram.sizeBytes);
      engine.observe(rig.runtime, walk);
      const [first, second] = [rig.run(), rig.run()];
      expect(first).toBe(plain);
      expect(second).toBe(first);
      expect(walk.problems).toEqual([]);
      expect(walk.entered).toBeGreaterThan(2 * rig.frames.length);
      engine.observe(rig.runtime, undefined);
      const before = walk.entered;
      expect(rig.run()).toBe(plain);
      expect(walk.entered).toBe(before);
    },
  );
});
