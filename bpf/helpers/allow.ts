/**
 * Which helper a program gets for an id.
 *
 *   helperFor(caller, id, caps)   the row, or undefined ("unknown func")
 *   isAllowed(helper, caller)     the row's own condition ("helper call is not allowed in probe")
 *
 * Each program type has a list of steps, tried in order, as Linux 6.1's *_func_proto functions
 * are: `offer` answers for the ids it names (with a condition: refuses them where it does not
 * hold), `offerIf` passes them on to the next step instead, `need` ends the search for those who
 * lack a capability. Steps of one list are spliced into another where Linux calls through.
 */
import type { AttachType, ProgType } from '../uapi.ts';
import type { AllowedIn, Helper } from './helper.ts';
import {
  LOCKED_SOCKOPT_LSM_HOOKS,
  SLEEPABLE_LSM_HOOKS,
  UNLOCKED_SOCKOPT_LSM_HOOKS,
} from './lsm-hooks.ts';
import { helperByProto } from './table.ts';

/** What the loading process may do; CAP_SYS_ADMIN implies the other two. */
export interface HelperCaps {
  readonly bpf: boolean;
  readonly perfmon: boolean;
  readonly sysAdmin: boolean;
}

export interface HelperCaller {
  readonly type: ProgType;
  readonly expectedAttachType: AttachType;
  /**
   * What it attaches to, by name: kernel function ('vfs_truncate'), LSM hook ('bpf_lsm_file_open'),
   * iterator ('bpf_iter_tcp'), member of a struct_ops ('release').
   */
  readonly attachName?: string;
  /** It attaches to another BPF program. */
  readonly attachesToProgram?: boolean;
}

type Condition = (caller: HelperCaller, caps: HelperCaps) => boolean;
type Step =
  | { readonly need: Condition }
  | {
      readonly rows: ReadonlyMap<number, Helper>;
      readonly when: Condition;
      readonly otherwise: 'refuse' | 'pass on';
    };

/** Prototypes by name. */
function offer(protos: string, when: Condition = () => true): Step {
  const rows = protos.trim().split(/\s+/).map(helperByProto);
  return { rows: new Map(rows.map((row) => [row.id, row])), when, otherwise: 'refuse' };
}

function offerIf(when: Condition, protos: string): Step {
  return { ...offer(protos, when), otherwise: 'pass on' } as Step;
}

const bpf: Condition = (_, caps) => caps.bpf || caps.sysAdmin;
const perfmon: Condition = (_, caps) => caps.perfmon || caps.sysAdmin;
const sysAdmin: Condition = (_, caps) => caps.sysAdmin;
const attachedAs =
  (...types: AttachType[]): Condition =>
  (caller) =>
    types.includes(caller.expectedAttachType);
const not =
  (condition: Condition): Condition =>
  (caller, caps) =>
    !condition(caller, caps);

/** bpf_prog_has_trampoline. */
const hasTrampoline: Condition = ({ type, expectedAttachType }) =>
  (type === 'tracing' &&
    ['trace_fentry', 'trace_fexit', 'modify_return'].includes(expectedAttachType)) ||
  (type === 'lsm' && expectedAttachType === 'lsm_mac');

/** bpf_base_func_proto: its three tiers. */
const base: Step[] = [
  offer(`map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem
    map_peek_elem map_lookup_percpu_elem get_prandom_u32 get_smp_processor_id get_numa_node_id
    tail_call ktime_get_ns ktime_get_boot_ns ktime_get_tai_ns ringbuf_output ringbuf_reserve
    ringbuf_submit ringbuf_discard ringbuf_query strncmp strtol strtoul`),
  { need: bpf },
  offer(`spin_lock spin_unlock jiffies64 per_cpu_ptr this_cpu_ptr timer_init
    timer_set_callback timer_start timer_cancel kptr_xchg for_each_map_elem loop
    user_ringbuf_drain ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr
    dynptr_from_mem dynptr_read dynptr_write dynptr_data`),
  { need: perfmon },
  offer(`trace_printk get_current_task get_current_task_btf probe_read_user probe_read_kernel
    probe_read_user_str probe_read_kernel_str snprintf_btf snprintf task_pt_regs
    trace_vprintk`),
];

