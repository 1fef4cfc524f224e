/** Microbenchmarks of the model, as they are done on real cores: chains, ports, branches, caches. */
import { describe, expect, it } from 'vitest';
import { Core } from './core.ts';
import { HASWELL } from './cores/haswell.ts';
import type { CoreParams } from './core-params.ts';
import { LINE_BYTES } from './core-params.ts';
import { FLAGS, type BlockEnd, type CodeBlock, type InsnDescriptor } from './events.ts';
import { CoreMemory, SharedMemory } from './memory.ts';
import { schedule } from './schedule.ts';

const RBX = 3;
const RSI = 6;
const IN_ORDER: CoreParams = { ...HASWELL, inOrder: true, width: 2 };

function insn(part: Partial<InsnDescriptor>): InsnDescriptor {
  return {
    address: 0n, bytes: 3, mnemonic: 'x', kind: 'alu', widthBits: 64, reads: [], writes: [], memory: [],
    ...part,
  }; // prettier-ignore
}

const add = (to: number, from: number): InsnDescriptor =>
  insn({ mnemonic: 'add', reads: [to, from], writes: [to, FLAGS] });
const multiply = (to: number): InsnDescriptor =>
  insn({ kind: 'multiply', reads: [to], writes: [to, FLAGS] });
const load = (to: number, base: number, bytes = 8): InsnDescriptor =>
  insn({
    kind: 'load',
    reads: [base],
    writes: [to],
    memory: [{ access: 'load', bytes, registers: [base] }],
  });
const store = (from: number, base: number, bytes = 8): InsnDescriptor =>
  insn({
    kind: 'store',
    reads: [base, from],
    memory: [{ access: 'store', bytes, registers: [base] }],
  });
const branch = insn({ kind: 'branch', reads: [FLAGS], bytes: 2 });

function block(insns: readonly InsnDescriptor[], id = 0, end?: BlockEnd): CodeBlock {
  const words = insns.reduce((sum, { memory }) => sum + memory.length, 0);
  return { id, insns, words, end: end ?? { kind: 'fall', next: id } };
}

function coreOf(params: CoreParams): Core {
  return new Core(params, new CoreMemory(params, params.clockHz, new SharedMemory(params), 0));
}

/** Cycles a time round a loop of that code, once it is warm. */
function cyclesOf(
  insns: readonly InsnDescriptor[],
  addresses: (round: number) => readonly number[] = () => [],
  params = HASWELL,
  rounds = 4000,
): number {
  const core = coreOf(params);
  const made = schedule(block(insns), params);
  const words = new Uint32Array(64);
  let began = 0;
  for (let round = 0; round < 2 * rounds; round++) {
    if (round === rounds) began = core.retired;
    words.set(addresses(round));
    core.block(made, words, 0);
  }
  return (core.retired - began) / rounds;
}

describe('dependences and ports', () => {
  it.each([
    ['a chain of four additions', [add(0, 1), add(0, 1), add(0, 1), add(0, 1)], 4],
    ['four additions beside each other', [add(0, 0), add(1, 1), add(2, 2), add(RBX, RBX)], 1],
    ['a chain of multiplications', [multiply(0), multiply(0)], 6],
    ['multiplications beside each other share a port', [0, 1, 2, RBX].map(multiply), 4],
    ['a chain through both', [add(0, 1), multiply(0)], 4],
    ['eight nops by the width of rename', Array(8).fill(insn({ kind: 'nop' })), 2],
    ['a zeroed register waits for nothing',
      [multiply(0), insn({ mnemonic: 'xor', writes: [0], zeroing: true }), add(0, 1)], 1],
    ['copies are renamed', [insn({ kind: 'move', reads: [0], writes: [1] }),
      insn({ kind: 'move', reads: [1], writes: [0] })], 0.5],
  ] as const)('%s', (_, insns, cycles) => {
    expect(cyclesOf(insns as readonly InsnDescriptor[])).toBeCloseTo(cycles, 1);
  }); // prettier-ignore

  it('compare and branch are one µop', () => {
    const compare = insn({ mnemonic: 'cmp', reads: [0], writes: [FLAGS] });
    expect(schedule(block([compare, branch]), HASWELL).uops).toBe(1);
    expect(schedule(block([load(0, 1), branch]), HASWELL).uops).toBe(2);
  });

  it('in order, what comes behind waits too', () => {
    const insns = [multiply(0), add(0, 1), add(1, 2), add(2, RBX)];
    expect(cyclesOf(insns)).toBeCloseTo(4, 1);
    expect(cyclesOf([multiply(0), add(0, 0), multiply(1), add(1, 1)], undefined, IN_ORDER)).toBe(6);
    expect(cyclesOf([multiply(0), add(0, 0), multiply(1), add(1, 1)])).toBeCloseTo(4, 1);
  });
});

