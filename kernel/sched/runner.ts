/**
 * Running a task's code: the user program's generator, the system calls it asks for, and the kernel
 * flows behind those that sleep.
 *
 * The scheduler calls `run` when the task has its CPU and all it was charged has elapsed. `run` goes
 * on until the task is charged again, sleeps, or ends; each piece of it happens at one instant.
 */
import { SYSCALL_EXTRA_NS, SYSCALL_NS } from '../cost/costs.ts';
import type { Kernel } from '../machine-types.ts';
import { OutOfMemory } from '../ram/page-allocator.ts';
import { UserFault } from '../syscall/abi.ts';
import { argumentValue } from '../syscall/row.ts';
import { errno } from '../types/errno.ts';
import { TASK_RUNNING } from '../types/task.ts';
import type { Cpu } from './cpu.ts';
import { exitCode, exitGroup, exitTask } from './exit.ts';
import type { Block, KernelFlow, WakeReason } from './flow.ts';
import { isFlow } from './flow.ts';
import { checkSyscall } from './seccomp.ts';
import { logSegfault } from './segfault.ts';
import type { Runner } from './scheduler.ts';
import * as s from './signal.ts';
import type { ActiveSyscall, SyscallRequest, Task, UserFrame } from './task.ts';

/** What a task waits on while the host finishes something. */
export interface HostWait {
  readonly done: Promise<unknown>;
  /** Undefined until the promise has settled. */
  outcome: { readonly error?: unknown } | undefined;
}

const RESTARTS: readonly number[] = [
  -errno.ERESTARTSYS,
  -errno.ERESTARTNOINTR,
  -errno.ERESTARTNOHAND,
  -errno.ERESTART_RESTARTBLOCK,
];

export class TaskRunner implements Runner {
  readonly #kernel: Kernel;
  /** Tasks that wait for the host; the machine's run loop stops until all of it has settled. */
  readonly #hostWaits = new Map<Task, HostWait>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** One that has not settled yet. */
  get hostWait(): HostWait | undefined {
    for (const wait of this.#hostWaits.values()) if (!wait.outcome) return wait;
    return undefined;
  }

  run(task: Task, cpu: Cpu): void {
    if (task.kernelFlow) return this.#stepFlow(task, task.kernelFlow);
    if (task.syscall) return this.#leaveSyscall(task, task.syscall, cpu);
    if (task.signalPending && !this.#handleSignals(task)) return;
    this.#enterUser(task, cpu);
  }

  // --- user mode ---

  #enterUser(task: Task, cpu: Cpu): void {
    if (task.remainingUserNs > 0) {
      const ns = task.remainingUserNs;
      task.remainingUserNs = 0;
      cpu.inUserMode = true;
      this.#kernel.charge(ns);
      return;
    }
    const frame = task.userFrames.at(-1);
    if (!frame) return exitGroup(this.#kernel, task, exitCode(0));
    let step: IteratorResult<unknown, unknown>;
    try {
      step = frame.flow.next(task.userValue);
    } catch (error) {
      return this.#userThrew(task, error);
    }
    if (step.done) return this.#frameDone(task, frame, step.value);
    const request = step.value as { kind: string } & (
      SyscallRequest | { kind: 'compute'; ns: number }
    );
    if (request.kind === 'syscall') return this.#enterSyscall(task, request);
    cpu.inUserMode = true;
    this.#kernel.charge(Math.max(1, Math.round(request.ns)));
  }

  #frameDone(task: Task, frame: UserFrame, value: unknown): void {
    const { onReturn } = frame;
    if (!onReturn) {
      const status = exitCode(Number(value) || 0);
      if (task === task.process.leader) exitGroup(this.#kernel, task, status);
      else exitTask(this.#kernel, task, status);
      return;
    }
    // rt_sigreturn: the frame below goes on as if nothing had happened.
    task.userFrames.pop();
    task.userValue = onReturn.value;
    this.#kernel.signals.setBlocked(task, onReturn.blocked);
    if (task.signalPending && !this.#handleSignals(task)) return;
    if (onReturn.restart) this.#enterSyscall(task, onReturn.restart);
    else this.#kernel.charge(SYSCALL_NS);
  }

  /** The program is gone where it threw: a handler may still run, then the process dies. */
  #userThrew(task: Task, error: unknown): void {
    const kernel = this.#kernel;
    if (error instanceof UserFault) {
      logSegfault(kernel, task, error.address);
      kernel.signals.force(task, s.SIGSEGV);
      task.userFrames.pop();
      task.userFrames.push({ flow: dieOf(s.SIGSEGV | 0x80, kernel, task) });
      task.userValue = 0;
      if (this.#handleSignals(task)) this.#kernel.charge(SYSCALL_NS);
      return;
    }
    if (error instanceof OutOfMemory) {
      const text = `Out of memory: Killed process ${task.tgid} (${task.comm})`;
      kernel.log.printk(3, text);
      return exitGroup(kernel, task, s.SIGKILL);
    }
    throw error;
  }

  // --- system calls ---

  #enterSyscall(task: Task, request: SyscallRequest): void {
    const kernel = this.#kernel;
    const { nr, args } = request;
    const row = kernel.syscalls.row(nr);
    const active: ActiveSyscall = { row, request, result: 0, left: false };
    task.syscall = active;
    const refused = checkSyscall(kernel, task, nr, args);
    if (task.exited) return;
    if (refused !== undefined) return this.#finish(task, active, refused);
    kernel.syscalls.traceEnter(row, nr, args);
    if (!row) return this.#finish(task, active, -errno.ENOSYS);
    const value = (i: number) => argumentValue(row.args[i], args[i] ?? 0);
    this.#call(task, active, () =>
      row.handler(kernel, task, value(0), value(1), value(2), value(3), value(4), value(5)),
    );
  }

  /** Run a handler, or the flow that goes on for it. */
  #call(task: Task, active: ActiveSyscall, handler: () => number | KernelFlow<number>): void {
    let result: number | KernelFlow<number>;
    try {
      result = handler();
    } catch (error) {
      result = asErrno(error);
    }
    if (task.exited) return;
    if (!isFlow(result)) return this.#finish(task, active, result);
    task.kernelFlow = result;
    task.wakeReason = 'woken';
    this.#stepFlow(task, result);
  }

  /** The result is known; it reaches the program once the call's cost has elapsed. */
  #finish(task: Task, active: ActiveSyscall, result: number): void {
    active.result = result;
    const extra = active.row ? (SYSCALL_EXTRA_NS[active.row.name] ?? 0) : 0;
    this.#kernel.charge(SYSCALL_NS + extra);
  }

