/** Changing a task's nice value (set_user_nice). */
import type { Kernel } from '../machine-types.ts';
import type { Task } from './task.ts';

export function reweigh(kernel: Kernel, task: Task, nice: number): void {
  if (task.nice === nice) return;
  kernel.sched.requeue(task, () => {
    task.nice = nice;
    task.publishNice();
  });
}
