/** How tracepoints see the kernel they are in: CPU, task, context flags, and the ring. */
import type { TraceHost } from '../../hooks/tracepoint.ts';
import type { Kernel } from '../machine-types.ts';
import * as flag from './tracing.ts';

/** What a program at a tracepoint runs under in 6.1: the tracepoint's own level and bpf's. */
const BPF_PREEMPT_DEPTH = 2;

export function traceHost(kernel: Kernel): TraceHost {
  const cpu = () => kernel.sched.cpu;
  return {
    ram: kernel.ram,
    cpuCount: kernel.config.cpus,
    cpu: () => cpu().id,
    pid: () => kernel.sched.current.pid,
    flags() {
      const { irqsOff, bhOff, inHardirq, inSoftirq, needResched } = cpu();
      return (
        (irqsOff || inHardirq ? flag.TRACE_FLAG_IRQS_OFF : 0) |
        (bhOff ? flag.TRACE_FLAG_BH_OFF : 0) |
        (needResched ? flag.TRACE_FLAG_NEED_RESCHED : 0) |
        (inHardirq ? flag.TRACE_FLAG_HARDIRQ : 0) |
        (inSoftirq ? flag.TRACE_FLAG_SOFTIRQ : 0)
      );
    },
    preemptCount() {
      const { preemptDepth, migrateDisabled } = cpu();
      return Math.min(preemptDepth, 15) | (Math.min(migrateDisabled, 15) << 4);
    },
    record: (_tracepoint, bytes) =>
      kernel.tracing.record(cpu().id, kernel.clock(), kernel.sched.current.comm, bytes),
    enterBpf(kind) {
      const running = cpu();
      if (running.bpfActive) return false;
      running.bpfActive = true;
      running.preemptDepth += BPF_PREEMPT_DEPTH;
      if (kind === 'record') running.migrateDisabled++;
      return true;
    },
    leaveBpf(kind) {
      const running = cpu();
      running.bpfActive = false;
      running.preemptDepth -= BPF_PREEMPT_DEPTH;
      if (kind === 'record') running.migrateDisabled--;
    },
  };
}
