/**
 * What explanations are made from is what happened: at every instruction the recorded path holds
 * the state that the verifier has, and recording changes neither verdict nor counts.
 */
import { describe, expect, it } from 'vitest';
import type { ProgramSpec } from '../../bpf/program.ts';
import { Checker, Rejected, type Branch } from '../../bpf/verifier/checker.ts';
import { MAX_PATH, explain } from '../../bpf/verifier/explain.ts';
import { Trace, regPlace, slotPlace, type Place } from '../../bpf/verifier/explain/trace.ts';
import type { Reg } from '../../bpf/verifier/reg.ts';
import { runChecker, verify, type VerifierEnv } from '../../bpf/verifier/verify.ts';
import { programOf, readLines } from '../conformance/run.ts';
import { programOfText } from '../support/verify-text.ts';
import { allCases } from './cases.ts';

interface Program {
  readonly spec: ProgramSpec;
  readonly env: VerifierEnv;
}

/** Compares what it has recorded with the checker's state before each instruction. */
class CheckedTrace extends Trace {
  compared = 0;
  differences: string[] = [];

  override at(c: Checker): void {
    super.at(c);
    if (this.compared > 3000) return;
    this.compared++;
    const recorded = this.before(this.steps.length - 1);
    const actual = new Map<Place, { reg: Reg; bytes: number }>();
    c.state.frames.forEach((frame, index) => {
      frame.regs.forEach(({ reg }, regno) => actual.set(regPlace(index, regno), { reg, bytes: 0 }));
      frame.stack.forEach(({ reg, bytes }, slot) => {
        if (recorded.has(slotPlace(index, slot)) || bytes !== 0) {
          actual.set(slotPlace(index, slot), { reg, bytes });
        }
      });
    });
    for (const [place, { reg, bytes }] of actual) {
      const known = recorded.get(place);
      if (known?.reg === reg && known.bytes === bytes) continue;
      this.differences.push(`place ${place} before instruction ${c.insn}`);
    }
    if (recorded.size > actual.size) this.differences.push(`more places than there are`);
  }
}

function follow({ spec, env }: Program): CheckedTrace {
  const plain = new Checker(spec, env);
  const outcome = runChecker(plain);
  const c = new Checker(spec, env);
  const trace = new CheckedTrace();
  c.recorder = trace;
  const followed = runChecker(c);
  expect(followed instanceof Rejected).toBe(outcome instanceof Rejected);
  if (followed instanceof Rejected && outcome instanceof Rejected) {
    expect(followed.reason).toBe(outcome.reason);
  }
  expect([c.processed, c.totalStates, c.log.text]).toEqual([
    plain.processed,
    plain.totalStates,
    plain.log.text,
  ]);
  return trace;
}

/** A file of a real kernel's answers, where one is given (see test/conformance). */
const PATH = process.env['SKEP_CONFORMANCE'];
const recorded: readonly (readonly [string, Program])[] = PATH
  ? readLines(PATH).map(({ request }) => [request.id, programOf(request)])
  : [];
const cases: readonly (readonly [string, Program])[] = allCases.flatMap(([topic, list]) =>
  list
    .filter(({ refused }) => refused?.reason !== 'too-complex')
    .map((one) => [`${topic}: ${one.name}`, programOfText(one.text, one.options)] as const),
);

describe('the recorded path', () => {
  it('holds the state before every instruction', () => {
    let compared = 0;
    for (const [name, program] of [...cases, ...recorded]) {
      const trace = follow(program);
      compared += trace.compared;
      expect(trace.differences, name).toEqual([]);
    }
    expect(compared).toBeGreaterThan(400);
  });

  it('is bounded, and what it forgets is still known as state', () => {
    const { spec, env } = programOfText('r0 = 0\n loop: r0 += 1\n if r0 < 3000 goto loop\n exit');
    const c = new Checker(spec, env);
    const trace = new Trace(100);
    c.recorder = trace;
    expect(runChecker(c)).not.toBeInstanceOf(Rejected);
    expect(trace.steps.length).toBeLessThanOrEqual(200);
    expect(trace.dropped).toBeGreaterThan(5000);
    const last = trace.before().get(regPlace(0, 0))!;
    expect(last.reg.scalar.umin).toBe(3000n);
  });
});

describe('explanations of everything that is refused', () => {
  it('give the verdict’s reason and a chain in the order of the path', () => {
    let refused = 0;
    for (const [name, { spec, env }] of [...cases, ...recorded]) {
      const verdict = verify(spec, env);
      if (verdict.kind !== 'rejected') continue;
      refused++;
      const told = explain(spec, env, verdict);
      expect(told.reason, name).toBe(verdict.reason);
      expect(told.headline, name).toMatch(/^\S.*\.$/);
      expect(told.headline, name).not.toMatch(/undefined|NaN|\[object/);
      expect(told.path.length, name).toBeLessThanOrEqual(MAX_PATH + 1);
      if (told.path.length > 0) {
        expect(told.path[told.path.length - 1]!.insn, name).toBe(told.at!.insn);
        expect(told.at!.insn, name).toBe(verdict.insn);
      }
      for (const step of told.chain) expect(step.says, name).not.toMatch(/undefined|NaN|\[object/);
      expect(JSON.parse(JSON.stringify(told)), name).toEqual(told);
    }
    expect(refused).toBeGreaterThan(50);
  });

  it('come from the recorded state alone: without a log they are the same', () => {
    for (const [name, { spec, env }] of cases) {
      const verdict = verify(spec, env);
      if (verdict.kind !== 'rejected') continue;
      const quiet = { ...env, logLevel: 0 };
      const again = verify(spec, quiet);
      if (again.kind !== 'rejected') throw new Error(name);
      expect(explain(spec, quiet, again)).toEqual(explain(spec, env, verdict));
    }
  });
});

/** Recorders see each path that was put aside taken up again, last first. */
describe('a recorder', () => {
  it('sees forks and resumptions in the order of a stack', () => {
    const { spec, env } = programOfText(
      `r6 = *(u32 *)(r1 +0)
       r7 = *(u32 *)(r1 +4)
       r0 = 0
       if r6 == 1 goto a
       if r7 == 2 goto a
       r0 = 1
       a: exit`,
      { type: 'socket_filter' },
    );
    const c = new Checker(spec, env);
    const open: Branch[] = [];
    let paths = 0;
    c.recorder = {
      begin: () => {},
      at: () => {},
      forked: (_, branch) => void open.push(branch),
      covered: () => {},
      ended: () => void paths++,
      resumed: (checker) => expect(checker.state).toBe(open.pop()!.state),
    };
    expect(runChecker(c)).not.toBeInstanceOf(Rejected);
    expect(open).toEqual([]);
    expect(paths).toBe(3);
  });
});
