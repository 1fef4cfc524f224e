/** Which task runs where and for how long: times here are exact, the clock is virtual. */
import { expect, test } from 'vitest';
import type { Program, User } from '../../test/support/programs.ts';
import { bootProgram } from '../../test/support/programs.ts';
import type { UserFlow } from '../syscall/abi.ts';
import type { Task } from './task.ts';

function* spin(u: User): UserFlow<number> {
  for (;;) yield* u.compute(1e6);
}

/** A machine whose children run `children`, one each, for a second after the start. */
async function runFor(
  cpus: number,
  children: readonly ((u: User) => UserFlow<number>)[],
): Promise<{ tasks: Task[]; machine: Awaited<ReturnType<typeof bootProgram>>['machine'] }> {
  const init: Program = function* (u) {
    for (const child of children) yield* u.fork(child);
    for (;;) yield* u.sleep(1e9);
  };
  const { machine } = await bootProgram(init, { cpus });
  machine.run({ untilNs: machine.now + 1e9 });
  const tasks = machine.processes.init!.children.map((process) => process.leader);
  return { tasks, machine };
}

test('equal tasks share a CPU equally', async () => {
  const { tasks } = await runFor(1, [spin, spin, spin]);
  const total = tasks.reduce((sum, task) => sum + task.sumExecNs, 0);
  expect(total).toBeGreaterThan(0.98e9);
  for (const task of tasks) expect(task.sumExecNs / total).toBeCloseTo(1 / 3, 1);
});

test('nice weighs: five steps are about a third', async () => {
  const nicer = function* (u: User): UserFlow<number> {
    yield* u.call('setpriority', 0, 0, 5);
    return yield* spin(u);
  };
  const { tasks } = await runFor(1, [spin, nicer]);
  // Weights 1024 and 335 (kernel/sched/core.c, sched_prio_to_weight).
  expect(tasks[0]!.sumExecNs / tasks[1]!.sumExecNs).toBeCloseTo(1024 / 335, 0);
});

test('as many tasks as CPUs run in parallel, and one CPU may not be crowded', async () => {
  const { tasks, machine } = await runFor(4, [spin, spin, spin, spin]);
  for (const task of tasks) expect(task.sumExecNs).toBeGreaterThan(0.99e9);
  expect(new Set(tasks.map((task) => task.cpu)).size).toBe(4);
  expect(machine.sched.cpus.every((cpu) => cpu.userNs > 0.98e9)).toBe(true);
});

test('a task that slept gets the CPU soon from one that computes', async () => {
  const late: number[] = [];
  const { machine } = await bootProgram(
    function* (u) {
      yield* u.fork(spin);
      for (let i = 0; i < 20; i++) {
        const due = machine.clock() + 3e6;
        yield* u.sleep(3e6);
        late.push(machine.clock() - due);
      }
      yield* u.powerOff();
    },
    { cpus: 1 },
  );
  machine.run({ untilNs: 5e9 });
  expect(late.length).toBe(20);
  // It has slept more than it ran: it preempts at its wake-up, after one switch.
  for (const ns of late.slice(2)) expect(ns).toBeLessThan(20_000);
});

test('affinity keeps a task on its CPUs', async () => {
  const pinned = function* (u: User): UserFlow<number> {
    yield* u.call('sched_setaffinity', 0, 8, Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0));
    return yield* spin(u);
  };
  const { tasks } = await runFor(2, [pinned, pinned, spin]);
  expect(tasks.slice(0, 2).map((task) => task.cpu)).toEqual([1, 1]);
  for (const task of tasks.slice(0, 2)) {
    expect(task.sumExecNs).toBeGreaterThan(0.45e9);
    expect(task.sumExecNs).toBeLessThan(0.55e9);
  }
  expect(tasks[2]!.sumExecNs).toBeGreaterThan(0.97e9);
});

test('interrupt time is taken from what runs, and not counted as its own', async () => {
  const { machine } = await bootProgram(
    function* (u) {
      yield* u.compute(10e6);
      yield* u.powerOff();
    },
    { cpus: 1 },
  );
  const start = machine.now;
  machine.run({ untilNs: start + 2e6 });
  const task = machine.processes.init!.leader;
  for (let i = 1; i <= 5; i++) {
    machine.events.at((start + 2e6 + i * 1e5) as never, 'hardware', () =>
      machine.sched.interrupt(0, () => machine.charge(50_000)),
    );
  }
  machine.run({ untilNs: 1e9 });
  expect(machine.halted).toBe('poweroff');
  expect(machine.sched.cpus[0]!.irqNs).toBe(250_000);
  expect(task.utimeNs).toBe(10e6);
  // The exec and the switches before it, the burst, the interrupts, and the way out.
  const rest = machine.now - start - 10e6 - 250_000;
  expect(rest).toBeGreaterThan(0);
  expect(rest).toBeLessThan(1e6);
});

test('softirqs run after the interrupt; too many of them go to ksoftirqd', async () => {
  const { machine } = await bootProgram(spin, { cpus: 1 });
  let rounds = 0;
  const contexts = new Set<string>();
  machine.softirqs.open('NET_RX', (cpu) => {
    rounds++;
    contexts.add(machine.sched.current.comm);
    machine.charge(10_000);
    if (rounds < 100) machine.softirqs.raise(cpu, 'NET_RX');
  });
  const start = machine.now;
  machine.run({ untilNs: start + 50e6 });
  machine.events.at(machine.now, 'hardware', () =>
    machine.sched.interrupt(0, () => machine.softirqs.raise(0, 'NET_RX')),
  );
  machine.run({ untilNs: start + 500e6 });
  expect(rounds).toBe(100);
  // Ten in a row on top of whatever ran (MAX_SOFTIRQ_RESTART), the rest as a task of its own.
  expect([...contexts].sort()).toEqual(['init', 'ksoftirqd/0']);
  expect(machine.sched.cpus[0]!.softirqNs).toBe(10 * 10_000);
  expect(machine.softirqs.countsOf(0)[3]).toBe(100);
});

test('a host promise stops virtual time, not the machine', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    yield* u.say(`read ${yield* u.call('getpid')}`);
    yield* u.powerOff();
  });
  let finish = () => {};
  const done = new Promise<void>((resolve) => (finish = resolve));
  const kernelThread = (function* () {
    yield { kind: 'compute', ns: 1000 } as const;
    const before = machine.now;
    yield { kind: 'host', done } as const;
    expect(machine.now).toBe(before);
    try {
      yield { kind: 'host', done: Promise.reject(new Error('no such module')) } as const;
    } catch (error) {
      machine.log.warn(String(error));
    }
    return 0;
  })();
  machine.processes.kthread('waits', kernelThread);
  const stopped = machine.run({ untilNs: 1e9 });
  expect(stopped.reason).toBe('host');
  const { now } = machine;
  expect(machine.run({ untilNs: 1e9 })).toEqual(stopped);
  expect(machine.now).toBe(now);
  finish();
  await done;
  await machine.runAsync({ untilNs: 1e9 });
  expect(machine.halted).toBe('poweroff');
  expect(output()).toBe('read 1\n');
  expect(machine.log.text()).toContain('Error: no such module');
});
