/**
 * A system call is one row: number, name, C prototype and handler. Tracepoints, `format` files and
 * strace-like output are made from the prototype; dispatch from the number.
 *
 *   export const pipeRows = [
 *     syscall(22, 'pipe', 'int *fildes', (kernel, task, fildes) => …),
 *   ];
 *
 * A handler gets six numbers, each as its type has it (an `int` is signed 32 bits), and returns a number, -errno on failure, or a
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
  /** How the register is read: 32 bits, signed or not; a size; or all of it, as it is. */
  readonly width: 's32' | 'u32' | 'size' | '64';
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
  const type = match[1]!;
  return { type, name: match[2]!, width: widthOf(type) };
}

const SIGNED_32 = ['int', 'pid_t', 'clockid_t', 'key_t', 'mqd_t', 'timer_t'];
const UNSIGNED_32 = ['unsigned int', 'unsigned', 'u32', 'uid_t', 'gid_t', 'umode_t', 'qid_t'];

function widthOf(type: string): SyscallArgument['width'] {
  const plain = type.replace(/^const /, '');
  if (SIGNED_32.includes(plain)) return 's32';
  if (UNSIGNED_32.includes(plain)) return 'u32';
  return plain === 'size_t' ? 'size' : '64';
}

/** What a handler gets for a register that a program has filled, by the argument's type. */
export function argumentValue(argument: SyscallArgument | undefined, value: number): number {
  switch (argument?.width) {
    case 's32':
      return value | 0;
    case 'u32':
      return value >>> 0;
    case 'size':
      return value < 0 ? value + 2 ** 64 : value;
    default:
      return value;
  }
}
