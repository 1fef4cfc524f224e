import { describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import { functions } from '../../bpf/verifier/examples/types.ts';
import { disasm } from '../../bpf/isa/disasm.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import { XdpBuff } from '../../kernel/types/xdp.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import { verifyText, type TextOptions } from '../support/verify-text.ts';

function accepted(text: string, options?: TextOptions): VerifiedProgram {
  const verdict = verifyText(text, options);
  if (verdict.kind !== 'accepted') throw new Error(verdict.log);
  return verdict.program;
}

const listing = (program: VerifiedProgram): string[] =>
  disasm(program.insns).map(({ text }) => text.slice(5));

describe('rewriting', () => {
  it('puts context accesses on the kernel struct', () => {
    const { data, data_end } = XdpBuff.offsets;
    const program = accepted('r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n r0 = 2\n exit', {
      type: 'xdp',
    });
    expect(listing(program)).toEqual([
      `r2 = *(u64 *)(r1 +${data})`,
      `r3 = *(u64 *)(r1 +${data_end})`,
      'r0 = 2',
      'exit',
    ]);
    expect(program.facts.map((fact) => fact.pointer)).toEqual(['ctx', 'ctx', undefined, undefined]);
  });

  it('masks what is loaded of a wider member', () => {
    const program = accepted('r0 = *(u8 *)(r1 +1)\n exit');
    expect(listing(program)).toEqual([
      `r0 = *(u32 *)(r1 +${SkBuff.offsets.len})`,
      'w0 >>= 8',
      'w0 &= 255',
      'exit',
    ]);
    expect(program.facts.map((fact) => fact.original)).toEqual([0, 0, 0, 1]);
  });

  it('leaves out what no path reaches, and jumps over it', () => {
    const program = accepted(
      `r0 = 1
       if r0 == 1 goto yes
       r0 = 5
       call get_prandom_u32#7
       yes: if r1 == 0 goto out
       r0 = *(u32 *)(r1 +0)
       out: exit`,
    );
    expect(listing(program)).toEqual([
      'r0 = 1',
      'if r1 == 0x0 goto pc+1',
      `r0 = *(u32 *)(r1 +${SkBuff.offsets.len})`,
      'exit',
    ]);
    expect(program.facts.map((fact) => fact.original)).toEqual([0, 4, 5, 6]);
  });

  it('keeps dead code of unprivileged programs, where it gets nowhere', () => {
    const program = accepted('r0 = 0\n if r0 == 0 goto pc+1\n r0 = 7\n exit', { unpriv: true });
    expect(listing(program)).toEqual(['r0 = 0', 'if r0 == 0x0 goto pc+1', 'goto pc-1', 'exit']);
  });

  it('lets jumps back to the first instruction pass the prologue', () => {
    const program = accepted(
      `top: r2 = *(u32 *)(r1 +76)
       r3 = *(u32 *)(r1 +80)
       r4 = r2
       r4 += 1
       r0 = 0
       if r4 > r3 goto out
       *(u8 *)(r2 +0) = r0
       r5 = *(u32 *)(r1 +8)
       if r5 == 9 goto out
       r5 = 9
       *(u32 *)(r1 +8) = r5
       out: exit`,
      { type: 'sched_cls' },
    );
    expect(listing(program).slice(0, 3)).toEqual([
      `r6 = *(u8 *)(r1 +${SkBuff.offsets.bits126})`,
      'w6 &= 1',
      'if r6 == 0x0 goto pc+7',
    ]);
    expect(program.subprogs[0]).toMatchObject({ start: 0, end: program.insns.length });
  });

  it('numbers subprograms anew when one is never called', () => {
    const program = accepted(
      `r6 = 0
       if r6 == 0 goto pc+1
       call dead
       call live
       exit
       dead: r0 = 1
       exit
       live: r0 = 2
       *(u32 *)(r10 -20) = 1
       exit`,
    );
    expect(program.subprogs).toEqual([
      expect.objectContaining({ start: 0, end: 3, name: 'test', stackBytes: 0 }),
      expect.objectContaining({ start: 3, end: 6, name: 'F', stackBytes: 24 }),
    ]);
    expect(listing(program)[1]).toBe('call pc+1');
  });

  it('refuses the address of a last function that is gone, as 6.1 does', () => {
    const text = 'r1 = func(dead)\n call live\n exit\n live: r0 = 0\n exit\n dead: r0 = 0\n exit';
    const [liveAt, deadAt] = [4, 6];
    const { btf, funcInfo } = functions(liveAt, 'static');
    const rows = new Uint32Array(funcInfo.slice().buffer);
    const three = Uint32Array.from([...rows, deadAt, rows.at(-1)!]);
    const options = { type: 'xdp', btf, funcInfo: new Uint8Array(three.buffer) } as const;
    expect(verifyText(text, options)).toMatchObject({ kind: 'rejected', errno: errno.EFAULT });
  });

  it('leaves the distance where no function is left but the program itself', () => {
    const program = accepted(
      `r1 = func(dead)
       r0 = 0
       exit
       dead: r0 = 0
       exit`,
      { type: 'xdp', ...functions(4, 'static') },
    );
    expect(program.subprogs).toHaveLength(1);
  });

  it('does not store a queue number that is too large, and goes on behind the store', () => {
    const queueMapping = 12;
    const store = `r2 = -1\n *(u32 *)(r1 +${queueMapping}) = r2\n r0 = 1\n r0 = 2\n exit`;
    expect(listing(accepted(store, { type: 'sched_cls' }))[1]).toMatch(/^if .* goto pc\+1$/);
  });

  it('hands on maps and constant keys', () => {
    const program = accepted(
      `w3 = 5
       *(u32 *)(r10 -4) = r3
       r2 = r10
       r2 += -4
       r1 = map_fd(0)
       call map_lookup_elem#1
       r0 = 0
       exit`,
      { maps: [{ maxEntries: 8 }] },
    );
    const call = program.facts[program.insns.findIndex((insn) => insn.code === 0x85)]!;
    expect(call.constKey).toBe(5n);
    expect(call.map).toBe(program.usedMaps[0]);
    const load = program.facts.find((fact) => fact.imm64)!;
    expect(load.imm64).toEqual({ kind: 'map', map: program.usedMaps[0] });
  });

  it('moves source lines along', () => {
    const builder = new BtfBuilder();
    const int = builder.add({
      kind: 'int',
      name: 'int',
      size: 4,
      bits: 32,
      bitOffset: 0,
      signed: true,
      char: false,
      bool: false,
    });
    const proto = builder.add({ kind: 'func_proto', name: '', returnType: int, params: [] });
    const main = builder.add({ kind: 'func', name: 'prog', type: proto, linkage: 'global' });
    const file = builder.string('prog.c');
    const rows = [
      [0, 'int len = 1;'],
      [1, 'if (len != 1)'],
      [2, '  return 5;'],
      [3, 'return len;'],
    ] as const;
    const lineInfo = new Uint32Array(
      rows.flatMap(([insn, text], i) => [insn, file, builder.string(text), (10 + i) << 10]),
    );
    const program = accepted('r0 = 1\n if r0 == 1 goto pc+1\n r0 = 5\n exit', {
      btf: builder.build(),
      funcInfo: new Uint8Array(new Uint32Array([0, main]).buffer),
      lineInfo: new Uint8Array(lineInfo.buffer),
    });
    expect(listing(program)).toEqual(['r0 = 1', 'exit']);
    expect(program.lines.map(({ insn, line, text }) => [insn, line, text])).toEqual([
      [0, 10, 'int len = 1;'],
      [1, 13, 'return len;'],
    ]);
    expect(program.funcs).toEqual([{ insn: 0, typeId: main }]);
    expect(program.subprogs[0]!.name).toBe('prog');
  });
});
