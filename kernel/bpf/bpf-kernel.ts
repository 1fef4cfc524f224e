/** What BPF helpers see of the kernel around them: CPU, clock, current task, trace, user memory. */
import type { BpfKernel } from '../../bpf/runtime.ts';
import type { Kernel } from '../machine-types.ts';
import { kernelStackOf, runningStack, userStackOf } from './callchain.ts';
import { SoftTimers } from './bpf-timers.ts';
import { liveXdpFrame } from './live-frames.ts';
import { progOfHandle } from './bpf-file.ts';
import { withVma } from './vma-view.ts';
import type { PerfEvent } from '../perf/perf-event.ts';
import { SocketFile } from '../net/socket.ts';
import { PerfFile } from '../perf/perf-file.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { CAP_SYSLOG } from '../sched/credentials.ts';
import type { Task } from '../sched/task.ts';
import { kernelInfo } from '../sched/signals.ts';
import { NSIG } from '../sched/signal.ts';
import { errno } from '../types/errno.ts';
import {
  FMODE_READ,
  FMODE_WRITE,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../types/iter-objects.ts';
import { MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from '../mm/vma.ts';
import { PF_EXITING, PF_KTHREAD, TaskStruct } from '../types/task.ts';
import type { RamOffset } from '../types/units.ts';

/** The first pid namespace (PROC_PID_INIT_INO) and the device number that nsfs gets at boot. */
const PROC_PID_INIT_INO = 0xeffffffcn;
const NSFS_DEVICE = 4n;

export function bpfKernel(kernel: Kernel): BpfKernel {
  const { sched, ram, random, tracepoints } = kernel;
  /** Handles of perf events that maps hold. */
  const perfEvents = new Map<number, PerfEvent>();
  const timers = new SoftTimers(kernel);
  let printkWasUsed = false;
  return {
    cpuCount: sched.cpus.length,
    cpu: () => sched.cpu.id,
    onCpu: (cpu, run) => sched.callOn(cpu, run),
    nowNs: () => sched.clock(),
    currentTask: () => sched.current.offset,
    currentPid: () => sched.current.pid,
    currentTgid: () => sched.current.tgid,
    currentUid: () => sched.current.cred.uid,
    currentGid: () => sched.current.cred.gid,
    currentComm: () => sched.current.comm,
    random32: () => random.next32(),
    tracePrintk(text) {
      // The first use switches the event on, as loading a program that prints does in Linux.
      if (!printkWasUsed) tracepoints.bpfTracePrintk.setRecording(true);
      printkWasUsed = true;
      if (tracepoints.bpfTracePrintk.enabled) {
        tracepoints.bpfTracePrintk.fire(0 as RamOffset, text);
      }
    },
    copyFromUser: (destination, source, sizeBytes) =>
      userRuns(kernel, Number(source), sizeBytes, (user, done, length) =>
        ram.u8.copyWithin(destination + done, user, user + length),
      ),
    copyToUser: (destination, source, sizeBytes) =>
      userRuns(kernel, Number(destination), sizeBytes, (user, done, length) =>
        ram.u8.copyWithin(user, source + done, source + done + length),
      ),
    symbolAt: (address) => kernel.kallsyms.at(address),
    startTimer: (delayNs, expire) => timers.start(delayNs, expire),
    wakeMapReaders: (map) => kernel.bpfReaders.wake(map),
    symbolAddress: (name) => kernel.kallsyms.address(name),
    mayDumpAddresses: () => sched.current.cred.capable(CAP_SYSLOG),
    callchain: (_ctx, user, maxDepth) =>
      (user ? userStackOf(sched.current) : runningStack(kernel))?.slice(0, maxDepth),
    taskAfter: (pid) => kernel.processes.taskAfter(pid),
    taskFiles: (pid) => filesOf(kernel.processes.task(pid)),
    taskAreas: (pid) => areasOf(kernel.processes.task(pid)),
    taskCallchain(offset, user, maxDepth) {
      const task = taskAt(kernel, offset);
      if (!task) return undefined;
      return (user ? userStackOf(task) : kernelStackOf(kernel, task))?.slice(0, maxDepth);
    },
    copyFromTask(offset, destination, source, sizeBytes) {
      const bytes = taskAt(kernel, offset)?.mm?.copyIn(Number(source), sizeBytes);
      if (bytes) ram.u8.set(bytes, destination);
      return bytes !== undefined && bytes !== null;
    },
    pidNamespace: () => ({
      device: NSFS_DEVICE,
      inode: PROC_PID_INIT_INO,
      pid: sched.current.pid,
      tgid: sched.current.tgid,
    }),
    withVma(offset, address, use) {
      const task = taskAt(kernel, offset);
      return task ? withVma(ram, task, address, use) : -errno.ENOENT;
    },
    liveXdpFrame: liveXdpFrame(kernel),
    endLiveXdpBatch: () => kernel.network.net.redirects.flush(),
    sendSignal: (signal, toThread) => sendSignal(kernel, signal, toThread),
    netDevice: (ifindex) => kernel.network.net.byIndex(ifindex)?.offset ?? (0 as RamOffset),
    xdpProgramOfFd(fd, attachType) {
      const program = progOfHandle(sched.current, fd);
      if (typeof program === 'number') return program;
      const { type, expectedAttachType, ifindex } = program.prog.verified.spec;
      const isOffloaded = ifindex !== undefined;
      const fits = type === 'xdp' && expectedAttachType === attachType && !isOffloaded;
      return fits ? program.get() : -errno.EINVAL;
    },
    startCpuEntry: (init) => kernel.network.net.cpumaps.start(init),
    netDeviceExists: (ifindex) => kernel.network.net.byIndex(ifindex) !== undefined,
    perfEventOfFd(fd) {
      const file = sched.current.files?.get(fd);
      if (!(file?.ops instanceof PerfFile)) return -errno.EBADF;
      const event = file.ops.object.get();
      perfEvents.set(event.id, event);
      return event.id;
    },
    /** differs: no socket goes into a map; a bound UDP socket would, in Linux. */
    sockOfFd(fd, type) {
      const file = sched.current.files?.get(fd);
      if (!file) return -errno.EBADF;
      if (!(file.ops instanceof SocketFile)) return -errno.ENOTSOCK;
      return type === 'reuseport_sockarray' ? -errno.EINVAL : -errno.EOPNOTSUPP;
    },
    putPerfEvent: (id) => perfEvents.get(id)?.put(),
    perfEventRead: (id) => perfEvents.get(id)?.read() ?? -errno.ENOENT,
    lastBranches: () => kernel.bpfJit.counters[sched.cpu.id]?.lastBranches() ?? [],
    perfEventOutput: (id, parts) => perfEvents.get(id)?.output(parts) ?? -errno.ENOENT,
  };
}

function filesOf(task: Task | undefined) {
  return [...(task?.files?.entries() ?? [])].map(([fd, file]) => ({
    fd,
    flags: file.flags,
    mode: (file.readable ? FMODE_READ : 0) | (file.writable ? FMODE_WRITE : 0),
    position: file.position,
  }));
}

function areasOf(task: Task | undefined) {
  return (task?.mm?.areas.all ?? []).map(({ start, end, prot, flags, page }) => ({
    start,
    end,
    flags:
      (prot & PROT_READ ? VM_READ : 0) |
      (prot & PROT_WRITE ? VM_WRITE : 0) |
      (prot & PROT_EXEC ? VM_EXEC : 0) |
      (flags & MAP_SHARED ? VM_SHARED : 0),
    page,
  }));
}

/** The task whose task_struct that is; programs may hold pointers to ones that are gone. */
function taskAt({ processes, ram }: Kernel, offset: RamOffset): Task | undefined {
  const task = processes.task(ram.view.getInt32(offset + TaskStruct.offsets.pid, true));
  return task?.offset === offset ? task : undefined;
}

/** bpf_send_signal_common: to the current task, but not to init or a kernel thread. */
function sendSignal(kernel: Kernel, signal: number, toThread: boolean): number {
  const { sched, signals, processes } = kernel;
  const { current: task, cpu } = sched;
  if (task.exited || task.flags & (PF_KTHREAD | PF_EXITING)) return -errno.EPERM;
  if (task.process === processes.init) return -errno.EPERM;
  if (signal >>> 0 > NSIG) return -errno.EINVAL;
  if (signal === 0) return 0;
  const info = kernelInfo(signal);
  const send = () => (toThread ? signals.sendThread(task, info) : signals.send(task.process, info));
  if (!cpu.irqsOff) return send();
  // In the middle of the scheduler nobody can be woken: an interrupt of its own does it (irq_work).
  kernel.events.at(sched.clock(), 'hardware', () => sched.interrupt(cpu.id, () => void send()));
  return 0;
}

/**
 * Go over a range of the current task's memory, page by page, without faulting anything in, as
 * programs must not sleep. False at the first page that is not there.
 */
function userRuns(
  { sched }: Kernel,
  address: number,
  sizeBytes: number,
  use: (user: RamOffset, done: number, length: number) => void,
): boolean {
  const { mm } = sched.current;
  if (!mm || !(address >= 0)) return false;
  for (let done = 0; done < sizeBytes;) {
    const at = mm.present(address + done);
    if (at === 0) return false;
    const length = Math.min(sizeBytes - done, PAGE_SIZE - (at % PAGE_SIZE));
    use(at, done, length);
    done += length;
  }
  return true;
}
