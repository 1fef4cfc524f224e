/** Commands that `trap` has set: for signals which came in, and for the end of the shell. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { Exit } from '../libc/process.ts';
import { signalNumber } from '../libc/tasks.ts';
import { BreakLoop, Interrupted, ReturnFunction } from './control.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';

export function* runTraps(shell: Shell): UserFlow<void> {
  while (shell.pendingSignals.length > 0) {
    const signal = shell.pendingSignals.shift()!;
    const entry = [...shell.traps].find(([name]) => signalNumber(name) === signal);
    if (!entry) continue;
    const { status } = shell;
    yield* shell.executor.runSource(shell, entry[1]);
    shell.status = status;
  }
}

/** What ends a shell that cannot have meant it: its status. */
export function statusOf(caught: unknown): number {
  if (caught instanceof Exit || caught instanceof ReturnFunction) return caught.status;
  if (caught instanceof BreakLoop) return 0;
  if (caught instanceof Interrupted) return 130;
  throw caught;
}

/** Run a shell to its end, whatever ends it, and then the trap for EXIT. */
export function* withExitTrap(shell: Shell, body: () => UserFlow<number>): UserFlow<number> {
  let status: number;
  try {
    status = yield* body();
  } catch (caught) {
    if (caught instanceof ShellError) {
      yield* shell.error(caught.message);
      // What bash gives for an unset variable under -u and -c.
      status = caught.fatal && shell.source === 'c' ? 127 : caught.status;
    } else status = statusOf(caught);
  }
  const trap = shell.traps.get('EXIT');
  if (trap === undefined) return status;
  shell.traps.delete('EXIT');
  shell.status = status;
  try {
    yield* shell.executor.runSource(shell, trap);
  } catch (caught) {
    if (caught instanceof Exit) return caught.status;
    if (!(caught instanceof ShellError)) return statusOf(caught);
    yield* shell.error(caught.message);
  }
  return status;
}
