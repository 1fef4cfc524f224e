/**
 * Stacks as bpf_get_stackid and its kin walk them, innermost return address first.
 *
 * Kernel code here is not compiled C with frames: what is known is in which entry point of the
 * kernel a CPU is, and in which interrupt on top. A process is a generator function and has no
 * instructions: its user stack is the entry point of its program's text.
 */
import type { Kernel } from '../machine-types.ts';
import { PROT_EXEC } from '../mm/vma.ts';
import type { Cpu } from '../sched/cpu.ts';
import type { Task } from '../sched/task.ts';
import { PF_KTHREAD } from '../types/task.ts';

/** A return address points behind the call in its function, of which nothing else is known. */
const RETURN_OFFSET = 0x20n;

/** What kernel text is reached through, from the inside out (arch/x86/entry of 6.1). */
const SYSCALL_ENTRY = ['do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];
const KTHREAD_ENTRY = ['kthread', 'ret_from_fork'];
const IDLE_ENTRY = ['do_idle', 'cpu_startup_entry'];
const HARDIRQ_ENTRY = ['common_interrupt', 'asm_common_interrupt'];
const SOFTIRQ_ENTRY = ['__do_softirq', 'irq_exit_rcu'];
export const ENTRY_SYMBOLS: readonly string[] = [
  ...SYSCALL_ENTRY,
  ...KTHREAD_ENTRY,
  ...IDLE_ENTRY,
  ...HARDIRQ_ENTRY,
  ...SOFTIRQ_ENTRY,
];

/** Of the running code: interrupts first, then the task they interrupted. */
export function runningStack(kernel: Kernel): readonly bigint[] {
  const { cpu } = kernel.sched;
  return addresses(kernel, [...interruptNames(cpu), ...taskNames(cpu.current, cpu.isIdle)]);
}

/** Of a task, running or not. */
export function kernelStackOf(kernel: Kernel, task: Task): readonly bigint[] {
  return addresses(kernel, taskNames(task, task.pid === 0));
}

/** Undefined for a task without user memory. */
export function userStackOf(task: Task): readonly bigint[] | undefined {
  const areas = task.mm?.areas.all;
  const text = areas?.find(({ backing, prot }) => backing && (prot & PROT_EXEC) !== 0);
  return text && [BigInt(text.start)];
}

function interruptNames({ inHardirq, inSoftirq }: Cpu): readonly string[] {
  return [...(inSoftirq ? SOFTIRQ_ENTRY : []), ...(inHardirq ? HARDIRQ_ENTRY : [])];
}

function taskNames({ syscall, flags }: Task, isIdle: boolean): readonly string[] {
  if (isIdle) return IDLE_ENTRY;
  if (flags & PF_KTHREAD) return KTHREAD_ENTRY;
  if (!syscall) return [];
  return [...(syscall.row ? [`__x64_sys_${syscall.row.name}`] : []), ...SYSCALL_ENTRY];
}

function addresses({ kallsyms }: Kernel, names: readonly string[]): readonly bigint[] {
  return names.flatMap((name) => {
    const address = kallsyms.address(name);
    return address === undefined ? [] : [address + RETURN_OFFSET];
  });
}