  #stepFlow(task: Task, flow: KernelFlow<number>): void {
    const { sched } = this.#kernel;
    let reason: WakeReason | undefined = task.wakeReason;
    task.wakeReason = 'woken';
    for (;;) {
      let step: IteratorResult<Block, number>;
      try {
        const failed = this.#hostFailure(task);
        step = failed ? flow.throw(failed.error) : flow.next(reason);
      } catch (error) {
        step = { done: true, value: asErrno(error) };
      }
      if (task.exited) return;
      if (step.done) {
        task.kernelFlow = undefined;
        if (task.syscall) this.#finish(task, task.syscall, step.value);
        // The first process has exec'ed itself into user space.
        else if (task.userFrames.length > 0) this.#kernel.charge(SYSCALL_EXTRA_NS.execve!);
        else exitTask(this.#kernel, task, exitCode(step.value));
        return;
      }
      const block = step.value;
      switch (block.kind) {
        case 'sleep':
          reason = sched.sleep(task, block);
          if (reason === undefined) return;
          break;
        case 'compute':
          this.#kernel.charge(Math.max(1, Math.round(block.ns)));
          return;
        case 'host':
          this.#waitForHost(task, block.done);
          return;
      }
    }
  }

  #waitForHost(task: Task, done: Promise<unknown>): void {
    const wait: HostWait = { done, outcome: undefined };
    this.#hostWaits.set(task, wait);
    this.#kernel.sched.halted = true;
    done.then(
      () => (wait.outcome = {}),
      (error: unknown) => (wait.outcome = { error }),
    );
  }

  /** What to throw into the flow that waited for the host, if the promise was rejected. */
  #hostFailure(task: Task): { readonly error: unknown } | undefined {
    if (this.#hostWaits.size === 0) return undefined;
    const outcome = this.#hostWaits.get(task)?.outcome;
    this.#hostWaits.delete(task);
    return outcome && 'error' in outcome ? { error: outcome.error } : undefined;
  }

  #leaveSyscall(task: Task, active: ActiveSyscall, cpu: Cpu): void {
    if (!active.left) {
      active.left = true;
      const { nr } = active.request;
      this.#kernel.syscalls.traceExit(active.row, nr, active.result);
    }
    if (RESTARTS.includes(active.result)) return this.#restart(task, active, cpu);
    task.userValue = active.result;
    if (task.signalPending && !this.#handleSignals(task)) return;
    task.syscall = undefined;
    this.#enterUser(task, cpu);
  }

  /** A call that a signal interrupted: -EINTR if a handler ran, or the call again. */
  #restart(task: Task, active: ActiveSyscall, cpu: Cpu): void {
    let interrupted = false;
    const proceed = this.#handleSignals(task, (action) => {
      if (interrupted) return;
      interrupted = true;
      const again =
        active.result === -errno.ERESTARTNOINTR ||
        (active.result === -errno.ERESTARTSYS && (action.flags & s.SA_RESTART) !== 0);
      task.userValue = -errno.EINTR;
      if (again) task.restartRequest = active.request;
    });
    if (!proceed) return;
    task.syscall = undefined;
    if (interrupted) return this.#enterUser(task, cpu);
    const { restartBlock } = task;
    if (active.result === -errno.ERESTART_RESTARTBLOCK && restartBlock) {
      const again: ActiveSyscall = { ...active, result: 0, left: false };
      task.syscall = again;
      this.#kernel.syscalls.traceEnter(active.row, active.request.nr, active.request.args);
      return this.#call(task, again, restartBlock);
    }
    this.#enterSyscall(task, active.request);
  }

  /** True if the task is to go on to user mode. */
  #handleSignals(task: Task, beforeHandler: (action: s.SignalAction) => void = () => {}): boolean {
    const delivery = this.#kernel.signals.deliver(task, beforeHandler);
    return delivery !== 'exited' && task.state === TASK_RUNNING;
  }
}

/** What is left of a program that faulted: it ends with the signal. */
function* dieOf(status: number, kernel: Kernel, task: Task): Generator<never, number, number> {
  exitGroup(kernel, task, status);
  return 0;
}

function asErrno(error: unknown): number {
  if (error instanceof OutOfMemory) return -errno.ENOMEM;
  throw error;
}
