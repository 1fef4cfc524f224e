/**
 * The decoder and its text, held against LLVM's disassembler where llvm-mc-19 is installed: all code
 * that the JIT makes, and random words, which are read as LLVM reads them or refused.
 */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { programs } from '../../test/differential/generator.ts';
import { render } from '../../test/differential/render.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../../test/support/instruction-cases.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import { decodeInsn, Undecodable } from './decode.ts';
import { createArmEngine, type ArmJitOptions, type ArmProgram } from './engine.ts';
import { armText } from './text.ts';

const LLVM_MC = 'llvm-mc-19';
const hasLlvm = spawnSync(LLVM_MC, ['--version']).status === 0;
if (!hasLlvm) console.warn(`${LLVM_MC} is not installed: AArch64 text is not compared with LLVM's`);

/** Undefined for words that are no instruction. */
function theirs(words: readonly number[]): (string | undefined)[] {
  const lines = words.map((word) => {
    const bytes = [0, 8, 16, 24].map((shift) => `0x${((word >>> shift) & 0xff).toString(16)}`);
    return `[${bytes.join()}]\n`;
  });
  const options = ['--disassemble', '--triple=aarch64', '--mattr=+all', '--show-encoding'];
  const input = lines.join('');
  const { stdout } = spawnSync(LLVM_MC, options, { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  const texts = new Map<number, string>();
  for (const line of stdout.split('\n')) {
    const match = /^\t(.*?)\s*\/\/ encoding: \[(.*?)\]/.exec(line);
    if (match === null) continue;
    const bytes = match[2]!.split(',').map(Number);
    const word = bytes.reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
    texts.set(word, match[1]!.replace(/\s+/g, ' ').trim());
  }
  return words.map((word) => texts.get(word >>> 0));
}

function ours(word: number): string | undefined {
  const bytes = new Uint8Array(Uint32Array.of(word).buffer);
  try {
    return armText(decodeInsn(bytes, 0), (to) => `#${to}`);
  } catch (error) {
    if (error instanceof Undecodable) return undefined;
    throw error;
  }
}

/** Words whose text differs, with both texts. */
function differences(words: readonly number[]): string[] {
  const distinct = [...new Set(words)];
  const expected = theirs(distinct);
  return distinct.flatMap((word, i) =>
    ours(word) === expected[i]
      ? []
      : [`${(word >>> 0).toString(16).padStart(8, '0')}: ${ours(word)} | ${expected[i]}`],
  );
}

describe.skipIf(!hasLlvm)('the text is LLVM’s', () => {
  const runtime = bareRuntime();
  const wordsOf = (insns: readonly Insn[], options: ArmJitOptions): number[] => {
    const program = createArmEngine(options).compile(unverifiedProgram(insns), runtime);
    const { bytes, functions } = (program as ArmProgram).code;
    const words = functions.flatMap(({ start, sizeBytes }) => [
      ...new Uint32Array(bytes.buffer, bytes.byteOffset + start, sizeBytes / 4),
    ]);
    program.free();
    return words;
  };

  it('on the code of every instruction case', () => {
    const calls = 'r2 = 5 ll\n r3 = 0\n call 12\n call 5\n call sub\n exit\nsub: r0 = 1\n exit';
    const cases = [...INSTRUCTION_CASES.map(({ insns }) => insns), assemble(calls)];
    const atomics = cases.filter((insns) => insns.some(({ code }) => (code & 0xe7) === 0xc3));
    const words = [
      ...cases.flatMap((insns) => wordsOf(insns, {})),
      ...atomics.flatMap((insns) => wordsOf(insns, { lse: false, bti: true })),
    ];
    expect(differences(words)).toEqual([]);
  });

  it('on the code of random programs', () => {
    const trees = fc.sample(programs({ packets: true, subprogs: 3 }), { seed: 1, numRuns: 15 });
    const words = trees.flatMap(({ program }) =>
      wordsOf(render(program, { context: 'pointers' }).insns, { blindingSeed: 5 }),
    );
    expect(differences(words)).toEqual([]);
  });

  it('or it refuses: no random word is read as another instruction than it is', () => {
    const [groups] = fc.sample(
      fc.array(fc.nat(0xffff_ffff), { minLength: 30_000, maxLength: 30_000 }),
      { seed: 1, numRuns: 1 },
    );
    const words = groups!.filter((word) => ours(word) !== undefined);
    expect(words.length).toBeGreaterThan(1000);
    expect(differences(words)).toEqual([]);
  });
});
