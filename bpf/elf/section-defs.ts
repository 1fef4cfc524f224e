/**
 * What a section name says about the programs in it: libbpf's SEC() names, one row each.
 *
 *   sectionDef('kprobe/do_sys_openat2')   { def, target: 'do_sys_openat2', … }
 *
 * A name that ends in `+` also takes `/TARGET`. A leading `?` in an object means: do not load unless
 * asked to.
 */
import type { AttachType, ProgType } from '../uapi.ts';

export interface SectionDef {
  readonly name: string;
  readonly type: ProgType;
  readonly attachType: AttachType | undefined;
  /** BPF_F_SLEEPABLE. */
  readonly sleepable?: true;
  /** BPF_F_XDP_HAS_FRAGS. */
  readonly frags?: true;
  /** The target is a kernel type: attach_btf_id is that of this prefix and the target. */
  readonly btfPrefix?: '' | 'btf_trace_' | 'bpf_lsm_' | 'bpf_iter_';
  /** How it is attached, where that is not by a BTF target, a link with its attach type or a tool. */
  readonly attach?:
    | 'kprobe'
    | 'kretprobe'
    | 'uprobe'
    | 'uretprobe'
    | 'kprobe_multi'
    | 'kretprobe_multi'
    | 'ksyscall'
    | 'kretsyscall'
    | 'usdt'
    | 'tracepoint'
    | 'raw_tracepoint'
    | 'xdp'
    | 'tc'
    | 'struct_ops';
}

type Extra = Omit<SectionDef, 'name' | 'type' | 'attachType'>;
const sec = (
  name: string,
  type: ProgType,
  attachType?: AttachType,
  extra: Extra = {},
): SectionDef => ({
  name,
  type,
  attachType,
  ...extra,
});

const sleepable = { sleepable: true } as const;
const frags = { frags: true, attach: 'xdp' } as const;
const func = { btfPrefix: '' } as const;

