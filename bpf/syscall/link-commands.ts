/** Links, and the attach commands of the time before them. What is attached to is the kernel's. */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { install, linkOfFd, progOfFd, userString } from './lookup.ts';
import { type Attachment, LinkObject, type ProgObject, StatsObject } from './objects.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

/** Longest name of a raw tracepoint, with its NUL (bpf_raw_tracepoint_open). */
const TP_NAME_BYTES = 128;
/** BPF_STATS_RUN_TIME */
const STATS_RUN_TIME = 0;

export function linkCreate(
  bpf: BpfSubsystem,
  attr: Attr<'link_create'>,
  caller: BpfCaller,
): number {
  const program = progOfFd(caller, attr.prog_fd);
  if (typeof program === 'number') return program;
  const attachment = bpf.host.attach?.createLink(program, attr, caller) ?? -errno.EINVAL;
  return installLink(bpf, program, attachment, caller);
}

export function rawTracepointOpen(
  bpf: BpfSubsystem,
  attr: Attr<'raw_tracepoint_open'>,
  caller: BpfCaller,
): number {
  const program = progOfFd(caller, attr.prog_fd);
  if (typeof program === 'number') return program;
  let name: string | undefined;
  if (attr.name !== 0n) {
    name = userString(caller, attr.name, TP_NAME_BYTES - 1);
    if (name === undefined) return -errno.EFAULT;
  }
  const attachment = bpf.host.attach?.rawTracepoint(program, name) ?? -errno.EINVAL;
  return installLink(bpf, program, attachment, caller);
}

function installLink(
  bpf: BpfSubsystem,
  program: ProgObject,
  attachment: Attachment | number,
  caller: BpfCaller,
): number {
  if (typeof attachment === 'number') return attachment;
  return install(caller, new LinkObject(program, attachment, bpf.links));
}

export function linkUpdate(
  _bpf: BpfSubsystem,
  attr: Attr<'link_update'>,
  caller: BpfCaller,
): number {
  if ((attr.flags & ~uapi.BPF_F_REPLACE) !== 0) return -errno.EINVAL;
  const link = linkOfFd(caller, attr.link_fd);
  if (typeof link === 'number') return link;
  const next = progOfFd(caller, attr.new_prog_fd);
  if (typeof next === 'number') return next;
  if ((attr.flags & uapi.BPF_F_REPLACE) !== 0) {
    const old = progOfFd(caller, attr.old_prog_fd);
    if (typeof old === 'number') return old;
    if (old !== link.program) return -errno.EPERM;
  } else if (attr.old_prog_fd !== 0) {
    return -errno.EINVAL;
  }
  const result = link.attachment.replace?.(next) ?? -errno.EINVAL;
  if (result === 0) link.replaceProgram(next);
  return result;
}

export function linkDetach(
  _bpf: BpfSubsystem,
  attr: Attr<'link_detach'>,
  caller: BpfCaller,
): number {
  const link = linkOfFd(caller, attr.link_fd);
  if (typeof link === 'number') return link;
  if (!link.attachment.detachable) return -errno.EOPNOTSUPP;
  link.detach();
  return 0;
}

export function progAttach(
  bpf: BpfSubsystem,
  attr: Attr<'prog_attach'>,
  caller: BpfCaller,
): number {
  const program = progOfFd(caller, attr.attach_bpf_fd);
  if (typeof program === 'number') return program;
  return bpf.host.attach?.progAttach(program, attr, caller) ?? -errno.EINVAL;
}

export function progDetach(
  bpf: BpfSubsystem,
  attr: Attr<'prog_detach'>,
  caller: BpfCaller,
): number {
  return bpf.host.attach?.progDetach(attr, caller) ?? -errno.EINVAL;
}

export function progQuery(bpf: BpfSubsystem, attr: Attr<'prog_query'>, caller: BpfCaller): number {
  if (!caller.caps.netAdmin) return -errno.EPERM;
  return bpf.host.attach?.progQuery(attr, caller) ?? -errno.EINVAL;
}

export function taskFdQuery(
  bpf: BpfSubsystem,
  attr: Attr<'task_fd_query'>,
  caller: BpfCaller,
): number {
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  if (attr.flags !== 0) return -errno.EINVAL;
  return bpf.host.attach?.taskFdQuery(attr, caller) ?? -errno.ENOTSUPP;
}

/** differs: no iterators yet, so no link is one that could be read. */
export function iterCreate(
  _bpf: BpfSubsystem,
  attr: Attr<'iter_create'>,
  caller: BpfCaller,
): number {
  if (attr.flags !== 0) return -errno.EINVAL;
  const link = linkOfFd(caller, attr.link_fd);
  return typeof link === 'number' ? link : -errno.EINVAL;
}

export function enableStats(
  bpf: BpfSubsystem,
  attr: Attr<'enable_stats'>,
  caller: BpfCaller,
): number {
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  if (attr.type !== STATS_RUN_TIME) return -errno.EINVAL;
  bpf.statsUsers++;
  return install(caller, new StatsObject(() => bpf.statsUsers--));
}
