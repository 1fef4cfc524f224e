/**
 * The registers of a task in a system call, for programs that look at them. One pt_regs a CPU,
 * written only where a tracepoint is about to fire.
 */
import type { Ram } from '../ram/ram.ts';
import type { Scheduler } from '../sched/scheduler.ts';
import { PtRegsStruct } from '../types/pt-regs.ts';
import type { RamOffset } from '../types/units.ts';

export class PtRegsWriter {
  readonly #sched: Scheduler;
  readonly #regs;

  constructor(ram: Ram, sched: Scheduler) {
    this.#sched = sched;
    this.#regs = sched.cpus.map(() => PtRegsStruct.alloc(ram));
  }

  /** As the syscall instruction leaves them: number in orig_ax, arguments in di, si, dx, r10 … */
  enter(nr: number, args: readonly number[]): RamOffset {
    const regs = this.#regs[this.#sched.cpu.id]!;
    const argument = (i: number) => BigInt(args[i] ?? 0);
    regs.orig_ax = BigInt(nr);
    regs.ax = -38n; // -ENOSYS until the call has run
    regs.di = argument(0);
    regs.si = argument(1);
    regs.dx = argument(2);
    regs.r10 = argument(3);
    regs.r8 = argument(4);
    regs.r9 = argument(5);
    const { mm } = this.#sched.current;
    regs.sp = BigInt(mm?.startStack ?? 0);
    return regs.offset;
  }

  exit(result: number): RamOffset {
    const regs = this.#regs[this.#sched.cpu.id]!;
    regs.ax = BigInt(result);
    return regs.offset;
  }
}
