/** bpf(2): a task's request, handed to the BPF subsystem. */
import { TaskCaller } from '../bpf/task-caller.ts';
import type { Kernel } from '../machine-types.ts';
import type { Task } from '../sched/task.ts';
import { syscall } from './row.ts';

function bpf(kernel: Kernel, task: Task, command: number, attrAt: number, size: number): number {
  return kernel.bpf.command(command, BigInt(attrAt), size, new TaskCaller(kernel, task));
}

export const bpfRows = [
  syscall(321, 'bpf', 'int cmd, union bpf_attr *uattr, unsigned int size', bpf),
];
