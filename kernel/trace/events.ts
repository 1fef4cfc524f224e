/**
 * The trace events of scheduler, process life, signals, interrupts and bpf_trace_printk, with the
 * fields and texts of Linux 6.1 (taken from the `format` files of a running 6.1).
 *
 * `KernelTracepoints` is the machine's set of them, one member an event; system calls' events are
 * in syscall-events.ts, and other folders add theirs to the same registry.
 */
import type { TracepointRegistry } from '../../hooks/registry.ts';
import { cType, dynamicString, pidT, traceEvent } from '../../hooks/trace-event.ts';
import type { RecordReader } from '../../hooks/trace-event.ts';
import { charArray, i32, nsTime } from '../types/struct.ts';
import { TASK_COMM_LEN } from '../types/task.ts';
import type { Task } from '../sched/task.ts';
import type { SignalInfo } from '../sched/signal.ts';
import type { Ns, RamOffset } from '../types/units.ts';

const comm = charArray(TASK_COMM_LEN);
const long = cType('long', 8, true);
const ulongC = cType('unsigned long', 8, false);
const short = cType('short', 2, true);
const uint = cType('unsigned int', 4, false);
const u64C = { ...nsTime, name: 'u64' } as const;

/** TASK_REPORT and the bit above it, which marks a preempted task. */
const STATE_LETTERS = ['S', 'D', 'T', 't', 'X', 'Z', 'P', 'I'] as const;
const TASK_REPORT_MAX = 0x100;

function stateText(state: number): string {
  const letters = STATE_LETTERS.filter((_, bit) => state & (1 << bit));
  const reported = state & (TASK_REPORT_MAX - 1);
  return `${reported ? letters.join('|') : 'R'}${state & TASK_REPORT_MAX ? '+' : ''}`;
}

const REPORT =
  '(0x00000000 | 0x00000001 | 0x00000002 | 0x00000004 | 0x00000008 | 0x00000010 | ' +
  '0x00000020 | 0x00000040)';
const STATE_FLAGS = STATE_LETTERS.map(
  (letter, bit) => `{ 0x${(1 << bit).toString(16).padStart(8, '0')}, "${letter}" }`,
).join(', ');
const STATE_MASK = `(((${REPORT} + 1) << 1) - 1)`;

/** Arguments of the tracepoints are Tasks; raw programs see their task_structs. */

export const schedSwitch = traceEvent({
  system: 'sched',
  name: 'sched_switch',
  args: [
    'bool preempt',
    'struct task_struct *prev',
    'struct task_struct *next',
    'unsigned int prev_state',
  ],
  fields: {
    prev_comm: comm,
    prev_pid: pidT,
    prev_prio: i32,
    prev_state: long,
    next_comm: comm,
    next_pid: pidT,
    next_prio: i32,
  },
  assign(record, _strings, preempt: boolean, prev: Task, next: Task, prevState: number) {
    record.prev_comm = prev.comm;
    record.prev_pid = prev.pid;
    record.prev_prio = prev.prio;
    record.prev_state = BigInt(reportedState(preempt, prevState | prev.struct.exit_state));
    record.next_comm = next.comm;
    record.next_pid = next.pid;
    record.next_prio = next.prio;
  },
  print: (r) =>
    `prev_comm=${r.text('prev_comm')} prev_pid=${r.number('prev_pid')} ` +
    `prev_prio=${r.number('prev_prio')} prev_state=${stateText(r.number('prev_state'))} ==> ` +
    `next_comm=${r.text('next_comm')} next_pid=${r.number('next_pid')} ` +
    `next_prio=${r.number('next_prio')}`,
  printFmt:
    '"prev_comm=%s prev_pid=%d prev_prio=%d prev_state=%s%s ==> next_comm=%s next_pid=%d ' +
    'next_prio=%d", REC->prev_comm, REC->prev_pid, REC->prev_prio, ' +
    `(REC->prev_state & ${STATE_MASK}) ? ` +
    `__print_flags(REC->prev_state & ${STATE_MASK}, "|", ${STATE_FLAGS}) : "R", ` +
    `REC->prev_state & ((${REPORT} + 1) << 1) ? "+" : "", ` +
    'REC->next_comm, REC->next_pid, REC->next_prio',
});

