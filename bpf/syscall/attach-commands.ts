/**
 * BPF_PROG_ATTACH, _DETACH and _QUERY, of the time before links (kernel/bpf/syscall.c, 6.1): for
 * cgroups, maps of sockets and network namespaces.
 *
 * differs: of these, only socket maps are there to attach to. Other targets are looked up as Linux
 * does it, and then are none.
 */
import { errno } from '../../kernel/types/errno.ts';
import { ATTACH_TYPES, type AttachType, type ProgType, uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { mapOfFd, progOfFd } from './lookup.ts';
import { attachToSockMap, detachFromSockMap, querySockMap } from './sock-map-progs.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

type Target = 'cgroup' | 'sockmap' | 'netns' | 'lirc';

const ATTACH_FLAGS = uapi.BPF_F_ALLOW_OVERRIDE | uapi.BPF_F_ALLOW_MULTI | uapi.BPF_F_REPLACE;

/** attach_type_to_prog_type, and what a program of that type is attached to. */
export function pointOf(
  attachType: number,
): { readonly type: ProgType; readonly target: Target } | undefined {
  const name: AttachType | undefined = ATTACH_TYPES[attachType];
  switch (name) {
    case 'cgroup_inet_ingress':
    case 'cgroup_inet_egress':
      return { type: 'cgroup_skb', target: 'cgroup' };
    case 'cgroup_inet_sock_create':
    case 'cgroup_inet_sock_release':
    case 'cgroup_inet4_post_bind':
    case 'cgroup_inet6_post_bind':
      return { type: 'cgroup_sock', target: 'cgroup' };
    case 'cgroup_sock_ops':
      return { type: 'sock_ops', target: 'cgroup' };
    case 'cgroup_device':
      return { type: 'cgroup_device', target: 'cgroup' };
    case 'cgroup_sysctl':
      return { type: 'cgroup_sysctl', target: 'cgroup' };
    case 'cgroup_getsockopt':
    case 'cgroup_setsockopt':
      return { type: 'cgroup_sockopt', target: 'cgroup' };
    case 'lsm_mac':
    case 'lsm_cgroup':
      return { type: 'lsm', target: 'cgroup' };
    case 'sk_skb_stream_parser':
    case 'sk_skb_stream_verdict':
    case 'sk_skb_verdict':
      return { type: 'sk_skb', target: 'sockmap' };
    case 'sk_msg_verdict':
      return { type: 'sk_msg', target: 'sockmap' };
    case 'flow_dissector':
      return { type: 'flow_dissector', target: 'netns' };
    case 'sk_lookup':
      return { type: 'sk_lookup', target: 'netns' };
    case 'lirc_mode2':
      return { type: 'lirc_mode2', target: 'lirc' };
    default:
      return name?.startsWith('cgroup_')
        ? { type: 'cgroup_sock_addr', target: 'cgroup' }
        : undefined;
  }
}

/** Why a descriptor is not such a target. */
function refuseTarget(
  bpf: BpfSubsystem,
  target: Exclude<Target, 'sockmap'>,
  fd: number,
  caller: BpfCaller,
): number {
  switch (target) {
    case 'cgroup': {
      const cgroup = bpf.host.runtime.kernel.cgroupOfFd?.(fd) ?? -errno.EBADF;
      if (cgroup < 0) return cgroup;
      bpf.host.runtime.kernel.putCgroup?.(cgroup);
      return -errno.EOPNOTSUPP;
    }
    case 'netns':
      return caller.handleOfFd(fd) === undefined ? -errno.EBADF : -errno.EINVAL;
    case 'lirc':
      return -errno.EINVAL;
  }
}

export function progAttach(
  bpf: BpfSubsystem,
  attr: Attr<'prog_attach'>,
  caller: BpfCaller,
): number {
  if ((attr.attach_flags & ~ATTACH_FLAGS) !== 0) return -errno.EINVAL;
  const point = pointOf(attr.attach_type);
  if (!point) return -errno.EINVAL;
  const program = progOfFd(caller, attr.attach_bpf_fd);
  if (typeof program === 'number') return program;
  if (program.prog.verified.spec.type !== point.type) return -errno.EINVAL;
  if (point.target === 'sockmap') {
    return attachToSockMap(program, attr, ATTACH_TYPES[attr.attach_type]!, caller);
  }
  return refuseTarget(bpf, point.target, attr.target_fd, caller);
}

export function progDetach(
  bpf: BpfSubsystem,
  attr: Attr<'prog_detach'>,
  caller: BpfCaller,
): number {
  const point = pointOf(attr.attach_type);
  if (!point || point.type === 'sk_lookup') return -errno.EINVAL;
  if (point.target !== 'sockmap') return refuseTarget(bpf, point.target, attr.target_fd, caller);
  const map = mapOfFd(caller, attr.target_fd);
  if (typeof map === 'number') return map;
  const program = progOfFd(caller, attr.attach_bpf_fd);
  if (typeof program === 'number') return program;
  if (program.prog.verified.spec.type !== point.type) return -errno.EINVAL;
  return detachFromSockMap(map, program, ATTACH_TYPES[attr.attach_type]!);
}

export function progQuery(bpf: BpfSubsystem, attr: Attr<'prog_query'>, caller: BpfCaller): number {
  if (!caller.caps.netAdmin) return -errno.EPERM;
  if ((attr.query_flags & ~uapi.BPF_F_QUERY_EFFECTIVE) !== 0) return -errno.EINVAL;
  const point = pointOf(attr.attach_type);
  // What LSM programs of all tasks are attached to cannot be asked in this way.
  if (!point || ATTACH_TYPES[attr.attach_type] === 'lsm_mac') return -errno.EINVAL;
  if (point.target === 'sockmap') {
    return querySockMap(attr, ATTACH_TYPES[attr.attach_type]!, caller);
  }
  return refuseTarget(bpf, point.target, attr.target_fd, caller);
}
