/**
 * UAPI constants of `linux/bpf.h` (baseline 6.1), in one place. A type's number is its index in the
 * list; its name is the UAPI's without the prefix, in lower case, as requests and tools spell it.
 */

/** BPF_MAP_TYPE_*. */
export const MAP_TYPES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
] as const;
/** Ours: see bpf/maps/tcam.ts. Far above Linux's numbers. */
const BPF_MAP_TYPE_TCAM = 1000;
export type MapType = (typeof MAP_TYPES)[number] | 'tcam';

export function mapTypeNumber(type: MapType): number {
  return type === 'tcam' ? BPF_MAP_TYPE_TCAM : MAP_TYPES.indexOf(type);
}

export function mapTypeOf(number: number): MapType | undefined {
  return number === BPF_MAP_TYPE_TCAM ? 'tcam' : MAP_TYPES[number];
}

/** BPF_PROG_TYPE_*. */
export const PROG_TYPES = [
  'unspec',
  'socket_filter',
  'kprobe',
  'sched_cls',
  'sched_act',
  'tracepoint',
  'xdp',
  'perf_event',
  'cgroup_skb',
  'cgroup_sock',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'sock_ops',
  'sk_skb',
  'cgroup_device',
  'sk_msg',
  'raw_tracepoint',
  'cgroup_sock_addr',
  'lwt_seg6local',
  'lirc_mode2',
  'sk_reuseport',
  'flow_dissector',
  'cgroup_sysctl',
  'raw_tracepoint_writable',
  'cgroup_sockopt',
  'tracing',
  'struct_ops',
  'ext',
  'lsm',
  'sk_lookup',
  'syscall',
] as const;
export type ProgType = (typeof PROG_TYPES)[number];

/** enum bpf_attach_type, without BPF_. */
export const ATTACH_TYPES = [
  'cgroup_inet_ingress',
  'cgroup_inet_egress',
  'cgroup_inet_sock_create',
  'cgroup_sock_ops',
  'sk_skb_stream_parser',
  'sk_skb_stream_verdict',
  'cgroup_device',
  'sk_msg_verdict',
  'cgroup_inet4_bind',
  'cgroup_inet6_bind',
  'cgroup_inet4_connect',
  'cgroup_inet6_connect',
  'cgroup_inet4_post_bind',
  'cgroup_inet6_post_bind',
  'cgroup_udp4_sendmsg',
  'cgroup_udp6_sendmsg',
  'lirc_mode2',
  'flow_dissector',
  'cgroup_sysctl',
  'cgroup_udp4_recvmsg',
  'cgroup_udp6_recvmsg',
  'cgroup_getsockopt',
  'cgroup_setsockopt',
  'trace_raw_tp',
  'trace_fentry',
  'trace_fexit',
  'modify_return',
  'lsm_mac',
  'trace_iter',
  'cgroup_inet4_getpeername',
  'cgroup_inet6_getpeername',
  'cgroup_inet4_getsockname',
  'cgroup_inet6_getsockname',
  'xdp_devmap',
  'cgroup_inet_sock_release',
  'xdp_cpumap',
  'sk_lookup',
  'xdp',
  'sk_skb_verdict',
  'sk_reuseport_select',
  'sk_reuseport_select_or_migrate',
  'perf_event',
  'trace_kprobe_multi',
  'lsm_cgroup',
] as const;
export type AttachType = (typeof ATTACH_TYPES)[number];

/** BPF_LINK_TYPE_*. */
export const LINK_TYPES = [
  'unspec',
  'raw_tracepoint',
  'tracing',
  'cgroup',
  'iter',
  'netns',
  'xdp',
  'perf_event',
  'kprobe_multi',
  'struct_ops',
] as const;
export type LinkType = (typeof LINK_TYPES)[number];

/** Commands of bpf(2), without BPF_. */
export const BPF_COMMANDS = [
  'map_create',
  'map_lookup_elem',
  'map_update_elem',
  'map_delete_elem',
  'map_get_next_key',
  'prog_load',
  'obj_pin',
  'obj_get',
  'prog_attach',
  'prog_detach',
  'prog_test_run',
  'prog_get_next_id',
  'map_get_next_id',
  'prog_get_fd_by_id',
  'map_get_fd_by_id',
  'obj_get_info_by_fd',
  'prog_query',
  'raw_tracepoint_open',
  'btf_load',
  'btf_get_fd_by_id',
  'task_fd_query',
  'map_lookup_and_delete_elem',
  'map_freeze',
  'btf_get_next_id',
  'map_lookup_batch',
  'map_lookup_and_delete_batch',
  'map_update_batch',
  'map_delete_batch',
  'link_create',
  'link_update',
  'link_get_fd_by_id',
  'link_get_next_id',
  'enable_stats',
  'iter_create',
  'link_detach',
  'prog_bind_map',
] as const;
export type BpfCommand = (typeof BPF_COMMANDS)[number];

