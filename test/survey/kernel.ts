/**
 * skep's bpf(2) with given kernel types, for recorded loads: programs are judged and installed but
 * never run, so the types may be another kernel's than skep's structs.
 */
import type { Btf } from '../../bpf/btf/btf.ts';
import type { HostAssets } from '../../kernel/config.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import { runInSkep } from '../syscall-script/skep.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import type { KernelFacts, StepAnswer } from './judge.ts';
import type { RecordedProgram } from './recorder.ts';
import type { Recorded } from './survey.ts';

export class SkepKernel {
  readonly #machine: BareMachine;

  /** `facts`: the kernel whose types these are, if it is not skep's own. */
  constructor(assets: HostAssets, btf: Btf, facts?: KernelFacts) {
    this.#machine = new BareMachine(assets, {
      level: '6.1',
      kernelBtf: btf,
      ...(facts && {
        checkOnly: true,
        symbolAddress: (name: string) => facts.symbols.get(name),
      }),
    });
  }

  run(recorded: readonly Recorded[]): StepAnswer[][] {
    return recorded.map(({ script }) => {
      this.#machine.caller.reset();
      return runInSkep(this.#machine, script).map(({ r, text }) => (r === 'fd' ? 1 : (r ?? text)));
    });
  }
}

/** What a kernel said of a load. */
export interface LoadAnswer {
  readonly accepted: boolean;
  /** `EACCES`; absent where it was accepted. */
  readonly errno?: string;
  /** The last line of the log before the counts, where the verifier refused. */
  readonly message?: string;
  /** Instructions processed, where the verifier came to count. */
  readonly processed?: number;
}

export function loadAnswer(
  { step, logStep }: RecordedProgram,
  answers: readonly StepAnswer[],
): LoadAnswer | undefined {
  const result = answers[step];
  if (typeof result !== 'number') return undefined;
  const log = String(answers[logStep] ?? '').trimEnd();
  const processed = /^processed (\d+) insns/m.exec(log)?.[1];
  const lines = log.split('\n').filter((line) => !NO_MESSAGE.test(line));
  return {
    accepted: result >= 0,
    ...(result < 0 && {
      errno: errnoName(result) ?? String(-result),
      message: (lines.at(-1) ?? '').replace(/^fd -?\d+ is/, 'fd N is'),
    }),
    ...(processed !== undefined && { processed: Number(processed) }),
  };
}

/** Counts at the end of a log, and lines of the source. */
const NO_MESSAGE = /^(processed \d+ insns|verification time \d+ usec|stack depth \d|; )/;
