/**
 * LLVM's spelling of every instruction that it knows, three encodings each: what llvm-objdump 19.1.7
 * prints without options and with --mcpu=v4.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeInsns } from './codec.ts';
import { llvmText } from './llvm-text.ts';
import { ISA, rowOf } from './table.ts';

const recorded = readFileSync('bpf/isa/llvm-19.recorded.jsonl', 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as [hex: string, plain: string, v4: string])
  .map(([hex, plain, v4]) => ({ insns: decodeInsns(Buffer.from(hex, 'hex')), hex, plain, v4 }));

describe('LLVM’s spelling', () => {
  it('is recorded for all but the loads that only the kernel makes', () => {
    const known = new Set(recorded.map(({ insns }) => rowOf(insns[0]!)!.name));
    const others = ISA.map(({ name }) => name).filter((name) => !known.has(name));
    expect(others.filter((name) => !name.startsWith('probe'))).toEqual([]);
  });

  it('is LLVM’s', () => {
    for (const { insns, hex, plain, v4 } of recorded) {
      const ours = [llvmText(insns, 0, { alu32: false }), llvmText(insns, 0)];
      expect([hex, ...ours]).toEqual([hex, plain, v4]);
    }
  });
});
