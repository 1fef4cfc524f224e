/** What BPF helpers see of the kernel around them: CPU, clock, current task, trace, user memory. */
import type { BpfKernel } from '../../bpf/runtime.ts';
import type { Kernel } from '../machine-types.ts';
import { SoftTimers } from './bpf-timers.ts';
import type { PerfEvent } from '../perf/perf-event.ts';
import { PerfFile } from '../perf/perf-file.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';

export function bpfKernel(kernel: Kernel): BpfKernel {
  const { sched, ram, random, tracepoints } = kernel;
  /** Handles of perf events that maps hold. */
  const perfEvents = new Map<number, PerfEvent>();
  const timers = new SoftTimers(kernel);
  let printkWasUsed = false;
  return {
    cpuCount: sched.cpus.length,
    cpu: () => sched.cpu.id,
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
    netDeviceExists: (ifindex) => kernel.network.net.byIndex(ifindex) !== undefined,
    perfEventOfFd(fd) {
      const file = sched.current.files?.get(fd);
      if (!file) return -errno.EBADF;
      if (!(file.ops instanceof PerfFile)) return -errno.EINVAL;
      const event = file.ops.object.get();
      perfEvents.set(event.id, event);
      return event.id;
    },
    putPerfEvent: (id) => perfEvents.get(id)?.put(),
    perfEventOutput: (id, parts) => perfEvents.get(id)?.output(parts) ?? -errno.ENOENT,
  };
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
