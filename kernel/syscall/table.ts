/**
 * The one table of system calls: every row of the kernel by number, with its tracepoints.
 *
 *   table.row(nr), table.byName(name), table.all
 *   table.traceEnter(row, nr, args), table.traceExit(row, nr, result)    what the runner calls
 */
import type { TracepointRegistry } from '../../hooks/registry.ts';
import type { Tracepoint } from '../../hooks/tracepoint.ts';
import type { Scheduler } from '../sched/scheduler.ts';
import type { KernelTracepoints } from '../trace/events.ts';
import { syscallEnterEvent, syscallExitEvent } from '../trace/syscall-events.ts';
import { Bug } from '../types/units.ts';
import type { PtRegsWriter } from './pt-regs.ts';
import type { SyscallRow } from './row.ts';

interface Entry {
  readonly row: SyscallRow;
  readonly enter: Tracepoint<[nr: number, args: readonly number[]]>;
  readonly exit: Tracepoint<[nr: number, result: number]>;
}

export class SyscallTable {
  readonly #entries: (Entry | undefined)[] = [];
  readonly #rows = new Map<SyscallRow, Entry>();
  readonly #raw: KernelTracepoints;
  readonly #regs: PtRegsWriter;

  constructor(
    rows: readonly SyscallRow[],
    registry: TracepointRegistry,
    sched: Scheduler,
    regs: PtRegsWriter,
  ) {
    this.#raw = sched.tracepoints;
    this.#regs = regs;
    for (const row of [...rows].sort((a, b) => a.nr - b.nr)) {
      if (this.#entries[row.nr]) throw new Bug(`system call ${row.nr} (${row.name}) twice`);
      const entry = {
        row,
        enter: registry.add(syscallEnterEvent(row)),
        exit: registry.add(syscallExitEvent(row)),
      };
      this.#entries[row.nr] = entry;
      this.#rows.set(row, entry);
    }
  }

  row(nr: number): SyscallRow | undefined {
    return this.#entries[nr]?.row;
  }

  byName(name: string): SyscallRow | undefined {
    return this.all.find((row) => row.name === name);
  }

  /** By number. */
  get all(): readonly SyscallRow[] {
    return [...this.#rows.keys()];
  }

  traceEnter(row: SyscallRow | undefined, nr: number, args: readonly number[]): void {
    const { rawSysEnter } = this.#raw;
    const entry = row && this.#rows.get(row);
    if (!rawSysEnter.enabled && !entry?.enter.enabled) return;
    const regs = this.#regs.enter(nr, args);
    if (rawSysEnter.enabled) rawSysEnter.fire(regs, nr, args);
    if (entry?.enter.enabled) entry.enter.fire(nr, args);
  }

  traceExit(row: SyscallRow | undefined, nr: number, result: number): void {
    const { rawSysExit } = this.#raw;
    const entry = row && this.#rows.get(row);
    if (!rawSysExit.enabled && !entry?.exit.enabled) return;
    const regs = this.#regs.exit(result);
    if (rawSysExit.enabled) rawSysExit.fire(regs, result, nr);
    if (entry?.exit.enabled) entry.exit.fire(nr, result);
  }
}
