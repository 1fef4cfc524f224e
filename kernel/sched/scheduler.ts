/**
 * The scheduler: which task runs on which CPU, and when.
 *
 *   sched.wake(task)             make a sleeper runnable (try_to_wake_up)
 *   sched.start(task)            a new task's first wake-up (wake_up_new_task)
 *   sched.sleep(task, block)     put the running task to sleep; Runner calls it
 *   sched.interrupt(cpu, run)    hardware interrupts a CPU
 *   sched.charge(ns), clock()    what running code costs; the clock of the CPU that runs it
 *
 * A piece of kernel or user code runs at one instant of the event queue and is charged for; the CPU
 * then is busy until that time has passed. What the code does to others (a wake-up) takes effect at
 * the CPU's own clock. A fair scheduler by virtual run time, after Linux's CFS.
 */
import { CONTEXT_SWITCH_NS, IDLE_EXIT_NS } from '../cost/costs.ts';
import type { EventQueue } from '../time/event-queue.ts';
import type { KernelTracepoints } from '../trace/events.ts';
import {
  TASK_INTERRUPTIBLE,
  TASK_NEW,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  TASK_WAKING,
} from '../types/task.ts';
import type { Ns } from '../types/units.ts';
import { Cpu } from './cpu.ts';
import type { Block, WakeReason } from './flow.ts';
import type { SchedTunables } from './run-queue.ts';
import { tunables, weighted } from './run-queue.ts';
import { Placement } from './placement.ts';
import type { Task } from './task.ts';
import type { Sleeper } from './wait-queue.ts';

/** CONFIG_HZ=250, as Debian's kernels have it. */
export const TICK_NS = 4_000_000;

/** Runs a task's code until it has been charged for something, or has blocked. */
export interface Runner {
  run(task: Task, cpu: Cpu): void;
}

export class Scheduler implements Sleeper {
  readonly cpus: readonly Cpu[];
  /** Set at boot, before anything runs. */
  tracepoints!: KernelTracepoints;
  runner!: Runner;
  /** No CPU runs ahead of the queue beyond this time. */
  limitNs = Infinity;
  /** The host must finish something first; CPUs stand still. */
  halted = false;
  readonly #events: EventQueue;
  readonly #tunables: SchedTunables;
  readonly #placement: Placement;
  #active: Cpu | undefined;

  readonly #onCpuChange: (cpu: number) => void;

  /** `onCpuChange` is told which CPU runs, whenever that changes. */
  constructor(
    events: EventQueue,
    makeIdleTasks: (sleeper: Sleeper) => readonly Task[],
    onCpuChange: (cpu: number) => void,
  ) {
    this.#events = events;
    this.#onCpuChange = onCpuChange;
    const idleTasks = makeIdleTasks(this);
    this.cpus = idleTasks.map((idle, id) => {
      idle.cpu = id;
      idle.onCpu = true;
      idle.publishCpu();
      return new Cpu(id, idle);
    });
    this.#tunables = tunables(idleTasks.length);
    this.#placement = new Placement(this.cpus, this.#tunables);
  }

  /** The CPU whose code is running; during boot and in hardware events, the boot CPU. */
  get cpu(): Cpu {
    return this.#active ?? this.cpus[0]!;
  }

  get current(): Task {
    return this.cpu.current;
  }

  clock(): Ns {
    return (this.#events.now + (this.#active?.pendingNs ?? 0)) as Ns;
  }

  /** Hardware is free: outside of any CPU nothing is charged. */
  charge(ns: number): void {
    if (this.#active) this.#active.pendingNs += ns;
  }

  #activate(cpu: Cpu | undefined): void {
    if (cpu !== undefined && cpu !== this.#active) this.#onCpuChange(cpu.id);
    this.#active = cpu;
  }

  // --- sleeping and waking ---

  /**
   * The running task wants to sleep. Undefined if it does; otherwise why it need not.
   * The CPU switches away once what the task was charged has elapsed, unless it is woken before.
   */
  sleep(task: Task, block: Extract<Block, { kind: 'sleep' }>): WakeReason | undefined {
    const { interruptible, untilNs } = block;
    if (interruptible && task.signalPending) return 'signal';
    if (untilNs !== undefined && untilNs <= this.clock()) return 'timeout';
    task.state = interruptible ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE;
    if (untilNs !== undefined && untilNs !== Infinity) {
      const { id } = this.cpu;
      task.sleepTimer = this.#events.at(untilNs, 'timer', () => {
        task.sleepTimer = undefined;
        this.interrupt(id, () => this.wake(task, 'timeout'));
      });
    }
    return undefined;
  }