/** __trace_sched_switch_state: the highest bit of TASK_REPORT; R+ if preempted, I for TASK_IDLE. */
function reportedState(preempt: boolean, state: number): number {
  if (preempt) return TASK_REPORT_MAX;
  const TASK_IDLE = 0x402;
  if ((state & TASK_IDLE) === TASK_IDLE) return 0x80;
  const reported = state & 0x7f;
  return reported === 0 ? 0 : 1 << (31 - Math.clz32(reported));
}

const wakeupFields = { comm, pid: pidT, prio: i32, target_cpu: i32 } as const;
const wakeupFmt =
  '"comm=%s pid=%d prio=%d target_cpu=%03d", REC->comm, REC->pid, REC->prio, REC->target_cpu';
const pad3 = (n: number): string => String(n).padStart(3, '0');
const commPidPrio = (r: RecordReader): string =>
  `comm=${r.text('comm')} pid=${r.number('pid')} prio=${r.number('prio')}`;

const wakeup = (name: string) =>
  traceEvent({
    system: 'sched',
    name,
    className: 'sched_wakeup_template',
    args: ['struct task_struct *p'],
    fields: wakeupFields,
    assign(record, _strings, task: Task, targetCpu: number) {
      record.comm = task.comm;
      record.pid = task.pid;
      record.prio = task.prio;
      record.target_cpu = targetCpu;
    },
    print: (r) => `${commPidPrio(r)} target_cpu=${pad3(r.number('target_cpu'))}`,
    printFmt: wakeupFmt,
  });
export const schedWaking = wakeup('sched_waking');
export const schedWakeup = wakeup('sched_wakeup');
export const schedWakeupNew = wakeup('sched_wakeup_new');

export const schedMigrateTask = traceEvent({
  system: 'sched',
  name: 'sched_migrate_task',
  args: ['struct task_struct *p', 'int dest_cpu'],
  fields: { comm, pid: pidT, prio: i32, orig_cpu: i32, dest_cpu: i32 },
  assign(record, _strings, task: Task, destCpu: number) {
    record.comm = task.comm;
    record.pid = task.pid;
    record.prio = task.prio;
    record.orig_cpu = task.cpu;
    record.dest_cpu = destCpu;
  },
  print: (r) =>
    `${commPidPrio(r)} orig_cpu=${r.number('orig_cpu')} dest_cpu=${r.number('dest_cpu')}`,
  printFmt:
    '"comm=%s pid=%d prio=%d orig_cpu=%d dest_cpu=%d", REC->comm, REC->pid, REC->prio, ' +
    'REC->orig_cpu, REC->dest_cpu',
});

const processTemplate = (name: string) =>
  traceEvent({
    system: 'sched',
    name,
    className: 'sched_process_template',
    args: ['struct task_struct *p'],
    fields: { comm, pid: pidT, prio: i32 },
    assign(record, _strings, task: Task) {
      record.comm = task.comm;
      record.pid = task.pid;
      record.prio = task.prio;
    },
    print: commPidPrio,
    printFmt: '"comm=%s pid=%d prio=%d", REC->comm, REC->pid, REC->prio',
  });
export const schedProcessExit = processTemplate('sched_process_exit');
export const schedProcessFree = processTemplate('sched_process_free');

export const schedProcessWait = traceEvent({
  system: 'sched',
  name: 'sched_process_wait',
  args: ['struct pid *pid'],
  fields: { comm, pid: pidT, prio: i32 },
  assign(record, _strings, _pid: RamOffset, current: Task, waitPid: number) {
    record.comm = current.comm;
    record.pid = waitPid;
    record.prio = current.prio;
  },
  print: commPidPrio,
  printFmt: '"comm=%s pid=%d prio=%d", REC->comm, REC->pid, REC->prio',
});

