/**
 * Programs made to cost a verifier time or memory: long ones, deep ones, ones whose states are many
 * or large, ones with much to walk over. What each may cost is counted, not timed, by its test
 * (pathological.test.ts); `skep bench verifier` times them.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import type { VerifierEnv } from '../../bpf/verifier/verify.ts';
import { programOfText, type TextOptions } from '../support/verify-text.ts';

/** BPF_COMPLEXITY_LIMIT_INSNS: as long as a program may be. */
export const MOST_INSNS = 1_000_000;
const ENDLESS = 0x7fffffff;

export interface Pathological {
  readonly name: string;
  /** @param length most instructions of those that are long */
  readonly insns: (length: number) => Insn[];
  readonly options?: TextOptions;
  /** Functions start at these slots and are global, of type `int f(void)`; the first is the program. */
  readonly globals?: (insns: readonly Insn[]) => readonly number[];
  /** The reason code of its refusal; absent where it is accepted. */
  readonly refused?: string;
}

export function programOf(
  one: Pathological,
  length = MOST_INSNS,
): { spec: ProgramSpec; env: VerifierEnv } {
  const { spec, env } = programOfText('exit', { type: 'socket_filter', ...one.options });
  const insns = one.insns(length);
  const types = one.globals && functionTypes(one.globals(insns));
  return { spec: { ...spec, ...types, insns }, env: { ...env, logLevel: 0 } };
}

function functionTypes(starts: readonly number[]): Pick<ProgramSpec, 'btf' | 'funcInfo'> {
  const builder = new BtfBuilder();
  const int = builder.intern({
    kind: 'int',
    name: 'int',
    size: 4,
    bits: 32,
    bitOffset: 0,
    signed: true,
    char: false,
    bool: false,
  });
  const type = builder.intern({ kind: 'func_proto', name: '', returnType: int, params: [] });
  const records = new DataView(new ArrayBuffer(starts.length * 8));
  starts.forEach((start, index) => {
    const func = builder.add({ kind: 'func', name: `f${index}`, type, linkage: 'global' });
    records.setUint32(index * 8, start, true);
    records.setUint32(index * 8 + 4, func, true);
  });
  return {
    btf: builder.build(),
    funcInfo: { recordBytes: 8, records: new Uint8Array(records.buffer) },
  };
}

const repeated = (text: string, count: number): Insn[] => {
  const insns = assemble(text);
  return Array.from({ length: count }, () => insns).flat();
};
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

const FULL_STACK = lines(60, (i) => `*(u64 *)(r10 -${8 * (i + 1)}) = r10`);

/** Seven frames with full stacks, and below them the text; r6 is some number. */
const below = (text: string): string => `
  r6 = *(u32 *)(r1 +0)
  ${FULL_STACK}
  r1 = r6
  call f1
  exit
  ${lines(6, (i) => `f${i + 1}:\n r6 = r1\n ${FULL_STACK}\n r1 = r6\n call f${i + 2}\n exit`)}
f7:
  r6 = r1
  ${FULL_STACK}
  ${text}`;

const EXIT = 0x95;
const DISTANCE = 0x7fff;
/** Each goto leads over code that is alive: to the far side, and back to behind the goto. */
const zigzag = (length: number): Insn[] => {
  const [there] = assemble(`goto pc+${DISTANCE}`);
  const [back] = assemble(`goto pc-${DISTANCE + 1}`);
  const half = DISTANCE + 1;
  const blocks = Math.floor(length / (2 * half));
  const block = Array.from({ length: 2 * half }, (_, i) => (i < half ? there! : back!));
  // The last one falls through to what follows.
  block[block.length - 1] = assemble('goto pc+0')[0]!;
  return [...Array.from({ length: blocks }, () => block).flat(), ...assemble('r0 = 0\n exit')];
};