  wake(task: Task, reason: WakeReason = 'woken'): boolean {
    const { state } = task;
    if (state !== TASK_INTERRUPTIBLE && state !== TASK_UNINTERRUPTIBLE) return false;
    if (reason === 'signal' && state !== TASK_INTERRUPTIBLE) return false;
    this.makeRunnable(task, reason);
    return true;
  }

  /** Wake a task out of whatever state it is in: sleepers, and those stopped by a signal. */
  makeRunnable(task: Task, reason: WakeReason): void {
    task.sleepTimer?.cancel();
    task.sleepTimer = undefined;
    task.wakeReason = reason;
    const { schedWaking, schedWakeup } = this.tracepoints;
    if (schedWaking.enabled) {
      this.#locked(2, () => schedWaking.fire(task, task.cpu));
    }
    if (task.onRq) {
      // It has not left its CPU yet.
      task.state = TASK_RUNNING;
      if (schedWakeup.enabled) this.#locked(3, () => schedWakeup.fire(task, task.cpu));
      return;
    }
    task.state = TASK_WAKING;
    this.#moveTo(task, this.#placement.select(task));
    this.#enqueueAtClock(task, false);
  }

  /** First wake-up of a task that clone or the kernel has made. */
  start(task: Task): void {
    task.state = TASK_NEW;
    const idlest = this.#placement.idlest(task);
    task.cpu = idlest.id;
    task.publishCpu();
    // START_DEBIT: a newcomer begins one slice behind.
    task.vruntime = idlest.queue.minVruntime + this.#placement.sliceOf(task, idlest);
    this.#enqueueAtClock(task, true);
  }

  /** sched_yield: behind everyone who is waiting. */
  yieldCpu(task: Task): void {
    const last = this.cpu.queue.tasks.at(-1);
    if (!last) return;
    task.vruntime = Math.max(task.vruntime, last.vruntime);
    this.cpu.needResched = true;
  }

  /** Change what a task's place on its queue depends on. */
  requeue(task: Task, change: () => void): void {
    const cpu = this.cpus[task.cpu]!;
    this.#account(cpu);
    const waiting = task.onRq && !task.onCpu;
    if (waiting) cpu.queue.remove(task);
    change();
    if (waiting) this.#add(task, cpu);
  }

  /** After a change of affinity: move off a CPU that is not allowed any more. */
  enforceAffinity(task: Task): void {
    if (task.cpusAllowed.has(task.cpu) || !task.onRq) return;
    const cpu = this.cpus[task.cpu]!;
    if (task.onCpu) {
      this.#resched(cpu);
      return;
    }
    cpu.queue.remove(task);
    this.#moveTo(task, this.#placement.select(task));
    this.#add(task, this.cpus[task.cpu]!);
  }

