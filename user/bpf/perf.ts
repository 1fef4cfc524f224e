/** perf_event_open(2) for tracepoints and for BPF's output, and attaching programs to events. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import { command } from '../../bpf/loader/commands.ts';
import { close, readTextFile, syscall } from '../libc/files.ts';
import { layout } from '../libc/layout.ts';
import { NR } from '../libc/nr.ts';
import type { Process } from '../libc/process.ts';
import type { ProcessBpf } from './user.ts';

export const PERF_TYPE_SOFTWARE = 1;
export const PERF_TYPE_TRACEPOINT = 2;
export const PERF_COUNT_SW_BPF_OUTPUT = 10;
export const PERF_SAMPLE_RAW = 1 << 10;
export const PERF_FLAG_FD_CLOEXEC = 8;
export const PERF_EVENT_IOC_ENABLE = 0x2400;
export const PERF_EVENT_IOC_DISABLE = 0x2401;
export const PERF_EVENT_IOC_SET_BPF = 0x40042408;

/** struct perf_event_attr up to PERF_ATTR_SIZE_VER5 (UAPI linux/perf_event.h). */
export const PerfEventAttr = layout({
  type: 'u32',
  size: 'u32',
  config: 'n64',
  sample_period: 'n64',
  sample_type: 'n64',
  read_format: 'n64',
  flags: 'n64',
  wakeup_events: 'u32',
  bp_type: 'u32',
  config1: 'n64',
  config2: 'n64',
  branch_sample_type: 'n64',
  sample_regs_user: 'n64',
  sample_stack_user: 'u32',
  clockid: 'i32',
  sample_regs_intr: 'n64',
  aux_watermark: 'u32',
  sample_max_stack: 'u16',
  reserved: 'u16',
});

export function* perfEventOpen(
  p: Process,
  attr: Parameters<typeof PerfEventAttr.encode>[0],
  pid: number,
  cpu: number,
): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeBytes(PerfEventAttr.encode({ size: PerfEventAttr.size, ...attr }));
  const fd = yield* syscall(NR.perf_event_open, address, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  p.release(mark);
  return fd;
}

/** The number in events/GROUP/NAME/id, or a negative errno. */
export function* tracepointId(p: Process, group: string, name: string): UserFlow<number> {
  for (const root of ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']) {
    const text = yield* readTextFile(p, `${root}/events/${group}/${name}/id`);
    if (typeof text === 'string') return Number(text);
    if (text !== -errno.ENOENT) return text;
  }
  return -errno.ENOENT;
}

/**
 * Attach a program to a perf event: a link that outlives the descriptor when pinned, or where the
 * kernel has none, PERF_EVENT_IOC_SET_BPF. Returns the link's descriptor, or the event's.
 */
export function* attachPerfEvent(
  p: Process,
  user: ProcessBpf,
  progFd: number,
  eventFd: number,
): UserFlow<{ fd: number; isLink: boolean }> {
  const { result } = yield* command(user, 'link_create', {
    prog_fd: progFd,
    target_fd: eventFd,
    attach_type: ATTACH_TYPES.indexOf('perf_event'),
  });
  const isLink = result >= 0;
  if (!isLink) {
    const failed = yield* syscall(NR.ioctl, eventFd, PERF_EVENT_IOC_SET_BPF, progFd);
    if (failed < 0) {
      yield* close(eventFd);
      return { fd: failed, isLink: false };
    }
  }
  const enabled = yield* syscall(NR.ioctl, eventFd, PERF_EVENT_IOC_ENABLE, 0);
  if (enabled < 0) return { fd: enabled, isLink: false };
  return { fd: isLink ? result : eventFd, isLink };
}