export const schedProcessFork = traceEvent({
  system: 'sched',
  name: 'sched_process_fork',
  args: ['struct task_struct *parent', 'struct task_struct *child'],
  fields: { parent_comm: comm, parent_pid: pidT, child_comm: comm, child_pid: pidT },
  assign(record, _strings, parent: Task, child: Task) {
    record.parent_comm = parent.comm;
    record.parent_pid = parent.pid;
    record.child_comm = child.comm;
    record.child_pid = child.pid;
  },
  print: (r) =>
    `comm=${r.text('parent_comm')} pid=${r.number('parent_pid')} ` +
    `child_comm=${r.text('child_comm')} child_pid=${r.number('child_pid')}`,
  printFmt:
    '"comm=%s pid=%d child_comm=%s child_pid=%d", REC->parent_comm, REC->parent_pid, ' +
    'REC->child_comm, REC->child_pid',
});

export const schedProcessExec = traceEvent({
  system: 'sched',
  name: 'sched_process_exec',
  args: ['struct task_struct *p', 'pid_t old_pid', 'struct linux_binprm *bprm'],
  fields: { filename: dynamicString, pid: pidT, old_pid: pidT },
  assign(record, strings, task: Task, oldPid: number, _bprm: RamOffset, filename: string) {
    strings('filename', filename);
    record.pid = task.pid;
    record.old_pid = oldPid;
  },
  print: (r) =>
    `filename=${r.text('filename')} pid=${r.number('pid')} old_pid=${r.number('old_pid')}`,
  printFmt: '"filename=%s pid=%d old_pid=%d", __get_str(filename), REC->pid, REC->old_pid',
});

export const schedStatRuntime = traceEvent({
  system: 'sched',
  name: 'sched_stat_runtime',
  args: ['struct task_struct *tsk', 'u64 runtime', 'u64 vruntime'],
  fields: { comm, pid: pidT, runtime: u64C, vruntime: u64C },
  assign(record, _strings, task: Task, runtimeNs: number, vruntimeNs: number) {
    record.comm = task.comm;
    record.pid = task.pid;
    record.runtime = runtimeNs as Ns;
    record.vruntime = vruntimeNs as Ns;
  },
  print: (r) =>
    `comm=${r.text('comm')} pid=${r.number('pid')} runtime=${r.big('runtime')} [ns] ` +
    `vruntime=${r.big('vruntime')} [ns]`,
  printFmt:
    '"comm=%s pid=%d runtime=%Lu [ns] vruntime=%Lu [ns]", REC->comm, REC->pid, ' +
    '(unsigned long long)REC->runtime, (unsigned long long)REC->vruntime',
});

export const taskNewtask = traceEvent({
  system: 'task',
  name: 'task_newtask',
  args: ['struct task_struct *task', 'unsigned long clone_flags'],
  fields: { pid: pidT, comm, clone_flags: ulongC, oom_score_adj: short },
  assign(record, _strings, task: Task, cloneFlags: number) {
    record.pid = task.pid;
    record.comm = task.comm;
    record.clone_flags = BigInt(cloneFlags);
  },
  print: (r) =>
    `pid=${r.number('pid')} comm=${r.text('comm')} ` +
    `clone_flags=${r.big('clone_flags').toString(16)} oom_score_adj=${r.number('oom_score_adj')}`,
  printFmt:
    '"pid=%d comm=%s clone_flags=%lx oom_score_adj=%hd", REC->pid, REC->comm, ' +
    'REC->clone_flags, REC->oom_score_adj',
});

export const taskRename = traceEvent({
  system: 'task',
  name: 'task_rename',
  args: ['struct task_struct *task', 'const char *comm'],
  fields: { pid: pidT, oldcomm: comm, newcomm: comm, oom_score_adj: short },
  assign(record, _strings, task: Task, _comm: RamOffset, newComm: string) {
    record.pid = task.pid;
    record.oldcomm = task.comm;
    record.newcomm = newComm;
  },
  print: (r) =>
    `pid=${r.number('pid')} oldcomm=${r.text('oldcomm')} newcomm=${r.text('newcomm')} ` +
    `oom_score_adj=${r.number('oom_score_adj')}`,
  printFmt:
    '"pid=%d oldcomm=%s newcomm=%s oom_score_adj=%hd", REC->pid, REC->oldcomm, REC->newcomm, ' +
    'REC->oom_score_adj',
});