/** In matching order: a longer name stands before its beginning. */
export const SECTION_DEFS: readonly SectionDef[] = [
  sec('socket', 'socket_filter'),
  sec('sk_reuseport/migrate', 'sk_reuseport', 'sk_reuseport_select_or_migrate'),
  sec('sk_reuseport', 'sk_reuseport', 'sk_reuseport_select'),
  sec('kprobe+', 'kprobe', undefined, { attach: 'kprobe' }),
  sec('kretprobe+', 'kprobe', undefined, { attach: 'kretprobe' }),
  sec('uprobe+', 'kprobe', undefined, { attach: 'uprobe' }),
  sec('uprobe.s+', 'kprobe', undefined, { attach: 'uprobe', ...sleepable }),
  sec('uretprobe+', 'kprobe', undefined, { attach: 'uretprobe' }),
  sec('uretprobe.s+', 'kprobe', undefined, { attach: 'uretprobe', ...sleepable }),
  sec('kprobe.multi+', 'kprobe', 'trace_kprobe_multi', { attach: 'kprobe_multi' }),
  sec('kretprobe.multi+', 'kprobe', 'trace_kprobe_multi', { attach: 'kretprobe_multi' }),
  sec('ksyscall+', 'kprobe', undefined, { attach: 'ksyscall' }),
  sec('kretsyscall+', 'kprobe', undefined, { attach: 'kretsyscall' }),
  sec('usdt+', 'kprobe', undefined, { attach: 'usdt' }),
  sec('usdt.s+', 'kprobe', undefined, { attach: 'usdt', ...sleepable }),
  sec('tc', 'sched_cls', undefined, { attach: 'tc' }),
  sec('tc/ingress', 'sched_cls', undefined, { attach: 'tc' }),
  sec('tc/egress', 'sched_cls', undefined, { attach: 'tc' }),
  sec('classifier', 'sched_cls', undefined, { attach: 'tc' }),
  sec('action', 'sched_act', undefined, { attach: 'tc' }),
  sec('tracepoint+', 'tracepoint', undefined, { attach: 'tracepoint' }),
  sec('tp+', 'tracepoint', undefined, { attach: 'tracepoint' }),
  sec('raw_tracepoint+', 'raw_tracepoint', undefined, { attach: 'raw_tracepoint' }),
  sec('raw_tp+', 'raw_tracepoint', undefined, { attach: 'raw_tracepoint' }),
  sec('raw_tracepoint.w+', 'raw_tracepoint_writable', undefined, { attach: 'raw_tracepoint' }),
  sec('raw_tp.w+', 'raw_tracepoint_writable', undefined, { attach: 'raw_tracepoint' }),
  sec('tp_btf+', 'tracing', 'trace_raw_tp', { btfPrefix: 'btf_trace_' }),
  sec('fentry+', 'tracing', 'trace_fentry', func),
  sec('fmod_ret+', 'tracing', 'modify_return', func),
  sec('fexit+', 'tracing', 'trace_fexit', func),
  sec('fentry.s+', 'tracing', 'trace_fentry', { ...func, ...sleepable }),
  sec('fmod_ret.s+', 'tracing', 'modify_return', { ...func, ...sleepable }),
  sec('fexit.s+', 'tracing', 'trace_fexit', { ...func, ...sleepable }),
  sec('freplace+', 'ext', undefined, func),
  sec('lsm+', 'lsm', 'lsm_mac', { btfPrefix: 'bpf_lsm_' }),
  sec('lsm.s+', 'lsm', 'lsm_mac', { btfPrefix: 'bpf_lsm_', ...sleepable }),
  sec('lsm_cgroup+', 'lsm', 'lsm_cgroup', { btfPrefix: 'bpf_lsm_' }),
  sec('iter+', 'tracing', 'trace_iter', { btfPrefix: 'bpf_iter_' }),
  sec('iter.s+', 'tracing', 'trace_iter', { btfPrefix: 'bpf_iter_', ...sleepable }),
  sec('syscall', 'syscall', undefined, sleepable),
  sec('xdp.frags/devmap', 'xdp', 'xdp_devmap', frags),
  sec('xdp/devmap', 'xdp', 'xdp_devmap', { attach: 'xdp' }),
  sec('xdp.frags/cpumap', 'xdp', 'xdp_cpumap', frags),
  sec('xdp/cpumap', 'xdp', 'xdp_cpumap', { attach: 'xdp' }),
  sec('xdp.frags', 'xdp', 'xdp', frags),
  sec('xdp', 'xdp', 'xdp', { attach: 'xdp' }),
  sec('perf_event', 'perf_event'),
  sec('lwt_in', 'lwt_in'),
  sec('lwt_out', 'lwt_out'),
  sec('lwt_xmit', 'lwt_xmit'),
  sec('lwt_seg6local', 'lwt_seg6local'),
  sec('sockops', 'sock_ops', 'cgroup_sock_ops'),
  sec('sk_skb/stream_parser', 'sk_skb', 'sk_skb_stream_parser'),
  sec('sk_skb/stream_verdict', 'sk_skb', 'sk_skb_stream_verdict'),
  sec('sk_skb', 'sk_skb'),
  sec('sk_msg', 'sk_msg', 'sk_msg_verdict'),
  sec('lirc_mode2', 'lirc_mode2', 'lirc_mode2'),
  sec('flow_dissector', 'flow_dissector', 'flow_dissector'),
  sec('cgroup_skb/ingress', 'cgroup_skb', 'cgroup_inet_ingress'),
  sec('cgroup_skb/egress', 'cgroup_skb', 'cgroup_inet_egress'),
  sec('cgroup/skb', 'cgroup_skb'),
  sec('cgroup/sock_create', 'cgroup_sock', 'cgroup_inet_sock_create'),
  sec('cgroup/sock_release', 'cgroup_sock', 'cgroup_inet_sock_release'),
  sec('cgroup/sock', 'cgroup_sock', 'cgroup_inet_sock_create'),
  sec('cgroup/post_bind4', 'cgroup_sock', 'cgroup_inet4_post_bind'),
  sec('cgroup/post_bind6', 'cgroup_sock', 'cgroup_inet6_post_bind'),
  sec('cgroup/bind4', 'cgroup_sock_addr', 'cgroup_inet4_bind'),
  sec('cgroup/bind6', 'cgroup_sock_addr', 'cgroup_inet6_bind'),
  sec('cgroup/connect4', 'cgroup_sock_addr', 'cgroup_inet4_connect'),
  sec('cgroup/connect6', 'cgroup_sock_addr', 'cgroup_inet6_connect'),
  sec('cgroup/sendmsg4', 'cgroup_sock_addr', 'cgroup_udp4_sendmsg'),
  sec('cgroup/sendmsg6', 'cgroup_sock_addr', 'cgroup_udp6_sendmsg'),
  sec('cgroup/recvmsg4', 'cgroup_sock_addr', 'cgroup_udp4_recvmsg'),
  sec('cgroup/recvmsg6', 'cgroup_sock_addr', 'cgroup_udp6_recvmsg'),
  sec('cgroup/getpeername4', 'cgroup_sock_addr', 'cgroup_inet4_getpeername'),
  sec('cgroup/getpeername6', 'cgroup_sock_addr', 'cgroup_inet6_getpeername'),
  sec('cgroup/getsockname4', 'cgroup_sock_addr', 'cgroup_inet4_getsockname'),
  sec('cgroup/getsockname6', 'cgroup_sock_addr', 'cgroup_inet6_getsockname'),
  sec('cgroup/sysctl', 'cgroup_sysctl', 'cgroup_sysctl'),
  sec('cgroup/getsockopt', 'cgroup_sockopt', 'cgroup_getsockopt'),
  sec('cgroup/setsockopt', 'cgroup_sockopt', 'cgroup_setsockopt'),
  sec('cgroup/dev', 'cgroup_device', 'cgroup_device'),
  sec('struct_ops+', 'struct_ops', undefined, { attach: 'struct_ops' }),
  sec('struct_ops.s+', 'struct_ops', undefined, { attach: 'struct_ops', ...sleepable }),
  sec('sk_lookup', 'sk_lookup', 'sk_lookup'),
];

export interface SectionMatch {
  readonly def: SectionDef;
  /** What stands behind the slash; empty without one. */
  readonly target: string;
  /** Matched only as libbpf before 1.0 did, by its beginning. */
  readonly legacy: boolean;
}

export function sectionDef(section: string): SectionMatch | undefined {
  for (const def of SECTION_DEFS) {
    const open = def.name.endsWith('+');
    const name = open ? def.name.slice(0, -1) : def.name;
    if (section === name) return { def, target: '', legacy: false };
    if (open && section.startsWith(`${name}/`)) {
      return { def, target: section.slice(name.length + 1), legacy: false };
    }
  }
  // differs: names that only begin like a row (`xdp_prog`, `socket1`) are taken too, as libbpf did
  // before 1.0; libbpf now leaves such programs without a type.
  const def = SECTION_DEFS.filter(({ name }) => section.startsWith(name.replace('+', ''))).sort(
    (a, b) => b.name.length - a.name.length,
  )[0];
  if (def === undefined) return undefined;
  const rest = section.slice(def.name.replace('+', '').length);
  return { def, target: rest.replace(/^[/_]/, ''), legacy: true };
}
