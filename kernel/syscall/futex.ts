/**
 * futex(2): wait while a word of memory has a value, and wake who waits. Keyed by the word's place
 * in RAM, so that it works across processes that share it.
 */
import type { Kernel } from '../machine-types.ts';
import { fromUser } from '../mm/user-copy.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import { syscall } from './row.ts';

/** UAPI linux/futex.h */
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_WAKE_BITSET = 10;
const FUTEX_PRIVATE_FLAG = 128;
const FUTEX_CLOCK_REALTIME = 256;

interface Waiter {
  woken: boolean;
  readonly queue: WaitQueue;
  readonly bits: number;
}

/** Who waits on each word, first come first. One table a machine. */
export type FutexTable = Map<number, Waiter[]>;

function* wait(
  kernel: Kernel,
  task: Task,
  address: number,
  value: number,
  bits: number,
  untilNs: Ns | undefined,
): KernelFlow<number> {
  const key = task.mm!.translate(address, false);
  if (key === 0) return -errno.EFAULT;
  if (kernel.ram.view.getUint32(key, true) !== value >>> 0) return -errno.EAGAIN;
  const waiter: Waiter = { woken: false, queue: new WaitQueue(kernel.sched), bits };
  const waiters = kernel.futexes.get(key) ?? [];
  kernel.futexes.set(key, waiters);
  waiters.push(waiter);
  const why = yield* waiter.queue.wait(
    () => waiter.woken,
    untilNs === undefined ? { interruptible: true } : { interruptible: true, untilNs },
  );
  if (why === 'woken') return 0;
  forget(kernel, key, waiter);
  return why === 'timeout' ? -errno.ETIMEDOUT : -errno.ERESTARTSYS;
}

function forget(kernel: Kernel, key: number, waiter: Waiter): void {
  const left = (kernel.futexes.get(key) ?? []).filter((other) => other !== waiter);
  if (left.length > 0) kernel.futexes.set(key, left);
  else kernel.futexes.delete(key);
}

/** How many were woken. */
function wake(kernel: Kernel, task: Task, address: number, count: number, bits: number): number {
  const key = task.mm!.translate(address, false);
  if (key === 0) return -errno.EFAULT;
  let woken = 0;
  for (const waiter of kernel.futexes.get(key) ?? []) {
    if (woken >= count) break;
    if ((waiter.bits & bits) === 0) continue;
    woken++;
    waiter.woken = true;
    forget(kernel, key, waiter);
    waiter.queue.wakeAll();
  }
  return woken;
}

function futex(
  kernel: Kernel,
  task: Task,
  address: number,
  operation: number,
  value: number,
  timeoutAt: number,
  _address2: number,
  bits: number,
): MaySleep<number> {
  if (address % 4 !== 0) return -errno.EINVAL;
  const command = operation & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  const withBits = command === FUTEX_WAIT_BITSET || command === FUTEX_WAKE_BITSET;
  if (withBits && bits === 0) return -errno.EINVAL;
  const mask = withBits ? bits : 0xffffffff;
  if (command === FUTEX_WAKE || command === FUTEX_WAKE_BITSET) {
    return wake(kernel, task, address, value | 0, mask);
  }
  // differs: no requeueing, no priority inheritance.
  if (command !== FUTEX_WAIT && command !== FUTEX_WAIT_BITSET) return -errno.ENOSYS;
  let untilNs: Ns | undefined;
  if (timeoutAt !== 0) {
    const view = fromUser(task, timeoutAt, 16);
    if (!view) return -errno.EFAULT;
    const seconds = Number(view.getBigInt64(0, true));
    const ns = Number(view.getBigInt64(8, true));
    if (seconds < 0 || ns < 0 || ns >= 1e9) return -errno.EINVAL;
    // FUTEX_WAIT's timeout is relative, FUTEX_WAIT_BITSET's a point in time.
    const realtime = (operation & FUTEX_CLOCK_REALTIME) !== 0;
    const epoch = command === FUTEX_WAIT_BITSET && realtime ? kernel.config.bootEpochSeconds : 0;
    const start = command === FUTEX_WAIT ? kernel.clock() : 0;
    untilNs = Math.max(0, start + (seconds - epoch) * 1e9 + ns) as Ns;
  }
  return wait(kernel, task, address, value, mask, untilNs);
}

export const futexRows = [
  syscall(
    202,
    'futex',
    'u32 *uaddr, int op, u32 val, const struct __kernel_timespec *utime, u32 *uaddr2, u32 val3',
    futex,
  ),
];
