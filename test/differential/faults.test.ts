/**
 * A program that faults, which a verified one should not: every engine ends it with an oops that
 * names the instruction, also where it is another program's or a callback's.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { Engine, Executable } from '../../bpf/engine.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { createMap } from '../../bpf/maps/table.ts';
import { BpfOops, type VerifiedProgram } from '../../bpf/program.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { createArmEngine } from '../../hw/arm/engine.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { bareMachine, type BareMachine } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';

const NULL = 0 as RamOffset;
const ENGINES: readonly (readonly [string, Engine])[] = [
  ['interpreter', createInterpreter()],
  ['JIT', createWasmJit()],
  ['x86 machine code', createX86Engine()],
  ['arm machine code', createArmEngine()],
];
/** Above any RAM. */
const NOWHERE = `${KERNEL_BASE + 0xffff_fff0n} ll`;

let machine: BareMachine;
beforeEach(async () => {
  machine = await bareMachine({ ramMiB: 4 });
});

function oopsOf(executable: Executable): BpfOops {
  try {
    executable.run(NULL);
  } catch (error) {
    if (error instanceof BpfOops) return error;
    throw error;
  }
  throw new Error('no fault');
}

const program = (text: string): VerifiedProgram => unverifiedProgram(assemble(text));

describe.each(ENGINES)('a fault in the %s', (_, engine) => {
  const faultOf = (of: VerifiedProgram): BpfOops => oopsOf(engine.compile(of, machine.runtime));

  it.each([
    ['a load', `r1 = ${NOWHERE}\n r2 = 5\n r0 = *(u64 *)(r1 +8)\n exit`, 3],
    [
      'a store',
      `r1 = ${NOWHERE}\n if r10 != 0 goto out\n exit\nout: *(u8 *)(r1 +64) = 1\n exit`,
      4,
    ],
    ['an atomic', `r1 = ${NOWHERE}\n lock *(u64 *)(r1 +64) += r1\n exit`, 2],
  ])('names %s', (_name, text, slot) => {
    const verified = program(text);
    expect(faultOf(verified).at).toEqual({ program: verified, slot });
  });

  it('names the instruction of a subprogram', () => {
    const verified = program(`call sub\n exit\nsub: r1 = ${NOWHERE}\n r0 = *(u8 *)(r1 +64)\n exit`);
    expect(faultOf(verified).at?.slot).toBe(4);
  });

  it('names the instruction of a callback', () => {
    const verified = program(`
      r1 = 3
      r2 = func(body)
      r3 = 0
      r4 = 0
      call 181
      exit
    body:
      r1 = ${NOWHERE}
      *(u32 *)(r1 +64) = 0
      r0 = 0
      exit`);
    expect(faultOf(verified).at?.slot).toBe(9);
  });

  it('names the call of a helper that faults', () => {
    const { runtime } = machine;
    const spec = { keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0, name: 'hash' };
    const map = createMap(runtime, { type: 'hash', ...spec });
    if (typeof map === 'number') throw new Error(`no map: ${map}`);
    const text = `
      r1 = ${KERNEL_BASE + BigInt(map.offset)} ll
      r2 = ${NOWHERE}
      call 1
      r0 = 0
      exit`;
    expect(faultOf(program(text)).at?.slot).toBe(4);
  });

  it.each(ENGINES)(
    'names the program that was tail-called, which runs in the %s',
    (_name, other) => {
      const { runtime, ram } = machine;
      const spec = { keyBytes: 4, valueBytes: 4, maxEntries: 1, flags: 0, name: 'programs' };
      const programs = createMap(runtime, { type: 'prog_array', ...spec });
      if (typeof programs === 'number') throw new Error(`no map: ${programs}`);
      const pair = ram.kzalloc(8);
      ram.view.setUint32(pair + 4, 7, true);
      programs.updateFromUser(pair, (pair + 4) as RamOffset, 0);
      const faulty = program(`r0 = 0\n r1 = ${NOWHERE}\n r0 = *(u64 *)(r1 +64)\n exit`);
      const target = other.compile(faulty, runtime);
      runtime.executableOf = (id) => (id === 7 ? target : undefined);
      const caller = program(`
      r2 = ${KERNEL_BASE + BigInt(programs.offset)} ll
      r3 = 0
      call 12
      r0 = 0
      exit`);
      // The second time the target is found without asking for it.
      for (let i = 0; i < 2; i++) {
        expect(faultOf(caller).at).toEqual({ program: faulty, slot: 3 });
      }
    },
  );
});
