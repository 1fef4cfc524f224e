/**
 * copy_from_user, copy_to_user and friends for system call handlers: a value, or -errno.
 *
 *   const path = userString(task, address);
 *   if (typeof path === 'number') return path;
 */
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';

/** Null stands for -EFAULT. */
export function fromUser(task: Task, address: number, sizeBytes: number): DataView | null {
  const bytes = task.mm?.copyIn(address, sizeBytes);
  return bytes ? new DataView(bytes.buffer) : null;
}

export function bytesFromUser(task: Task, address: number, sizeBytes: number): Uint8Array | null {
  return task.mm?.copyIn(address, sizeBytes) ?? null;
}

/** 0 or -EFAULT. */
export function toUser(task: Task, address: number, bytes: Uint8Array): number {
  return task.mm?.copyOut(address, bytes) ? 0 : -errno.EFAULT;
}

export function u32ToUser(task: Task, address: number, value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return toUser(task, address, new Uint8Array(view.buffer));
}

/** Fill a struct of `sizeBytes` and copy it out: 0 or -EFAULT. */
export function structToUser(
  task: Task,
  address: number,
  sizeBytes: number,
  fill: (view: DataView) => void,
): number {
  const view = new DataView(new ArrayBuffer(sizeBytes));
  fill(view);
  return toUser(task, address, new Uint8Array(view.buffer));
}

/** -EFAULT, or -ENAMETOOLONG for PATH_MAX bytes and more. */
export function userString(task: Task, address: number, limit = 4096): string | number {
  return task.mm ? task.mm.stringIn(address, limit) : -errno.EFAULT;
}
