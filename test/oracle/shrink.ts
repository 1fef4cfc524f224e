/**
 * Makes differing programs small: the same kind of difference with as few instructions, maps and
 * bytes as can be had. All programs shrink side by side, since a boot of the judge answers
 * thousands of requests.
 *
 *   shrink(court, found)    the smallest comparisons found, in the order given
 */
import { insn, ldImm64 } from '../../bpf/asm/build.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { found as realOnes, type Court, type Found } from './court.ts';
import { RESULT_KINDS } from './difference.ts';
import { replaceSlot, slotsOf, targetOf, withoutMap, withoutSlots } from './edit.ts';
import { insnsOf, type RequestJson } from './request.ts';

/** Rounds of asking at most; each takes a boot or two. */
const ROUNDS = 40;
/** Wall time after which the smallest so far is good enough. */
const SHRINK_MS = 240_000;
/** Candidates that one program may put to the judge in a round. */
const CANDIDATES = 60;
/** Wall time that skep may spend on one program's candidates; some verify for seconds. */
const SKEP_MS = 20_000;

interface Shrinking {
  best: Found;
  /** Instructions deleted together; 0: now single values are simplified. */
  chunk: number;
  done: boolean;
  skepMs: number;
}

export async function shrink(
  court: Court,
  found: readonly Found[],
  progress?: (round: number, left: number) => void,
): Promise<Found[]> {
  const all = found.map((best): Shrinking => {
    const chunk = Math.ceil(insnsOf(best.request).length / 2);
    return { best, chunk, done: false, skepMs: 0 };
  });
  const start = Date.now();
  for (let round = 0; round < ROUNDS && Date.now() - start < SHRINK_MS; round++) {
    const active = all.filter(({ done }) => !done);
    if (active.length === 0) break;
    progress?.(round, active.length);
    const smaller = await firstRound(court, active);
    await unite(court, active, smaller);
  }
  return all.map(({ best }) => best);
}

/** Every candidate by itself; those that still differ, by program. */
async function firstRound(
  court: Court,
  active: readonly Shrinking[],
): Promise<Map<Shrinking, Found[]>> {
  const asked: { of: Shrinking; request: RequestJson }[] = [];
  for (const one of active) {
    const candidates = one.chunk > 0 ? deletions(one.best.request, one.chunk) : simpler(one.best);
    for (const request of sample(candidates, CANDIDATES)) {
      if (mayDiffer(court, request, one)) asked.push({ of: one, request });
    }
    if (one.skepMs > SKEP_MS) one.done = true;
  }
  const answers = await court.compare(asked.map(({ request }) => request));
  const smaller = new Map<Shrinking, Found[]>();
  answers.forEach((answer, i) => {
    const { of } = asked[i]!;
    const [differs] = realOnes([answer]);
    if (!differs || !sameBug(differs, of.best)) return;
    smaller.set(of, [...(smaller.get(of) ?? []), differs]);
  });
  return smaller;
}

/** Deletions that work alone mostly work together: try all of them, then halves of them. */
async function unite(
  court: Court,
  active: readonly Shrinking[],
  smaller: ReadonlyMap<Shrinking, Found[]>,
): Promise<void> {
  const asked: { of: Shrinking; request: RequestJson }[] = [];
  for (const one of active) {
    const works = smaller.get(one) ?? [];
    if (works.length === 0) {
      // Nothing more of this size: try smaller pieces, then single values, then stop.
      if (one.chunk === 0) one.done = true;
      else one.chunk = one.chunk === 1 ? 0 : Math.ceil(one.chunk / 2);
      continue;
    }
    if (one.chunk > 0 && works.length > 1) {
      for (const part of parts(works)) {
        const request = united(one.best.request, part);
        if (mayDiffer(court, request, one)) asked.push({ of: one, request });
      }
    }
    one.best = works.reduce((a, b) => (weight(b.request) < weight(a.request) ? b : a));
    if (one.chunk === 0) one.chunk = 1;
  }
  for (const differs of realOnes(await court.compare(asked.map(({ request }) => request)))) {
    const { of } = asked.find(({ request }) => request === differs.request)!;
    if (sameBug(differs, of.best) && weight(differs.request) < weight(of.best.request)) {
      of.best = differs;
    }
  }
}

/** All, both halves, all quarters. */
function parts<T>(list: readonly T[]): T[][] {
  return [1, 2, 4].flatMap((count) => {
    const size = Math.ceil(list.length / count);
    return Array.from({ length: count }, (_, i) => list.slice(i * size, (i + 1) * size));
  });
}

const DELETED = Symbol('slots deleted');
type Candidate = RequestJson & { readonly [DELETED]?: ReadonlySet<number> };

