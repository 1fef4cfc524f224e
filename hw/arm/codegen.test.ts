/** The shape of the code where linux-recorded.test.ts has none: options, and what differs. */
import { beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { insn } from '../../bpf/asm/build.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { InsnFact } from '../../bpf/program.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareMachine, type BareMachine } from '../../test/support/assets.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import { createArmEngine, type ArmJitOptions } from './engine.ts';

let machine: BareMachine;
beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 4 });
});

/** Code of the first function without offsets and comments. */
function code(
  program: string | readonly Insn[],
  options: ArmJitOptions = {},
  facts: Readonly<Record<number, Omit<InsnFact, 'original'>>> = {},
  stackBytes = 16,
): string[] {
  const insns = typeof program === 'string' ? assemble(program) : program;
  const verified = unverifiedProgram(insns, { facts, stackBytes });
  const executable = createArmEngine(options).compile(verified, machine.runtime);
  const [main] = executable.text().split('\n\n');
  executable.free();
  return main!
    .split('\n')
    .filter((line) => /^\s*[0-9a-f]+:\t/.test(line))
    .map((line) => line.split('\t')[1]!);
}

/** Between prologue and epilogue. */
function body(...args: Parameters<typeof code>): string[] {
  const lines = code(...args);
  const from = lines.findIndex((line) => line.startsWith('sub sp'));
  const to = lines.indexOf('ldp x27, x28, [sp], #16');
  // The stack pointer comes back right before.
  return lines.slice(from + 1, to - 1);
}

describe('frames', () => {
  it('sign return addresses and have landing pads as the kernel is configured', () => {
    const frame = (options: ArmJitOptions): string[] =>
      code('r0 = 0\n exit', options).filter((line) => /^(bti|pac|aut|ret)/.test(line));
    expect(frame({})).toEqual(['paciasp', 'autiasp', 'ret']);
    expect(frame({ pac: false, bti: true })).toEqual(['bti c', 'bti j', 'ret']);
  });

  it('are entered by tail calls behind what the first program has done', () => {
    const all = { pac: true, bti: true };
    const lines = code('r0 = 0\n exit', all);
    expect(lines.slice(0, 15)).toEqual([
      'bti c',
      'add x9, x30, #0',
      'nop',
      'paciasp',
      'stp x29, x30, [sp, #-16]!',
      'mov x29, sp',
      'stp x19, x20, [sp, #-16]!',
      'stp x21, x22, [sp, #-16]!',
      'stp x25, x26, [sp, #-16]!',
      'stp x27, x28, [sp, #-16]!',
      'mov x25, sp',
      'mov x26, #0',
      'bti j',
      'sub x27, x25, #0',
      'sub sp, sp, #16',
    ]);
  });
});

describe('immediates', () => {
  it('are in the instruction where it can hold them', () => {
    const one = (text: string): string[] => body(`${text}\n exit`, {}, {}, 0);
    expect(one('r0 += 4095')).toEqual(['add x7, x7, #4095']);
    expect(one('r0 += -4096')).toEqual(['sub x7, x7, #1, lsl #12']);
    expect(one('r0 += 4097')).toEqual(['mov x10, #4097', 'add x7, x7, x10']);
    expect(one('r0 &= -16')).toEqual(['and x7, x7, #0xfffffffffffffff0']);
    expect(one('w0 ^= 0x0f0f0f0f')).toEqual(['eor w7, w7, #0xf0f0f0f']);
    expect(one('r0 |= 5')).toEqual(['mov x10, #5', 'orr x7, x7, x10']);
    expect(one('r0 = -65537')).toEqual(['mov x7, #-65537']);
    expect(one('r0 = 0x12345678')).toEqual(['mov x7, #22136', 'movk x7, #4660, lsl #16']);
    expect(one('r0 %= 10')).toEqual(['mov x11, #10', 'udiv x10, x7, x11', 'msub x7, x10, x11, x7']);
  });

  it('are blinded on demand: none of 16 bits or more is left', () => {
    const text = 'r0 = 0x12345678\n r0 ^= 0x2345\n r1 = 0x456789ab56789abc ll\n exit';
    const held = (options: ArmJitOptions): number =>
      ['#22136', '#4660', '#9029', '#17767', '#35243'].filter((constant) =>
        body(text, options).some((line) => line.includes(`${constant}`)),
      ).length;
    expect(held({})).toBeGreaterThan(3);
    expect(held({ blindingSeed: 1 })).toBe(0);
  });
});