export const signalGenerate = traceEvent({
  system: 'signal',
  name: 'signal_generate',
  args: [
    'int sig',
    'struct kernel_siginfo *info',
    'struct task_struct *task',
    'int group',
    'int result',
  ],
  fields: { sig: i32, errno: i32, code: i32, comm, pid: pidT, group: i32, result: i32 },
  assign(
    record,
    _strings,
    sig: number,
    _info: RamOffset,
    task: Task,
    group: number,
    result: number,
    info: SignalInfo,
  ) {
    record.sig = sig;
    record.code = info.code;
    record.comm = task.comm;
    record.pid = task.pid;
    record.group = group;
    record.result = result;
  },
  print: (r) =>
    `sig=${r.number('sig')} errno=${r.number('errno')} code=${r.number('code')} ` +
    `comm=${r.text('comm')} pid=${r.number('pid')} grp=${r.number('group')} ` +
    `res=${r.number('result')}`,
  printFmt:
    '"sig=%d errno=%d code=%d comm=%s pid=%d grp=%d res=%d", REC->sig, REC->errno, REC->code, ' +
    'REC->comm, REC->pid, REC->group, REC->result',
});

export const signalDeliver = traceEvent({
  system: 'signal',
  name: 'signal_deliver',
  args: ['int sig', 'struct kernel_siginfo *info', 'struct k_sigaction *ka'],
  fields: { sig: i32, errno: i32, code: i32, sa_handler: ulongC, sa_flags: ulongC },
  assign(
    record,
    _strings,
    sig: number,
    _info: RamOffset,
    _action: RamOffset,
    info: SignalInfo,
    handler: bigint,
    flags: number,
  ) {
    record.sig = sig;
    record.code = info.code;
    record.sa_handler = handler;
    record.sa_flags = BigInt(flags);
  },
  print: (r) =>
    `sig=${r.number('sig')} errno=${r.number('errno')} code=${r.number('code')} ` +
    `sa_handler=${r.big('sa_handler').toString(16)} sa_flags=${r.big('sa_flags').toString(16)}`,
  printFmt:
    '"sig=%d errno=%d code=%d sa_handler=%lx sa_flags=%lx", REC->sig, REC->errno, REC->code, ' +
    'REC->sa_handler, REC->sa_flags',
});

/** Softirq numbers and names (include/linux/interrupt.h). */
export const SOFTIRQS = [
  'HI',
  'TIMER',
  'NET_TX',
  'NET_RX',
  'BLOCK',
  'IRQ_POLL',
  'TASKLET',
  'SCHED',
  'HRTIMER',
  'RCU',
] as const;
export type SoftirqName = (typeof SOFTIRQS)[number];

const softirq = (name: string) =>
  traceEvent({
    system: 'irq',
    name,
    className: 'softirq',
    args: ['unsigned int vec_nr'],
    fields: { vec: uint },
    assign(record, _strings, vec: number) {
      record.vec = vec;
    },
    print: (r) => `vec=${r.number('vec')} [action=${SOFTIRQS[r.number('vec')]}]`,
    printFmt:
      '"vec=%u [action=%s]", REC->vec, __print_symbolic(REC->vec, ' +
      `${SOFTIRQS.map((action, vec) => `{ ${vec}, "${action}" }`).join(', ')})`,
  });
export const softirqRaise = softirq('softirq_raise');
export const softirqEntry = softirq('softirq_entry');
export const softirqExit = softirq('softirq_exit');

export const irqHandlerEntry = traceEvent({
  system: 'irq',
  name: 'irq_handler_entry',
  args: ['int irq', 'struct irqaction *action'],
  fields: { irq: i32, name: dynamicString },
  assign(record, strings, irq: number, _action: RamOffset, name: string) {
    record.irq = irq;
    strings('name', name);
  },
  print: (r) => `irq=${r.number('irq')} name=${r.text('name')}`,
  printFmt: '"irq=%d name=%s", REC->irq, __get_str(name)',
});

