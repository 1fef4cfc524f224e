/**
 * Calls that do not deepen the host's stack. A generator that delegates to another with `yield*` is
 * resumed through all of its callers, so recursion of user programs would be bounded by the host.
 *
 *   yield* deepCall(flow)    as `yield* flow`, with the caller set aside until it has ended
 *   yield* runDeep(flow)     the flow that contains such calls, around all of it
 */
import type { UserFlow, UserRequest } from '../../kernel/syscall/abi.ts';

/** What deepCall yields to runDeep; it goes no further. */
class DeepCall {
  readonly flow: UserFlow<unknown>;
  result: unknown;

  constructor(flow: UserFlow<unknown>) {
    this.flow = flow;
  }
}

export function* deepCall<T>(flow: UserFlow<T>): UserFlow<T> {
  const call = new DeepCall(flow);
  yield call as unknown as UserRequest;
  return call.result as T;
}

export function* runDeep<T>(flow: UserFlow<T>): UserFlow<T> {
  const stack: { readonly flow: UserFlow<unknown>; readonly call?: DeepCall }[] = [{ flow }];
  let value = 0;
  let thrown: { readonly error: unknown } | undefined;
  for (;;) {
    const top = stack.at(-1)!;
    let step: IteratorResult<unknown, unknown>;
    try {
      step = thrown ? top.flow.throw(thrown.error) : top.flow.next(value);
      thrown = undefined;
    } catch (error) {
      stack.pop();
      if (stack.length === 0) throw error;
      thrown = { error };
      continue;
    }
    if (step.done) {
      stack.pop();
      if (top.call) top.call.result = step.value;
      else return step.value as T;
    } else if (step.value instanceof DeepCall) {
      stack.push({ flow: step.value.flow, call: step.value });
    } else value = yield step.value as UserRequest;
  }
}
