/**
 * Waiting for files: poll, select, epoll. A signal ends a wait with -EINTR if its handler runs;
 * after a stop and continue, poll and select go on until their old end.
 */
import { EPOLL_CTL_DEL, EventPoll } from '../fs/eventpoll.ts';
import type { EpollEvent } from '../fs/eventpoll.ts';
import { O_CLOEXEC } from '../fs/fcntl.ts';
import type { PollWant } from '../fs/poll.ts';
import { pollFiles } from '../fs/poll.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../fs/vfs-types.ts';
import type { Kernel } from '../machine-types.ts';
import { bytesFromUser, fromUser, structToUser, toUser } from '../mm/user-copy.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import { asInt, fileOf } from './fs-args.ts';
import { syscall } from './row.ts';

const POLLFD_BYTES = 8;
const MS = 1_000_000;

/** Absolute end of a wait; undefined for ever. */
const deadline = (kernel: Kernel, timeoutNs: number | undefined): Ns | undefined =>
  timeoutNs === undefined ? undefined : ((kernel.clock() + timeoutNs) as Ns);

const milliseconds = (timeout: number): number | undefined =>
  asInt(timeout) < 0 ? undefined : asInt(timeout) * MS;

/** A timespec (or timeval with `unitNs` 1000) as ns; undefined for NULL, null for a bad one. */
function intervalArg(task: Task, address: number, unitNs: number): number | undefined | null {
  if (address === 0) return undefined;
  const view = fromUser(task, address, 16);
  if (!view) return null;
  const seconds = Number(view.getBigInt64(0, true));
  const fraction = Number(view.getBigInt64(8, true));
  if (seconds < 0 || fraction < 0) return null;
  return seconds * 1e9 + fraction * unitNs;
}

// --- poll ---

function* poll(
  kernel: Kernel,
  task: Task,
  address: number,
  count: number,
  until: Ns | undefined,
): KernelFlow<number> {
  if (count > task.files!.limit) return -errno.EINVAL;
  const bytes = bytesFromUser(task, address, count * POLLFD_BYTES);
  if (!bytes) return -errno.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const wants: PollWant[] = [];
  for (let i = 0; i < count; i++) {
    const fd = view.getInt32(i * POLLFD_BYTES, true);
    const events = view.getUint16(i * POLLFD_BYTES + 4, true);
    wants.push({ file: fd < 0 ? null : task.files!.get(fd), events });
  }
  // The files stay open while we sleep, even if another thread closes their descriptors.
  for (const { file } of wants) file?.get();
  try {
    const ready = yield* pollFiles(kernel.sched, wants, until);
    if (ready === 'signal') return -errno.ERESTARTNOHAND;
    for (const [i, events] of ready.entries()) {
      view.setUint16(i * POLLFD_BYTES + 6, events, true);
    }
    const refused = count === 0 ? 0 : toUser(task, address, bytes);
    return refused < 0 ? refused : ready.filter((events) => events !== 0).length;
  } finally {
    for (const { file } of wants) file?.put();
  }
}

// --- select ---

/** fs/select.c: what makes a descriptor readable, writable, exceptional. */
const SELECT_IN = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const SELECT_OUT = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
const SELECT_EX = POLLPRI;
const SETS = [SELECT_IN, SELECT_OUT, SELECT_EX] as const;

function* select(
  kernel: Kernel,
  task: Task,
  n: number,
  addresses: readonly [number, number, number],
  until: Ns | undefined,
): KernelFlow<number> {
  if (n < 0) return -errno.EINVAL;
  const count = Math.min(n, task.files!.limit);
  const setBytes = Math.ceil(count / 64) * 8;
  const sets: (Uint8Array | undefined)[] = [];
  for (const address of addresses) {
    const set = address === 0 ? undefined : bytesFromUser(task, address, setBytes);
    if (set === null) return -errno.EFAULT;
    sets.push(set);
  }
  const has = (set: Uint8Array | undefined, fd: number): boolean =>
    set !== undefined && (set[fd >> 3]! & (1 << (fd & 7))) !== 0;
  const fds: number[] = [];
  const wants: PollWant[] = [];
  for (let fd = 0; fd < count; fd++) {
    let events = 0;
    for (const [i, set] of sets.entries()) if (has(set, fd)) events |= SETS[i]!;
    if (events === 0) continue;
    const file = task.files!.get(fd);
    if (!file) return -errno.EBADF;
    fds.push(fd);
    wants.push({ file, events });
  }
  for (const { file } of wants) file!.get();
  try {
    const ready = yield* pollFiles(kernel.sched, wants, until);
    if (ready === 'signal') return -errno.ERESTARTNOHAND;
    let total = 0;
    for (const [i, set] of sets.entries()) {
      if (!set) continue;
      const result = new Uint8Array(setBytes);
      for (const [index, fd] of fds.entries()) {
        if (!has(set, fd) || !(ready[index]! & SETS[i]!)) continue;
        result[fd >> 3]! |= 1 << (fd & 7);
        total++;
      }
      const refused = toUser(task, addresses[i]!, result);
      if (refused < 0) return refused;
    }
    return total;
  } finally {
    for (const { file } of wants) file!.put();
  }
}

