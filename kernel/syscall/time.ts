/** Time: clocks, sleeping, alarm, and giving up the CPU. */
import type { Kernel } from '../machine-types.ts';
import { fromUser, structToUser } from '../mm/user-copy.ts';
import type { KernelFlow } from '../sched/flow.ts';
import { SIGALRM, SI_KERNEL } from '../sched/signal.ts';
import type { Task } from '../sched/task.ts';
import { waitOnAny } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import { syscall } from './row.ts';

/** UAPI linux/time.h */
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_PROCESS_CPUTIME_ID = 2;
const CLOCK_THREAD_CPUTIME_ID = 3;
const CLOCK_MONOTONIC_RAW = 4;
const CLOCK_REALTIME_COARSE = 5;
const CLOCK_MONOTONIC_COARSE = 6;
const CLOCK_BOOTTIME = 7;
const CLOCK_TAI = 11;
/** TAI is ahead of UTC only once user space says so. */
const TIMER_ABSTIME = 1;
/** CLOCKS of user space: USER_HZ. */
const USER_TICK_NS = 10_000_000;

/** Nanoseconds on that clock, or undefined if there is none such. */
function readClock(kernel: Kernel, task: Task, clock: number): number | undefined {
  const now = kernel.clock();
  switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
      return now;
    case CLOCK_PROCESS_CPUTIME_ID:
      return task.process.utimeNs + task.process.stimeNs;
    case CLOCK_THREAD_CPUTIME_ID:
      return task.utimeNs + task.stimeNs;
    default:
      return isRealtime(clock) ? now : undefined;
  }
}

const isRealtime = (clock: number): boolean =>
  clock === CLOCK_REALTIME || clock === CLOCK_REALTIME_COARSE || clock === CLOCK_TAI;

/** Seconds are added apart: nanoseconds since 1970 do not fit a double exactly. */
function epochOf(kernel: Kernel, clock: number): number {
  return isRealtime(clock) ? kernel.config.bootEpochSeconds : 0;
}

function putTimespec(view: DataView, ns: number, epochSeconds = 0, at = 0): void {
  view.setBigInt64(at, BigInt(Math.floor(ns / 1e9) + epochSeconds), true);
  view.setBigInt64(at + 8, BigInt(Math.floor(ns % 1e9)), true);
}

/** Nanoseconds, or -EFAULT or -EINVAL. */
function timespecFrom(task: Task, address: number, epochSeconds = 0): number {
  const view = fromUser(task, address, 16);
  if (!view) return -errno.EFAULT;
  const seconds = Number(view.getBigInt64(0, true));
  const nanoseconds = Number(view.getBigInt64(8, true));
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= 1e9) return -errno.EINVAL;
  return Math.max(0, (seconds - epochSeconds) * 1e9 + nanoseconds);
}

function* sleepUntil(
  kernel: Kernel,
  task: Task,
  untilNs: Ns,
  remainingAt: number,
): KernelFlow<number> {
  const options = { interruptible: true, untilNs };
  const why = yield* waitOnAny(kernel.sched, [], () => false, options);
  if (why !== 'signal') return 0;
  if (remainingAt !== 0) {
    const left = Math.max(0, untilNs - kernel.clock());
    const stored = structToUser(task, remainingAt, 16, (view) => putTimespec(view, left));
    if (stored < 0) return stored;
  }
  task.restartBlock = () => sleepUntil(kernel, task, untilNs, remainingAt);
  return -errno.ERESTART_RESTARTBLOCK;
}

function* sleepAbsolute(kernel: Kernel, untilNs: Ns): KernelFlow<number> {
  const options = { interruptible: true, untilNs };
  const why = yield* waitOnAny(kernel.sched, [], () => false, options);
  return why === 'signal' ? -errno.ERESTARTNOHAND : 0;
}

function nanosleep(
  kernel: Kernel,
  task: Task,
  clock: number,
  flags: number,
  requestAt: number,
  remainingAt: number,
): KernelFlow<number> | number {
  if (readClock(kernel, task, clock) === undefined) return -errno.EINVAL;
  if (clock === CLOCK_THREAD_CPUTIME_ID || clock === CLOCK_PROCESS_CPUTIME_ID) {
    return -errno.EOPNOTSUPP;
  }
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const ns = timespecFrom(task, requestAt, absolute ? epochOf(kernel, clock) : 0);
  if (ns < 0) return ns;
  if (absolute) return sleepAbsolute(kernel, ns as Ns);
  return sleepUntil(kernel, task, (kernel.clock() + ns) as Ns, remainingAt);
}

