/**
 * The path that the verifier is on, step by step, with what each instruction changed in registers
 * and stack. Paths part and are taken up again in the order of a stack, so one list is enough: it
 * is rolled back to where the path that is taken up left it.
 *
 *   const trace = new Trace();  c.recorder = trace;  runChecker(c);
 *   trace.steps                 the path to where the verification ended, oldest first
 *   trace.before(index)         registers and stack as they were before a step
 *
 * No more than `limit` steps are kept, the newest; `dropped` says how many are gone.
 */
import type { Branch, Checker } from '../checker.ts';
import { isCallbackHelper } from '../helper-facts.ts';
import { isHelperCall } from '../opcode.ts';
import type { Recorder } from '../recorder.ts';
import { UNINIT_REG, type Reg } from '../reg.ts';
import type { HeldRefs } from '../held-refs.ts';
import type { Frame } from '../state.ts';

/** A register or a stack slot of a frame, as one number. */
export type Place = number & { readonly brand: 'place' };

const FRAME_PLACES = 128;
const FIRST_SLOT = 16;
export const regPlace = (frame: number, regno: number): Place =>
  (frame * FRAME_PLACES + regno) as Place;
/** `slot` as in `slotOf`: 0 is fp-8. */
export const slotPlace = (frame: number, slot: number): Place =>
  (frame * FRAME_PLACES + FIRST_SLOT + slot) as Place;
export const frameOfPlace = (place: Place): number => Math.floor(place / FRAME_PLACES);
/** The register's number; undefined for a stack slot. */
export function regnoOf(place: Place): number | undefined {
  const index = place % FRAME_PLACES;
  return index < FIRST_SLOT ? index : undefined;
}
export const slotIndexOf = (place: Place): number => (place % FRAME_PLACES) - FIRST_SLOT;

/** What a place holds; `bytes` are the kinds of a stack slot's bytes, 0 for registers. */
export interface Content {
  readonly reg: Reg;
  readonly bytes: number;
}

export interface Change {
  readonly place: Place;
  /** Undefined: the place was not there. */
  readonly before: Content | undefined;
  readonly after: Content | undefined;
}

/** `entry`: the state that the exploration starts with. */
export type StepKind = 'entry' | 'insn';

export interface TraceStep {
  readonly kind: StepKind;
  readonly insn: number;
  /** Frame in which it runs, 0 the outermost, and the function. */
  readonly frame: number;
  readonly subprog: number;
  /** Filled when the step is done: empty in the step that was refused. */
  changes: readonly Change[];
  readonly refs: HeldRefs;
  readonly activeLock: number;
  /** Paths put aside here: more than one way to go on. */
  forks: number;
  /** The path came here by taking up what was put aside at this instruction. */
  readonly resumed: 'no' | 'branch' | 'speculative' | 'async';
}

interface Fork {
  /** Absolute number of the step at which the path was put aside. */
  readonly depth: number;
  readonly how: 'branch' | 'speculative' | 'async';
}

const NO_CHANGES: readonly Change[] = [];

function apply(contents: Map<Place, Content>, step: TraceStep): void {
  for (const { place, after } of step.changes) {
    if (after) contents.set(place, after);
    else contents.delete(place);
  }
}

/** About 300 bytes a step; up to twice as many are there at a time. */
const DEFAULT_LIMIT = 1 << 15;

export class Trace implements Recorder {
  steps: TraceStep[] = [];
  /** Steps that were forgotten at the front. */
  dropped = 0;
  /** How often each instruction was looked at, over all paths. */
  visits = new Uint32Array(0);
  readonly #limit: number;
  #forks: Fork[] = [];
  /** The state after the last step that is done, by place. */
  #known: (Content | undefined)[] = [];
  #frames = 0;
  #slots: number[] = [];
  /** Contents before the first step that is kept. */
  #base = new Map<Place, Content>();

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  begin(c: Checker, subprog: number): void {
    if (this.visits.length === 0) this.visits = new Uint32Array(c.insns.length);
    this.steps = [];
    this.dropped = 0;
    this.#forks = [];
    this.#known = [];
    this.#frames = 0;
    this.#slots = [];
    this.#base.clear();
    this.#open(c, 'entry', c.subprogs[subprog]!.start, 'no');
  }

  at(c: Checker): void {
    this.#close(c);
    this.visits[c.insn]!++;
    this.#open(c, 'insn', c.insn, 'no');
  }

