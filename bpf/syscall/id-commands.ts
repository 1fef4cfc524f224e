/** Iteration over ids, descriptors from ids, and pins. */
import { errno } from '../../kernel/types/errno.ts';
import { uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { install, userString } from './lookup.ts';
import { fdAccess } from './map-commands.ts';
import type { BpfObject, IdTable } from './objects.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

const PATH_MAX = 4096;
const PINNABLE: ReadonlySet<BpfObject['kind']> = new Set(['map', 'prog', 'link'] as const);
/** INT_MAX: a larger start_id or id is refused. */
const MAX_ID = 0x7fff_ffff;

export function nextId(table: (bpf: BpfSubsystem) => IdTable<unknown>) {
  return (bpf: BpfSubsystem, attr: Attr<'prog_get_next_id'>, caller: BpfCaller): number => {
    if (attr.start_id >= MAX_ID) return -errno.EINVAL;
    if (!caller.caps.sysAdmin) return -errno.EPERM;
    const id = table(bpf).after(attr.start_id);
    if (id === undefined) return -errno.ENOENT;
    attr.next_id = id;
    return 0;
  };
}

export function progGetFdById(
  bpf: BpfSubsystem,
  attr: Attr<'prog_get_fd_by_id'>,
  caller: BpfCaller,
): number {
  return fdOf(bpf.progs.byId(attr.prog_id), caller);
}

export function mapGetFdById(
  bpf: BpfSubsystem,
  attr: Attr<'map_get_fd_by_id'>,
  caller: BpfCaller,
): number {
  if ((attr.open_flags & ~(uapi.BPF_F_RDONLY | uapi.BPF_F_WRONLY)) !== 0) return -errno.EINVAL;
  const access = fdAccess(attr.open_flags);
  if (access === undefined) return -errno.EINVAL;
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  return fdOf(bpf.maps.byId(attr.map_id), caller, access);
}

export function btfGetFdById(
  bpf: BpfSubsystem,
  attr: Attr<'btf_get_fd_by_id'>,
  caller: BpfCaller,
): number {
  return fdOf(bpf.btfs.byId(attr.btf_id), caller);
}

export function linkGetFdById(
  bpf: BpfSubsystem,
  attr: Attr<'link_get_fd_by_id'>,
  caller: BpfCaller,
): number {
  return fdOf(bpf.links.byId(attr.link_id), caller);
}

function fdOf(
  object: BpfObject | undefined,
  caller: BpfCaller,
  access = { canRead: true, canWrite: true },
): number {
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  return object ? install(caller, object.getUser(), access) : -errno.ENOENT;
}

export function objPin(_bpf: BpfSubsystem, attr: Attr<'obj_pin'>, caller: BpfCaller): number {
  if (attr.file_flags !== 0) return -errno.EINVAL;
  const handle = caller.handleOfFd(attr.bpf_fd);
  if (!handle || !PINNABLE.has(handle.object.kind)) return -errno.EINVAL;
  const path = userString(caller, attr.pathname, PATH_MAX);
  if (path === undefined) return -errno.EFAULT;
  const result = caller.pin(path, handle.object.getUser());
  if (result < 0) handle.object.putUser();
  return result;
}

export function objGet(_bpf: BpfSubsystem, attr: Attr<'obj_get'>, caller: BpfCaller): number {
  if (attr.bpf_fd !== 0) return -errno.EINVAL;
  if ((attr.file_flags & ~(uapi.BPF_F_RDONLY | uapi.BPF_F_WRONLY)) !== 0) return -errno.EINVAL;
  const access = fdAccess(attr.file_flags);
  if (access === undefined) return -errno.EINVAL;
  const path = userString(caller, attr.pathname, PATH_MAX);
  if (path === undefined) return -errno.EFAULT;
  const object = caller.pinned(path, access.canWrite);
  if (typeof object === 'number') return object;
  if (object.kind === 'link' && attr.file_flags !== 0) return -errno.EINVAL;
  return install(caller, object.getUser(), access);
}