/** Seconds that were left of the previous alarm, rounded up. */
function alarm(kernel: Kernel, task: Task, seconds: number): number {
  const { process } = task;
  const previous = process.alarm;
  previous?.event.cancel();
  process.alarm = undefined;
  if (seconds > 0) {
    const atNs = (kernel.clock() + seconds * 1e9) as Ns;
    const cpu = kernel.sched.cpu.id;
    const event = kernel.events.at(atNs, 'timer', () => {
      process.alarm = undefined;
      kernel.sched.interrupt(cpu, () =>
        kernel.signals.send(process, { signal: SIGALRM, code: SI_KERNEL, pid: 0, uid: 0 }),
      );
    });
    process.alarm = { atNs, event };
  }
  return previous ? Math.ceil((previous.atNs - kernel.clock()) / 1e9) : 0;
}

function times(kernel: Kernel, task: Task, address: number): number {
  const { process } = task;
  if (address !== 0) {
    const values = [
      process.utimeNs,
      process.stimeNs,
      process.childrenUtimeNs,
      process.childrenStimeNs,
    ];
    const stored = structToUser(task, address, 32, (view) =>
      values.forEach((ns, i) =>
        view.setBigInt64(i * 8, BigInt(Math.floor(ns / USER_TICK_NS)), true),
      ),
    );
    if (stored < 0) return stored;
  }
  return Math.floor(kernel.clock() / USER_TICK_NS);
}

export const timeRows = [
  syscall(24, 'sched_yield', '', (kernel, task) => {
    kernel.sched.yieldCpu(task);
    return 0;
  }),
  syscall(34, 'pause', '', (kernel) => sleepAbsolute(kernel, Infinity as Ns)),
  syscall(
    35,
    'nanosleep',
    'struct __kernel_timespec *rqtp, struct __kernel_timespec *rmtp',
    (kernel, task, request, remaining) =>
      nanosleep(kernel, task, CLOCK_MONOTONIC, 0, request, remaining),
  ),
  syscall(37, 'alarm', 'unsigned int seconds', (kernel, task, seconds) =>
    alarm(kernel, task, seconds),
  ),
  syscall(
    96,
    'gettimeofday',
    'struct __kernel_old_timeval *tv, struct timezone *tz',
    (kernel, task, address) => {
      if (address === 0) return 0;
      const now = kernel.clock();
      return structToUser(task, address, 16, (view) => {
        const seconds = Math.floor(now / 1e9) + kernel.config.bootEpochSeconds;
        view.setBigInt64(0, BigInt(seconds), true);
        view.setBigInt64(8, BigInt(Math.floor((now % 1e9) / 1000)), true);
      });
    },
  ),
  syscall(100, 'times', 'struct tms *tbuf', (kernel, task, at) => times(kernel, task, at)),
  syscall(201, 'time', '__kernel_old_time_t *tloc', (kernel, task, address) => {
    const seconds = Math.floor(kernel.clock() / 1e9) + kernel.config.bootEpochSeconds;
    if (address === 0) return seconds;
    const stored = structToUser(task, address, 8, (view) =>
      view.setBigInt64(0, BigInt(seconds), true),
    );
    return stored < 0 ? stored : seconds;
  }),
  syscall(
    228,
    'clock_gettime',
    'const clockid_t which_clock, struct __kernel_timespec *tp',
    (kernel, task, clock, address) => {
      const ns = readClock(kernel, task, clock | 0);
      if (ns === undefined) return -errno.EINVAL;
      const epoch = epochOf(kernel, clock | 0);
      return structToUser(task, address, 16, (view) => putTimespec(view, ns, epoch));
    },
  ),
  syscall(
    229,
    'clock_getres',
    'const clockid_t which_clock, struct __kernel_timespec *tp',
    (kernel, task, clock, address) => {
      if (readClock(kernel, task, clock | 0) === undefined) return -errno.EINVAL;
      if (address === 0) return 0;
      const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;
      return structToUser(task, address, 16, (view) => putTimespec(view, coarse ? 4_000_000 : 1));
    },
  ),
  syscall(
    230,
    'clock_nanosleep',
    'const clockid_t which_clock, int flags, const struct __kernel_timespec *rqtp, ' +
      'struct __kernel_timespec *rmtp',
    (kernel, task, clock, flags, request, remaining) =>
      nanosleep(kernel, task, clock | 0, flags, request, remaining),
  ),
];