// --- epoll ---

/** struct epoll_event is packed on x86-64: u32 events, u64 data. */
const EPOLL_EVENT_BYTES = 12;

function epollOf(task: Task, fd: number): EventPoll | number {
  const file = fileOf(task, fd);
  if (!file) return -errno.EBADF;
  return file.ops instanceof EventPoll ? file.ops : -errno.EINVAL;
}

function epollCreate(kernel: Kernel, task: Task, flags: number): number {
  if (flags & ~O_CLOEXEC) return -errno.EINVAL;
  const file = kernel.vfs.anonFile(new EventPoll(kernel.sched), 2);
  const fd = task.files!.install(file, { cloexec: (flags & O_CLOEXEC) !== 0 });
  if (fd < 0) file.put();
  return fd;
}

function epollControl(task: Task, epfd: number, op: number, fd: number, address: number): number {
  let event: EpollEvent | undefined;
  if (op !== EPOLL_CTL_DEL) {
    const view = fromUser(task, address, EPOLL_EVENT_BYTES);
    if (!view) return -errno.EFAULT;
    event = { events: view.getUint32(0, true), data: view.getBigUint64(4, true) };
  }
  const target = fileOf(task, fd);
  if (!fileOf(task, epfd) || !target) return -errno.EBADF;
  const epoll = epollOf(task, epfd);
  return typeof epoll === 'number' ? epoll : epoll.control(op, asInt(fd), target, event);
}

function* epollWait(
  kernel: Kernel,
  task: Task,
  epfd: number,
  address: number,
  max: number,
  timeoutNs: number | undefined,
): KernelFlow<number> {
  if (max <= 0) return -errno.EINVAL;
  const epoll = epollOf(task, epfd);
  if (typeof epoll === 'number') return epoll;
  const file = fileOf(task, epfd)!.get();
  try {
    const events = yield* epoll.wait(max, deadline(kernel, timeoutNs));
    if (events === 'signal') return -errno.EINTR;
    const refused = structToUser(task, address, events.length * EPOLL_EVENT_BYTES, (view) => {
      for (const [i, event] of events.entries()) {
        view.setUint32(i * EPOLL_EVENT_BYTES, event.events, true);
        view.setBigUint64(i * EPOLL_EVENT_BYTES + 4, event.data, true);
      }
    });
    return refused < 0 ? refused : events.length;
  } finally {
    file.put();
  }
}

// --- around a wait ---

/** A call that is made again, where no handler ran, with the same end as before. */
function* resumable(task: Task, wait: () => KernelFlow<number>): KernelFlow<number> {
  const result = yield* wait();
  if (result !== -errno.ERESTARTNOHAND) return result;
  task.restartBlock = () => resumable(task, wait);
  return -errno.ERESTART_RESTARTBLOCK;
}

/** Leave in the caller's timeout what was not used of it (poll_select_finish). */
function* withRemaining(
  kernel: Kernel,
  task: Task,
  address: number,
  unitNs: number,
  until: Ns | undefined,
  wait: KernelFlow<number>,
): KernelFlow<number> {
  const result = yield* wait;
  if (address === 0 || until === undefined) return result;
  const left = Math.max(0, until - kernel.clock());
  structToUser(task, address, 16, (view) => {
    view.setBigInt64(0, BigInt(Math.floor(left / 1e9)), true);
    view.setBigInt64(8, BigInt(Math.floor((left % 1e9) / unitNs)), true);
  });
  return result;
}

/**
 * The *p* calls block other signals while they wait. If a signal ends the wait, the old mask comes
 * back only after its handler has run, as sigsuspend does it.
 */