/** Arithmetic on known and unknown numbers, and the stack: what compilers make, without branches. */
export const BLOCK = `
  r2 = r6
  r2 &= 255
  r2 += 7
  *(u64 *)(r10 -8) = r2
  r3 = *(u64 *)(r10 -8)
  r3 <<= 2
  w4 = w7
  w4 >>= 3
  r0 += r3
  r0 ^= r4
`;
export const UNKNOWNS = `
  r6 = *(u32 *)(r1 +0)
  r7 = *(u32 *)(r1 +8)
  r0 = 0
`;
/** 11 instructions a round. */
export const loop = (rounds: number): Insn[] =>
  assemble(`
  ${UNKNOWNS}
  r8 = 0
again:
  ${BLOCK}
  r8 += 1
  if r8 < ${rounds} goto again
  r0 = 0
  exit`);

const ENDLESS_ONES: readonly Pathological[] = [
  { name: 'loop', insns: () => loop(ENDLESS) },
  {
    name: 'tight loop',
    insns: () => assemble(`r0 = 0\n again: r0 += 1\n if r0 < ${ENDLESS} goto again\n exit`),
  },
  {
    // Each round doubles the paths: what is looked at differs, so that no path covers another.
    name: 'branches',
    insns: () =>
      assemble(`
        ${UNKNOWNS}
        r8 = 0
      again:
        r8 += 1
        r3 = r6
        r3 >>= 1
        if r6 & 1 goto odd
        r0 += 1
      odd:
        if r7 > r8 goto more
        r0 += 3
      more:
        *(u64 *)(r10 -16) = r0
        r6 = r3
        if r8 < ${ENDLESS} goto again
        exit`),
  },
  {
    name: 'wide states',
    insns: () =>
      assemble(`
        ${FULL_STACK}
        r6 = 0
      again:
        r6 += 1
        r7 = *(u64 *)(r10 -240)
        if r6 < ${ENDLESS} goto again
        r0 = 0
        exit`),
  },
  {
    name: 'deep frames',
    insns: () =>
      assemble(below(`r6 = 0\n again: r6 += 1\n r7 = 1\n if r6 < ${ENDLESS} goto again\n exit`)),
  },
  {
    // Each round asks for the exact value of a number from a call, which is not followed back.
    name: 'values from calls',
    insns: () =>
      assemble(`
        r8 = 0
      again:
        r8 += 1
        call one
        r6 = r0
        r1 = r10
        r1 += r6
        if r8 < ${ENDLESS} goto again
        r0 = 0
        exit
      one:
        r0 = 1
        exit`),
  },
  {
    name: 'references',
    insns: () =>
      assemble(`
        r6 = 0
      again:
        r1 = map_fd(0)
        r2 = 8
        r3 = 0
        call ringbuf_reserve#131
        r6 += 1
        if r6 < ${ENDLESS} goto again
        r0 = 0
        exit`),
    options: { maps: [{ type: 'ringbuf', keyBytes: 0, valueBytes: 0, maxEntries: 4096 }] },
  },
  {
    // Every path but the first ends where it is covered, by what needs all values exactly.
    name: 'exact values in many places',
    insns: () => [
      ...assemble(`
        r6 = *(u32 *)(r1 +0)
        r7 = 0
        ${lines(60, (i) => `*(u64 *)(r10 -${8 * (i + 1)}) = r7`)}
        r0 = 0`),
      ...Array.from({ length: 1_000 }, (_, i) => [
        ...assemble(`if r6 == ${i} goto pc+0`),
        ...repeated('r0 += 1', 900),
        ...assemble('goto pc+0'),
      ]).flat(),
      ...assemble(`
        ${lines(60, (i) => `r2 = r10\n r1 = *(u64 *)(r10 -${8 * (i + 1)})\n r2 += r1`)}
        r0 = 0
        exit`),
    ],
  },
];

/** They go on until the limit of processed instructions. */
export const ENDLESS_PROGRAMS: readonly Pathological[] = ENDLESS_ONES.map((one) => ({
  ...one,
  refused: 'too-complex',
}));