  forked(c: Checker, branch: Branch): void {
    const open = this.steps[this.steps.length - 1];
    if (!open) return;
    open.forks++;
    const isAsync = isHelperCall(c.current) && isCallbackHelper(c.current.imm);
    const how = branch.state.speculative ? 'speculative' : isAsync ? 'async' : 'branch';
    this.#forks.push({ depth: this.dropped + this.steps.length - 1, how });
  }

  covered(): void {}
  ended(): void {}

  resumed(c: Checker): void {
    const fork = this.#forks.pop();
    if (!fork) return;
    const index = fork.depth - this.dropped;
    const origin = this.steps[index];
    if (!origin) {
      // What came before is forgotten: the state of the path is where its history begins.
      this.steps = [];
      this.dropped = fork.depth;
      this.#known = [];
      this.#frames = 0;
      this.#slots = [];
      this.#base.clear();
      this.#open(c, 'entry', c.insn, fork.how);
      return;
    }
    for (let at = this.steps.length - 1; at >= index; at--) this.#undo(this.steps[at]!);
    this.steps.length = index;
    this.steps.push({ ...origin, changes: NO_CHANGES, resumed: fork.how });
  }

  /** Contents of all places before the step at `index`; no index: at the end of the path. */
  before(index = this.steps.length): ReadonlyMap<Place, Content> {
    const contents = new Map(this.#base);
    for (let at = 0; at < index; at++) apply(contents, this.steps[at]!);
    return contents;
  }

  #open(c: Checker, kind: StepKind, insn: number, resumed: TraceStep['resumed']): void {
    const { frames, activeLock } = c.state;
    const top = frames[frames.length - 1]!;
    this.steps.push({
      kind,
      insn,
      frame: frames.length - 1,
      subprog: top.subprog,
      changes: NO_CHANGES,
      refs: top.refs,
      activeLock,
      forks: 0,
      resumed,
    });
    if (this.steps.length <= 2 * this.#limit) return;
    const excess = this.steps.length - this.#limit;
    for (const step of this.steps.splice(0, excess)) apply(this.#base, step);
    this.dropped += excess;
  }

  /** The last step is done: what is different now, it changed. */
  #close(c: Checker): void {
    const step = this.steps[this.steps.length - 1]!;
    const changes: Change[] = [];
    const { frames } = c.state;
    for (let index = 0; index < frames.length; index++)
      this.#compare(changes, frames[index]!, index);
    for (let gone = frames.length; gone < this.#frames; gone++) {
      for (let regno = 0; regno <= 10; regno++) this.#drop(changes, regPlace(gone, regno));
      for (let slot = 0; slot < this.#slots[gone]!; slot++) {
        this.#drop(changes, slotPlace(gone, slot));
      }
      this.#slots[gone] = 0;
    }
    this.#frames = frames.length;
    if (changes.length > 0) step.changes = changes;
  }

  #compare(changes: Change[], frame: Frame, index: number): void {
    const known = this.#known;
    for (let regno = 0; regno <= 10; regno++) {
      const place = regPlace(index, regno);
      const { reg } = frame.regs[regno]!;
      if (known[place]?.reg !== reg) this.#change(changes, place, reg, 0);
    }
    const { stack } = frame;
    for (let at = 0; at < stack.length; at++) {
      const slot = stack[at]!;
      const place = slotPlace(index, at);
      const before = known[place];
      // A place that was only made room for holds nothing.
      if (!before && slot.bytes === 0 && slot.reg === UNINIT_REG) continue;
      if (before?.reg === slot.reg && before.bytes === slot.bytes) continue;
      this.#change(changes, place, slot.reg, slot.bytes);
    }
    this.#slots[index] = Math.max(this.#slots[index] ?? 0, frame.stack.length);
  }

  #change(changes: Change[], place: Place, reg: Reg, bytes: number): void {
    const after = { reg, bytes };
    changes.push({ place, before: this.#known[place], after });
    this.#known[place] = after;
  }

  #drop(changes: Change[], place: Place): void {
    const before = this.#known[place];
    if (!before) return;
    changes.push({ place, before, after: undefined });
    this.#known[place] = undefined;
  }

  #undo(step: TraceStep): void {
    for (const { place, before } of step.changes) {
      this.#known[place] = before;
      if (!before) continue;
      const frame = frameOfPlace(place);
      this.#frames = Math.max(this.#frames, frame + 1);
      if (regnoOf(place) !== undefined) continue;
      this.#slots[frame] = Math.max(this.#slots[frame] ?? 0, slotIndexOf(place) + 1);
    }
  }
}
