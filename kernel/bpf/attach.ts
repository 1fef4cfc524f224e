/** Where programs can be attached in this kernel: tracepoints, raw tracepoints, XDP. */
import { attachRawTracepoint } from '../../hooks/tracepoint-attach.ts';
import type { XdpDevice } from '../../hooks/xdp-attach.ts';
import { createXdpLink } from '../../hooks/xdp-attach.ts';
import type { BpfCaller } from '../../bpf/syscall/caller.ts';
import { pointOf } from '../../bpf/syscall/attach-commands.ts';
import type { Attachment, ProgObject } from '../../bpf/syscall/objects.ts';
import type { Attr, AttachPoints } from '../../bpf/syscall/subsystem.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import type { Kernel } from '../machine-types.ts';
import { PerfFile } from '../perf/perf-file.ts';
import { errno } from '../types/errno.ts';

export function attachPoints(
  kernel: Kernel,
  deviceByIndex: (ifindex: number) => XdpDevice | undefined,
): AttachPoints {
  return {
    createLink: (program, attr) => createLink(kernel, deviceByIndex, program, attr),
    rawTracepoint: (program, name) =>
      attachRawTracepoint(kernel.tracing.registry, program, name, kernel.bpf.kernelBtf?.btf),
    taskFdQuery: (attr, caller) => taskFdQuery(kernel, attr, caller),
  };
}

/** What the type of the program asks for (link_create of 6.1). */
function createLink(
  kernel: Kernel,
  deviceByIndex: (ifindex: number) => XdpDevice | undefined,
  program: ProgObject,
  attr: Attr<'link_create'>,
): Attachment | number {
  const type = ATTACH_TYPES[attr.attach_type];
  const { spec } = program.prog.verified;
  switch (spec.type) {
    case 'perf_event':
    case 'tracepoint':
    case 'kprobe':
      if (type === 'trace_kprobe_multi' && spec.type === 'kprobe') return -errno.EOPNOTSUPP;
      return type === 'perf_event' ? perfLink(kernel, program, attr) : -errno.EINVAL;
    case 'tracing':
      if (spec.expectedAttachType === 'trace_raw_tp') {
        const { btf } = kernel.bpf.kernelBtf!;
        return attachRawTracepoint(kernel.tracing.registry, program, undefined, btf);
      }
      return -errno.EINVAL;
  }
  const point = pointOf(attr.attach_type);
  if (spec.type === 'xdp') {
    if (type !== 'xdp') return -errno.EINVAL;
    return createXdpLink(deviceByIndex(attr.target_fd), program, attr.flags);
  }
  if (point?.type !== spec.type || attr.flags !== 0) return -errno.EINVAL;
  const file = kernel.sched.current.files?.get(attr.target_fd);
  // differs: neither cgroups nor network namespaces are there: no descriptor is one's.
  if (point.target === 'cgroup') return -errno.EBADF;
  return point.target === 'netns' && !file ? -errno.EBADF : -errno.EINVAL;
}

/** BPF_LINK_CREATE on a perf event: as PERF_EVENT_IOC_SET_BPF, undone when the link goes. */
function perfLink(
  kernel: Kernel,
  program: ProgObject,
  { target_fd: fd, flags, perf_event_cookie: cookie }: Attr<'link_create'>,
): Attachment | number {
  if (flags !== 0) return -errno.EINVAL;
  const file = kernel.sched.current.files?.get(fd);
  if (!(file?.ops instanceof PerfFile)) return -errno.EBADF;
  const event = file.ops.object.get();
  const set = event.setProgram(program, cookie);
  if (set < 0) {
    event.put();
    return set;
  }
  return {
    type: 'perf_event',
    detachable: false,
    detach() {
      event.clearProgram();
      event.put();
    },
    info: () => ({ fields: {} }),
  };
}

/** enum bpf_task_fd_type */
const FD_TYPE_RAW_TRACEPOINT = 0;
const FD_TYPE_TRACEPOINT = 1;

/** What a perf event or raw tracepoint descriptor of a process has attached: bpftool perf. */
function taskFdQuery(kernel: Kernel, attr: Attr<'task_fd_query'>, caller: BpfCaller): number {
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  if (attr.flags !== 0) return -errno.EINVAL;
  const file = kernel.processes.task(attr.pid)?.files?.get(attr.fd);
  if (!kernel.processes.task(attr.pid)) return -errno.ENOENT;
  if (!file) return -errno.EBADF;
  if (file.ops instanceof PerfFile) {
    const { program, source } = file.ops.object;
    if (!program || source.kind !== 'tracepoint') return -errno.ENOENT;
    return answer(attr, caller, program, FD_TYPE_TRACEPOINT, source.tracepoint.event.name);
  }
  const { object } = file.ops as { object?: { kind?: string } };
  if (object?.kind !== 'link') return -errno.ENOTSUPP;
  const link = object as unknown as { program: ProgObject; attachment: Attachment };
  if (link.attachment.type !== 'raw_tracepoint') return -errno.ENOTSUPP;
  const name = link.attachment.info().name ?? '';
  return answer(attr, caller, link.program, FD_TYPE_RAW_TRACEPOINT, name);
}

function answer(
  attr: Attr<'task_fd_query'>,
  caller: BpfCaller,
  program: ProgObject,
  type: number,
  name: string,
): number {
  const room = attr.buf_len;
  const bytes = new TextEncoder().encode(`${name}\0`);
  const fits = bytes.length <= room;
  attr.buf_len = bytes.length - 1;
  if (attr.buf !== 0n && room > 0) {
    const copied = fits ? bytes : bytes.slice(0, room);
    if (!fits) copied[room - 1] = 0;
    if (!caller.copyToUser(attr.buf, copied)) return -errno.EFAULT;
  }
  attr.prog_id = program.id;
  attr.fd_type = type;
  attr.probe_offset = 0n;
  attr.probe_addr = 0n;
  return fits || attr.buf === 0n || room === 0 ? 0 : -errno.ENOSPC;
}
