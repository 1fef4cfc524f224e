/**
 * Numbers of many comparisons, and what the programs among them covered.
 *
 *   tally(comparisons)          a Tally
 *   sum(a, b)                   of two rounds
 *   coverageOf(comparisons)     programs that both accepted and ran, by what is in them
 *   coverageOfAll(requests)     the same of any requests
 */
import { helperName } from '../../bpf/helpers/table.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import type { Answer } from './contender.ts';
import { found, type Comparison } from './court.ts';
import { lastMessage, type DifferenceKind } from './difference.ts';
import { slotsOf } from './edit.ts';
import { insnsOf, type RequestJson } from './request.ts';

export interface Tally {
  readonly total: number;
  /** Too long for the judge, which was not asked. */
  readonly notJudged: number;
  readonly acceptedByBoth: number;
  readonly refusedByBoth: number;
  /** skep refuses what Linux accepts. */
  readonly refusedBySkepOnly: number;
  /** skep accepts what Linux refuses. */
  readonly acceptedBySkepOnly: number;
  /** Accepted by both, and all results compared. */
  readonly ran: number;
  /** Runs that the JIT did as well. */
  readonly compiled: number;
  /** Results that depend on addresses, clock or random numbers: not compared. */
  readonly unstable: number;
  /** Accepted by both, with the same number of instructions processed. */
  readonly sameProcessed: number;
  /** Refused by both, with the same errno; and with the same last message too. */
  readonly sameErrno: number;
  readonly sameMessage: number;
  readonly differences: Readonly<Partial<Record<DifferenceKind, number>>>;
}

export function tally(comparisons: readonly Comparison[]): Tally {
  const count = (test: (linux: Answer, skep: Answer) => boolean): number =>
    comparisons.filter(({ linux, skep }) => test(linux, skep)).length;
  const ok = (answer: Answer): boolean => 'ok' in answer && answer.ok;
  const no = (answer: Answer): boolean => 'ok' in answer && !answer.ok;
  const log = (answer: Answer): string => ('log' in answer ? lastMessage(answer.log) : '');
  const errno = (answer: Answer) => ('errno' in answer ? answer.errno : undefined);
  const processed = (answer: Answer) =>
    'verified_insns' in answer ? answer.verified_insns : undefined;
  const differences: Partial<Record<DifferenceKind, number>> = {};
  for (const { difference } of found(comparisons)) {
    differences[difference.kind] = (differences[difference.kind] ?? 0) + 1;
  }
  return {
    total: comparisons.length,
    notJudged: comparisons.filter(({ judged }) => !judged).length,
    acceptedByBoth: count((a, b) => ok(a) && ok(b)),
    refusedByBoth: count((a, b) => no(a) && no(b)),
    refusedBySkepOnly: count((a, b) => ok(a) && no(b)),
    acceptedBySkepOnly: count((a, b) => no(a) && ok(b)),
    ran: comparisons.filter(wasRun).length,
    compiled: comparisons.filter((one) => wasRun(one) && one.compiled).length,
    unstable: comparisons.filter(({ unstable }) => unstable).length,
    sameProcessed: count((a, b) => ok(a) && ok(b) && processed(a) === processed(b)),
    sameErrno: count((a, b) => no(a) && no(b) && errno(a) === errno(b)),
    sameMessage: count((a, b) => no(a) && no(b) && errno(a) === errno(b) && log(a) === log(b)),
    differences,
  };
}

const wasRun = ({ linux, skep }: Comparison): boolean =>
  'ok' in linux && linux.ok && 'ok' in skep && skep.ok && (linux.run?.length ?? 0) > 0;

/** Tallies and coverages are numbers, some a level down. */
export function sum<T extends object>(a: T, b: T): T {
  const result = { ...a } as Record<string, unknown>;
  for (const [name, value] of Object.entries(b)) {
    const own = result[name];
    if (typeof value === 'number') result[name] = ((own as number | undefined) ?? 0) + value;
    else result[name] = sum((own as object | undefined) ?? {}, value as object);
  }
  return result as T;
}

/** How many programs hold each instruction, helper, map type …; each program counts once. */
export interface Coverage {
  readonly programTypes: Readonly<Record<string, number>>;
  readonly instructions: Readonly<Record<string, number>>;
  readonly helpers: Readonly<Record<string, number>>;
  readonly mapTypes: Readonly<Record<string, number>>;
  /** Subprograms, loops, tail calls and the like. */
  readonly shapes: Readonly<Record<string, number>>;
}

export const coverageOf = (comparisons: readonly Comparison[]): Coverage =>
  coverageOfAll(comparisons.filter(wasRun).map(({ request }) => request));

export function coverageOfAll(requests: readonly RequestJson[]): Coverage {
  const coverage = {
    programTypes: {} as Record<string, number>,
    instructions: {} as Record<string, number>,
    helpers: {} as Record<string, number>,
    mapTypes: {} as Record<string, number>,
    shapes: {} as Record<string, number>,
  };
  for (const request of requests) {
    const seen = {
      programTypes: new Set([String(request.prog_type)]),
      instructions: new Set<string>(),
      helpers: new Set<string>(),
      mapTypes: new Set((request.maps ?? []).map(({ type }) => String(type))),
      shapes: new Set<string>(request.unpriv ? ['unprivileged'] : []),
    };
    const insns = insnsOf(request);
    for (let slot = 0; slot < insns.length; slot += slotsOf(insns, slot)) {
      const insn = insns[slot]!;
      const row = rowOf(insn);
      if (!row) continue;
      seen.instructions.add(row.name);
      if (row.kind === 'call' && row.target === 'helper') {
        seen.helpers.add(helperName(insn.imm) ?? String(insn.imm));
      }
      if (row.kind === 'call' && row.target === 'subprog') seen.shapes.add('subprogram');
      if (row.kind === 'ld_imm64' && row.form === 'func') seen.shapes.add('callback');
      if ((row.kind === 'branch' || row.kind === 'goto') && insn.off < 0) seen.shapes.add('loop');
      if (row.kind === 'branch' && insn.off >= 0) seen.shapes.add('branch');
      const isEnd = insn.off === (request.prog_type === 'xdp' ? 4 : 80);
      if (row.name === 'ldx32' && isEnd && insn.src !== 10) seen.shapes.add('packet check');
      if ((row.kind === 'load' || row.kind === 'store') && (insn.src === 10 || insn.dst === 10)) {
        seen.shapes.add('stack access');
      }
    }
    if (seen.helpers.has('tail_call')) seen.shapes.add('tail call');
    for (const [group, names] of Object.entries(seen)) {
      const counts = coverage[group as keyof Coverage];
      for (const name of names) (counts as Record<string, number>)[name] = (counts[name] ?? 0) + 1;
    }
  }
  return coverage;
}
