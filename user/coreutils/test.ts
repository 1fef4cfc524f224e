/** test(1) and [(1); the expressions are the shell's (sh/test-expression.ts). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Process, Tool } from '../libc/process.ts';
import { evaluateTest, TestError } from '../sh/test-expression.ts';

export const testTool: Tool = function* (p, args) {
  return yield* evaluate(p, args);
};

export const bracketTool: Tool = function* (p, args) {
  if (args.at(-1) !== ']') {
    yield* p.error("missing `]'");
    return 2;
  }
  return yield* evaluate(p, args.slice(0, -1));
};

function* evaluate(p: Process, args: readonly string[]): UserFlow<number> {
  try {
    return yield* evaluateTest(p, args);
  } catch (caught) {
    if (!(caught instanceof TestError)) throw caught;
    yield* p.error(caught.message);
    return 2;
  }
}