/** bpf_sk_base_func_proto. */
const skBase: Step[] = [
  offer(
    `skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
     skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock`,
    perfmon,
  ),
  offer('ktime_get_coarse_ns'),
  ...base,
];

const tracingBase: Step[] = [
  offer(`map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem
    map_peek_elem map_lookup_percpu_elem ktime_get_ns ktime_get_boot_ns tail_call
    get_current_pid_tgid get_current_task get_current_task_btf task_pt_regs
    get_current_uid_gid get_current_comm trace_printk get_smp_processor_id get_numa_node_id
    perf_event_read current_task_under_cgroup get_prandom_u32 probe_read_user
    probe_read_kernel probe_read_user_str probe_read_kernel_str probe_read_compat
    probe_read_compat_str get_current_cgroup_id get_current_ancestor_cgroup_id send_signal
    send_signal_thread perf_event_read_value get_ns_current_pid_tgid ringbuf_output
    ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query jiffies64 get_task_stack
    copy_from_user copy_from_user_task snprintf_btf per_cpu_ptr this_cpu_ptr
    task_storage_get task_storage_delete for_each_map_elem snprintf get_func_ip_tracing
    get_branch_snapshot find_vma trace_vprintk`),
  offer('probe_write_user', sysAdmin),
  ...base,
];

const kprobe: Step[] = [
  offer('perf_event_output get_stackid get_stack override_return'),
  offerIf(attachedAs('trace_kprobe_multi'), 'get_func_ip_kprobe_multi get_attach_cookie_kmulti'),
  offer('get_func_ip_kprobe get_attach_cookie_trace'),
  ...tracingBase,
];

const tracepoint: Step[] = [
  offer('perf_event_output_tp get_stackid_tp get_stack_tp get_attach_cookie_trace'),
  ...tracingBase,
];

const perfEvent: Step[] = [
  offer(`perf_event_output_tp get_stackid_pe get_stack_pe perf_prog_read_value
    read_branch_records get_attach_cookie_pe`),
  ...tracingBase,
];

const rawTracepoint: Step[] = [
  offer('perf_event_output_raw_tp get_stackid_raw_tp get_stack_raw_tp'),
  ...tracingBase,
];

const iterator = attachedAs('trace_iter');
const tracing: Step[] = [
  offer(`skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
    skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock
    sk_storage_get_tracing sk_storage_delete_tracing sock_from_file get_socket_ptr_cookie
    xdp_get_buff_len_trace d_path`),
  offer('seq_printf seq_write seq_printf_btf', iterator),
  offer('get_func_arg get_func_ret get_func_arg_cnt get_attach_cookie_tracing', hasTrampoline),
  // The only iterators with helpers of their own (bpf_iter_reg.get_func_proto).
  offer(
    'sk_setsockopt sk_getsockopt',
    (caller, caps) =>
      iterator(caller, caps) && /^bpf_iter_(tcp|unix)$/.test(caller.attachName ?? ''),
  ),
  ...rawTracepoint,
];

/** cgroup_common_func_proto. */
const cgroupCommon: Step[] = [
  offer('get_local_storage'),
  offer(
    'get_retval set_retval',
    not(
      attachedAs(
        'cgroup_inet_ingress',
        'cgroup_inet_egress',
        'cgroup_sock_ops',
        'cgroup_udp4_recvmsg',
        'cgroup_udp6_recvmsg',
        'cgroup_inet4_getpeername',
        'cgroup_inet6_getpeername',
        'cgroup_inet4_getsockname',
        'cgroup_inet6_getsockname',
      ),
    ),
  ),
];

