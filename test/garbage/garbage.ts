/**
 * Garbage never hurts: streams of instructions through bpf(2), the verifier and, where they are
 * accepted, both engines, which must agree.
 *
 *   throwGarbage(core, {count, seed})   what became of them; throws at the first that hurts
 */
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { parseRequest, RequestError } from '../../ui/cli/batch/request.ts';
import { GarbageMachine } from './machine.ts';
import { garbage, STREAM_KINDS, type StreamKind } from './streams.ts';

export interface Outcome {
  readonly programs: number;
  readonly accepted: number;
  readonly refusals: Readonly<Record<string, number>>;
}

export interface GarbageOptions {
  readonly count: number;
  readonly seed: number;
  readonly kinds?: readonly StreamKind[];
  readonly progress?: (done: number) => void;
}

/** From where the engines' answers are different. */
function difference(interpreter: string, jit: string): string {
  let at = 0;
  while (interpreter[at] === jit[at]) at++;
  const from = Math.max(0, at - 40);
  const part = (text: string) => text.slice(from, from + 160);
  return `engines differ at ${at}\n  interpreter …${part(interpreter)}\n  JIT         …${part(jit)}`;
}

export function throwGarbage(
  core: WebAssembly.Module,
  { count, seed, kinds = STREAM_KINDS, progress }: GarbageOptions,
): Readonly<Record<StreamKind, Outcome>> {
  const machines = [new GarbageMachine(core, undefined), new GarbageMachine(core, createWasmJit())];
  const outcomes = Object.fromEntries(
    STREAM_KINDS.map((kind) => [kind, { programs: 0, accepted: 0, refusals: {} }]),
  ) as Record<StreamKind, { programs: number; accepted: number; refusals: Record<string, number> }>;
  for (let i = 0; i < count; i++) {
    const kind = kinds[i % kinds.length]!;
    const request = garbage(kind, seed + i);
    const outcome = outcomes[kind];
    try {
      const parsed = parseRequest(request);
      // Both always, so that addresses that programs see are the same.
      const [first, second] = machines.map((machine) => machine.answer(parsed));
      outcome.programs++;
      if (first!.accepted) outcome.accepted++;
      else outcome.refusals[first!.text] = (outcome.refusals[first!.text] ?? 0) + 1;
      if (first!.text !== second!.text) throw new Error(difference(first!.text, second!.text));
    } catch (error) {
      if (error instanceof RequestError) continue;
      const what = JSON.stringify({ ...request, log_level: 2 });
      throw new Error(`${kind} ${seed + i}: ${String(error)}\n${what}`, { cause: error });
    }
    progress?.(i + 1);
  }
  return outcomes;
}
