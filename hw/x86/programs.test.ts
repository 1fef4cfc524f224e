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
import type { CodeBlock } from '../cpu/events.ts';
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

/** Follows the stream of events and looks whether each block may come where it comes. */
class Walk {
  readonly problems: string[] = [];
  entered = 0;
  readonly #blocks = new Map<number, CodeBlock>();
  readonly #ramBytes: number;
  /** Where calls in progress go on; and what may come next, undefined at the start of a run. */
  readonly #returns: number[] = [];
  #expected: readonly number[] | undefined;

  constructor(ramBytes: number) {
    this.#ramBytes = ramBytes;
  }

  blocks(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) this.#blocks.set(block.id, block);
  }

  events(words: Uint32Array, count: number): void {
    for (let at = 0; at < count;) {
      const block = this.#blocks.get(words[at]!);
      if (block === undefined) {
        this.#problem(`no block ${words[at]} at word ${at}`);
        return;
      }
      if (this.#expected !== undefined && !this.#expected.includes(block.id)) {
        this.#problem(`block ${block.id} after one that leads to ${this.#expected.join()}`);
      }
      const memory = block.insns.flatMap((insn) => insn.memory);
      memory.forEach((_, i) => {
        const address = words[at + 1 + i]!;
        if (address < 65536 || address >= this.#ramBytes) this.#problem(`address ${address}`);
      });
      this.#after(block);
      this.entered++;
      at += 1 + block.words;
    }
  }

  #after({ end }: CodeBlock): void {
    switch (end.kind) {
      case 'fall':
      case 'host-call': {
        // A helper that calls back: the callback's blocks come first.
        const callsBack = end.kind === 'host-call' && end.symbol === 'bpf_loop';
        this.#expected = callsBack ? undefined : [end.next];
        return;
      }
      case 'branch':
        this.#expected = [end.next, end.taken];
        return;
      case 'jump':
        this.#expected = [end.target];
        return;
      case 'call':
        this.#returns.push(end.next);
        this.#expected = [end.target];
        return;
      case 'return': {
        const next = this.#returns.pop();
        this.#expected = next === undefined ? undefined : [next];
        return;
      }
      case 'tail-call':
        this.#expected = undefined;
    }
  }

  #problem(text: string): void {
    if (this.problems.length < 5) this.problems.push(text);
  }
}