/** cgroup_current_func_proto, after the common ones. */
const cgroupCurrent: Step[] = [
  ...cgroupCommon,
  offer(`get_current_uid_gid get_current_pid_tgid get_current_comm get_current_cgroup_id
    get_current_ancestor_cgroup_id get_cgroup_classid_curr`),
];

const socketFilter: Step[] = [
  offer(`skb_load_bytes skb_load_bytes_relative get_socket_cookie get_socket_uid
    skb_event_output`),
  ...skBase,
];

const rawSyncookies = `tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6
  tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6`;

const schedCls: Step[] = [
  offer(`skb_store_bytes skb_load_bytes skb_load_bytes_relative skb_pull_data csum_diff
    csum_update csum_level l3_csum_replace l4_csum_replace clone_redirect
    get_cgroup_classid skb_vlan_push skb_vlan_pop skb_change_proto skb_change_type
    skb_adjust_room skb_change_tail skb_change_head skb_get_tunnel_key skb_set_tunnel_key
    skb_get_tunnel_opt skb_set_tunnel_opt redirect redirect_neigh redirect_peer
    get_route_realm get_hash_recalc set_hash_invalid set_hash skb_event_output
    skb_under_cgroup get_socket_cookie get_socket_uid skb_fib_lookup skb_check_mtu
    sk_fullsock sk_storage_get sk_storage_delete skb_get_xfrm_state skb_cgroup_classid
    skb_cgroup_id skb_ancestor_cgroup_id tc_sk_lookup_tcp tc_sk_lookup_udp sk_release
    tcp_sock get_listener_sock tc_skc_lookup_tcp tcp_check_syncookie skb_ecn_set_ce
    tcp_gen_syncookie sk_assign skb_set_tstamp ${rawSyncookies}`),
  ...skBase,
];

const lwtOut: Step[] = [
  offer(`skb_load_bytes skb_pull_data csum_diff get_cgroup_classid get_route_realm
    get_hash_recalc skb_event_output skb_under_cgroup`),
  ...skBase,
];

const sockoptOfAddr = attachedAs(
  'cgroup_inet4_bind',
  'cgroup_inet6_bind',
  'cgroup_inet4_connect',
  'cgroup_inet6_connect',
  'cgroup_udp4_recvmsg',
  'cgroup_udp6_recvmsg',
  'cgroup_udp4_sendmsg',
  'cgroup_udp6_sendmsg',
  'cgroup_inet4_getpeername',
  'cgroup_inet6_getpeername',
  'cgroup_inet4_getsockname',
  'cgroup_inet6_getsockname',
);

const xdp: Step[] = [
  offer(`xdp_event_output csum_diff xdp_adjust_head xdp_adjust_meta xdp_redirect
    xdp_redirect_map xdp_adjust_tail xdp_get_buff_len xdp_load_bytes xdp_store_bytes
    xdp_fib_lookup xdp_check_mtu xdp_sk_lookup_udp xdp_sk_lookup_tcp sk_release
    xdp_skc_lookup_tcp tcp_check_syncookie tcp_gen_syncookie ${rawSyncookies}`),
  ...skBase,
];

const sockoptOwner =
  (hooks: ReadonlySet<string>): Condition =>
  (caller) =>
    caller.expectedAttachType === 'lsm_cgroup' && hooks.has(lsmHook(caller));

function lsmHook(caller: HelperCaller): string {
  return (caller.attachName ?? '').replace(/^bpf_lsm_/, '');
}

const cgroupSkb: Step[] = [
  ...cgroupCommon,
  offer(`sk_fullsock sk_storage_get sk_storage_delete skb_event_output skb_cgroup_id
    skb_ancestor_cgroup_id sk_cgroup_id sk_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp tcp_sock get_listener_sock skb_ecn_set_ce`),
  ...socketFilter,
];

