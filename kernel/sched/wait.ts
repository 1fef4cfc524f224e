/**
 * wait4: which child has something to report, and sleeping until one has.
 */
import type { Kernel } from '../machine-types.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';
import type { KernelFlow } from './flow.ts';
import { reap } from './exit.ts';
import type { Process } from './process.ts';
import type { Task } from './task.ts';

export const WNOHANG = 1;
export const WUNTRACED = 2;
export const WCONTINUED = 8;
const __WNOTHREAD = 0x20000000;
const __WALL = 0x40000000;
const __WCLONE = 0x80000000;
export const WAIT4_OPTIONS = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE;

export interface Waited {
  readonly pid: number;
  /** As wait4 stores it. */
  readonly status: number;
  readonly utimeNs: number;
  readonly stimeNs: number;
}

/** `pid` as in wait4: a child, any (-1), own group (0), or group -pid. */
function matches(waiter: Process, child: Process, pid: number): boolean {
  if (pid === -1) return true;
  if (pid > 0) return child.pid === pid;
  return child.pgid === (pid === 0 ? waiter.pgid : -pid);
}

/** A report, 0 for nothing yet with WNOHANG, or -errno. */
export function* waitForChild(
  kernel: Kernel,
  task: Task,
  pid: number,
  options: number,
): KernelFlow<Waited | number> {
  const { process } = task;
  const { schedProcessWait } = kernel.tracepoints;
  if (schedProcessWait.enabled) {
    schedProcessWait.fire(0 as RamOffset, task, Math.max(0, pid));
  }
  let found: Waited | undefined;
  let any = false;
  const look = (): boolean => {
    const children = process.children.filter((child) => matches(process, child, pid));
    any = children.length > 0;
    for (const child of children) {
      found = report(kernel, child, options);
      if (found) break;
    }
    return found !== undefined || !any;
  };
  if (!look() && options & WNOHANG) return 0;
  if (!found && any) {
    const why = yield* process.childExit.wait(look, { interruptible: true });
    if (why === 'signal') return -errno.ERESTARTSYS;
  }
  return found ?? -errno.ECHILD;
}

function report(kernel: Kernel, child: Process, options: number): Waited | undefined {
  const { pid, utimeNs, stimeNs } = child;
  if (child.zombie) {
    const status = child.exitStatus;
    reap(kernel, child);
    return { pid, status, utimeNs, stimeNs };
  }
  const change = child.unreported;
  if (change?.kind === 'stopped' && options & WUNTRACED) {
    child.unreported = undefined;
    return { pid, status: (change.signal << 8) | 0x7f, utimeNs, stimeNs };
  }
  if (change?.kind === 'continued' && options & WCONTINUED) {
    child.unreported = undefined;
    return { pid, status: 0xffff, utimeNs, stimeNs };
  }
  return undefined;
}
