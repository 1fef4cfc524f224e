import binaryen from 'binaryen';
import { describe, expect, it } from 'vitest';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../../test/support/instruction-cases.ts';
import { insn } from '../asm/build.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import type { Insn } from '../isa/insn.ts';
import { ISA, rowOf } from '../isa/table.ts';
import { BpfOops } from '../program.ts';
import { createWasmJit } from './jit.ts';

const NULL = 0 as RamOffset;
const jit = createWasmJit(binaryen);
const compile = (insns: readonly Insn[], runtime = bareRuntime()) =>
  jit.compile(unverifiedProgram(insns), runtime);

describe('the WASM JIT', () => {
  it.each(INSTRUCTION_CASES)('$name', ({ insns, r0 }) => {
    const executable = compile(insns);
    expect(BigInt.asUintN(64, executable.run64(NULL)).toString(16)).toBe(r0.toString(16));
    expect(executable.run(NULL)).toBe(Number(r0 & 0xffff_ffffn));
  });

  it('compiles or refuses every row of the instruction table', () => {
    const executed = new Set(
      INSTRUCTION_CASES.flatMap(({ insns }) => insns.map((insn) => rowOf(insn)?.name)),
    );
    const elsewhere = /^(call_helper|call_kfunc|ld_func|ldabs|ldind)/;
    const holes = ISA.map(({ name }) => name).filter(
      (name) => !executed.has(name) && !elsewhere.test(name),
    );
    expect(holes).toEqual([]);
  });

  it('turns an access outside RAM into an oops', () => {
    const insns = [insn('ldx64', { dst: 0, src: 1, off: 4 }), insn('exit')];
    const runtime = bareRuntime();
    const executable = compile(insns, runtime);
    expect(() => executable.run((2 ** 20 - 4) as RamOffset)).toThrow(BpfOops);
    expect(runtime.running).toBeUndefined();
    expect(executable.run(0x20000 as RamOffset)).toBe(0);
  });
});
