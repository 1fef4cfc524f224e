/** The kernel's line about a process that touched memory it does not have. */
import type { Kernel } from '../machine-types.ts';
import { KERN_INFO } from '../printk.ts';
import type { Task } from './task.ts';

/** Page fault error code on x86: user mode, page not present. */
const USER_NOT_PRESENT = 4;

/**
 * `init[88]: segfault at 0 ip 0000000000401000 sp 00007ffc… error 4 in init[401000+1000] likely …`
 * differs: programs have no instruction pointer here; the start of their text stands for it.
 */
export function logSegfault(kernel: Kernel, task: Task, address: number): void {
  const { mm } = task;
  const hex = (value: number) => value.toString(16);
  const long = (value: number) => hex(value).padStart(16, '0');
  const text = mm?.areas.all.find((vma) => vma.prot & 4);
  const where = text
    ? ` in ${text.backing?.path.split('/').at(-1) ?? ''}[${hex(text.start)}+${hex(text.end - text.start)}]`
    : '';
  const cpu = kernel.sched.cpu.id;
  kernel.log.printk(
    KERN_INFO,
    `${task.comm}[${task.pid}]: segfault at ${hex(address)} ip ${long(text?.start ?? 0)} ` +
      `sp ${long(mm?.startStack ?? 0)} error ${USER_NOT_PRESENT}${where} ` +
      `likely on CPU ${cpu} (core ${cpu}, socket 0)`,
  );
}
