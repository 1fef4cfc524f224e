/** The record of an exploration: a tree of paths whose steps and ends are those of the verifier. */
import { describe, expect, it } from 'vitest';
import { Checker } from '../../bpf/verifier/checker.ts';
import {
  recordExploration,
  type Exploration,
  type PathRecord,
} from '../../bpf/verifier/exploration.ts';
import { runChecker, verify } from '../../bpf/verifier/verify.ts';
import { programOfText, type TextOptions } from '../support/verify-text.ts';
import { allCases } from './cases.ts';

const record = (text: string, options?: TextOptions, limits = {}): Exploration => {
  const { spec, env } = programOfText(text, options);
  return recordExploration(spec, env, limits);
};

const BRANCHES = `
  r6 = *(u32 *)(r1 +0)
  r0 = 0
  if r6 > 9 goto large
  r6 = 1
  goto join
  large: r6 = 1
  join: r0 += r6
  r0 += 1
  r0 += 1
  if r6 == 1 goto out
  r0 = 9
  out: exit`;

/** Registers and stack before a step, from the path's first state and its changes. */
function replay(path: PathRecord, step: number): Record<string, string> {
  const places: Record<string, string> = {};
  path.state.frames.forEach(({ registers, stack }, frame) => {
    const prefix = frame === 0 ? '' : `${frame}:`;
    for (const [place, text] of Object.entries({ ...registers, ...stack })) {
      places[`${prefix}${place}`] = text;
    }
  });
  for (const { changed } of path.steps.slice(0, step)) {
    for (const [place, text] of Object.entries(changed ?? {})) {
      if (text === null || text === '') delete places[place];
      else places[place] = text;
    }
  }
  return places;
}

describe('the record of an exploration', () => {
  it('is a tree of paths with what each learned', () => {
    const { paths, verdict, processed } = record(BRANCHES, { flags: 8 });
    expect(verdict).toBe('accepted');
    expect(paths.map(({ parent, start, end }) => [parent, start, end.how])).toEqual([
      [null, 'entry', 'exit'],
      [0, 'branch', 'pruned'],
    ]);
    const [main, other] = paths as readonly [PathRecord, PathRecord];
    expect(main.steps[other.at]!.insn).toBe(2);
    expect(other.state.frames[0]!.registers['R6']).toContain('umin=10');
    expect(replay(main, 3)['R6']).toContain('umax=9');
    const steps = paths.reduce((sum, path) => sum + path.steps.length, 0);
    expect(steps).toBe(processed);
  });

  it('says which kept state a pruned path met', () => {
    const { paths } = record(BRANCHES, { flags: 8 });
    const pruned = paths.find(({ end }) => end.how === 'pruned')!;
    if (pruned.end.how !== 'pruned' || !pruned.end.by) throw new Error('no state is named');
    const { path, step } = pruned.end.by;
    const kept = paths[path]!.steps[step]!;
    expect(kept.kept).toBe(true);
    expect(kept.insn).toBe(pruned.steps[pruned.steps.length - 1]!.insn);
  });

  it('ends at the refusal, with the paths that were not explored', () => {
    const { paths, ...rest } = record(
      `r0 = 0
       if r1 == 0 goto out
       r0 = *(u64 *)(r10 +8)
       out: exit`,
    );
    expect(rest).toMatchObject({
      verdict: 'refused',
      errno: 'EACCES',
      reason: 'stack-out-of-bounds',
      refusedAt: 2,
      truncated: false,
    });
    expect(paths.map(({ end }) => end)).toEqual([
      { how: 'refused', reason: 'stack-out-of-bounds' },
      { how: 'not explored' },
    ]);
  });

  it('is bounded, and says so', () => {
    const text = 'r0 = 0\n loop: r0 += 1\n if r0 < 4000 goto loop\n exit';
    const full = record(text);
    const cut = record(text, {}, { maxSteps: 100 });
    expect([full.truncated, cut.truncated]).toEqual([false, true]);
    expect(cut.paths[0]!.steps).toEqual(full.paths[0]!.steps.slice(0, 100));
    expect(cut.paths[0]!.end.how).toBe('not recorded');
    expect(cut.processed).toBe(full.processed);
    const few = record(BRANCHES, { flags: 8 }, { maxPaths: 1 });
    expect([few.truncated, few.paths.length]).toEqual([true, 1]);
  });

  it('knows frames and functions', () => {
    const { functions, paths } = record(
      'r1 = 3\n call twice\n exit\n twice: r0 = r1\n r0 += r1\n exit',
    );
    expect(functions).toEqual([
      { name: 'test', start: 0, end: 3 },
      { name: 'func#1', start: 3, end: 6 },
    ]);
    const inside = paths[0]!.steps.filter(({ frame }) => frame === 1);
    expect(inside.map(({ insn }) => insn)).toEqual([3, 4, 5]);
    expect(replay(paths[0]!, 3)['1:R1']).toBe('3');
    expect(replay(paths[0]!, 4)['1:R0']).toBe('6');
    expect(replay(paths[0]!, 5)['R0']).toBe('6');
  });

  it.each(allCases.flatMap(([, list]) => list.map((one) => [one.name, one] as const)))(
    'fits the verdict: %s',
    (_, { text, options }) => {
      const { spec, env } = programOfText(text, { ...options, logLevel: 0 });
      const told = recordExploration(spec, env);
      const verdict = verify(spec, env);
      expect(told.verdict).toBe(verdict.kind === 'accepted' ? 'accepted' : 'refused');
      const plain = new Checker(spec, env);
      runChecker(plain);
      expect(told.processed).toBe(plain.processed);
      for (const { parent, at, id, steps, end } of told.paths) {
        if (parent === null) continue;
        expect(parent).toBeLessThan(id);
        expect(at).toBeLessThan(told.paths[parent]!.steps.length);
        if (!told.truncated) expect(end.how).not.toBe('not recorded');
        if (end.how !== 'not explored') expect(steps.length).toBeGreaterThan(0);
      }
      const refusals = told.paths.filter(({ end }) => end.how === 'refused');
      if (verdict.kind === 'accepted') expect(refusals).toEqual([]);
      else expect(refusals.length).toBeLessThanOrEqual(1);
      expect(JSON.parse(JSON.stringify(told))).toEqual(told);
    },
  );
});
