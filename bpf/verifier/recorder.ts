/**
 * Follows an exploration from outside: what an explanation and a picture of it are made from. The
 * checker calls it at the places where paths begin, part, meet and end, and before each
 * instruction; where there is none, that costs a comparison.
 */
import type { Branch, Checker } from './checker.ts';
import type { KeptState } from './state.ts';

export interface Recorder {
  /** All paths of a function are going to be explored; the state is that of its entry. */
  begin(c: Checker, subprog: number): void;
  /** The instruction at `c.insn` is next; the state is that before it. */
  at(c: Checker): void;
  /** A path was put aside; `branch.state` will yet learn what its side of the branch tells. */
  forked(c: Checker, branch: Branch): void;
  /** The path ends at `c.insn`, as the kept state covers what would follow. */
  covered(c: Checker, by: KeptState): void;
  /** The path ended. */
  ended(c: Checker): void;
  /** The path put aside last is taken up; `c.state` is its state. */
  resumed(c: Checker): void;
}
