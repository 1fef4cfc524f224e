import { describe, expect, it } from 'vitest';
import type { Ns, RamOffset } from '../kernel/types/units.ts';
import { bareRuntime } from '../test/support/bare-runtime.ts';
import { insn, ldImm64 } from './asm/build.ts';
import { unverifiedProgram } from '../test/support/unverified.ts';
import { assemble } from './asm/assemble.ts';
import type { Engine } from './engine.ts';
import { createInterpreter } from './interp/interp.ts';
import { createWasmJit } from './jit/jit.ts';
import { decodeInsns } from './isa/codec.ts';
import type { Insn } from './isa/insn.ts';
import type { BpfOops } from './program.ts';
import { BpfProg, oopsSymbol, progTag, type ProgHost } from './prog.ts';

const NULL = 0 as RamOffset;

function host(overrides: Partial<ProgHost> = {}): ProgHost & { oopses: BpfOops[] } {
  const oopses: BpfOops[] = [];
  return {
    runtime: bareRuntime(),
    interpreter: createInterpreter(),
    jit: () => undefined,
    statsEnabled: () => false,
    reportOops: (_, oops) => void oopses.push(oops),
    ...overrides,
    oopses,
  };
}

describe('program tags', () => {
  const returning = (action: number): Insn[] => [insn('mov64_imm', { imm: action }), insn('exit')];

  it('equal the ones that `ip link` prints for XDP_PASS and XDP_DROP', () => {
    expect(progTag(returning(2))).toBe('3b185187f1855c4c');
    expect(progTag(returning(1))).toBe('57cd311f2e27366b');
  });

  it('do not depend on map descriptors, but on immediates', () => {
    const tagOf = (name: 'ld_map_fd' | 'ld_map_value' | 'ld_imm64', value: bigint): string =>
      progTag([ldImm64(1, value, name), returning(0)].flat());
    expect(tagOf('ld_map_fd', 3n)).toBe(tagOf('ld_map_fd', 17n));
    expect(tagOf('ld_map_value', 3n)).toBe(tagOf('ld_map_value', 0x20_0000_0011n));
    expect(tagOf('ld_imm64', 3n)).not.toBe(tagOf('ld_imm64', 17n));
    expect(tagOf('ld_map_fd', 3n)).not.toBe(tagOf('ld_map_value', 3n));
  });
});

