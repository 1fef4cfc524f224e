import { describe, expect, it } from 'vitest';
import { insn } from '../../bpf/asm/build.ts';
import { ISA, rowOf } from '../../bpf/isa/table.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../../test/support/instruction-cases.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import { createArmEngine } from './engine.ts';

const NULL = 0 as RamOffset;
const ENGINES = [
  ['as Linux compiles', createArmEngine({ poison: true })],
  ['for a core without LSE', createArmEngine({ poison: true, lse: false, bti: true })],
  ['with constants blinded', createArmEngine({ blindingSeed: 7, pac: false })],
] as const;

describe.each(ENGINES)('arm machine code %s', (_, engine) => {
  const runtime = bareRuntime();

  it.each(INSTRUCTION_CASES)('$name', ({ insns, r0 }) => {
    const executable = engine.compile(unverifiedProgram(insns), runtime);
    expect(BigInt.asUintN(64, executable.run64(NULL)).toString(16)).toBe(r0.toString(16));
    executable.free();
  });
});

it('executes or refuses every row of the instruction table', () => {
  const executed = new Set(
    INSTRUCTION_CASES.flatMap(({ insns }) => insns.map((each) => rowOf(each)?.name)),
  );
  const [[, engine]] = ENGINES;
  // Those that need a kernel around them: test/differential/calls.test.ts.
  const elsewhere = /^(call_helper|ld_func|ldabs|ldind)/;
  const holes = ISA.filter(
    (row) => engine.handles(row) && !executed.has(row.name) && !elsewhere.test(row.name),
  );
  expect(holes.map(({ name }) => name)).toEqual([]);
  expect(ISA.filter((row) => !engine.handles(row)).map(({ name }) => name)).toEqual(['call_kfunc']);
});

it('passes the kernel address of the context', () => {
  const [[, engine]] = ENGINES;
  const insns = [insn('mov64_reg', { dst: 0, src: 1 }), insn('exit')];
  const address = engine
    .compile(unverifiedProgram(insns), bareRuntime())
    .run64(0x12340 as RamOffset);
  expect(BigInt.asUintN(64, address)).toBe(KERNEL_BASE + 0x12340n);
});
