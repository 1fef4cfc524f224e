/**
 * A system call is one row: number, name, C prototype and handler. Tracepoints, `format` files and
 * strace-like output are made from the prototype; dispatch from the number.
 *
 *   export const pipeRows = [
 *     syscall(22, 'pipe', 'int *fildes', (kernel, task, fildes) => …),
 *   ];
 *
 * A handler gets six numbers as in the registers and returns a number, -errno on failure, or a
 * KernelFlow of one if it may sleep. User memory is reached through task.mm (see mm/user-copy.ts).
 */
import type { Kernel } from '../machine-types.ts';
import type { MaySleep } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { Bug } from '../types/units.ts';

export type SyscallHandler = (
  kernel: Kernel,
  task: Task,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
) => MaySleep<number>;

export interface SyscallArgument {
  /** As tracefs prints it: 'const char *', 'unsigned int', … */
  readonly type: string;
  readonly name: string;
}

export interface SyscallRow {
  /** x86-64 (arch/x86/entry/syscalls/syscall_64.tbl). */
  readonly nr: number;
  readonly name: string;
  readonly args: readonly SyscallArgument[];
  readonly handler: SyscallHandler;
}

/** `prototype` is the C parameter list of the kernel's SYSCALL_DEFINE, '' for none. */
export function syscall(
  nr: number,
  name: string,
  prototype: string,
  handler: SyscallHandler,
): SyscallRow {
  const args = prototype === '' ? [] : prototype.split(',').map(parseArgument);
  if (args.length > 6) throw new Bug(`${name}: ${args.length} arguments`);
  return { nr, name, args, handler };
}

function parseArgument(text: string): SyscallArgument {
  const match = /^\s*(.*?)\s*([A-Za-z_]\w*)\s*$/.exec(text);
  if (!match) throw new Bug(`not a C parameter: ${text}`);
  return { type: match[1]!, name: match[2]! };
}