describe('memory', () => {
  it('on the stack is reached from its lowest place', () => {
    const text = '*(u64 *)(r10 -16) = r1\n r0 = *(u32 *)(r10 -4)\n r2 = *(u8 *)(r1 -1)\n exit';
    expect(body(text)).toEqual([
      'str x0, [x27]',
      'ldr w7, [x27, #12]',
      'mov x10, #-1',
      'ldrb w1, [x0, x10]',
    ]);
  });

  it('is changed by one instruction, or by a loop where the core has none', () => {
    const atomics = [
      insn('atomic64_fetch_and', { dst: 2, src: 3, off: 8 }),
      insn('atomic32_add', { dst: 2, src: 3 }),
      insn('exit'),
    ];
    const lines = (lse: boolean): string[] => body(atomics, { lse });
    expect(lines(true)).toEqual([
      'mov x10, #8',
      'add x10, x10, x1',
      'mvn x11, x2',
      'ldclral x11, x2, [x10]',
      'stadd w2, [x1]',
    ]);
    expect(lines(false)).toEqual([
      'mov x10, #8',
      'add x10, x10, x1',
      'add x9, x2, #0',
      'ldxr x2, [x10]',
      'and x11, x2, x9',
      'stlxr w12, x11, [x10]',
      'cbnz w12, 0x40',
      'dmb ish',
      'ldxr w11, [x1]',
      'add w11, w11, w2',
      'stxr w12, w11, [x1]',
      'cbnz w12, 0x54',
    ]);
  });

  it('whose address is loaded over is still the right one', () => {
    const insns = [
      insn('mov64_reg', { dst: 2, src: 10 }),
      insn('add64_imm', { dst: 2, imm: -8 }),
      insn('st64', { dst: 10, off: -8, imm: 7 }),
      insn('mov64_reg', { dst: 1, src: 2 }),
      insn('atomic64_fetch_add', { dst: 2, src: 2 }),
      insn('ldx64', { dst: 0, src: 10, off: -8 }),
      insn('sub64_reg', { dst: 0, src: 1 }),
      insn('exit'),
    ];
    for (const lse of [true, false]) {
      const executable = createArmEngine({ lse }).compile(
        unverifiedProgram(insns),
        machine.runtime,
      );
      expect(executable.run64(0 as RamOffset)).toBe(7n);
      executable.free();
    }
  });

  it('that may not be there is read by loads of the exception table', () => {
    const probe = [insn('probe32', { dst: 0, src: 1, off: 4 }), insn('exit')];
    const executable = createArmEngine().compile(unverifiedProgram(probe), machine.runtime);
    expect(executable.run64(0 as RamOffset)).toBe(0n);
    expect(executable.text()).toContain('ldr w7, [x0, #4]');
    const there = machine.ram.kzalloc(8);
    machine.ram.u32[(there + 4) >>> 2] = 0xfedcba98;
    expect(executable.run64(there)).toBe(0xfedcba98n);
    executable.free();
  });
});

describe('tail calls', () => {
  it('go through the map, and to entries by id', () => {
    const spec = {
      type: 'prog_array',
      keyBytes: 4,
      valueBytes: 4,
      maxEntries: 4,
      flags: 0,
    } as const;
    const map = createMap(machine.runtime, { ...spec, name: 'map' }) as BpfMap;
    const address = KERNEL_BASE + BigInt(map.offset);
    const lines = body(`r2 = ${address} ll\n r3 = 2\n call 12\n r0 = 1\n exit`, {}, { 3: { map } });
    expect(lines.slice(lines.indexOf('mov x2, #2') + 1)).toEqual([
      'mov w10, #36',
      'ldr w10, [x1, x10]',
      'add w2, w2, #0',
      'cmp w2, w10',
      'b.hs 0x98',
      'mov w10, #33',
      'cmp x26, x10',
      'b.hs 0x98',
      'add x26, x26, #1',
      'mov w10, #272',
      'add x10, x1, x10',
      'lsl x11, x2, #3',
      'ldr x11, [x10, x11]',
      'cbz x11, 0x98',
      'mov x10, #-65536',
      'movk x10, #57344, lsl #16',
      'movk x10, #65535, lsl #32',
      'lsl x11, x11, #3',
      'add x10, x10, x11',
      'add sp, sp, #16',
      'br x10',
      'mov x7, #1',
    ]);
  });
});
