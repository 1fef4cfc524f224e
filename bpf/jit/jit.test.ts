import { describe, expect, it } from 'vitest';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../../test/support/instruction-cases.ts';
import { assemble } from '../asm/assemble.ts';
import { insn } from '../asm/build.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import type { Insn } from '../isa/insn.ts';
import { ISA, rowOf } from '../isa/table.ts';
import { BpfOops } from '../program.ts';
import { createWasmJit } from './jit.ts';

const NULL = 0 as RamOffset;
const jit = createWasmJit();
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
    const last = (2 ** 20 - 4) as RamOffset;
    expect(() => executable.run(last)).toThrow(BpfOops);
    expect(runtime.running).toBeUndefined();
    expect(executable.run(0x20000 as RamOffset)).toBe(0);
  });

  it('lists the WASM of each instruction below its disassembly', () => {
    const text = compile(assemble('r0 = 7\n if r1 != 0 goto out\n r0 += 1\nout: exit')).text();
    const lines = text.split('\n').map((line) => line.replace(/^ *[0-9a-f]+:\t/, '').trim());
    const code = (text: string): string => lines[lines.indexOf(text) + 1]!;
    expect(code('; 0: (b7) r0 = 7')).toBe('i64.const 7');
    expect(code('; 1: (55) if r1 != 0x0 goto pc+1')).toBe('local.get 0');
    expect(code('; 3: (95) exit')).toMatch(/^local\.get \d/);
  });

  it('gives its image and the size of each subprogram', () => {
    const executable = compile(assemble('call sub\n exit\nsub: r0 = 1\n exit'));
    const image = executable.image!();
    expect(image.length).toBe(executable.imageBytes);
    expect([...image.subarray(0, 4)]).toEqual([0, 0x61, 0x73, 0x6d]);
    const sizes = executable.functionBytes!();
    expect(sizes).toHaveLength(2);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes[0]! + sizes[1]!).toBeLessThan(image.length);
  });

  it('enters a subprogram with a loop of two entries anew each time', () => {
    const text = `
      r6 = 3
      r7 = 0
    again:
      r1 = r6
      call sum
      r7 += r0
      r6 += -1
      if r6 != 0 goto again
      r0 = r7
      exit
    sum:
      r0 = 0
      if r1 == 2 goto middle
    top:
      r0 += 10
    middle:
      r0 += 1
      r1 += -1
      if r1 s> 0 goto top
      exit`;
    // From the top: 3 × 11 and 1 × 11, from the middle: 1 + 11.
    expect(compile(assemble(text)).run(NULL)).toBe(33 + 12 + 11);
  });

  it('does not grow without bounds where small subprograms call each other', () => {
    const calls = (name: string) => Array.from({ length: 38 }, () => `call ${name}`).join('\n');
    const text = `
      r0 = 0
      ${calls('a')}
      exit
    a: ${calls('b')}
      exit
    b: ${calls('c')}
      exit
    c: r1 = ${KERNEL_BASE + 0x20000n} ll
      r2 = *(u64 *)(r1 +0)
      r2 += 1
      *(u64 *)(r1 +0) = r2
      r0 = 0
      exit`;
    const runtime = bareRuntime();
    const executable = compile(assemble(text), runtime);
    expect(executable.imageBytes).toBeLessThan(100_000);
    executable.run(NULL);
    expect(runtime.ram.readU64(0x20000 as RamOffset)).toBe(38n ** 3n);
  });

  it('compiles very long programs without recursion or quadratic time', () => {
    const lines = Array.from(
      { length: 4000 },
      (_, i) => `if r1 == ${i + 1} goto e${i}\n r0 += 1\ne${i}:`,
    );
    const diamonds = assemble(`r0 = 0\n${lines.join('\n')}\n exit`);
    expect(compile(diamonds).run(NULL)).toBe(4000);
    const exits = lines.map((_, i) => `if r1 != ${i + 1} goto n${i}\n exit\nn${i}: r0 += 1`);
    expect(compile(assemble(`r0 = 0\n${exits.join('\n')}\n exit`)).run(NULL)).toBe(4000);
  });
});
