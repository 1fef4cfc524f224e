/**
 * A record of a whole exploration, for pictures of it: each path from where it parts from another to
 * where it ends, what each instruction on it changed, and why it ended there.
 *
 *   const record = recordExploration(spec, env);    plain values: JSON.stringify(record)
 *
 * Paths form a tree: `parent` and `at` say from which path, behind which of its steps, one parts.
 * Values are the log's words. No more than `maxSteps` steps are kept; then `truncated` is true,
 * and paths that were not followed to their end say so.
 */
import { errnoName } from '../../kernel/types/errno.ts';
import type { ProgramSpec } from '../program.ts';
import type { Checker } from './checker.ts';
import { Rejected, type Branch } from './checker.ts';
import { subprogEnd } from './cfg.ts';
import type { VerifierEnv } from './env.ts';
import { siteOf, type Site } from './explain.ts';
import { functionName } from './explain/describe.ts';
import { Trace } from './explain/trace.ts';
import { changedText, stateView, type StateView } from './explain/view.ts';
import type { ReasonCode } from './reasons.ts';
import type { Recorder } from './recorder.ts';
import type { KeptState } from './state.ts';
import { decide } from './verify.ts';

/** Where a path began. */
export type PathStart =
  /** The function's entry. */
  | 'entry'
  /** The other side of a conditional jump (or of a tail call, or of a packet load that may fail). */
  | 'branch'
  /** What only a CPU that runs ahead would do. */
  | 'speculative'
  /** A callback that a timer calls later. */
  | 'async';

export interface StepRecord {
  readonly insn: number;
  /** Call frame, where it is not the outermost. */
  readonly frame?: number;
  /** By place: `R1`, `fp-8`, in frame 1 `1:R1`; null: gone. */
  readonly changed?: Readonly<Record<string, string | null>>;
  /** The state before it was kept: paths that come here later are compared with it. */
  readonly kept?: true;
}

export type PathEnd =
  | { readonly how: 'exit' }
  /** A kept state covers all that would follow from here. */
  | { readonly how: 'pruned'; readonly by?: { readonly path: number; readonly step: number } }
  | { readonly how: 'refused'; readonly reason: ReasonCode }
  /** The verification ended before its turn came. */
  | { readonly how: 'not explored' }
  /** It went on, but the record was full. */
  | { readonly how: 'not recorded' };

export interface PathRecord {
  readonly id: number;
  readonly parent: number | null;
  /** Index of the parent's step behind which it parts; -1 for `entry`. */
  readonly at: number;
  readonly start: PathStart;
  /** Function that the exploration is of: the program, or a global function. */
  readonly function: string;
  /** Registers and stack before its first step. */
  readonly state: StateView;
  readonly steps: readonly StepRecord[];
  readonly end: PathEnd;
}

export interface Exploration {
  readonly program: string;
  readonly verdict: 'accepted' | 'refused';
  readonly errno?: string;
  readonly reason?: ReasonCode;
  /** Instruction that was refused. */
  readonly refusedAt?: number;
  readonly processed: number;
  readonly totalStates: number;
  readonly functions: readonly {
    readonly name: string;
    readonly start: number;
    readonly end: number;
  }[];
  /** One a slot, but for second halves of 64-bit loads. */
  readonly instructions: readonly Site[];
  readonly paths: readonly PathRecord[];
  readonly truncated: boolean;
}

export interface ExplorationLimits {
  readonly maxSteps?: number;
  readonly maxPaths?: number;
}

export const MAX_STEPS = 50_000;
export const MAX_PATHS = 8192;

export function recordExploration(
  spec: ProgramSpec,
  env: VerifierEnv,
  limits: ExplorationLimits = {},
): Exploration {
  let recorder = new ExplorationRecorder(limits);
  const { deciding: c, outcome } = decide(spec, { ...env, logLevel: 0 }, (checker) => {
    checker.recorder = recorder = new ExplorationRecorder(limits);
  });
  const refused = outcome instanceof Rejected;
  return {
    program: spec.name,
    verdict: refused ? 'refused' : 'accepted',
    ...(refused && {
      errno: errnoName(outcome.errno) ?? String(outcome.errno),
      reason: outcome.reason,
      refusedAt: outcome.about.insn ?? c.insn,
    }),
    processed: c.processed,
    totalStates: c.totalStates,
    functions: c.subprogs.map(({ start }, index) => ({
      name: functionName(c, index),
      start,
      end: subprogEnd(c, index),
    })),
    instructions: c.insns.flatMap(({ code }, slot) => (code === 0 ? [] : [siteOf(c, slot)])),
    paths: recorder.finish(refused ? outcome : undefined),
    truncated: recorder.truncated,
  };
}

