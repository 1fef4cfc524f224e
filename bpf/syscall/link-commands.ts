/** Links, and the attach commands of the time before them. What is attached to is the kernel's. */
import { errno } from '../../kernel/types/errno.ts';
import { ATTACH_TYPES, uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { install, linkOfFd, progOfFd, userString } from './lookup.ts';
import { attachIterator } from '../iter/attach.ts';
import {
  type Attachment,
  IterObject,
  LinkObject,
  type ProgObject,
  StatsObject,
} from './objects.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';
import { AS_LOADED, attachToFunction, isTrampolined } from './tracing-links.ts';

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
  const { expectedAttachType, type } = program.prog.verified.spec;
  if (type === 'tracing' && ATTACH_TYPES[attr.attach_type] !== expectedAttachType) {
    return -errno.EINVAL;
  }
  const target = { fd: attr.target_fd, btfId: attr.target_btf_id, cookie: attr.tracing_cookie };
  const atFunction = isTrampolined(program)
    ? attachToFunction(bpf, program, target, caller)
    : undefined;
  const attachment =
    expectedAttachType === 'trace_iter' && type === 'tracing'
      ? attachIterator(bpf, program, attr, caller)
      : (atFunction ?? bpf.host.attach?.createLink(program, attr, caller) ?? -errno.EINVAL);
  return installLink(bpf, program, attachment, caller);
}

export function rawTracepointOpen(
  bpf: BpfSubsystem,
  attr: Attr<'raw_tracepoint_open'>,
  caller: BpfCaller,
): number {
  const program = progOfFd(caller, attr.prog_fd);
  if (typeof program === 'number') return program;
  const { type } = program.prog.verified.spec;
  let name: string | undefined;
  // A BTF-typed program has named its target when it was loaded.
  if (type === 'tracing' || type === 'lsm' || type === 'ext') {
    if (attr.name !== 0n) return -errno.EINVAL;
  } else if (type === 'raw_tracepoint' || type === 'raw_tracepoint_writable') {
    name = userString(caller, attr.name, TP_NAME_BYTES - 1);
    if (name === undefined) return -errno.EFAULT;
  } else {
    return -errno.EINVAL;
  }
  const atFunction = isTrampolined(program)
    ? attachToFunction(bpf, program, AS_LOADED, caller)
    : undefined;
  const attachment = atFunction ?? bpf.host.attach?.rawTracepoint(program, name) ?? -errno.EINVAL;
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
    if (link.attachment.replace && old !== link.program) return -errno.EPERM;
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

export function taskFdQuery(
  bpf: BpfSubsystem,
  attr: Attr<'task_fd_query'>,
  caller: BpfCaller,
): number {
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  if (attr.flags !== 0) return -errno.EINVAL;
  return bpf.host.attach?.taskFdQuery(attr, caller) ?? -errno.ENOTSUPP;
}

/** A reading of an iterator: what its descriptor gives is what the program writes. */
export function iterCreate(
  _bpf: BpfSubsystem,
  attr: Attr<'iter_create'>,
  caller: BpfCaller,
): number {
  if (attr.flags !== 0) return -errno.EINVAL;
  const link = linkOfFd(caller, attr.link_fd);
  if (typeof link === 'number') return link;
  const reading = newReading(link);
  return typeof reading === 'number'
    ? reading
    : install(caller, reading, { canRead: true, canWrite: false });
}

export function newReading(link: LinkObject): IterObject | number {
  const iteration = link.attachment.iterate?.(link.program);
  return iteration ? new IterObject(link, iteration) : -errno.EINVAL;
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