/** Every program type of 6.1. ext programs get what the program they extend gets. */
const stepsOf: Partial<Record<ProgType, readonly Step[]>> = {
  socket_filter: socketFilter,
  kprobe,
  sched_cls: schedCls,
  sched_act: schedCls,
  tracepoint,
  xdp,
  perf_event: perfEvent,
  cgroup_skb: cgroupSkb,
  cgroup_sock: [
    ...cgroupCurrent,
    offer(`get_socket_cookie_sock get_netns_cookie_sock event_output_data
      sk_storage_get_cg_sock ktime_get_coarse_ns`),
    ...base,
  ],
  lwt_in: [offer('lwt_in_push_encap'), ...lwtOut],
  lwt_out: lwtOut,
  lwt_xmit: [
    offer(`skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt redirect
      clone_redirect skb_change_tail skb_change_head skb_store_bytes csum_update csum_level
      l3_csum_replace l4_csum_replace set_hash_invalid lwt_xmit_push_encap`),
    ...lwtOut,
  ],
  lwt_seg6local: [
    offer('skb_pull_data', () => false),
    offer('lwt_seg6_store_bytes lwt_seg6_action lwt_seg6_adjust_srh'),
    ...lwtOut,
  ],
  sock_ops: [
    ...cgroupCommon,
    offer(`sock_ops_setsockopt sock_ops_getsockopt sock_ops_cb_flags_set sock_map_update
      sock_hash_update get_socket_cookie_sock_ops event_output_data sk_storage_get
      sk_storage_delete get_netns_cookie_sock_ops sock_ops_load_hdr_opt sock_ops_store_hdr_opt
      sock_ops_reserve_hdr_opt tcp_sock`),
    ...skBase,
  ],
  sk_skb: [
    offer(`skb_store_bytes skb_load_bytes sk_skb_pull_data sk_skb_change_tail
      sk_skb_change_head sk_skb_adjust_room get_socket_cookie get_socket_uid sk_redirect_map
      sk_redirect_hash skb_event_output sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp`),
    ...skBase,
  ],
  cgroup_device: [...cgroupCurrent, offer('event_output_data'), ...base],
  sk_msg: [
    offer(`msg_redirect_map msg_redirect_hash msg_apply_bytes msg_cork_bytes msg_pull_data
      msg_push_data msg_pop_data event_output_data get_current_uid_gid get_current_pid_tgid
      sk_storage_get sk_storage_delete get_netns_cookie_sk_msg get_current_cgroup_id
      get_current_ancestor_cgroup_id get_cgroup_classid_curr`),
    ...skBase,
  ],
  raw_tracepoint: rawTracepoint,
  raw_tracepoint_writable: rawTracepoint,
  cgroup_sock_addr: [
    ...cgroupCurrent,
    offer('bind', attachedAs('cgroup_inet4_connect', 'cgroup_inet6_connect')),
    offer('sock_addr_setsockopt sock_addr_getsockopt', sockoptOfAddr),
    offer(`get_socket_cookie_sock_addr get_netns_cookie_sock_addr event_output_data
      sock_addr_sk_lookup_tcp sock_addr_sk_lookup_udp sk_release sock_addr_skc_lookup_tcp
      sk_storage_get sk_storage_delete`),
    ...skBase,
  ],
  lirc_mode2: [
    offer(`rc_repeat rc_keydown rc_pointer_rel map_lookup_elem map_update_elem map_delete_elem
      map_push_elem map_pop_elem map_peek_elem ktime_get_ns ktime_get_boot_ns tail_call
      get_prandom_u32`),
    offer('trace_printk', perfmon),
  ],
  sk_reuseport: [
    offer(`sk_select_reuseport sk_reuseport_load_bytes sk_reuseport_load_bytes_relative
      get_socket_ptr_cookie ktime_get_coarse_ns`),
    ...base,
  ],
  flow_dissector: [offer('flow_dissector_load_bytes'), ...skBase],
  cgroup_sysctl: [
    ...cgroupCurrent,
    offer(`sysctl_get_name sysctl_get_current_value sysctl_get_new_value sysctl_set_new_value
      ktime_get_coarse_ns event_output_data`),
    ...base,
  ],
  cgroup_sockopt: [
    ...cgroupCurrent,
    offer('get_netns_cookie_sockopt sk_storage_get sk_storage_delete tcp_sock event_output_data'),
    offer('sk_setsockopt sk_getsockopt', attachedAs('cgroup_setsockopt')),
    ...base,
  ],
  tracing,
  // The members of tcp_congestion_ops, the one struct_ops of 6.1 besides the test's.
  struct_ops: [
    offer('tcp_send_ack sk_storage_get sk_storage_delete ktime_get_coarse_ns'),
    offer('sk_setsockopt sk_getsockopt', (caller) => caller.attachName !== 'release'),
    ...base,
  ],
  lsm: [
    offerIf(attachedAs('lsm_cgroup'), 'get_local_storage get_retval set_retval'),
    offer(`inode_storage_get inode_storage_delete sk_storage_get sk_storage_delete spin_lock
      spin_unlock bprm_opts_set ima_inode_hash ima_file_hash`),
    offer('get_attach_cookie', hasTrampoline),
    offerIf(sockoptOwner(LOCKED_SOCKOPT_LSM_HOOKS), 'sk_setsockopt sk_getsockopt'),
    offer(
      'unlocked_sk_setsockopt unlocked_sk_getsockopt',
      sockoptOwner(UNLOCKED_SOCKOPT_LSM_HOOKS),
    ),
    ...tracing,
  ],
  sk_lookup: [offer('event_output_data sk_lookup_assign sk_release'), ...skBase],
  syscall: [
    offer('sys_bpf', perfmon),
    offer('btf_find_by_name_kind sys_close kallsyms_lookup_name'),
    ...tracing,
  ],
};