describe('memory', () => {
  it('a pointer chase takes the latency of its level', () => {
    const { l1, l2, l3, uncore, memoryNs, clockHz } = HASWELL;
    const last = l3!.cycles + (uncore.cycles * clockHz) / uncore.mostHz;
    const chase = (bytes: number): number => {
      const lines = bytes / LINE_BYTES;
      // Every line once in an order without streams.
      const addresses = (round: number): readonly number[] => [
        ((round * 769) % lines) * LINE_BYTES,
      ];
      return cyclesOf([load(0, 0)], addresses, HASWELL, 2 * lines);
    };
    expect(chase(l1.bytes / 2)).toBeCloseTo(l1.cycles, 1);
    expect(chase(l2.bytes / 2)).toBeCloseTo(l2.cycles, 1);
    expect(chase(l2.bytes * 2)).toBeCloseTo(last, 0);
    const far = (round: number): readonly number[] => [((round * 4099) % (1 << 24)) * LINE_BYTES];
    expect(cyclesOf([load(0, 0)], far)).toBeCloseTo(last + (memoryNs * clockHz) / 1e9, 0);
  });

  it('misses beside each other overlap as far as the reorder buffer reaches', () => {
    const far = (round: number): readonly number[] => [((round * 4099) % (1 << 24)) * LINE_BYTES];
    const alone = cyclesOf([load(0, RSI)], far);
    const chained = cyclesOf([load(RSI, RSI)], far);
    expect(alone).toBeLessThan(chained / 20);
    // As many loads wait at once as there are such blocks in 192 µops.
    for (const fill of [30, 60, 120, 190]) {
      const filler = Array<InsnDescriptor>(fill).fill(insn({ kind: 'nop' }));
      const share = cyclesOf([load(0, RSI), ...filler], far) / chained;
      expect(share).toBeGreaterThan(((fill + 1) / HASWELL.reorderBuffer) * 0.5);
      expect(share).toBeLessThan(((fill + 1) / HASWELL.reorderBuffer) * 1.5);
    }
  });

  it('what was just stored is forwarded, unless it is only a part', () => {
    const { forwardCycles, blockedForwardCycles } = HASWELL;
    expect(cyclesOf([store(0, 1), load(0, 1)], () => [4096, 4096])).toBeCloseTo(forwardCycles, 0);
    expect(cyclesOf([store(0, 1, 2), load(0, 1)], () => [4096, 4096])).toBeCloseTo(
      blockedForwardCycles,
      0,
    );
    expect(cyclesOf([store(0, 1, 2), load(0, 1, 2)], () => [4096, 4102])).toBeCloseTo(1, 0);
  });

  it('a counter in memory is a chain', () => {
    const increment = insn({
      mnemonic: 'add',
      reads: [1],
      writes: [FLAGS],
      memory: [{ access: 'load-store', bytes: 8, registers: [1] }],
    });
    expect(cyclesOf([increment], () => [4096])).toBeCloseTo(HASWELL.forwardCycles + 1, 0);
    expect(cyclesOf([increment], (round) => [4096 + 8 * (round % 512)])).toBeCloseTo(1, 0);
  });
});

describe('branches', () => {
  const compare = insn({ mnemonic: 'cmp', reads: [0], writes: [FLAGS] });
  function misses(way: (round: number) => boolean): { perBranch: number; cycles: number } {
    const core = coreOf(HASWELL);
    const made = schedule(
      block([compare, branch], 0, { kind: 'branch', taken: 0, next: 1 }),
      HASWELL,
    );
    const rounds = 20_000;
    for (let round = 0; round < rounds; round++) {
      core.block(made, new Uint32Array(0), 0);
      core.went(made, way(round), 0);
    }
    return { perBranch: core.counts.mispredicts / rounds, cycles: core.now / rounds };
  }
  /** xorshift32 */
  let state = 1;
  const random = (): boolean => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 1) === 1;
  };

  it('learns what repeats', () => {
    expect(misses(() => true).perBranch).toBeLessThan(0.001);
    expect(misses((round) => round % 2 === 0).perBranch).toBeLessThan(0.01);
    expect(misses((round) => round % 7 < 3).perBranch).toBeLessThan(0.02);
  });

  it('pays for what does not', () => {
    const { perBranch, cycles } = misses(random);
    expect(perBranch).toBeGreaterThan(0.4);
    expect(perBranch).toBeLessThan(0.6);
    expect(cycles).toBeGreaterThan(perBranch * HASWELL.mispredictCycles);
  });

  it('records the last that were taken', () => {
    const core = coreOf(HASWELL);
    const made = schedule(block([compare, branch], 5), HASWELL);
    for (let to = 0; to < 40; to++) {
      core.block(made, new Uint32Array(0), 0);
      core.went(made, to % 2 === 0, to);
    }
    const records = core.lastBranches.read();
    expect(records.map(({ to }) => to)).toEqual(Array.from({ length: 16 }, (_, i) => 38 - 2 * i));
    expect(records[0]).toMatchObject({ from: 5 });
  });
});
