/** seccomp(2), and prctl's older ways to the same. */
import { CLASSIC_INSN_BYTES, decodeClassic } from '../../bpf/cbpf/insn.ts';
import type { Kernel } from '../machine-types.ts';
import { bytesFromUser, fromUser, toUser } from '../mm/user-copy.ts';
import * as s from '../sched/seccomp.ts';
import { SECCOMP_MODE_FILTER, SECCOMP_MODE_STRICT } from '../sched/seccomp-state.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';

/** Operations and flags (UAPI linux/seccomp.h). */
const SET_MODE_STRICT = 0;
const SET_MODE_FILTER = 1;
const GET_ACTION_AVAIL = 2;
const GET_NOTIF_SIZES = 3;
const FLAG_TSYNC = 1;
const FLAG_LOG = 2;
const FLAG_SPEC_ALLOW = 4;
const FLAG_NEW_LISTENER = 8;
const FLAG_TSYNC_ESRCH = 16;
const FLAG_WAIT_KILLABLE_RECV = 32;
const FLAGS =
  FLAG_TSYNC |
  FLAG_LOG |
  FLAG_SPEC_ALLOW |
  FLAG_NEW_LISTENER |
  FLAG_TSYNC_ESRCH |
  FLAG_WAIT_KILLABLE_RECV;
/** struct sock_fprog on x86-64. */
const FPROG_BYTES = 16;
/** sizeof of struct seccomp_notif, _notif_resp and _data. */
const NOTIF_SIZES = Uint16Array.of(80, 24, 64);

const ACTIONS: readonly number[] = [
  s.SECCOMP_RET_KILL_PROCESS,
  s.SECCOMP_RET_KILL_THREAD,
  s.SECCOMP_RET_TRAP,
  s.SECCOMP_RET_ERRNO,
  s.SECCOMP_RET_USER_NOTIF,
  s.SECCOMP_RET_TRACE,
  s.SECCOMP_RET_LOG,
  s.SECCOMP_RET_ALLOW,
];

function setStrict(task: Task): number {
  if (!s.mayHaveMode(task, SECCOMP_MODE_STRICT)) return -errno.EINVAL;
  task.seccomp = { mode: SECCOMP_MODE_STRICT, filter: undefined };
  return 0;
}

function setFilter(kernel: Kernel, task: Task, flags: number, address: number): number {
  if (flags & ~FLAGS) return -errno.EINVAL;
  const syncWithFd = FLAG_TSYNC | FLAG_NEW_LISTENER;
  if ((flags & syncWithFd) === syncWithFd && !(flags & FLAG_TSYNC_ESRCH)) return -errno.EINVAL;
  if (flags & FLAG_WAIT_KILLABLE_RECV && !(flags & FLAG_NEW_LISTENER)) return -errno.EINVAL;
  const header = fromUser(task, address, FPROG_BYTES);
  if (!header) return -errno.EFAULT;
  const length = header.getUint16(0, true);
  const refused = s.mayAddFilter(task, length);
  if (refused < 0) return refused;
  const at = Number(header.getBigUint64(8, true));
  const bytes = bytesFromUser(task, at, length * CLASSIC_INSN_BYTES);
  if (!bytes) return -errno.EFAULT;
  // A listener's descriptor is what the module's head says is not there.
  if (flags & FLAG_NEW_LISTENER) return -errno.EINVAL;
  const filter = s.makeFilter(kernel, task, decodeClassic(bytes));
  if (typeof filter === 'number') return filter;
  if (!s.mayHaveMode(task, SECCOMP_MODE_FILTER)) return -errno.EINVAL;
  const result = s.attachFilter(task, filter, (flags & FLAG_TSYNC) !== 0);
  return result > 0 && flags & FLAG_TSYNC_ESRCH ? -errno.ESRCH : result;
}

function seccomp(
  kernel: Kernel,
  task: Task,
  operation: number,
  flags: number,
  address: number,
): number {
  switch (operation) {
    case SET_MODE_STRICT:
      return flags !== 0 || address !== 0 ? -errno.EINVAL : setStrict(task);
    case SET_MODE_FILTER:
      return setFilter(kernel, task, flags, address);
    case GET_ACTION_AVAIL: {
      if (flags !== 0) return -errno.EINVAL;
      const action = fromUser(task, address, 4)?.getUint32(0, true);
      if (action === undefined) return -errno.EFAULT;
      return ACTIONS.includes(action) ? 0 : -errno.EOPNOTSUPP;
    }
    case GET_NOTIF_SIZES:
      if (flags !== 0) return -errno.EINVAL;
      return toUser(task, address, new Uint8Array(NOTIF_SIZES.buffer));
    default:
      return -errno.EINVAL;
  }
}

/** PR_SET_SECCOMP */
export function prctlSetSeccomp(kernel: Kernel, task: Task, mode: number, address: number): number {
  switch (mode) {
    case SECCOMP_MODE_STRICT:
      return setStrict(task);
    case SECCOMP_MODE_FILTER:
      return setFilter(kernel, task, 0, address);
    default:
      return -errno.EINVAL;
  }
}

export const seccompRows = [
  syscall(
    317,
    'seccomp',
    'unsigned int op, unsigned int flags, void *uargs',
    (kernel, task, operation, flags, address) => seccomp(kernel, task, operation, flags, address),
  ),
];
