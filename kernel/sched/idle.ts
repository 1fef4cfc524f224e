/** The idle tasks swapper/0, swapper/1, …: pid 0, one a CPU. */
import type { Ram } from '../ram/ram.ts';
import { PF_IDLE, PF_KTHREAD } from '../types/task.ts';
import type { Pid } from '../types/units.ts';
import { Credentials } from './credentials.ts';
import { Process } from './process.ts';
import { Task } from './task.ts';
import type { Sleeper } from './wait-queue.ts';

export function idleTasks(ram: Ram, sleeper: Sleeper, cpus: number): Task[] {
  const process = new Process(sleeper, 0 as Pid, 0 as Pid);
  const cred = Credentials.root();
  const tasks = Array.from({ length: cpus }, (_, cpu) => {
    const comm = `swapper/${cpu}`;
    const flags = PF_KTHREAD | PF_IDLE;
    return new Task(ram, cpus, { pid: 0 as Pid, comm, process, cred, flags });
  });
  process.leader = tasks[0]!;
  for (const task of tasks) {
    process.threads.push(task);
    const at = tasks[0]!.offset;
    Object.assign(task.struct, { real_parent: at, parent: at, group_leader: task.offset });
  }
  return tasks;
}