function* underMask(
  kernel: Kernel,
  task: Task,
  maskAddress: number,
  wait: KernelFlow<number>,
): KernelFlow<number> {
  if (maskAddress === 0) return yield* wait;
  const view = fromUser(task, maskAddress, 8);
  if (!view) return -errno.EFAULT;
  const before = task.blocked;
  kernel.signals.setBlocked(task, view.getBigUint64(0, true));
  task.savedBlocked = before;
  const result = yield* wait;
  if (result === -errno.ERESTARTNOHAND || result === -errno.EINTR) return result;
  task.savedBlocked = undefined;
  kernel.signals.setBlocked(task, before);
  return result;
}

export const pollRows = [
  syscall(
    7,
    'poll',
    'struct pollfd *ufds, unsigned int nfds, int timeout_msecs',
    (kernel, task, fds, count, timeout) => {
      const until = deadline(kernel, milliseconds(timeout));
      return resumable(task, () => poll(kernel, task, fds, count, until));
    },
  ),
  syscall(
    23,
    'select',
    'int n, fd_set *inp, fd_set *outp, fd_set *exp, struct __kernel_old_timeval *tvp',
    (kernel, task, n, inp, outp, exp, tvp) => {
      const timeout = intervalArg(task, tvp, 1000);
      if (timeout === null) return -errno.EINVAL;
      const until = deadline(kernel, timeout);
      const wait = () => select(kernel, task, asInt(n), [inp, outp, exp], until);
      return withRemaining(kernel, task, tvp, 1000, until, resumable(task, wait));
    },
  ),
  syscall(213, 'epoll_create', 'int size', (kernel, task, size) =>
    size <= 0 ? -errno.EINVAL : epollCreate(kernel, task, 0),
  ),
  syscall(
    232,
    'epoll_wait',
    'int epfd, struct epoll_event *events, int maxevents, int timeout',
    (kernel, task, epfd, events, max, timeout) =>
      epollWait(kernel, task, epfd, events, asInt(max), milliseconds(timeout)),
  ),
  syscall(
    233,
    'epoll_ctl',
    'int epfd, int op, int fd, struct epoll_event *event',
    (_kernel, task, epfd, op, fd, event) => epollControl(task, epfd, asInt(op), fd, event),
  ),
  syscall(
    270,
    'pselect6',
    'int n, fd_set *inp, fd_set *outp, fd_set *exp, struct __kernel_timespec *tsp, void *sig',
    (kernel, task, n, inp, outp, exp, tsp, sig): MaySleep<number> => {
      const timeout = intervalArg(task, tsp, 1);
      if (timeout === null) return -errno.EINVAL;
      // The sixth argument points at {const sigset_t *, size_t}.
      const packed = sig === 0 ? undefined : fromUser(task, sig, 16);
      if (packed === null) return -errno.EFAULT;
      const mask = packed ? Number(packed.getBigUint64(0, true)) : 0;
      const until = deadline(kernel, timeout);
      const wait = select(kernel, task, asInt(n), [inp, outp, exp], until);
      return withRemaining(kernel, task, tsp, 1, until, underMask(kernel, task, mask, wait));
    },
  ),
  syscall(
    271,
    'ppoll',
    'struct pollfd *ufds, unsigned int nfds, struct __kernel_timespec *tsp, ' +
      'const sigset_t *sigmask, size_t sigsetsize',
    (kernel, task, fds, count, tsp, mask, maskBytes): MaySleep<number> => {
      const timeout = intervalArg(task, tsp, 1);
      if (timeout === null) return -errno.EINVAL;
      if (mask !== 0 && maskBytes !== 8) return -errno.EINVAL;
      const until = deadline(kernel, timeout);
      const wait = poll(kernel, task, fds, count, until);
      return withRemaining(kernel, task, tsp, 1, until, underMask(kernel, task, mask, wait));
    },
  ),
  syscall(
    281,
    'epoll_pwait',
    'int epfd, struct epoll_event *events, int maxevents, int timeout, ' +
      'const sigset_t *sigmask, size_t sigsetsize',
    (kernel, task, epfd, events, max, timeout, mask): MaySleep<number> => {
      const wait = epollWait(kernel, task, epfd, events, asInt(max), milliseconds(timeout));
      return underMask(kernel, task, mask, wait);
    },
  ),
  syscall(291, 'epoll_create1', 'int flags', (kernel, task, flags) =>
    epollCreate(kernel, task, flags),
  ),
];