export function helperFor(caller: HelperCaller, id: number, caps: HelperCaps): Helper | undefined {
  for (const step of stepsOf[caller.type] ?? []) {
    if ('need' in step) {
      if (!step.need(caller, caps)) return undefined;
      continue;
    }
    const row = step.rows.get(id);
    if (!row) continue;
    if (step.when(caller, caps)) return row;
    if (step.otherwise === 'refuse') return undefined;
  }
  return undefined;
}

/** Functions whose struct path argument may be walked by d_path (btf_allowlist_d_path). */
const D_PATH_FUNCTIONS: ReadonlySet<string> = new Set([
  'security_file_permission',
  'security_inode_getattr',
  'security_file_open',
  'security_path_truncate',
  'vfs_truncate',
  'vfs_fallocate',
  'dentry_open',
  'vfs_getattr',
  'filp_close',
]);

const conditions: Record<AllowedIn, (caller: HelperCaller) => boolean> = {
  d_path: (caller) => {
    if (caller.type === 'tracing' && caller.expectedAttachType === 'trace_iter') return true;
    if (caller.type === 'lsm') return SLEEPABLE_LSM_HOOKS.has(lsmHook(caller));
    return D_PATH_FUNCTIONS.has(caller.attachName ?? '');
  },
  sleepable_lsm_hook: (caller) => SLEEPABLE_LSM_HOOKS.has(lsmHook(caller)),
  sk_storage_tracing: (caller) => {
    if (caller.attachesToProgram) return false;
    switch (caller.expectedAttachType) {
      case 'trace_iter':
      case 'trace_raw_tp':
        return true;
      case 'trace_fentry':
      case 'trace_fexit':
        return !(caller.attachName ?? '').startsWith('bpf_sk_storage');
      default:
        return false;
    }
  },
};

export function isAllowed(helper: Helper, caller: HelperCaller): boolean {
  return helper.allowed === undefined || conditions[helper.allowed](caller);
}
