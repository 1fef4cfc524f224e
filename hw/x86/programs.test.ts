/**
 * Programs as clang makes them, loaded through the verifier, on real packets: verdicts and every byte
 * of RAM are the interpreter's. Traced runs do the same, and what they show adds up.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { CORE_RESERVED_BYTES } from '../../bpf/native/core.ts';
import { COMPUTE_PROGRAMS, HELPER_PROGRAMS, loadProgram } from '../../test/bench/program-rig.ts';
import { coreModule } from '../../test/support/assets.ts';
import { Walk } from '../../test/support/block-walk.ts';
import { createX86Engine } from './engine.ts';

const x86 = createX86Engine();

/** The interpreter on a machine that has allocated what the simulated core needs. */
function besideX86(): Engine {
  const interpreter = createInterpreter();
  return {
    ...interpreter,
    compile: (program, runtime) => {
      x86.ownMemory(runtime);
      return interpreter.compile(program, runtime);
    },
  };
}

/** Without those that take the interpreter long and have no instruction that others have not. */
const PROGRAMS = [...COMPUTE_PROGRAMS, ...HELPER_PROGRAMS].filter(
  (name) => !['sort', 'alu', 'jhash', 'siphash'].includes(name),
);

it.each(PROGRAMS)('the bench’s %s does', async (name) => {
  const assets = { core: await coreModule() };
  const [expected, seen] = [besideX86(), x86].map((engine) => {
    const { run, runtime } = loadProgram(assets, name, engine);
    // Twice: what is in the maps by then changes what programs do.
    const verdicts = [run(), run()];
    engineState(runtime).programs.forget();
    for (const { offset, sizeBytes } of x86.ownMemory(runtime)) {
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
  it.each(['parse', 'calls', 'array', 'hash', 'tailcall', 'loop'] as const)(
    'of %s shows blocks that follow each other, and gives the same verdict',
    async (name) => {
      const engine = createX86Engine();
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
