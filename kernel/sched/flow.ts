/**
 * Kernel paths that may sleep are generators of `Block`; those that cannot are plain functions.
 * A syscall handler returns a number at once, or a KernelFlow that ends in one.
 */
import type { Ns } from '../types/units.ts';

/** Why the scheduler should stop running this task for now. */
export type Block =
  /** Off the run queue until `wake`; see WaitQueue. `untilNs` is absolute virtual time. */
  | { readonly kind: 'sleep'; readonly interruptible: boolean; readonly untilNs?: Ns }
  /** Kernel work that takes CPU time. */
  | { readonly kind: 'compute'; readonly ns: number }
  /**
   * The host must finish something first (load a heavy module). Virtual time stands still until
   * `done` settles, so what the host is fast or slow at never shows in a result.
   */
  | { readonly kind: 'host'; readonly done: Promise<unknown> };

/** 'signal' only for interruptible sleeps. */
export type WakeReason = 'woken' | 'timeout' | 'signal';

export type KernelFlow<T> = Generator<Block, T, WakeReason>;

export type MaySleep<T> = T | KernelFlow<T>;

export function isFlow<T>(value: MaySleep<T>): value is KernelFlow<T> {
  return typeof value === 'object' && value !== null && 'next' in (value as object);
}
