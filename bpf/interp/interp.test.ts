import { describe, expect, it } from 'vitest';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../../test/support/instruction-cases.ts';
import { insn, ldImm64 } from '../asm/build.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import type { Insn } from '../isa/insn.ts';
import { ISA, rowOf } from '../isa/table.ts';
import { BpfOops } from '../program.ts';
import { createInterpreter, type StepView } from './interp.ts';

const NULL = 0 as RamOffset;
const compile = (insns: readonly Insn[], runtime = bareRuntime()) =>
  createInterpreter().compile(unverifiedProgram(insns), runtime);

describe('the interpreter', () => {
  it.each(INSTRUCTION_CASES)('$name', ({ insns, r0 }) => {
    expect(BigInt.asUintN(64, compile(insns).run64(NULL)).toString(16)).toBe(r0.toString(16));
  });

  it('executes or refuses every row of the instruction table', () => {
    const executed = new Set(
      INSTRUCTION_CASES.flatMap(({ insns }) => insns.map((insn) => rowOf(insn)?.name)),
    );
    const elsewhere = /^(call_helper|call_kfunc|ld_func|ldabs|ldind)/;
    const holes = ISA.map(({ name }) => name).filter(
      (name) => !executed.has(name) && !elsewhere.test(name),
    );
    expect(holes).toEqual([]);
  });

  it('returns the low 32 bits of r0 unsigned', () => {
    expect(compile([ldImm64(0, -1n), insn('exit')].flat()).run(NULL)).toBe(0xffff_ffff);
  });

  it('passes the kernel address of the context', () => {
    const insns = [insn('mov64_reg', { dst: 0, src: 1 }), insn('exit')];
    const address = compile(insns).run64(0x12340 as RamOffset);
    expect(BigInt.asUintN(64, address)).toBe(KERNEL_BASE + 0x12340n);
  });

  it.each([0n, 0xffffn, KERNEL_BASE + 0xffffn, KERNEL_BASE + 2n ** 20n, 2n ** 40n])(
    'oopses on a load at %d, and the next run is unharmed',
    (address) => {
      const insns = [
        insn('jne64_imm', { dst: 1, imm: 0, off: 4 }),
        ldImm64(2, address),
        insn('ldx8', { dst: 0, src: 2 }),
        insn('exit'),
        insn('ldx32', { dst: 0, src: 1 }),
        insn('exit'),
      ].flat();
      const runtime = bareRuntime();
      const executable = compile(insns, runtime);
      expect(() => executable.run(NULL)).toThrow(BpfOops);
      const ctx = runtime.ram.kzalloc(8);
      runtime.ram.view.setUint32(ctx, 77, true);
      expect(executable.run(ctx)).toBe(77);
    },
  );

  it('oopses on a ninth frame and on endless recursion', () => {
    const insns = [
      insn('call_subprog', { imm: 0 }),
      insn('call_subprog', { imm: -1 }),
      insn('exit'),
    ];
    expect(() => compile(insns).run(NULL)).toThrow(BpfOops);
  });

  it('refuses what is no instruction, and calls of what the kernel does not have', () => {
    const interpreter = createInterpreter();
    const unknown = unverifiedProgram([{ code: 0xff, dst: 0, src: 0, off: 0, imm: 0 }]);
    expect(interpreter.refusal(unknown)).toMatchObject({ reason: 'no-such-instruction', insn: 0 });
    const kfunc = unverifiedProgram([insn('call_kfunc', { imm: 1 }), insn('exit')]);
    expect(() => interpreter.compile(kfunc, bareRuntime())).toThrow(Bug);
  });

  it('shows each step in checked mode', () => {
    const seen: string[] = [];
    const onStep = ({ slot, depth, registers }: StepView): void => {
      seen.push(`${slot} ${depth} ${registers[1]}`);
    };
    const insns = [
      insn('mov64_imm', { dst: 1, imm: 5 }),
      insn('call_subprog', { imm: 1 }),
      insn('exit'),
      insn('add64_imm', { dst: 1, imm: 1 }),
      insn('mov64_reg', { dst: 0, src: 1 }),
      insn('exit'),
    ];
    const program = unverifiedProgram(insns);
    expect(createInterpreter({ onStep }).compile(program, bareRuntime()).run(NULL)).toBe(6);
    expect(seen).toEqual(['0 1 0', '1 1 5', '3 2 5', '4 2 6', '5 2 6', '2 1 6']);
  });
});