export const irqHandlerExit = traceEvent({
  system: 'irq',
  name: 'irq_handler_exit',
  args: ['int irq', 'struct irqaction *action', 'int ret'],
  fields: { irq: i32, ret: i32 },
  assign(record, _strings, irq: number, _action: RamOffset, ret: number) {
    record.irq = irq;
    record.ret = ret;
  },
  print: (r) => `irq=${r.number('irq')} ret=${r.number('ret') ? 'handled' : 'unhandled'}`,
  printFmt: '"irq=%d ret=%s", REC->irq, REC->ret ? "handled" : "unhandled"',
});

export const bpfTracePrintk = traceEvent({
  system: 'bpf_trace',
  name: 'bpf_trace_printk',
  args: ['const char *bpf_string'],
  fields: { bpf_string: dynamicString },
  assign(_record, strings, _pointer: RamOffset, text: string) {
    strings('bpf_string', text);
  },
  print: (r) => r.text('bpf_string'),
  printFmt: '"%s", __get_str(bpf_string)',
});

export const rawSysEnter = traceEvent({
  system: 'raw_syscalls',
  name: 'sys_enter',
  args: ['struct pt_regs *regs', 'long id'],
  fields: { id: long, args: { kind: 'array', of: ulongC, count: 6, size: 48 } },
  assign(record, _strings, _regs: RamOffset, id: number, args: readonly number[]) {
    record.id = BigInt(id);
    for (let i = 0; i < 6; i++) {
      record.ram.view.setBigUint64(
        record.args + i * 8,
        BigInt.asUintN(64, BigInt(args[i] ?? 0)),
        true,
      );
    }
  },
  print: (r) =>
    `NR ${r.number('id')} ` +
    `(${[0, 1, 2, 3, 4, 5].map((i) => r.element('args', i).toString(16)).join(', ')})`,
  printFmt:
    '"NR %ld (%lx, %lx, %lx, %lx, %lx, %lx)", REC->id, REC->args[0], REC->args[1], ' +
    'REC->args[2], REC->args[3], REC->args[4], REC->args[5]',
});

export const rawSysExit = traceEvent({
  system: 'raw_syscalls',
  name: 'sys_exit',
  args: ['struct pt_regs *regs', 'long ret'],
  fields: { id: long, ret: long },
  assign(record, _strings, _regs: RamOffset, ret: number, id: number) {
    record.id = BigInt(id);
    record.ret = BigInt(ret);
  },
  print: (r) => `NR ${r.number('id')} = ${r.number('ret')}`,
  printFmt: '"NR %ld = %ld", REC->id, REC->ret',
});

/** The machine's tracepoints of this file. */
export type KernelTracepoints = ReturnType<typeof addKernelTracepoints>;

export function addKernelTracepoints(registry: TracepointRegistry) {
  return {
    schedSwitch: registry.add(schedSwitch),
    schedWaking: registry.add(schedWaking),
    schedWakeup: registry.add(schedWakeup),
    schedWakeupNew: registry.add(schedWakeupNew),
    schedMigrateTask: registry.add(schedMigrateTask),
    schedProcessFree: registry.add(schedProcessFree),
    schedProcessExit: registry.add(schedProcessExit),
    schedProcessWait: registry.add(schedProcessWait),
    schedProcessFork: registry.add(schedProcessFork),
    schedProcessExec: registry.add(schedProcessExec),
    schedStatRuntime: registry.add(schedStatRuntime),
    taskNewtask: registry.add(taskNewtask),
    taskRename: registry.add(taskRename),
    signalGenerate: registry.add(signalGenerate),
    signalDeliver: registry.add(signalDeliver),
    irqHandlerEntry: registry.add(irqHandlerEntry),
    irqHandlerExit: registry.add(irqHandlerExit),
    softirqRaise: registry.add(softirqRaise),
    softirqEntry: registry.add(softirqEntry),
    softirqExit: registry.add(softirqExit),
    bpfTracePrintk: registry.add(bpfTracePrintk),
    rawSysEnter: registry.add(rawSysEnter),
    rawSysExit: registry.add(rawSysExit),
  };
}
