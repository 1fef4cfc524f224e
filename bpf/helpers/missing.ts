/**
 * Helpers whose part of the kernel is missing: which part that is, for the support table, and what a
 * call returns. Where Linux has an answer for a kernel that has nothing there it is Linux's, else
 * -EOPNOTSUPP. By the name of the prototype.
 *
 *   missing[proto]        what is missing; undefined for helpers that have all they need
 *   refusal(answer)       an implementation that returns that
 */
import { errno } from '../../kernel/types/errno.ts';
import type { HelperImplementation } from './helper.ts';

export interface Missing {
  /** The part of the kernel. */
  readonly needs: string;
  /** A result; 'null' for a helper that returns a pointer; absent where it is implemented all the same. */
  readonly answer?: number | 'null';
}

const UNSUPPORTED = -errno.EOPNOTSUPP;
const of = (needs: string, answer: number | 'null' | undefined, protos: string) =>
  protos
    .trim()
    .split(/\s+/)
    .map((proto) => [proto, { needs, ...(answer !== undefined && { answer }) }] as const);

/** SK_DROP, of which a program that cannot redirect lets its packet die. */
const SK_DROP = 0;

export const missing: Readonly<Partial<Record<string, Missing>>> = Object.fromEntries([
  // These find no socket, as in a kernel that has none of that protocol.
  ...of(
    'TCP and UDP',
    undefined,
    `sk_lookup_tcp tc_sk_lookup_tcp xdp_sk_lookup_tcp sock_addr_sk_lookup_tcp sk_lookup_udp
     tc_sk_lookup_udp xdp_sk_lookup_udp sock_addr_sk_lookup_udp skc_lookup_tcp tc_skc_lookup_tcp
     xdp_skc_lookup_tcp sock_addr_skc_lookup_tcp`,
  ),
  ...of(
    'TCP and UDP',
    UNSUPPORTED,
    `sk_setsockopt sk_getsockopt unlocked_sk_setsockopt unlocked_sk_getsockopt
     sk_reuseport_load_bytes sk_reuseport_load_bytes_relative sk_select_reuseport`,
  ),
  ...of(
    'TCP',
    UNSUPPORTED,
    `sock_ops_setsockopt sock_ops_getsockopt sock_ops_cb_flags_set sock_ops_load_hdr_opt
     sock_ops_store_hdr_opt sock_ops_reserve_hdr_opt get_socket_cookie_sock_ops sock_map_update
     sock_hash_update tcp_send_ack`,
  ),
  ...of(
    'streams of sockmaps (TCP)',
    UNSUPPORTED,
    `msg_apply_bytes msg_cork_bytes msg_pull_data msg_push_data msg_pop_data sk_skb_change_tail
     sk_skb_change_head sk_skb_adjust_room`,
  ),
  ...of(
    'streams of sockmaps (TCP)',
    SK_DROP,
    'sk_redirect_map sk_redirect_hash msg_redirect_map msg_redirect_hash',
  ),
  ...of('MPTCP', 'null', 'skc_to_mptcp_sock'),
  ...of(
    'programs of cgroups',
    UNSUPPORTED,
    'sock_addr_setsockopt sock_addr_getsockopt get_socket_cookie_sock_addr bind',
  ),
  ...of(
    'programs of cgroups',
    -errno.EINVAL,
    `sysctl_get_name sysctl_get_current_value sysctl_get_new_value sysctl_set_new_value`,
  ),
  ...of(
    'segment routing (IPv6)',
    undefined,
    `lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action`,
  ),
  // No interface forwards, which is what they say.
  ...of('forwarding of IP', undefined, 'xdp_fib_lookup skb_fib_lookup'),
  ...of('infrared receivers', UNSUPPORTED, 'rc_repeat rc_keydown rc_pointer_rel'),
  ...of('kprobes', -errno.EINVAL, 'override_return'),
  ...of('samples of perf events', -errno.EINVAL, 'perf_prog_read_value'),
  ...of('files as structs in memory', UNSUPPORTED, 'd_path'),
  ...of('files as structs in memory', 'null', 'sock_from_file'),
  ...of('programs of LSM hooks', UNSUPPORTED, 'bprm_opts_set'),
  ...of('IMA', UNSUPPORTED, 'ima_inode_hash ima_file_hash'),
  ...of('per-CPU variables in the kernel’s BTF', 'null', 'per_cpu_ptr this_cpu_ptr'),
  ...of('registers of tasks', 'null', 'task_pt_regs'),
]);

export function refusal(answer: number | 'null'): HelperImplementation {
  return answer === 'null'
    ? { pass: [], returns: 'pointer', bind: () => () => 0 }
    : { pass: [], returns: 'i32', bind: () => () => answer };
}
