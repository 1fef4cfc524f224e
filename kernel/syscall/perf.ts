/** perf_event_open(2). */
import { O_RDWR } from '../fs/fcntl.ts';
import { CAP_SYS_ADMIN } from '../fs/cred.ts';
import type { Kernel } from '../machine-types.ts';
import { readPerfAttr } from '../perf/perf-attr.ts';
import { openPerfEvent } from '../perf/perf-event.ts';
import { PerfFile } from '../perf/perf-file.ts';
import { CAP_PERFMON } from '../sched/credentials.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';

const FD_NO_GROUP = 1;
const FD_OUTPUT = 2;
const PID_CGROUP = 4;
const FD_CLOEXEC = 8;
const FLAGS = FD_NO_GROUP | FD_OUTPUT | PID_CGROUP | FD_CLOEXEC;

function perfEventOpen(
  kernel: Kernel,
  task: Task,
  attrAt: number,
  pid: number,
  cpu: number,
  groupFd: number,
  flags: number,
): number {
  if (flags & ~FLAGS) return -errno.EINVAL;
  const attr = readPerfAttr(task, attrAt);
  if (typeof attr === 'number') return attr;
  // kernel.perf_event_paranoid is 2 and more on Debian: no kernel tracing for the unprivileged.
  if (!task.cred.capable(CAP_PERFMON) && !task.cred.capable(CAP_SYS_ADMIN)) return -errno.EACCES;
  // differs: no groups and no cgroup events.
  if ((groupFd | 0) !== -1 || flags & PID_CGROUP) return -errno.EINVAL;
  const event = openPerfEvent(kernel, kernel.nextPerfEventId(), attr, pid | 0, cpu | 0);
  if (typeof event === 'number') return event;
  const cloexec = (flags & FD_CLOEXEC) !== 0;
  const file = kernel.vfs.anonFile(new PerfFile(kernel, event), O_RDWR);
  const fd = task.files!.install(file, { cloexec });
  if (fd < 0) file.put();
  return fd;
}

export const perfRows = [
  syscall(
    298,
    'perf_event_open',
    'struct perf_event_attr *attr_uptr, pid_t pid, int cpu, int group_fd, unsigned long flags',
    perfEventOpen,
  ),
];
