/**
 * All tasks and processes of the machine by pid, and the making of kernel threads.
 *
 *   processes.task(pid), processes.process(tgid), processes.all, processes.group(pgid)
 *   processes.kthread('kswapd0', flow)       a thread of the kernel, child of kthreadd
 */
import type { Kernel } from '../machine-types.ts';
import { PF_KTHREAD, PF_NO_SETAFFINITY } from '../types/task.ts';
import type { Ns, Pid, RamOffset } from '../types/units.ts';
import { Credentials } from './credentials.ts';
import type { KernelFlow } from './flow.ts';
import { Process } from './process.ts';
import { TICK_NS } from './scheduler.ts';
import { Task } from './task.ts';
import type { TaskInit } from './task.ts';

/** PID_MAX_DEFAULT; after a wrap, pids below this are not reused (RESERVED_PIDS). */
export const PID_MAX = 32768;
const RESERVED_PIDS = 300;

export class ProcessTable {
  readonly #kernel: Kernel;
  readonly #tasks = new Map<Pid, Task>();
  readonly #processes = new Map<Pid, Process>();
  #lastPid = 0;
  /** Processes and threads ever made: /proc/stat's `processes`. */
  created = 0;
  /** The first process: orphans become its children. */
  init: Process | undefined;
  #kthreadd: Process | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  task(pid: number): Task | undefined {
    return this.#tasks.get(pid as Pid);
  }

  /** The one with the smallest pid above `pid`. */
  taskAfter(pid: number): Task | undefined {
    let next: Task | undefined;
    for (const task of this.#tasks.values()) {
      if (task.pid > pid && (!next || task.pid < next.pid)) next = task;
    }
    return next;
  }

  process(tgid: number): Process | undefined {
    return this.#processes.get(tgid as Pid);
  }

  /** By pid. */
  get all(): readonly Process[] {
    return [...this.#processes.values()].sort((a, b) => a.pid - b.pid);
  }

  get taskCount(): number {
    return this.#tasks.size;
  }

  get lastPid(): number {
    return this.#lastPid;
  }

  group(pgid: number): readonly Process[] {
    return this.all.filter((process) => process.pgid === pgid);
  }

  allocatePid(): Pid | undefined {
    for (let tries = 0; tries < PID_MAX; tries++) {
      this.#lastPid = this.#lastPid + 1 < PID_MAX ? this.#lastPid + 1 : RESERVED_PIDS;
      const pid = this.#lastPid as Pid;
      const taken =
        this.#tasks.has(pid) ||
        this.all.some((process) => process.pgid === pid || process.sid === pid);
      if (!taken) return pid;
    }
    return undefined;
  }

  /** Put a new task in; the first of a process leads it. */
  add(init: TaskInit, parent: Process | undefined, exitSignal: number): Task {
    const { ram, sched } = this.#kernel;
    const task = new Task(ram, sched.cpus.length, init);
    const { process } = init;
    const isLeader = process.threads.length === 0;
    if (isLeader) {
      process.leader = task;
      this.#processes.set(task.pid, process);
      this.adopt(process, parent);
    }
    process.threads.push(task);
    this.#tasks.set(task.pid, task);
    this.created++;
    const { struct } = task;
    struct.tgid = process.pid;
    struct.group_leader = process.leader.offset;
    struct.exit_signal = isLeader ? exitSignal : -1;
    struct.start_time = this.#kernel.clock();
    struct.start_boottime = struct.start_time;
    this.#publishParent(task, process.parent);
    return task;
  }

  adopt(process: Process, parent: Process | undefined): void {
    const siblings = process.parent?.children;
    if (siblings) siblings.splice(siblings.indexOf(process), 1);
    process.parent = parent;
    parent?.children.push(process);
    for (const thread of process.threads) this.#publishParent(thread, parent);
  }

  #publishParent(task: Task, parent: Process | undefined): void {
    const at = parent?.leader.offset ?? this.#kernel.sched.cpus[0]!.idle.offset;
    task.struct.real_parent = at;
    task.struct.parent = at;
  }

  /** Forget a thread; with its last one, the process. Its structs stay a while, as under RCU. */
  remove(task: Task): void {
    const { events, tracepoints } = this.#kernel;
    this.#tasks.delete(task.pid);
    const { process } = task;
    if (process.leader === task) {
      this.#processes.delete(task.pid);
      this.adopt(process, undefined);
    }
    const free = (): void => {
      if (task.onCpu) return void events.at((events.now + TICK_NS) as Ns, 'timer', free);
      if (tracepoints.schedProcessFree.enabled) tracepoints.schedProcessFree.fire(task);
      task.freeStructs();
    };
    events.at((this.#kernel.clock() + TICK_NS) as Ns, 'timer', free);
  }

  /** Make and start a kernel thread; `cpu` binds it to one. */
  kthread(name: string, flow: KernelFlow<number>, cpu?: number): Task {
    const pid = this.allocatePid()!;
    const process = new Process(this.#kernel.sched, 0 as Pid, 0 as Pid);
    const parent = this.#kthreadd;
    const cred = Credentials.root();
    const task = this.add({ pid, comm: name, process, cred, flags: PF_KTHREAD }, parent, 0);
    this.#kthreadd ??= process;
    task.kernelFlow = flow;
    if (cpu !== undefined) {
      task.flags |= PF_NO_SETAFFINITY;
      task.cpusAllowed.clear();
      task.cpusAllowed.add(cpu);
      task.struct.nr_cpus_allowed = 1;
    }
    this.#kernel.sched.start(task);
    return task;
  }

  /** Where a pointer to a task_struct leads back to; for what programs hand to helpers. */
  taskAt(offset: RamOffset): Task | undefined {
    for (const task of this.#tasks.values()) if (task.offset === offset) return task;
    return undefined;
  }
}
