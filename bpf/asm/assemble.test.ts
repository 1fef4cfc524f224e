import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disasm } from '../isa/disasm.ts';
import type { OpName } from '../isa/table.ts';
import { ISA } from '../isa/table.ts';
import { AsmError, assemble } from './assemble.ts';
import { insn, ldImm64 } from './build.ts';

const text = (insns: Parameters<typeof disasm>[0]) =>
  disasm(insns)
    .map((line) => line.text)
    .join('\n');

/** Any instruction that has a printed form of its own, with operands that it uses. */
const printable = ISA.filter(
  (row) => !(row.kind === 'load' && row.probe) && !(row.kind === 'ld_imm64' && row.when!.value > 0),
);
const arbitraryInsns = fc
  .tuple(
    fc.constantFrom(...printable),
    fc.nat(10),
    fc.nat(10),
    fc.integer({ min: -0x8000, max: 0x7fff }),
    fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  )
  .map(([row, dst, src, off, imm]) => {
    if (row.kind === 'ld_imm64') return ldImm64(dst, BigInt(imm) * BigInt(off));
    const all = { dst, src, off, imm };
    // A kfunc's off chooses a module; it does not print.
    const used = row.operands.filter((field) => !(row.name === 'call_kfunc' && field === 'off'));
    const ids = row.name === 'call_helper' || row.name === 'call_kfunc';
    if (ids) all.imm = Math.abs(imm >> 1);
    return [insn(row.name as OpName, Object.fromEntries(used.map((field) => [field, all[field]])))];
  });

describe('assemble', () => {
  it('gives back every instruction that the disassembler prints', () => {
    fc.assert(
      fc.property(arbitraryInsns, (insns) => {
        expect(assemble(text(insns))).toEqual(insns);
      }),
      { numRuns: 3000 },
    );
  });

  it('resolves labels over two-slot loads, forwards and backwards', () => {
    const insns = assemble(`
      start: r1 = 0x10 ll
        if r1 > 3 goto done
        call sub
        gotol start
      done:
        r0 = 0
        exit
      sub:
        w0 = 1 // comment
        exit`);
    expect(text(insns)).toBe(
      [
        '(18) r1 = 0x10',
        '(25) if r1 > 0x3 goto pc+2',
        '(85) call pc+3',
        '(06) gotol pc-5',
        '(b7) r0 = 0',
        '(95) exit',
        '(b4) w0 = 1',
        '(95) exit',
      ].join('\n'),
    );
  });

  it('reads lines pasted from a verifier log', () => {
    const log = `
      0: (7a) *(u64 *)(r10 -8) = 0          ; R10=fp0 fp-8_w=00000000
      1: (18) r1 = 0xffff896ffc948c00       ; R1_w=map_ptr(off=0,ks=8,vs=48,imm=0)
      3: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1)
      4: (15) if r0 == 0x0 goto pc+12`;
    expect(assemble(log)).toEqual([
      insn('st64', { dst: 10, off: -8, imm: 0 }),
      ...ldImm64(1, 0xffff896ffc948c00n),
      insn('call_helper', { imm: 1 }),
      insn('jeq64_imm', { dst: 0, imm: 0, off: 12 }),
    ]);
  });

  it('has a form for each pseudo load', () => {
    const insns = assemble(`
      r1 = map_fd(5)
      r2 = map_value(5, 16)
      r3 = map_idx_value(1, 8)
      r4 = btf_id(77)
      r5 = func(f)
      f: exit`);
    expect(insns.filter((_, slot) => slot % 2 === 0).map(({ src, imm }) => [src, imm])).toEqual([
      [1, 5],
      [2, 5],
      [6, 1],
      [3, 77],
      [4, 1],
      [0, 0],
    ]);
    expect(insns[3]!.imm).toBe(16);
  });

  it.each([
    ['r0 = w1', /not as wide/],
    ['r0 = 1\nr0 ~= 1', /line 2: no instruction/],
    ['goto nowhere', /no label nowhere/],
    ['r0 = 0x100000000', /exceeds 32 bits/],
    ['a:\na:', /twice/],
    ['r0 = atomic64_fetch_add((u64 *)(r1 +0), r2)', /operands of the atomic/],
    ['r1 = *(u8 *)(r2 + x)', /bad offset/],
    ['r1 = *(s64 *)(r2 +0)', /no instruction ldsx64/],
    ['r77 = 0', /4 bits/],
  ])('refuses %j', (source, message) => {
    expect(() => assemble(source)).toThrow(AsmError);
    expect(() => assemble(source)).toThrow(message);
  });
});
