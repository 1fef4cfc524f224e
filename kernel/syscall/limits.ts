/** Resource limits. RLIMIT_NOFILE binds; the others are kept and reported. */
import { CAP_SYS_RESOURCE } from '../fs/cred.ts';
import type { Kernel } from '../machine-types.ts';
import { fromUser, structToUser } from '../mm/user-copy.ts';
import type { Limit } from '../sched/limits.ts';
import { RLIM_INFINITY, RLIMIT_NOFILE } from '../sched/limits.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';

function readLimit(task: Task, address: number): Limit | number {
  const view = fromUser(task, address, 16);
  if (!view) return -errno.EFAULT;
  return { soft: view.getBigUint64(0, true), hard: view.getBigUint64(8, true) };
}

function writeLimit(task: Task, address: number, { soft, hard }: Limit): number {
  return structToUser(task, address, 16, (view) => {
    view.setBigUint64(0, soft, true);
    view.setBigUint64(8, hard, true);
  });
}

function change(caller: Task, target: Task, resource: number, wanted: Limit): number {
  const { limits } = target.process;
  if (wanted.soft > wanted.hard) return -errno.EINVAL;
  const raises = wanted.hard > limits[resource]!.hard;
  if (raises && !caller.cred.capable(CAP_SYS_RESOURCE)) return -errno.EPERM;
  limits[resource] = wanted;
  if (resource === RLIMIT_NOFILE && target.files) {
    target.files.limit = wanted.soft === RLIM_INFINITY ? 2 ** 31 : Number(wanted.soft);
  }
  return 0;
}

function prlimit(
  kernel: Kernel,
  task: Task,
  pid: number,
  resource: number,
  newAt: number,
  oldAt: number,
): number {
  const target = (pid | 0) === 0 ? task : kernel.processes.task(pid | 0);
  if (!target) return -errno.ESRCH;
  if (resource >= target.process.limits.length) return -errno.EINVAL;
  const { uid } = target.cred;
  const own = target === task || uid === task.cred.uid;
  if (!own && !task.cred.capable(CAP_SYS_RESOURCE)) return -errno.EPERM;
  const old = target.process.limits[resource]!;
  if (newAt !== 0) {
    const wanted = readLimit(task, newAt);
    if (typeof wanted === 'number') return wanted;
    const changed = change(task, target, resource, wanted);
    if (changed < 0) return changed;
  }
  return oldAt === 0 ? 0 : writeLimit(task, oldAt, old);
}

export const limitRows = [
  syscall(
    97,
    'getrlimit',
    'unsigned int resource, struct rlimit *rlim',
    (kernel, task, resource, address) => prlimit(kernel, task, 0, resource, 0, address),
  ),
  syscall(
    160,
    'setrlimit',
    'unsigned int resource, struct rlimit *rlim',
    (kernel, task, resource, address) =>
      address === 0 ? -errno.EFAULT : prlimit(kernel, task, 0, resource, address, 0),
  ),
  syscall(
    302,
    'prlimit64',
    'pid_t pid, unsigned int resource, const struct rlimit64 *new_rlim, struct rlimit64 *old_rlim',
    prlimit,
  ),
];
