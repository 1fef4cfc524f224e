/** bpf(2): a task's request, handed to the BPF subsystem. */
import { BPF_COMMANDS } from '../../bpf/uapi.ts';
import { TaskCaller } from '../bpf/task-caller.ts';
import type { Kernel } from '../machine-types.ts';
import type { KernelFlow, MaySleep } from '../sched/flow.ts';
import type { Task } from '../sched/task.ts';
import { syscall } from './row.ts';

const PROG_LOAD = BPF_COMMANDS.indexOf('prog_load');

function bpf(
  kernel: Kernel,
  task: Task,
  command: number,
  attrAt: number,
  size: number,
): MaySleep<number> {
  const run = () => kernel.bpf.command(command, BigInt(attrAt), size, new TaskCaller(kernel, task));
  // The first program waits for the JIT to be loaded; virtual time stands still meanwhile.
  const loading = command === PROG_LOAD ? kernel.bpfJit.loading() : undefined;
  return loading ? afterHost(loading, run) : run();
}

function* afterHost(done: Promise<unknown>, run: () => number): KernelFlow<number> {
  yield { kind: 'host', done };
  return run();
}

export const bpfRows = [
  syscall(321, 'bpf', 'int cmd, union bpf_attr *uattr, unsigned int size', bpf),
];