export const HARD_PROGRAMS: readonly Pathological[] = [
  {
    name: 'longest program',
    insns: (length) => [
      ...assemble('r0 = 0'),
      ...repeated('r0 += 1', length - 2),
      ...assemble('exit'),
    ],
  },
  {
    name: 'loads of maps',
    insns: (length) => [
      ...repeated('r1 = map_fd(0)', length / 2 - 1),
      ...assemble('r0 = 0\n exit'),
    ],
    options: { maps: [{ valueBytes: 8, maxEntries: 1 }] },
  },
  {
    name: 'context loads',
    insns: (length) => [
      ...repeated('r0 = *(u32 *)(r1 +0)', length - 2),
      ...assemble('r0 = 0\n exit'),
    ],
  },
  {
    name: 'goto',
    insns: (length) => [...repeated('goto pc+0', length - 2), ...assemble('r0 = 0\n exit')],
  },
  { name: 'goto over what is alive', insns: zigzag },
  {
    name: 'dead code',
    insns: (length) => [
      ...assemble('r0 = 0'),
      ...Array.from({ length: Math.floor(length / (DISTANCE + 1)) }, () => [
        ...assemble(`if r0 == 0 goto pc+${DISTANCE - 1}`),
        ...repeated('r0 += 1', DISTANCE - 1),
      ]).flat(),
      ...assemble('exit'),
    ],
  },
  {
    // Each round asks for the exact value of one number, which was made at the very beginning.
    name: 'exact values',
    insns: (length) => [
      ...assemble('r6 = 1'),
      ...repeated('r1 = r10\n r1 += r6', length / 2 - 2),
      ...assemble('r0 = 0\n exit'),
    ],
  },
  {
    // One jump more than may wait to be explored.
    name: 'waiting paths',
    insns: () => [
      ...assemble('r6 = *(u32 *)(r1 +0)\n r0 = 0'),
      ...Array.from({ length: 8193 }, (_, i) => {
        const [jump] = assemble('if r6 == 1 goto end\n end: exit');
        return { ...jump!, off: 8192 - i };
      }),
      ...assemble('exit'),
    ],
    refused: 'too-complex',
  },
  {
    name: 'waiting paths below full frames',
    insns: () =>
      assemble(
        below(`
        ${lines(8200, (i) => `*(u64 *)(r10 -${8 * ((i % 60) + 1)}) = r6\n if r6 == ${i} goto end`)}
      end:
        r0 = 0
        exit`),
      ),
    refused: 'too-complex',
  },
  {
    name: 'checkpoints below full frames',
    insns: (length) => [
      ...assemble(below('r0 = 0')),
      ...repeated('goto pc+0', length - 1000),
      ...assemble('exit'),
    ],
    // All that is below the limits was explored before that is looked at.
    refused: 'stack-too-large',
  },
  {
    name: 'checkpoints below full frames that change',
    insns: (length) => [
      ...assemble(below('r0 = 0')),
      ...Array.from({ length: 60 }, (_, i) =>
        repeated(
          `*(u64 *)(r10 -${8 * (i + 1)}) = r6\n goto pc+0\n goto pc+0`,
          Math.floor(length / 180) - 10,
        ),
      ).flat(),
      ...assemble('exit'),
    ],
    refused: 'stack-too-large',
  },
  {
    name: 'calls of global functions',
    insns: (length) => {
      const calls = Math.floor(length / 2.5);
      const [call] = assemble('call one\n one: exit');
      return [
        ...assemble('r0 = 0'),
        ...Array.from({ length: calls }, (_, i) => ({ ...call!, imm: calls + 1 - i })),
        ...assemble('r0 = 0\n exit'),
        ...repeated('r0 = 1', calls),
        ...assemble('exit'),
      ];
    },
    globals: (insns) => [0, insns.findIndex(({ code }) => code === EXIT) + 1],
  },
  {
    // 100 to the seventh ways through the graph of calls.
    name: 'chains of calls',
    insns: () =>
      assemble(
        `${lines(100, () => 'call f1')}\n r0 = 0\n exit\n` +
          lines(6, (f) => `f${f + 1}:\n ${lines(100, () => `call f${f + 2}`)}\n r0 = 0\n exit`) +
          '\nf7:\n r0 = 0\n exit',
      ),
    globals: () => Array.from({ length: 8 }, (_, i) => 102 * i),
  },
];
