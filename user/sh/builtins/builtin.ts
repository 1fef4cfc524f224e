/** What a builtin is: a row with its usage, and a function that runs in the shell's process. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { Exit, type Tool } from '../../libc/process.ts';
import type { Shell } from '../shell.ts';

export interface Builtin {
  readonly usage: string;
  readonly help: string;
  run(shell: Shell, args: readonly string[]): UserFlow<number>;
}

export type BuiltinRows = Readonly<Record<string, Builtin>>;

/** A tool that is also a program, run without a process of its own. */
export function fromTool(name: string, usage: string, help: string, tool: Tool): Builtin {
  return {
    usage,
    help,
    *run(shell, args) {
      shell.p.name = name;
      try {
        return yield* tool(shell.p, args);
      } catch (caught) {
        if (caught instanceof Exit) return caught.status;
        throw caught;
      }
    },
  };
}

/** `sh: name: text`, and the status. */
export function* complain(shell: Shell, name: string, text: string, status = 1): UserFlow<number> {
  yield* shell.error(`${name}: ${text}`);
  return status;
}
