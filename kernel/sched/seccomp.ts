/**
 * seccomp: which system calls a task may make (kernel/seccomp.c, Linux 6.1). In strict mode four; in
 * filter mode what its filters say, classic BPF programs over a struct seccomp_data. Filters are only
 * added, the newest first, and children have those of their parent.
 *
 *   makeFilter(kernel, task, insns)         a SeccompFilter, or -errno
 *   attachFilter(task, filter, sync)        0, -errno, or the thread that it could not be put on
 *   checkSyscall(kernel, task, nr, args)    undefined to go on; else the call's result
 *
 * differs: no audit records of what was refused, and no notifications to user space.
 */
import { checkSeccomp, SECCOMP_DATA_BYTES } from '../../bpf/cbpf/check.ts';
import { BPF_MAXINSNS, type ClassicInsn } from '../../bpf/cbpf/insn.ts';
import { translateClassic } from '../../bpf/cbpf/translate.ts';
import type { Kernel } from '../machine-types.ts';
import { errno } from '../types/errno.ts';
import { CAP_SYS_ADMIN } from '../fs/cred.ts';
import { exitGroup, exitTask } from './exit.ts';
import {
  filtersOf,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  type SeccompFilter,
  type SeccompState,
} from './seccomp-state.ts';
import { SIGKILL, SIGSYS } from './signal.ts';
import type { Task } from './task.ts';

/** SECCOMP_RET_*: what a filter says; the lowest, as a signed number, counts. */
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0;
export const SECCOMP_RET_TRAP = 0x00030000;
export const SECCOMP_RET_ERRNO = 0x00050000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
const ACTION_MASK = 0xffff0000;
const DATA_MASK = 0xffff;
const MAX_ERRNO = 4095;

/** AUDIT_ARCH_X86_64 (UAPI linux/audit.h). */
const AUDIT_ARCH_X86_64 = 0xc000003e;
/** si_code of SIGSYS (UAPI asm-generic/siginfo.h). */
const SYS_SECCOMP = 1;
/** read, write, exit, rt_sigreturn */
const STRICT_CALLS: readonly number[] = [0, 1, 60, 15];
/** MAX_INSNS_PER_PATH, and what a filter counts for besides its instructions. */
const MAX_PATH_INSNS = 2 ** 18 / 8;
const FILTER_PENALTY = 4;

export function mayHaveMode({ seccomp }: Task, mode: SeccompState['mode']): boolean {
  return seccomp.mode === SECCOMP_MODE_DISABLED || seccomp.mode === mode;
}

/** Who cannot gain privileges by exec may restrict itself; others need CAP_SYS_ADMIN. */
export function mayAddFilter(task: Task, length: number): number {
  if (length === 0 || length > BPF_MAXINSNS) return -errno.EINVAL;
  return task.noNewPrivs || task.cred.capable(CAP_SYS_ADMIN) ? 0 : -errno.EACCES;
}

export function makeFilter(
  { bpf: { host } }: Kernel,
  task: Task,
  insns: readonly ClassicInsn[],
): SeccompFilter | number {
  const refused = checkSeccomp(insns);
  if (refused < 0) return refused;
  const program = translateClassic(insns, 'seccomp');
  const { length } = program.insns;
  let path = length;
  for (const filter of filtersOf(task.seccomp)) path += filter.length + FILTER_PENALTY;
  if (path > MAX_PATH_INSNS) return -errno.ENOMEM;
  const executable = host.interpreter.compile(program, host.runtime);
  return { executable, length, previous: task.seccomp.filter };
}

/** With `sync` all threads of the process get it; the pid of the first that has other filters. */
export function attachFilter(task: Task, filter: SeccompFilter, sync: boolean): number {
  const others = sync ? task.process.threads.filter((thread) => thread !== task) : [];
  const mine = new Set(filtersOf(task.seccomp));
  const cannot = others.find(({ seccomp }) => {
    if (seccomp.mode === SECCOMP_MODE_DISABLED) return false;
    return seccomp.mode !== SECCOMP_MODE_FILTER || !mine.has(seccomp.filter!);
  });
  if (cannot) return cannot.pid;
  const state = { mode: SECCOMP_MODE_FILTER, filter } as const;
  task.seccomp = state;
  for (const thread of others) {
    thread.seccomp = state;
    thread.noNewPrivs ||= task.noNewPrivs;
  }
  return 0;
}

/** __secure_computing: the call is not made where there is a result; the task may be gone then. */
export function checkSyscall(
  kernel: Kernel,
  task: Task,
  nr: number,
  args: readonly number[],
): number | undefined {
  const { mode } = task.seccomp;
  if (mode === SECCOMP_MODE_DISABLED) return undefined;
  if (mode === SECCOMP_MODE_STRICT) {
    if (STRICT_CALLS.includes(nr)) return undefined;
    exitTask(kernel, task, SIGKILL);
    return -errno.ENOSYS;
  }
  const verdict = runFilters(kernel, task, nr, args);
  const data = verdict & DATA_MASK;
  switch ((verdict & ACTION_MASK) >>> 0) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return undefined;
    case SECCOMP_RET_ERRNO:
      return -Math.min(data, MAX_ERRNO);
    case SECCOMP_RET_TRAP:
      // The handler finds the registers as the call was made: its number where a result would be.
      kernel.signals.force(task, SIGSYS, { signal: SIGSYS, code: SYS_SECCOMP, pid: 0, uid: 0 });
      return nr;
    case SECCOMP_RET_USER_NOTIF:
    case SECCOMP_RET_TRACE:
      // Nobody listens or traces.
      return -errno.ENOSYS;
    case SECCOMP_RET_KILL_THREAD:
      return kill(kernel, task, hasOtherThreads(task));
    default:
      return kill(kernel, task, false);
  }
}

const hasOtherThreads = ({ process }: Task): boolean =>
  process.threads.filter((thread) => !thread.exited).length > 1;

/** The last thread takes its process along. */
function kill(kernel: Kernel, task: Task, onlyThread: boolean): number {
  if (onlyThread) exitTask(kernel, task, SIGSYS);
  else exitGroup(kernel, task, SIGSYS | 0x80);
  return -errno.ENOSYS;
}

/** All are asked, even where one has already refused. */
function runFilters({ ram }: Kernel, task: Task, nr: number, args: readonly number[]): number {
  const data = ram.kzalloc(SECCOMP_DATA_BYTES);
  const { view } = ram;
  view.setInt32(data, nr, true);
  view.setUint32(data + 4, AUDIT_ARCH_X86_64, true);
  for (let i = 0; i < 6; i++) {
    view.setBigInt64(data + 16 + i * 8, BigInt(Math.trunc(args[i] ?? 0)), true);
  }
  let verdict = SECCOMP_RET_ALLOW;
  for (const { executable } of filtersOf(task.seccomp)) {
    const said = executable.run(data);
    if ((said & ACTION_MASK) < (verdict & ACTION_MASK)) verdict = said;
  }
  ram.kfree(data);
  return verdict;
}
