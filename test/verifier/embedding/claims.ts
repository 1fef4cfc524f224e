/**
 * What a verification claimed: the states before every instruction, on all paths that it explored.
 *
 *   const claims = claimsOf(spec, env, how)     undefined where the exploration grew too large
 *   claims.before(slot)                         states at a slot of the program as loaded
 *
 * How paths are pruned decides what may be expected of a state that a run is compared with:
 * `all-paths`: nothing is pruned, every place holds; `exact`: a state stands for others that it
 * includes, so what an instruction reads holds; `pruned`: as programs are verified, where numbers
 * whose exact value does not matter may be any.
 */
import type { ProgramSpec } from '../../../bpf/program.ts';
import { Checker, Rejected } from '../../../bpf/verifier/checker.ts';
import type { Recorder } from '../../../bpf/verifier/recorder.ts';
import type { Reg } from '../../../bpf/verifier/reg.ts';
import type { Slot, StackSlot } from '../../../bpf/verifier/state.ts';
import { runSound, type VerifierEnv } from '../../../bpf/verifier/verify.ts';

export const PRUNINGS = ['all-paths', 'exact', 'pruned'] as const;
export type Pruning = (typeof PRUNINGS)[number];

/** 8 bytes of stack: what was spilled there, and of what kind each byte is. */
export interface SlotClaim {
  readonly reg: Reg;
  readonly bytes: number;
}

export interface FrameClaim {
  /** First slot of its function, in the program as loaded. */
  readonly start: number;
  readonly regs: readonly Reg[];
  readonly stack: readonly SlotClaim[];
}

export interface StateClaim {
  readonly frames: readonly FrameClaim[];
  /** Position in the order of exploration: the next one mostly follows in a run, too. */
  readonly order: number;
  readonly insn: number;
}

/** States that are kept of one program; programs that need more are left out. */
const MOST_STATES = 5_000;

class TooLarge extends Error {}

export class Claims implements Recorder {
  readonly states: StateClaim[] = [];
  readonly #bySlot = new Map<number, StateClaim[]>();
  #starts: readonly number[] = [];

  before(slot: number): readonly StateClaim[] {
    return this.#bySlot.get(slot) ?? [];
  }

  /** First slot of the function that the slot belongs to. */
  functionOf(slot: number): number {
    return this.#starts.findLast((start) => start <= slot) ?? 0;
  }

  at(c: Checker): void {
    if (this.states.length >= MOST_STATES) throw new TooLarge();
    // What only speculation reaches is no claim about runs.
    if (c.state.speculative) return;
    const before = this.states[this.states.length - 1]?.frames;
    const frames = c.state.frames.map(({ subprog, regs, stack }, i): FrameClaim => {
      const old = before?.[i];
      return {
        start: c.subprogs[subprog]!.start,
        regs: old && isSameRegs(old, regs) ? old.regs : regs.map(({ reg }) => reg),
        stack: old && isSameStack(old, stack) ? old.stack : stack.map(slotClaim),
      };
    });
    const state: StateClaim = { frames, order: this.states.length, insn: c.insn };
    this.states.push(state);
    const others = this.#bySlot.get(c.insn);
    if (others) others.push(state);
    else this.#bySlot.set(c.insn, [state]);
  }

  begin(c: Checker): void {
    this.#starts = c.subprogs.map(({ start }) => start);
  }

  forked(): void {}
  covered(): void {}
  ended(): void {}
  resumed(): void {}
}

/** Most instructions change a register, few the stack, and only calls what is below. */
const isSameRegs = ({ regs }: FrameClaim, now: readonly Slot[]): boolean =>
  regs.every((reg, regno) => reg === now[regno]!.reg);
const isSameStack = ({ stack }: FrameClaim, now: readonly StackSlot[]): boolean =>
  stack.length === now.length &&
  stack.every(({ reg, bytes }, slot) => reg === now[slot]!.reg && bytes === now[slot]!.bytes);
const slotClaim = ({ reg, bytes }: StackSlot): SlotClaim => ({ reg, bytes });

export function claimsOf(
  spec: ProgramSpec,
  env: VerifierEnv,
  pruning: Pruning,
): Claims | undefined {
  let claims = new Claims();
  const fresh = (): Checker => {
    const c = new Checker(spec, { ...env, logLevel: 0 });
    c.recorder = claims = new Claims();
    c.prunes = pruning !== 'all-paths';
    c.relaxesNumbers = pruning === 'pruned';
    return c;
  };
  try {
    // Without pruning the limits may be met; then there is nothing to compare with.
    return runSound(fresh).outcome instanceof Rejected ? undefined : claims;
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
}