function deletions(request: RequestJson, size: number): Candidate[] {
  const insns = insnsOf(request);
  const starts: number[] = [];
  for (let slot = 0; slot < insns.length; slot += slotsOf(insns, slot)) starts.push(slot);
  const candidates: Candidate[] = [];
  for (let at = 0; at < starts.length; at += size) {
    const end = starts[at + size] ?? insns.length;
    const slots = new Set(Array.from({ length: end - starts[at]! }, (_, i) => starts[at]! + i));
    if (slots.size === insns.length) continue;
    candidates.push({ ...withoutSlots(request, slots), [DELETED]: slots });
  }
  return candidates;
}

function united(request: RequestJson, works: readonly Found[]): RequestJson {
  const slots = works.flatMap((one) => [...((one.request as Candidate)[DELETED] ?? [])]);
  return withoutSlots(request, new Set(slots));
}

/** One value, map or run simpler. */
function simpler({ request }: Found): RequestJson[] {
  const insns = insnsOf(request);
  const fixed = new Set((request.fixups ?? []).flatMap((fixup) => [fixup.insn, fixup.insn + 1]));
  const candidates: RequestJson[] = [];
  insns.forEach((one, slot) => {
    if (fixed.has(slot)) return;
    for (const easier of simplerInsns(insns, one, slot)) {
      candidates.push(replaceSlot(request, slot, easier));
    }
  });
  (request.maps ?? []).forEach((map, index) => {
    const without = withoutMap(request, index);
    if (without) candidates.push(without);
    if (map.init?.length) {
      const maps = request.maps!.map((each, i) => (i === index ? { ...map, init: [] } : each));
      candidates.push({ ...request, maps });
    }
  });
  const [run, ...more] = request.run ?? [];
  if (more.length > 0)
    for (const each of request.run!) candidates.push({ ...request, run: [each] });
  const zeros = run?.data_in?.replace(/./g, '0');
  if (run && zeros && zeros !== run.data_in) {
    candidates.push({ ...request, run: [{ ...run, data_in: zeros }, ...more] });
  }
  if (run?.ctx_in) {
    const without = Object.entries(run).filter(([name]) => name !== 'ctx_in');
    candidates.push({ ...request, run: [Object.fromEntries(without), ...more] });
  }
  return candidates;
}

function simplerInsns(insns: readonly Insn[], one: Insn, slot: number): Insn[] {
  const row = rowOf(one);
  const result: Insn[] = [];
  if (row?.operands.includes('imm') && row.kind !== 'call') {
    for (const imm of [0, 1, one.imm >> 1]) {
      if (Math.abs(imm) < Math.abs(one.imm)) result.push({ ...one, imm });
    }
  }
  if (row?.kind === 'branch') result.push(insn('goto', { off: one.off }));
  if (row?.kind === 'alu' && row.source === 'reg' && row.operation !== 'mov') {
    result.push(insn('mov64_reg', { dst: one.dst, src: one.src }));
  }
  if ((row?.kind === 'alu' || row?.kind === 'load') && one.code !== 0xb7) {
    result.push(insn('mov64_imm', { dst: one.dst, imm: 0 }));
  }
  const next = insns[slot + 1];
  if (row?.kind === 'ld_imm64' && row.form === 'value' && next && next.imm !== 0) {
    result.push(ldImm64(one.dst, 0n)[0]!);
  }
  return result.filter((easier) => targetOf(easier, slot)?.target !== slot);
}

const weight = (request: RequestJson): number =>
  request.insns.length * 1000 +
  (request.maps?.length ?? 0) * 500 +
  (request.insns.match(/[1-9a-f]/g)?.length ?? 0) +
  JSON.stringify([request.run, request.maps]).replace(/0/g, '').length;

function sameBug(a: Found, b: Found): boolean {
  return a.difference.kind === b.difference.kind && a.difference.key === b.difference.key;
}

/** Whether skep's answer alone leaves the difference possible. */
function mayDiffer(court: Court, request: RequestJson, of: Shrinking): boolean {
  if (request.insns === '') return false;
  const like = of.best;
  const { kind } = like.difference;
  const start = Date.now();
  const answer = court.interpreter.answer(request);
  of.skepMs += Date.now() - start;
  if ('error' in answer) return kind === 'crash' || kind === 'request';
  if (kind === 'accepts' || RESULT_KINDS.has(kind)) return answer.ok;
  if (kind === 'processed') return 'ok' in like.skep && answer.ok === like.skep.ok;
  return kind === 'crash' || !answer.ok;
}

/** Evenly spread, so that large programs are tried everywhere. */
function sample<T>(list: readonly T[], count: number): readonly T[] {
  if (list.length <= count) return list;
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]!);
}