interface OpenPath {
  readonly id: number;
  readonly parent: number | null;
  readonly at: number;
  start: PathStart;
  readonly function: string;
  state: StateView;
  readonly steps: Mutable<StepRecord>[];
  end: PathEnd | undefined;
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const NOTHING: StateView = { frames: [], refs: [] };
/** Enough for the longest chain of branches that can wait. */
const TRACE_STEPS = 1 << 15;

class ExplorationRecorder implements Recorder {
  truncated = false;
  readonly #maxSteps: number;
  readonly #maxPaths: number;
  readonly #trace = new Trace(TRACE_STEPS);
  #paths: OpenPath[] = [];
  /** Paths put aside; undefined: not recorded. */
  #waiting: (OpenPath | undefined)[] = [];
  #current: OpenPath | undefined;
  #function = '';
  #steps = 0;
  #lastParent: KeptState | undefined;
  readonly #kept = new Map<KeptState, { readonly path: number; readonly step: number }>();

  constructor({ maxSteps = MAX_STEPS, maxPaths = MAX_PATHS }: ExplorationLimits) {
    this.#maxSteps = maxSteps;
    this.#maxPaths = maxPaths;
  }

  begin(c: Checker, subprog: number): void {
    this.#trace.begin(c, subprog);
    this.#function = functionName(c, subprog);
    this.#waiting = [];
    this.#lastParent = c.state.parent;
    this.#current = this.#newPath(null, -1, 'entry');
  }

  at(c: Checker): void {
    this.#trace.at(c);
    const path = this.#current;
    this.#noteKept(c);
    if (!path) return;
    const { steps } = this.#trace;
    const done = steps[steps.length - 2];
    if (path.steps.length === 0) {
      const now = steps[steps.length - 1]!;
      path.state = stateView(this.#trace.before(steps.length - 1), now);
    } else if (done && done.changes.length > 0) {
      path.steps[path.steps.length - 1]!.changed = changedText(done.changes);
    }
    if (this.#steps >= this.#maxSteps) {
      this.truncated = true;
      path.end = { how: 'not recorded' };
      this.#current = undefined;
      // Nothing more is kept: the rest goes at full speed.
      c.recorder = undefined;
      return;
    }
    this.#steps++;
    const frame = c.state.frames.length - 1;
    path.steps.push({ insn: c.insn, ...(frame > 0 && { frame }) });
  }

  forked(c: Checker, branch: Branch): void {
    this.#trace.forked(c, branch);
    const path = this.#current;
    this.#waiting.push(path && this.#newPath(path.id, path.steps.length - 1, 'branch'));
  }

  covered(_c: Checker, by: KeptState): void {
    const path = this.#current;
    if (!path) return;
    const kept = this.#kept.get(by);
    path.end = { how: 'pruned', ...(kept && { by: kept }) };
  }

  ended(): void {
    if (this.#current) this.#current.end ??= { how: 'exit' };
    this.#current = undefined;
  }

  resumed(c: Checker): void {
    this.#trace.resumed(c);
    this.#current = this.#waiting.pop();
    this.#lastParent = c.state.parent;
    const { steps } = this.#trace;
    const how = steps[steps.length - 1]!.resumed;
    if (this.#current && how !== 'no') this.#current.start = how;
  }

  finish(rejected: Rejected | undefined): readonly PathRecord[] {
    if (this.#current && rejected && rejected.about.insn === undefined) {
      this.#current.end = { how: 'refused', reason: rejected.reason };
    }
    const how = this.truncated ? 'not recorded' : 'not explored';
    return this.#paths.map((path) => ({ ...path, end: path.end ?? { how } }));
  }

  /** A state kept since the last step was kept before the instruction of that step. */
  #noteKept(c: Checker): void {
    const { parent } = c.state;
    if (parent === this.#lastParent) return;
    this.#lastParent = parent;
    const path = this.#current;
    const last = path?.steps[path.steps.length - 1];
    if (!parent || !path || !last || last.insn !== parent.insn) return;
    last.kept = true;
    this.#kept.set(parent, { path: path.id, step: path.steps.length - 1 });
  }

  #newPath(parent: number | null, at: number, start: PathStart): OpenPath | undefined {
    if (this.#paths.length >= this.#maxPaths || this.#steps >= this.#maxSteps) {
      this.truncated = true;
      return undefined;
    }
    const path: OpenPath = {
      id: this.#paths.length,
      parent,
      at,
      start,
      function: this.#function,
      state: NOTHING,
      steps: [],
      end: undefined,
    };
    this.#paths.push(path);
    return path;
  }
}