/** Flags and limits, with their C names. */
export const uapi = {
  BPF_ANY: 0,
  BPF_NOEXIST: 1,
  BPF_EXIST: 2,
  BPF_F_LOCK: 4,
  BPF_F_NO_PREALLOC: 1,
  BPF_F_NO_COMMON_LRU: 2,
  BPF_F_NUMA_NODE: 4,
  BPF_F_RDONLY: 8,
  BPF_F_WRONLY: 0x10,
  BPF_F_STACK_BUILD_ID: 0x20,
  BPF_F_ZERO_SEED: 0x40,
  BPF_F_RDONLY_PROG: 0x80,
  BPF_F_WRONLY_PROG: 0x100,
  BPF_F_CLONE: 0x200,
  BPF_F_MMAPABLE: 0x400,
  BPF_F_PRESERVE_ELEMS: 0x800,
  BPF_F_INNER_MAP: 0x1000,
  BPF_F_STRICT_ALIGNMENT: 1,
  BPF_F_ANY_ALIGNMENT: 2,
  BPF_F_TEST_RND_HI32: 4,
  BPF_F_TEST_STATE_FREQ: 8,
  BPF_F_SLEEPABLE: 0x10,
  BPF_F_XDP_HAS_FRAGS: 0x20,
  BPF_F_ALLOW_OVERRIDE: 1,
  BPF_F_ALLOW_MULTI: 2,
  BPF_F_REPLACE: 4,
  BPF_F_TEST_RUN_ON_CPU: 1,
  BPF_F_TEST_XDP_LIVE_FRAMES: 2,
  BPF_F_QUERY_EFFECTIVE: 1,
  BPF_RB_NO_WAKEUP: 1,
  BPF_RB_FORCE_WAKEUP: 2,
  BPF_RB_AVAIL_DATA: 0,
  BPF_RB_RING_SIZE: 1,
  BPF_RB_CONS_POS: 2,
  BPF_RB_PROD_POS: 3,
  BPF_RINGBUF_BUSY_BIT: 0x80000000,
  BPF_RINGBUF_DISCARD_BIT: 0x40000000,
  BPF_RINGBUF_HDR_SZ: 8,
  BPF_F_CURRENT_CPU: 0xffffffff,
  BPF_F_INDEX_MASK: 0xffffffff,
  BPF_F_USER_STACK: 0x100,
  BPF_F_SKIP_FIELD_MASK: 0xff,
  BPF_F_FAST_STACK_CMP: 0x200,
  BPF_F_REUSE_STACKID: 0x400,
  BPF_F_USER_BUILD_ID: 0x800,
  BPF_PSEUDO_MAP_FD: 1,
  BPF_PSEUDO_MAP_IDX: 5,
  BPF_PSEUDO_MAP_VALUE: 2,
  BPF_PSEUDO_MAP_IDX_VALUE: 6,
  BPF_PSEUDO_BTF_ID: 3,
  BPF_PSEUDO_FUNC: 4,
  BPF_PSEUDO_CALL: 1,
  BPF_PSEUDO_KFUNC_CALL: 2,
  /** Stack of one BPF frame, bytes (include/linux/filter.h). */
  MAX_BPF_STACK: 512,
  MAX_TAIL_CALL_CNT: 33,
  /** include/linux/bpf.h */
  BPF_OBJ_NAME_LEN: 16,
  BPF_TAG_SIZE: 8,
  BPF_COMPLEXITY_LIMIT_INSNS: 1000000,
  BPF_MAXINSNS: 4096,
} as const;

/** enum xdp_action. */
export const XDP_ACTIONS = ['aborted', 'drop', 'pass', 'tx', 'redirect'] as const;
export const XDP_ABORTED = 0;
export const XDP_DROP = 1;
export const XDP_PASS = 2;
export const XDP_TX = 3;
export const XDP_REDIRECT = 4;
