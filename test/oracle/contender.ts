/**
 * skep's side of a comparison: the same requests, answered by `skep batch`'s machine with one
 * engine. What skep throws becomes an answer that says so; the machine is then replaced.
 *
 *   contender('interpreter')   'jit': every program compiled to WASM before its first run
 *   contender('elsewhere')     the interpreter, with other addresses, another clock, other random
 *                              numbers and other bytes on the unwritten stack: where its results
 *                              differ, they depend on these
 */
import type { Engine } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { BareKernel } from '../../bpf/testing/bare-kernel.ts';
import type { HostAssets } from '../../kernel/config.ts';
import { BatchMachine, type BatchAnswer } from '../../ui/cli/batch/answer.ts';
import { parseRequest, RequestError } from '../../ui/cli/batch/request.ts';
import type { RequestJson } from './request.ts';

export type ErrorAnswer = { readonly id: unknown; readonly error: string };
export type Answer = BatchAnswer | ErrorAnswer;

export interface Contender {
  answer(request: RequestJson): Answer;
}

export type ContenderName = 'interpreter' | 'jit' | 'elsewhere';

/** Starts the answer's error where skep itself failed. */
export const CRASH = 'skep crashed: ';
/** Programs until a machine is replaced, so that what one leaks does not pile up. */
const PROGRAMS_A_MACHINE = 20_000;

export function contender(name: ContenderName, assets: HostAssets): Contender {
  const boot = (): BatchMachine => {
    const machine = new BatchMachine(assets, { engine: engineOf(name) });
    if (name === 'elsewhere') machine.answer(parseRequest(WARM_UP));
    return machine;
  };
  let machine = boot();
  let answered = 0;
  return {
    answer(request) {
      if (++answered % PROGRAMS_A_MACHINE === 0) machine = boot();
      try {
        return machine.answer(parseRequest(request));
      } catch (error) {
        if (error instanceof RequestError) return { id: request.id, error: error.message };
        machine = boot();
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        return { id: request.id, error: `${CRASH}${text}` };
      }
    },
  };
}

function engineOf(name: ContenderName): Engine {
  switch (name) {
    case 'interpreter':
      return createInterpreter();
    case 'jit':
      return createWasmJit();
    case 'elsewhere':
      return elsewhere(createInterpreter());
  }
}

/** r0 = 0; exit */
const WARM_UP: RequestJson = {
  id: 'warm-up',
  prog_type: 'socket_filter',
  insns: 'b7000000000000009500000000000000',
};

/** Not what a program's stack is likely to hold. */
const UNWRITTEN = 0x9d;

function elsewhere(engine: Engine): Engine {
  let moved = false;
  return {
    ...engine,
    compile(program, runtime) {
      if (!moved) {
        // Whatever size comes next, it lies elsewhere.
        for (let sizeBytes = 8; sizeBytes <= 2048; sizeBytes *= 2) runtime.ram.kzalloc(sizeBytes);
        for (let order = 10; order >= 0; order--) runtime.ram.pages.alloc(order);
        (runtime.kernel as BareKernel).clockNs += 123_456_789;
        for (let i = 0; i < 5; i++) runtime.kernel.random32();
        moved = true;
      }
      // Privileged programs may read what they never wrote; in Linux some other function did.
      const { bottom, topAt } = engineState(runtime);
      runtime.ram.u8.fill(UNWRITTEN, bottom, runtime.ram.u32[topAt >>> 2]);
      return engine.compile(program, runtime);
    },
  };
}
