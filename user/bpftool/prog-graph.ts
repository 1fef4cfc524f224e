/**
 * The control flow of a program's functions as a graph for dot(1): `bpftool prog dump xlated PROG
 * visual`, in the form of bpftool 7.1, edge for edge.
 *
 *   graphText(insns, names, starts)     `starts`: slots at which functions begin, ascending
 */
import { disasmInsn, type DisasmNames } from '../../bpf/isa/disasm.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { rowOf } from '../../bpf/isa/table.ts';

/** Blocks 0 and 1 of each function are where it is entered and left. */
const ENTRY = 0;
const EXIT = 1;
const FIRST = 2;

interface Block {
  readonly number: number;
  /** First slot, and the last instruction's. */
  readonly head: number;
  readonly tail: number;
}

/** Slots of a program at which functions start: 0 and what subprogram calls name. */
export function functionStarts(insns: readonly Insn[]): number[] {
  const starts = new Set([0]);
  insns.forEach((insn, slot) => {
    // In a dump, `off` has the distance.
    if (rowOf(insn)?.name === 'call_subprog') starts.add(slot + 1 + insn.off);
  });
  return [...starts].sort((a, b) => a - b);
}

export function graphText(insns: readonly Insn[], names: DisasmNames): string {
  const starts = functionStarts(insns);
  const functions = starts.map((start, i) =>
    functionText(insns, names, i, start, starts[i + 1] ?? insns.length),
  );
  return `digraph "DOT graph for eBPF program" {\n${functions.join('')}}\n`;
}

function functionText(
  insns: readonly Insn[],
  names: DisasmNames,
  index: number,
  start: number,
  end: number,
): string {
  const blocks = blocksOf(insns, start, end);
  const node = (number: number) => `fn_${index}_bb_${number}`;
  const special = (number: number, label: string) =>
    `\t${node(number)} [shape=Mdiamond,style=filled,label="${label}"];\n\n`;
  const bodies = blocks.map((block) => {
    const rows = slotsOf(insns, block).map(
      (slot) =>
        `${String(slot - start).padStart(4)}: ${escaped(disasmInsn(insns, slot, names))}\\l\\\n`,
    );
    return `\t${node(block.number)} [shape=record,style=filled,label="{${rows.join(' | ')}}"];\n\n`;
  });
  const edge = (from: number, to: number, style: string) =>
    `\t${node(from)}:s -> ${node(to)}:n [style=${style}constraint=true];\n`;
  const solid = '"solid,bold", color=black, weight=10, ';
  const edges = [
    edge(ENTRY, FIRST, solid),
    ...blocks.flatMap((block) =>
      successors(insns, blocks, block).map((to) => edge(block.number, to, solid)),
    ),
    edge(ENTRY, EXIT, '"invis", '),
  ];
  return (
    `subgraph "cluster_${index}" {\n\tstyle="dashed";\n\tcolor="black";\n` +
    `\tlabel="func_${index} ()";\n${special(ENTRY, 'ENTRY')}${bodies.join('')}` +
    `${special(EXIT, 'EXIT')}${edges.join('')}}\n`
  );
}

/** Calls and exits do not end a block, as bpftool has it. */
function blocksOf(insns: readonly Insn[], start: number, end: number): Block[] {
  const heads = new Set([start]);
  for (let slot = start; slot < end; slot++) {
    const target = jumpTarget(insns[slot]!, slot);
    if (target === undefined) continue;
    heads.add(target);
    heads.add(slot + 1);
  }
  const sorted = [...heads].filter((head) => head < end).sort((a, b) => a - b);
  return sorted.map((head, i) => {
    const last = (sorted[i + 1] ?? end) - 1;
    const isSecondHalf = last > head && rowOf(insns[last - 1]!)?.slots === 2;
    return { number: FIRST + i, head, tail: isSecondHalf ? last - 1 : last };
  });
}

function jumpTarget(insn: Insn, slot: number): number | undefined {
  const row = rowOf(insn);
  if (row?.kind === 'branch') return slot + 1 + insn.off;
  if (row?.kind !== 'goto') return undefined;
  return slot + 1 + (row.long ? insn.imm : insn.off);
}

/** The block behind, and where a jump goes; a call at the end counts as a jump by its `off`. */
function successors(insns: readonly Insn[], blocks: readonly Block[], block: Block): number[] {
  const insn = insns[block.tail]!;
  const behind = block.number + 1 < FIRST + blocks.length ? block.number + 1 : EXIT;
  const target = jumpTarget(insn, block.tail);
  const row = rowOf(insn);
  const at = (slot: number) => blocks.find(({ head }) => head === slot)?.number;
  if (row?.kind === 'goto') return [at(target!) ?? EXIT];
  if (row?.kind !== 'branch' && row?.kind !== 'call') return [behind];
  const jump = at(target ?? block.tail + 1 + insn.off);
  return jump === undefined ? [behind] : [behind, jump];
}

function slotsOf(insns: readonly Insn[], { head, tail }: Block): number[] {
  const slots: number[] = [];
  for (let slot = head; slot <= tail; slot += rowOf(insns[slot]!)?.slots ?? 1) slots.push(slot);
  return slots;
}

/** Characters that mean something in a label of dot's. */
const escaped = (text: string) => text.replace(/[<>|&]/g, '\\$&');