describe('a program in the machine', () => {
  it('turns a fault into a report and 0, and lives on', () => {
    const machine = host();
    const insns = [
      insn('jne64_imm', { dst: 1, imm: 0, off: 1 }),
      insn('ldx64', { dst: 0, src: 1 }),
      insn('mov64_imm', { imm: 5 }),
      insn('exit'),
    ];
    const prog = new BpfProg(unverifiedProgram(insns), machine);
    expect(prog.run(NULL)).toBe(0);
    expect(machine.oopses.map(({ message }) => message)).toEqual([
      'unable to handle access of 8 bytes at 0000000000000000',
    ]);
    expect(oopsSymbol(prog, machine.oopses[0]!)).toBe(`bpf_prog_${prog.tag}_test+0x8/0x20`);
    expect(prog.run(0x20000 as RamOffset)).toBe(5);
  });

  it('counts runs and virtual time only while statistics are on', () => {
    let now = 0;
    let enabled = false;
    const runtime = bareRuntime({ nowNs: () => (now += 7) as Ns });
    const prog = new BpfProg(
      unverifiedProgram(
        decodeInsns(new Uint8Array([0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])),
      ),
      host({ runtime, statsEnabled: () => enabled }),
    );
    prog.run(NULL);
    expect([prog.runCnt, prog.runTimeNs]).toEqual([0n, 0n]);
    enabled = true;
    expect(prog.run(NULL)).toBe(2);
    prog.run(NULL);
    expect([prog.runCnt, prog.runTimeNs]).toEqual([2n, 14n]);
  });

  it('moves to the JIT when it is hot and there is one, with the same results', () => {
    const insns = assemble('r0 = *(u32 *)(r1 +0)\n r0 += 1\n exit');
    const run = (jit: Engine | undefined, runs: number): [results: number[], engines: string[]] => {
      const machine = host({ jit: () => jit });
      const prog = new BpfProg(unverifiedProgram(insns), machine);
      const ctx = machine.runtime.ram.kzalloc(8);
      const engines: string[] = [];
      const results = Array.from({ length: runs }, (_, i) => {
        machine.runtime.ram.view.setUint32(ctx, i, true);
        const result = prog.run(ctx);
        engines.push(prog.executable.engine);
        return result;
      });
      prog.free();
      return [results, engines];
    };
    const [cold, interpreted] = run(undefined, 250);
    const [hot, switched] = run(createWasmJit(), 250);
    expect(hot).toEqual(cold);
    expect(new Set(interpreted)).toEqual(new Set(['interp']));
    expect([switched[0], switched.at(-1)]).toEqual(['interp', 'wasm']);
  });

  it('is hot by what it executes, not by how often it runs', () => {
    const afterRuns = (text: string, runs: number): boolean => {
      const jit = createWasmJit();
      const prog = new BpfProg(unverifiedProgram(assemble(text)), host({ jit: () => jit }));
      for (let i = 0; i < runs; i++) prog.run(NULL);
      return prog.isJited;
    };
    const straight = 'r0 = 1\n r0 += 1\n exit';
    expect([afterRuns(straight, 99), afterRuns(straight, 100)]).toEqual([false, true]);
    const loop = 'r0 = 1000\nagain: r0 += -1\n if r0 != 0 goto again\n exit';
    expect(afterRuns(loop, 1)).toBe(true);
  });

  it('moves in the middle of a run that calls back often', () => {
    const text = `
      r6 = r1
      r1 = 5000
      r2 = func(body)
      r3 = r6
      r4 = 0
      call 181
      exit
    body:
      r3 = *(u64 *)(r2 +0)
      r3 += r1
      *(u64 *)(r2 +0) = r3
      r0 = 0
      exit`;
    let compiledSteps = 0;
    const jit = createWasmJit({ onStep: () => void compiledSteps++ });
    const machine = host({ jit: () => jit });
    const prog = new BpfProg(unverifiedProgram(assemble(text)), machine);
    const { ram } = machine.runtime;
    const ctx = ram.kzalloc(8);
    expect(prog.run(ctx)).toBe(5000);
    expect(ram.readU64(ctx)).toBe((5000n * 4999n) / 2n);
    // Most of the 5000 rounds of five instructions ran in the JIT, of the rest none.
    expect(compiledSteps).toBeGreaterThan(4000 * 5);
    expect(compiledSteps % 5).toBe(0);
    expect(machine.oopses).toEqual([]);
  });

  it('looks for the JIT again where there was none', () => {
    const engines: Engine[] = [];
    const insns = assemble('r0 = 1\n exit');
    const prog = new BpfProg(unverifiedProgram(insns), host({ jit: () => engines[0] }));
    const runs = (count: number): boolean => {
      for (let i = 0; i < count; i++) prog.run(NULL);
      return prog.isJited;
    };
    expect(runs(150)).toBe(false);
    engines.push(createWasmJit());
    expect([runs(49), runs(1)]).toEqual([false, true]);
  });

  it('moves when asked, and stays where it is if the JIT refuses', () => {
    const prog = (jit: Engine): BpfProg =>
      new BpfProg(unverifiedProgram(assemble('r0 = 2\n exit')), host({ jit: () => jit }));
    const willing = prog(createWasmJit());
    expect([willing.jit(), willing.isJited, willing.run(NULL)]).toEqual([true, true, 2]);
    const refusal = { reason: 'program-too-large', insn: 0, message: 'no' } as const;
    const unwilling = prog({ ...createWasmJit(), refusal: () => refusal });
    expect([unwilling.jit(), unwilling.isJited, unwilling.run(NULL)]).toEqual([false, false, 2]);
  });
});
