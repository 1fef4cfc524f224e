/** What of seccomp a task carries: its mode and its filters (see seccomp.ts). */
import type { Executable } from '../../bpf/engine.ts';

/** SECCOMP_MODE_* (UAPI linux/seccomp.h). */
export const SECCOMP_MODE_DISABLED = 0;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;

export interface SeccompFilter {
  readonly executable: Executable;
  readonly length: number;
  /** The one that was there before. */
  readonly previous: SeccompFilter | undefined;
}

export interface SeccompState {
  readonly mode: 0 | 1 | 2;
  readonly filter: SeccompFilter | undefined;
}

export const NO_SECCOMP: SeccompState = { mode: SECCOMP_MODE_DISABLED, filter: undefined };

/** Filters on the way from a task's newest to its oldest. */
export function* filtersOf(state: SeccompState): Generator<SeccompFilter> {
  for (let filter = state.filter; filter; filter = filter.previous) yield filter;
}
