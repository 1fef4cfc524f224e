/**
 * Why a program was refused, from what the verifier recorded on its way there: one cause, the steps
 * that led to it, and what would make the program pass.
 *
 *   const verdict = verify(spec, env);
 *   if (verdict.kind === 'rejected') explain(spec, env, verdict).headline
 *
 * The program is verified a second time, with a recorder; the first pass pays nothing for it. Its
 * maps must still be there.
 */
import { errnoName } from '../../kernel/types/errno.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { ProgramSpec, Rejection } from '../program.ts';
import { type Checker, Rejected } from './checker.ts';
import type { VerifierEnv } from './env.ts';
import { functionName, placeName } from './explain/describe.ts';
import { Scene, capital, type Told } from './explain/scene.ts';
import type { Event, Role } from './explain/story.ts';
import { tellers } from './explain/tellers.ts';
import { Trace, frameOfPlace, type TraceStep } from './explain/trace.ts';
import { changedText, stateView, type StateView } from './explain/view.ts';
import { reasonPage, reasons, type ReasonCode } from './reasons.ts';
import { decide } from './verify.ts';

export type { StateView } from './explain/view.ts';
export type { Role } from './explain/story.ts';

/** A line of the program's source, from BTF line info. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
  /** From 1; 0 where it is not known. */
  readonly column: number;
  readonly text: string;
}

/** An instruction, and where it is from. */
export interface Site {
  readonly insn: number;
  /** As the log prints it. */
  readonly text: string;
  readonly function: string;
  readonly source?: SourceLine;
}

/** One thing on the way that matters to the refusal. */
export interface ChainStep extends Site {
  readonly role: Role;
  /** The state at the function's entry, before any instruction. */
  readonly isEntry?: true;
  /** Register or stack slot that it is about, and its frame (0: outermost). */
  readonly place?: string;
  readonly frame?: number;
  readonly says: string;
  /** Registers and stack after the instruction. */
  readonly state: StateView;
}

/** One instruction of the path, whether it matters or not. */
export interface PathStep {
  readonly insn: number;
  readonly frame: number;
  /** Which way a conditional jump went. */
  readonly jump?: 'taken' | 'not taken';
  /** What it changed, by place (`R1`, `fp-8`; `1:R1` in frame 1); null: gone. */
  readonly changed: Readonly<Record<string, string | null>>;
}

export interface Explanation {
  readonly reason: ReasonCode;
  readonly errno: string;
  readonly program: string;
  /** The cause in a sentence. */
  readonly headline: string;
  /** The instruction that was refused; absent where it is the program as a whole. */
  readonly at?: Site;
  /** What that instruction does. */
  readonly here: string;
  readonly chain: readonly ChainStep[];
  readonly fix: string;
  /** Documentation of the reason, in the repository. */
  readonly page: string;
  /** Registers and stack before the instruction. */
  readonly state?: StateView;
  /** The path there, oldest first: at most MAX_PATH steps, from the state `pathStart` on. */
  readonly path: readonly PathStep[];
  readonly pathStart?: StateView;
  /** Steps before these that are not listed. */
  readonly pathOmitted: number;
}

export const MAX_PATH = 512;

export function explain(spec: ProgramSpec, env: VerifierEnv, verdict: Rejection): Explanation {
  let trace = new Trace();
  // No log: text is not what explanations are made from.
  const { deciding: c, outcome } = decide(spec, { ...env, logLevel: 0 }, (checker) => {
    checker.recorder = trace = new Trace();
  });
  const common = {
    errno: errnoName(verdict.errno) ?? String(verdict.errno),
    program: spec.name,
  };
  if (!(outcome instanceof Rejected)) {
    // The program is fine; its log did not fit.
    const { title, fix } = reasons[verdict.reason];
    return {
      ...common,
      reason: verdict.reason,
      headline: `${capital(title)}.`,
      here: '',
      chain: [],
      fix,
      page: reasonPage(verdict.reason),
      path: [],
      pathOmitted: 0,
    };
  }
  if (outcome.reason !== verdict.reason && verdict.reason !== 'log-full') {
    throw new Bug(`${spec.name} is not what it was when it was verified: are its maps gone?`);
  }
  const scene = new Scene(c, trace, outcome);
  const told = tellers[outcome.reason]?.(scene) ?? tellPlainly(scene);
  const isOnPath = scene.at >= 0;
  // The first step is the entry, which sets the state up.
  const firstListed = isOnPath ? Math.max(1, scene.at - MAX_PATH) : 0;
  return {
    ...common,
    reason: outcome.reason,
    headline: told.headline,
    ...(scene.hasSite && { at: siteOf(c, scene.slot) }),
    here: told.here ?? (isOnPath ? scene.accessText : ''),
    chain: (told.events ?? []).map((event) => chainStep(scene, trace, event)),
    fix: told.fix ?? reasons[outcome.reason].fix,
    page: reasonPage(outcome.reason),
    ...(isOnPath && {
      state: stateView(trace.before(scene.at), trace.steps[scene.at]!),
      pathStart: stateView(trace.before(firstListed), trace.steps[firstListed]!),
    }),
    path: isOnPath ? pathOf(scene, trace.steps, firstListed) : [],
    pathOmitted: isOnPath ? trace.dropped + firstListed - 1 : 0,
  };
}

/** The table's words, and the history of the register that is at fault. */
function tellPlainly(scene: Scene): Told {
  const { title } = reasons[scene.rejected.reason];
  const { reg } = scene.about;
  const onRegister = reg !== undefined && scene.at >= 0;
  return {
    headline: `${capital(title)}.`,
    ...(onRegister && { events: scene.follow(reg, 'pointer').events }),
  };
}

export function siteOf(c: Checker, slot: number): Site {
  const subprog = subprogOf(c, slot);
  const source = sourceOf(c, slot);
  return {
    insn: slot,
    text: c.disasm(slot),
    function: functionName(c, subprog),
    ...(source && { source }),
  };
}

function subprogOf(c: Checker, slot: number): number {
  let subprog = 0;
  while (subprog + 1 < c.subprogs.length && c.subprogs[subprog + 1]!.start <= slot) subprog++;
  return subprog;
}

/** The row that an instruction belongs to: the last one that starts at or before it. */
export function sourceOf(c: Checker, slot: number): SourceLine | undefined {
  let low = 0;
  let high = c.lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (c.lines[middle]!.insn <= slot) low = middle + 1;
    else high = middle;
  }
  const row = c.lines[low - 1];
  return row && { file: row.file, line: row.line, column: row.column, text: row.text };
}

function chainStep(scene: Scene, trace: Trace, event: Event): ChainStep {
  const { insn, kind } = trace.steps[event.at]!;
  const after = trace.steps[event.at + 1] ?? trace.steps[event.at]!;
  return {
    ...siteOf(scene.c, insn),
    role: event.role,
    ...(kind === 'entry' && { isEntry: true }),
    ...(event.place !== undefined && {
      place: placeName(event.place),
      frame: frameOfPlace(event.place),
    }),
    says: event.says,
    state: stateView(trace.before(event.at + 1), after),
  };
}

function pathOf(scene: Scene, steps: readonly TraceStep[], first: number): PathStep[] {
  const path: PathStep[] = [];
  for (let at = first; at <= scene.at; at++) {
    const { insn, frame, kind, changes } = steps[at]!;
    if (kind === 'entry') continue;
    const taken = at < scene.at ? scene.story.taken(at) : undefined;
    path.push({
      insn,
      frame,
      ...(taken !== undefined && { jump: taken ? 'taken' : 'not taken' }),
      changed: changedText(changes),
    });
  }
  return path;
}
