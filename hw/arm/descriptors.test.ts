/** What timing models are told of instructions, for one of each shape. */
import { expect, it } from 'vitest';
import { FLAGS } from '../cpu/events.ts';
import { Assembler } from './assembler.ts';
import { decodeInsn, type ArmInsn } from './decode.ts';
import { describe } from './descriptors.ts';
import { SP, ZR } from './registers.ts';
import { armText } from './text.ts';

type Row = readonly [
  write: (a: Assembler) => void,
  kind: string,
  reads: readonly number[],
  writes: readonly number[],
  memory?: readonly string[],
];

const ROWS: readonly Row[] = [
  [(a) => a.mov(64, 7, 0), 'move', [0], [7]],
  [(a) => a.alu('add', 64, 1, 2, 3), 'alu', [2, 3], [1]],
  [(a) => a.alu('sub', 64, 1, ZR, 3), 'alu', [3], [1]],
  [(a) => a.alu('subs', 64, ZR, 2, 3), 'alu', [2, 3], [FLAGS]],
  [(a) => a.addSubImm('sub', 64, SP, SP, 16), 'alu', [SP], [SP]],
  [(a) => a.moveWide('movz', 64, 4, 1, 0), 'move', [], [4]],
  [(a) => a.moveWide('movk', 64, 4, 1, 16), 'alu', [4], [4]],
  [(a) => a.shiftImm('lsl', 64, 4, 5, 3), 'shift', [5], [4]],
  [(a) => a.multiply('madd', 64, 1, ZR, 2, 3), 'multiply', [2, 3], [1]],
  [(a) => a.multiply('msub', 64, 1, 4, 2, 3), 'multiply', [2, 3, 4], [1]],
  [(a) => a.twoSources('udiv', 32, 1, 2, 3), 'divide', [2, 3], [1]],
  [(a) => a.reverse(32, 32, 1, 2), 'byte-swap', [2], [1]],
  [(a) => a.loadImm(4, false, 1, 2, 8), 'load', [2], [1], ['load 4 2']],
  [(a) => a.loadIndexed(1, true, 1, 2, 3), 'load', [2, 3], [1], ['load 1 2+3']],
  [(a) => a.storeImm(8, 1, 2, 8), 'store', [1, 2], [], ['store 8 2']],
  [(a) => a.push(1, 2), 'store', [1, 2, SP], [SP], ['store 8 31', 'store 8 31']],
  [(a) => a.pop(1, 2), 'load', [SP], [1, 2, SP], ['load 8 31', 'load 8 31']],
  [(a) => a.loadExclusive(8, 1, 2), 'atomic', [2], [1], ['load 8 2']],
  [(a) => a.storeExclusive(8, 1, 2, 3, true), 'atomic', [1, 2], [3], ['store 8 2']],
  [(a) => a.lse('ldadd', 8, 1, 2, 3), 'atomic', [2, 3], [1], ['load-store 8 2']],
  [(a) => a.lse('ldadd', 4, ZR, 2, 3), 'atomic', [2, 3], [], ['load-store 4 2']],
  [(a) => a.compareAndSwap(8, 1, 2, 3), 'atomic', [1, 2, 3], [3], ['load-store 8 2']],
  [(a) => a.bCond('eq', 8), 'branch', [FLAGS], []],
  [(a) => a.cb('cbz', 64, 5, 8), 'branch', [5], []],
  [(a) => a.b(8), 'jump', [], []],
  [(a) => a.blr(10), 'call-indirect', [10], [30]],
  [(a) => a.br(10), 'jump-indirect', [10], []],
  [(a) => a.ret(), 'return', [30], []],
  [(a) => a.dmbIsh(), 'barrier', [], []],
  [(a) => a.hint('nop'), 'nop', [], []],
];

const sorted = (registers: readonly number[]): number[] => [...registers].sort((a, b) => a - b);

const insnOf = (write: Row[0]): ArmInsn => {
  const a = new Assembler();
  write(a);
  return decodeInsn(a.bytes, 0);
};
const CASES = ROWS.map((row) => {
  const insn = insnOf(row[0]);
  return [armText(insn, String), insn, row] as const;
});

it.each(CASES)('%s', (_, insn, [, kind, reads, writes, memory = []]) => {
  const descriptor = describe(insn, 0n);
  expect({
    kind: descriptor.kind,
    reads: sorted(descriptor.reads),
    writes: sorted(descriptor.writes),
    memory: descriptor.memory.map(
      ({ access, bytes, registers }) => `${access} ${bytes} ${registers.join('+')}`,
    ),
  }).toEqual({ kind, reads: sorted(reads), writes: sorted(writes), memory });
});
