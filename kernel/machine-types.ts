/**
 * The parts of a machine, as they see each other. `Machine` (machine.ts) implements this; a
 * subsystem takes the parts that it needs in its constructor and never reaches for a global.
 */
import type { Ns } from './types/units.ts';

/** Event priorities at one instant: lower runs first (hardware before softirq before tasks). */
export const EVENT_PRIORITY = { hardware: 0, timer: 1, softirq: 2, task: 3 } as const;
export type EventPriority = keyof typeof EVENT_PRIORITY;

export interface EventHandle {
  cancel(): void;
}

/** The event queue. Order is (time, priority, sequence): no ties are left to chance. */
export interface Events {
  readonly now: Ns;
  at(time: Ns, priority: EventPriority, run: () => void): EventHandle;
}

/** One line of a machine's input record: the only door from outside. */
export type MachineInput =
  | { readonly kind: 'tty'; readonly data: Uint8Array }
  | { readonly kind: 'tty-size'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'packet'; readonly nic: string; readonly data: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly data: Uint8Array };
