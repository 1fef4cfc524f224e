import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeInsns, encodeInsns, imm64At } from './codec.ts';
import { disasm, disasmInsn } from './disasm.ts';
import type { Insn } from './insn.ts';
import { ISA, OP, rowOf, rowsOfCode } from './table.ts';

const decode = (hex: string) => decodeInsns(Uint8Array.from(Buffer.from(hex, 'hex')));
const arbitraryInsn = fc.record({
  code: fc.nat(255),
  dst: fc.nat(15),
  src: fc.nat(15),
  off: fc.integer({ min: -0x8000, max: 0x7fff }),
  imm: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
});

describe('instruction table', () => {
  it('gives each row a number, a name and an encoding of its own', () => {
    expect(new Set(ISA.map(({ name }) => name)).size).toBe(ISA.length);
    for (const [op, row] of ISA.entries()) {
      expect(OP[row.name as keyof typeof OP]).toBe(op);
      const insn: Insn = { code: row.code, dst: 0, src: 0, off: 0, imm: 0 };
      expect(rowOf(row.when ? { ...insn, [row.when.field]: row.when.value } : insn)).toBe(row);
      expect(rowsOfCode(row.code)).toContain(row);
    }
  });

  /** RFC 9669 sections 4 and 5: opcode bytes are class, source or size, and operation or mode. */
  it('has the opcode bytes that the fields of the RFC make', () => {
    const aluCode = 'add sub mul div or and lsh rsh neg mod xor mov arsh'.split(' ');
    const jumpCode = '- eq gt ge set ne sgt sge call exit lt le slt sle'.split(' ');
    const sizeBits: Record<number, number> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };
    for (const row of ISA) {
      let want: number | undefined;
      if (row.kind === 'alu') {
        const operation = row.operation.replace(/^s(div|mod)$/, '$1');
        const source = row.source === 'reg' ? 8 : 0;
        want = (aluCode.indexOf(operation) << 4) | source | (row.width === 64 ? 7 : 4);
      } else if (row.kind === 'branch') {
        const source = row.source === 'reg' ? 8 : 0;
        want = (jumpCode.indexOf(row.condition) << 4) | source | (row.width === 64 ? 5 : 6);
      } else if (row.kind === 'load' && !row.probe) {
        want = (row.signed ? 0x80 : 0x60) | sizeBits[row.bytes]! | 1;
      } else if (row.kind === 'store') {
        want = 0x60 | sizeBits[row.bytes]! | (row.source === 'reg' ? 3 : 2);
      } else if (row.kind === 'atomic') {
        want = 0xc0 | sizeBits[row.bytes]! | 3;
      } else if (row.kind === 'ld_packet') {
        want = (row.mode === 'ind' ? 0x40 : 0x20) | sizeBits[row.bytes]!;
      }
      if (want !== undefined) expect([row.name, row.code]).toEqual([row.name, want]);
    }
  });

  it('counts the instructions of each conformance group', () => {
    const groups: Record<string, number> = {};
    for (const { group, version } of ISA) {
      if (version !== 'internal') groups[group] = (groups[group] ?? 0) + 1;
    }
    // Counted by hand from RFC 9669; a ld_imm64 form and a call form is an instruction.
    expect(groups).toEqual({
      base32: 18 + 1 + 2 + 6 + 3 + 3 + 3 + 3 + 2 + 22 + 3,
      base64: 18 + 1 + 3 + 3 + 7 + 1 + 1 + 1 + 22 + 1,
      divmul32: 10,
      divmul64: 10,
      atomic32: 10,
      atomic64: 10,
      packet: 6,
    });
  });
});

describe('codec', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(fc.array(arbitraryInsn), (insns) => {
        expect(decodeInsns(encodeInsns(insns))).toEqual(insns);
      }),
    );
  });

  it('reads 64-bit immediates unsigned', () => {
    expect(imm64At(decode('180100000102030400000000ffffffff'), 0)).toBe(0xffffffff_04030201n);
  });
});

describe('disassembler', () => {
  /** Lines as Linux 6.1 printed them for these bytes. */
  it.each([
    ['7b1af8ff00000000', '(7b) *(u64 *)(r10 -8) = r1'],
    ['7a0af8ff00000000', '(7a) *(u64 *)(r10 -8) = 0'],
    ['bfa2000000000000', '(bf) r2 = r10'],
    ['07020000f8ffffff', '(07) r2 += -8'],
    ['b403000001000000', '(b4) w3 = 1'],
    ['1c93000000000000', '(1c) w3 -= w9'],
    ['150009000c000000', '(15) if r0 == 0xc goto pc+9'],
    ['c6070100ffffffff', '(c6) if w7 s< 0xffffffff goto pc+1'],
    ['d503fdfffdffffff', '(d5) if r3 s<= 0xfffffffd goto pc-3'],
    ['8510000003000000', '(85) call pc+3'],
    ['db21000000000000', '(db) lock *(u64 *)(r1 +0) += r2'],
    ['db01f8ff01000000', '(db) r0 = atomic64_fetch_add((u64 *)(r1 -8), r0)'],
    ['c35af8fff1000000', '(c3) r0 = atomic_cmpxchg((u32 *)(r10 -8), r0, r5)'],
    ['200000000000e0ff', '(20) r0 = *(u32 *)skb[-2097152]'],
    ['402000000000e0ff', '(40) r0 = *(u32 *)skb[r2 + -2097152]'],
    ['8700000000000000', '(87) r0 = -r0'],
    ['dc01000010000000', '(dc) r1 = be16 r1'],
    ['c707000020000000', '(c7) r7 s>>= 32'],
    ['9500000000000000', '(95) exit'],
  ])('%s is %s', (hex, text) => {
    expect(disasmInsn(decode(hex), 0)).toBe(text);
  });

  it('takes names from its caller and counts a 64-bit load as one', () => {
    const insns = decode('1811000007000000000000000000000085000000010000009500000000000000');
    expect(
      disasm(insns, {
        helper: (id) => (id === 1 ? 'bpf_map_lookup_elem' : undefined),
        imm64: (value, { src }) => (src === 1 ? `map[id:${value}]` : undefined),
      }),
    ).toEqual([
      { slot: 0, text: '(18) r1 = map[id:7]' },
      { slot: 2, text: '(85) call bpf_map_lookup_elem#1' },
      { slot: 3, text: '(95) exit' },
    ]);
  });

  it('prints v4 as 6.1 did where asked to', () => {
    const sdiv = decode('3f21010000000000');
    expect(disasmInsn(sdiv, 0)).toBe('(3f) r1 s/= r2');
    expect(disasmInsn(sdiv, 0, { level: '6.1' })).toBe('(3f) r1 /= r2');
  });

  it('prints anything at all', () => {
    fc.assert(
      fc.property(fc.array(arbitraryInsn, { minLength: 1 }), (insns) => {
        for (const { text } of disasm(insns)) expect(text).toMatch(/^\([0-9a-f]{2}\) \S/);
      }),
    );
  });
});
