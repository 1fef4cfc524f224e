/**
 * Where two results part: the first instruction after which the real kernel and skep disagree.
 *
 * The kernel cannot be single-stepped, so it is asked about variants of the program that end right
 * behind an instruction (on its first execution) and return what it has just written. Variants are
 * made in the order in which skep's interpreter executes the program. Instructions of subprograms
 * are not looked into: the call counts as one.
 */
import { insn } from '../../bpf/asm/build.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import { rowOf, type OpName } from '../../bpf/isa/table.ts';
import { hostAssets } from '../../ui/cli/assets.ts';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import type { Court, Found } from './court.ts';
import { RESULT_KINDS } from './difference.ts';
import { insertSlots, targetOf } from './edit.ts';
import { insnsOf, LOG_STATS, type RequestJson } from './request.ts';

export interface Divergence {
  readonly slot: number;
  readonly text: string;
  readonly linux: string;
  readonly skep: string;
}

/** Executed slots looked at. */
const MAX_SLOTS = 400;

export async function divergence(court: Court, found: Found): Promise<Divergence | undefined> {
  if (!RESULT_KINDS.has(found.difference.kind)) return undefined;
  const { request } = found;
  const insns = insnsOf(request);
  const variants = (await executedSlots(request))
    .slice(0, MAX_SLOTS)
    .flatMap((slot) => endingsBehind(request, insns, slot).map((variant) => ({ slot, variant })));
  const answers = await court.compare(variants.map(({ variant }) => variant));
  const first = answers.findIndex(
    ({ difference, unstable }) => difference && RESULT_KINDS.has(difference.kind) && !unstable,
  );
  if (first < 0) return undefined;
  const { slot } = variants[first]!;
  const { linux, skep } = answers[first]!.difference!;
  return { slot, text: disasmInsn(insns, slot), linux, skep };
}

/** Slots of the entry function, in the order of their first execution. */
async function executedSlots(request: RequestJson): Promise<number[]> {
  const seen = new Set<number>();
  const engine = createInterpreter({
    onStep: ({ slot, depth }) => {
      if (depth === 0) seen.add(slot);
    },
  });
  const original: number[] = [];
  const recording: typeof engine = {
    ...engine,
    compile(program, runtime) {
      original.length = 0;
      program.facts.forEach((fact, slot) => (original[slot] = fact?.original ?? slot));
      return engine.compile(program, runtime);
    },
  };
  new BatchMachine(await hostAssets(), { engine: recording }).answer(parseRequest(request));
  const entryEnd = firstSubprog(insnsOf(request));
  const slots = [...seen].map((slot) => original[slot] ?? slot);
  return [...new Set(slots)].filter((slot) => slot < entryEnd);
}

function firstSubprog(insns: readonly Insn[]): number {
  const targets = insns.flatMap((one, slot) => {
    const row = rowOf(one);
    const isFunction = row?.kind === 'call' || row?.kind === 'ld_imm64';
    return isFunction ? (targetOf(one, slot)?.target ?? []) : [];
  });
  return Math.min(insns.length, ...targets);
}

/** The request, ending behind `slot` with what it wrote: the lower and the upper half. */
function endingsBehind(request: RequestJson, insns: readonly Insn[], slot: number): RequestJson[] {
  const read = written(insns[slot]!);
  if (!read) return [];
  const at = slot + (rowOf(insns[slot]!)?.slots ?? 1);
  return [0, 32].map((shift) => {
    // The rest stays reachable for the check of the control flow, and is never run.
    const ending = [
      ...read,
      insn('rsh64_imm', { dst: 0, imm: shift }),
      insn('mov64_imm', { dst: 1, imm: 0 }),
      insn('jne64_imm', { dst: 1, imm: 0, off: 1 }),
      insn('exit'),
    ];
    return { ...insertSlots(request, at, ending), log_level: LOG_STATS };
  });
}

/** Instructions that bring into r0 what this one has written, if it is a value. */
function written(one: Insn): Insn[] | undefined {
  const row = rowOf(one);
  const move = (src: number): Insn[] => [insn('mov64_reg', { dst: 0, src })];
  switch (row?.kind) {
    case 'alu':
    case 'neg':
    case 'movsx':
    case 'endian':
    case 'load':
      return move(one.dst);
    case 'ld_packet':
      return move(0);
    case 'call':
      return move(0);
    case 'store': {
      const load = `ldx${8 * row.bytes}` as OpName;
      return [insn(load, { dst: 0, src: one.dst, off: one.off })];
    }
    case 'atomic': {
      const load = `ldx${8 * row.bytes}` as OpName;
      return [insn(load, { dst: 0, src: one.dst, off: one.off })];
    }
    default:
      return undefined;
  }
}