  #enqueueAtClock(task: Task, isNew: boolean): void {
    const target = this.cpus[task.cpu]!;
    target.incoming++;
    const at = this.clock();
    if (at === this.#events.now) return this.#enqueue(task, target, isNew);
    this.#events.at(at, 'hardware', () =>
      this.#inHardirq(target, () => this.#enqueue(task, target, isNew)),
    );
  }

  #enqueue(task: Task, cpu: Cpu, isNew: boolean): void {
    cpu.incoming--;
    task.state = TASK_RUNNING;
    if (!isNew) {
      // Half a period of credit for having slept (GENTLE_FAIR_SLEEPERS), no more.
      const credit = cpu.queue.minVruntime - this.#tunables.latencyNs / 2;
      task.vruntime = Math.max(task.vruntime, credit);
    }
    this.#add(task, cpu);
    const tracepoint = isNew ? this.tracepoints.schedWakeupNew : this.tracepoints.schedWakeup;
    if (tracepoint.enabled) this.#locked(isNew ? 2 : 3, () => tracepoint.fire(task, cpu.id));
  }

  #add(task: Task, cpu: Cpu): void {
    cpu.queue.add(task);
    task.onRq = true;
    task.struct.on_rq = 1;
    if (cpu.isIdle) return this.#resched(cpu);
    this.#account(cpu);
    const lead = cpu.current.vruntime - task.vruntime;
    if (lead > weighted(this.#tunables.wakeupGranularityNs, task.nice)) this.#resched(cpu);
  }

  #moveTo(task: Task, cpu: Cpu): void {
    if (task.cpu === cpu.id) return;
    const { schedMigrateTask } = this.tracepoints;
    if (schedMigrateTask.enabled) this.#locked(2, () => schedMigrateTask.fire(task, cpu.id));
    task.vruntime += cpu.queue.minVruntime - this.cpus[task.cpu]!.queue.minVruntime;
    task.cpu = cpu.id;
    task.publishCpu();
  }

  // --- interrupts ---

  /**
   * Run an interrupt handler on a CPU, now or as soon as it takes interrupts again. What the
   * handler charges is taken from whatever the CPU was doing. Call it from an event.
   */
  interrupt(cpuId: number, run: () => void): void {
    const cpu = this.cpus[cpuId]!;
    const free = Math.max(this.#active ? this.clock() : 0, cpu.irqUntil) as Ns;
    if (this.#active || free > this.#events.now) {
      this.#events.at(free, 'hardware', () => this.interrupt(cpuId, run));
      return;
    }
    this.#inHardirq(cpu, run);
  }

  /** smp_call_function_single: the caller waits while that CPU runs it in an interrupt. */
  callOn(cpuId: number, run: () => void): void {
    this.#inHardirq(this.cpus[cpuId]!, run);
  }

  #inHardirq(cpu: Cpu, run: () => void): void {
    cpu.inHardirq = true;
    cpu.irqNs += this.#inContext(cpu, run);
    cpu.inHardirq = false;
  }

  /** The same for softirqs (softirq.ts). Returns when the CPU will be done. */
  softirq(cpu: Cpu, run: () => void): Ns {
    cpu.inSoftirq = true;
    cpu.softirqNs += this.#inContext(cpu, run);
    cpu.inSoftirq = false;
    return cpu.irqUntil;
  }

  #inContext(cpu: Cpu, run: () => void): number {
    const outer = this.#active;
    const pending = cpu.pendingNs;
    this.#activate(cpu);
    cpu.pendingNs = 0;
    run();
    const cost = cpu.pendingNs;
    cpu.pendingNs = pending;
    this.#activate(outer);
    const start = Math.max(this.#events.now, cpu.irqUntil);
    cpu.irqUntil = (start + cost) as Ns;
    if (!cpu.isIdle && cost > 0) {
      cpu.busyUntil = (Math.max(cpu.busyUntil, start) + cost) as Ns;
      cpu.stolenNs += cost;
    }
    if (cpu.needResched) this.#kick(cpu);
    return cost;
  }

  /** Interrupts off and `depth` levels of preempt_disable, for what trace records say. */
  #locked(depth: number, run: () => void): void {
    const { cpu } = this;
    const { irqsOff, preemptDepth } = cpu;
    cpu.irqsOff = true;
    cpu.preemptDepth = depth;
    run();
    cpu.irqsOff = irqsOff;
    cpu.preemptDepth = preemptDepth;
  }

  /** The same with interrupts on: tracepoints inside a spinlock, or with preemption off. */
  withPreemptOff(depth: number, run: () => void): void {
    const { cpu } = this;
    const { preemptDepth } = cpu;
    cpu.preemptDepth = depth;
    run();
    cpu.preemptDepth = preemptDepth;
  }

  // --- running ---

  #resched(cpu: Cpu): void {
    cpu.needResched = true;
    if (cpu !== this.#active) cpu.rescheduleInterrupts++;
    this.#kick(cpu);
  }

  /** Make a CPU that needs to reschedule do so; one that is in the kernel gets there by itself. */
  #kick(cpu: Cpu): void {
    if (cpu.isIdle) {
      if (cpu.resume) return;
      const at = Math.max(this.clock() + IDLE_EXIT_NS, cpu.irqUntil) as Ns;
      cpu.resume = this.#events.at(at, 'task', () => this.#step(cpu));
      return;
    }
    if (!cpu.inUserMode || !cpu.resume) return;
    // Interrupt the burst: what is left of it waits until the task runs again.
    const now = Math.max(this.#events.now, cpu.irqUntil) as Ns;
    cpu.current.remainingUserNs += cpu.busyUntil - now;
    cpu.busyUntil = now;
    cpu.resume.cancel();
    cpu.resume = this.#events.at(now, 'task', () => this.#step(cpu));
  }

  /** Go on with a CPU; it runs ahead as long as nothing else happens in the machine. */
  #step(cpu: Cpu): void {
    cpu.resume = undefined;
    for (;;) {
      const until = Math.max(cpu.busyUntil, cpu.irqUntil) as Ns;
      if (until > this.#events.now) {
        if (until > this.limitNs || this.halted || this.#events.nextTime <= until) {
          cpu.resume = this.#events.at(until, 'task', () => this.#step(cpu));
          return;
        }
        this.#events.advanceTo(until);
      }
      this.#account(cpu);
      if (this.halted) {
        cpu.resume = this.#events.at(this.#events.now, 'task', () => this.#step(cpu));
        return;
      }
      if (cpu.needResched || cpu.current.state !== TASK_RUNNING) this.#schedule(cpu);
      else if (cpu.isIdle) return;
      else this.#run(cpu);
      cpu.busyUntil = (this.#events.now + cpu.pendingNs) as Ns;
      cpu.pendingNs = 0;
    }
  }

  #run(cpu: Cpu): void {
    this.#activate(cpu);
    cpu.inUserMode = false;
    this.runner.run(cpu.current, cpu);
    this.#active = undefined;
  }

  /** Book the time since the last time under whatever the CPU was doing. */
  #account(cpu: Cpu): void {
    const { now } = this.#events;
    const stolen = cpu.stolenNs - Math.max(0, cpu.irqUntil - now);
    const ran = now - cpu.accountedTo - stolen;
    cpu.accountedTo = now;
    cpu.stolenNs -= stolen;
    if (ran <= 0 || cpu.isIdle) return;
    const task = cpu.current;
    task.sumExecNs += ran;
    task.vruntime += weighted(ran, task.nice);
    if (cpu.inUserMode) {
      task.utimeNs += ran;
      cpu.userNs += ran;
    } else {
      task.stimeNs += ran;
      cpu.systemNs += ran;
    }
    cpu.queue.updateMin(task);
  }

  #schedule(cpu: Cpu): void {
    this.#activate(cpu);
    const prev = cpu.current;
    const prevState = prev.state;
    const wasUserMode = cpu.inUserMode;
    cpu.inUserMode = false;
    cpu.needResched = false;
    if (prev !== cpu.idle) {
      if (prevState === TASK_RUNNING && prev.cpusAllowed.has(cpu.id)) {
        cpu.queue.add(prev);
      } else {
        prev.onRq = false;
        prev.struct.on_rq = 0;
      }
    }
    const next = cpu.queue.takeFirst() ?? this.#pull(cpu) ?? cpu.idle;
    if (next === prev) {
      next.pickedAtRuntimeNs = next.sumExecNs;
      this.#active = undefined;
      return;
    }
    const { schedSwitch } = this.tracepoints;
    if (schedSwitch.enabled) {
      const preempted = prevState === TASK_RUNNING && prev !== cpu.idle && !wasUserMode;
      this.#locked(2, () => schedSwitch.fire(preempted, prev, next, prevState));
    }
    this.#switchTo(cpu, prev, next, prevState);
    this.#active = undefined;
  }

  #switchTo(cpu: Cpu, prev: Task, next: Task, prevState: number): void {
    cpu.switches++;
    if (prev !== cpu.idle) {
      if (prevState === TASK_RUNNING) prev.struct.nivcsw++;
      else prev.struct.nvcsw++;
      prev.publishTimes();
    }
    prev.onCpu = false;
    prev.struct.on_cpu = 0;
    next.onCpu = true;
    next.struct.on_cpu = 1;
    next.pickedAtRuntimeNs = next.sumExecNs;
    cpu.current = next;
    cpu.accountedTo = this.#events.now;
    this.charge(CONTEXT_SWITCH_NS);
    if (prev.state === TASK_RUNNING && !prev.cpusAllowed.has(cpu.id) && prev !== cpu.idle) {
      this.#moveTo(prev, this.#placement.select(prev));
      this.#add(prev, this.cpus[prev.cpu]!);
    }
    if (next === cpu.idle) {
      cpu.tick?.cancel();
      cpu.tick = undefined;
    } else if (!cpu.tick) {
      this.#armTick(cpu);
    }
  }

  /** newidle_balance: take a waiting task from the CPU that has most of them. */
  #pull(cpu: Cpu): Task | undefined {
    const found = this.#placement.toPull(cpu);
    if (!found) return undefined;
    found.from.queue.remove(found.task);
    this.#moveTo(found.task, cpu);
    return found.task;
  }

  // --- the tick ---

  #armTick(cpu: Cpu): void {
    const next = (Math.floor(this.#events.now / TICK_NS) + 1) * TICK_NS;
    cpu.tick = this.#events.at(next as Ns, 'timer', () => {
      this.#armTick(cpu);
      cpu.timerInterrupts++;
      this.interrupt(cpu.id, () => this.#onTick(cpu));
    });
  }

  #onTick(cpu: Cpu): void {
    if (cpu.isIdle) return;
    this.#account(cpu);
    const task = cpu.current;
    const { schedStatRuntime } = this.tracepoints;
    if (schedStatRuntime.enabled) {
      this.#locked(2, () => schedStatRuntime.fire(task, task.sumExecNs, Math.floor(task.vruntime)));
    }
    const waiting = cpu.queue.first;
    if (!waiting) return;
    const idle = this.#placement.idleFor(waiting);
    if (idle) {
      // What nohz idle balancing does: an idle CPU is told to fetch the work.
      cpu.queue.remove(waiting);
      this.#moveTo(waiting, idle);
      this.#add(waiting, idle);
      return;
    }
    const ran = task.sumExecNs - task.pickedAtRuntimeNs;
    const slice = this.#placement.sliceOf(task, cpu);
    const behind =
      ran > this.#tunables.minGranularityNs && task.vruntime - waiting.vruntime > slice;
    if (ran > slice || behind) cpu.needResched = true;
  }
}
