/** Prototypes of helpers. Sockets: options, lookup, casts, sockmap, sk_msg, syncookies. Facts: Linux 6.1's bpf_func_proto tables. */
import {
  ANYTHING,
  BTF_SOCK_COMMON,
  BTF_SOCK_RELEASE,
  CTX,
  CTX_OR_NULL,
  INTEGER,
  KEY,
  MAP,
  MEM,
  MEM_RDONLY,
  MEM_WRITE,
  RET_SOCKET_OR_NULL,
  RET_SOCK_COMMON_OR_NULL,
  RET_TCP_SOCK_OR_NULL,
  SIZE,
  SOCKET_OR_NULL,
  SOCK_COMMON,
  UNINIT_MEM,
  btfId,
  fixedMem,
  retBtfIdOrNull,
  row,
} from './prototype.ts';

export const socketHelpers = [
  row(46, 'get_socket_cookie', [CTX], INTEGER),
  row(46, 'get_socket_cookie', [CTX], INTEGER, { proto: 'get_socket_cookie_sock' }),
  row(46, 'get_socket_cookie', [CTX], INTEGER, { proto: 'get_socket_cookie_sock_addr' }),
  row(46, 'get_socket_cookie', [CTX], INTEGER, { proto: 'get_socket_cookie_sock_ops' }),
  row(46, 'get_socket_cookie', [BTF_SOCK_COMMON], INTEGER, { proto: 'get_socket_ptr_cookie' }),
  row(47, 'get_socket_uid', [CTX], INTEGER),
  row(49, 'setsockopt', [BTF_SOCK_COMMON, ANYTHING, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    proto: 'sk_setsockopt',
  }),
  row(49, 'setsockopt', [CTX, ANYTHING, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    proto: 'sock_addr_setsockopt',
  }),
  row(49, 'setsockopt', [CTX, ANYTHING, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    proto: 'sock_ops_setsockopt',
  }),
  row(49, 'setsockopt', [BTF_SOCK_COMMON, ANYTHING, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    proto: 'unlocked_sk_setsockopt',
  }),
  row(52, 'sk_redirect_map', [CTX, MAP, ANYTHING, ANYTHING], INTEGER),
  row(53, 'sock_map_update', [CTX, MAP, KEY, ANYTHING], INTEGER, { packetAccess: true }),
  row(57, 'getsockopt', [BTF_SOCK_COMMON, ANYTHING, ANYTHING, UNINIT_MEM, SIZE], INTEGER, {
    proto: 'sk_getsockopt',
  }),
  row(57, 'getsockopt', [CTX, ANYTHING, ANYTHING, UNINIT_MEM, SIZE], INTEGER, {
    proto: 'sock_addr_getsockopt',
  }),
  row(57, 'getsockopt', [CTX, ANYTHING, ANYTHING, UNINIT_MEM, SIZE], INTEGER, {
    proto: 'sock_ops_getsockopt',
  }),
  row(57, 'getsockopt', [BTF_SOCK_COMMON, ANYTHING, ANYTHING, UNINIT_MEM, SIZE], INTEGER, {
    proto: 'unlocked_sk_getsockopt',
  }),
  row(59, 'sock_ops_cb_flags_set', [CTX, ANYTHING], INTEGER),
  row(60, 'msg_redirect_map', [CTX, MAP, ANYTHING, ANYTHING], INTEGER),
  row(61, 'msg_apply_bytes', [CTX, ANYTHING], INTEGER),
  row(62, 'msg_cork_bytes', [CTX, ANYTHING], INTEGER),
  row(63, 'msg_pull_data', [CTX, ANYTHING, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(64, 'bind', [CTX, MEM_RDONLY, SIZE], INTEGER),
  row(70, 'sock_hash_update', [CTX, MAP, KEY, ANYTHING], INTEGER, { packetAccess: true }),
  row(71, 'msg_redirect_hash', [CTX, MAP, KEY, ANYTHING], INTEGER),
  row(72, 'sk_redirect_hash', [CTX, MAP, KEY, ANYTHING], INTEGER),
  row(82, 'sk_select_reuseport', [CTX, MAP, KEY, ANYTHING], INTEGER),
  row(84, 'sk_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    packetAccess: true,
  }),
  row(84, 'sk_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    proto: 'sock_addr_sk_lookup_tcp',
  }),
  row(84, 'sk_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    proto: 'tc_sk_lookup_tcp',
    packetAccess: true,
  }),
  row(84, 'sk_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    proto: 'xdp_sk_lookup_tcp',
    packetAccess: true,
  }),
  row(85, 'sk_lookup_udp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    packetAccess: true,
  }),
  row(85, 'sk_lookup_udp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    proto: 'sock_addr_sk_lookup_udp',
  }),
  row(85, 'sk_lookup_udp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    proto: 'tc_sk_lookup_udp',
    packetAccess: true,
  }),
  row(85, 'sk_lookup_udp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCKET_OR_NULL, {
    proto: 'xdp_sk_lookup_udp',
    packetAccess: true,
  }),
  row(86, 'sk_release', [BTF_SOCK_RELEASE], INTEGER),
  row(90, 'msg_push_data', [CTX, ANYTHING, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(91, 'msg_pop_data', [CTX, ANYTHING, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(95, 'sk_fullsock', [SOCK_COMMON], RET_SOCKET_OR_NULL),
  row(96, 'tcp_sock', [SOCK_COMMON], RET_TCP_SOCK_OR_NULL),
  row(98, 'get_listener_sock', [SOCK_COMMON], RET_SOCKET_OR_NULL),
  row(99, 'skc_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCK_COMMON_OR_NULL, {
    packetAccess: true,
  }),
  row(99, 'skc_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCK_COMMON_OR_NULL, {
    proto: 'sock_addr_skc_lookup_tcp',
  }),
  row(99, 'skc_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCK_COMMON_OR_NULL, {
    proto: 'tc_skc_lookup_tcp',
    packetAccess: true,
  }),
  row(99, 'skc_lookup_tcp', [CTX, MEM_RDONLY, SIZE, ANYTHING, ANYTHING], RET_SOCK_COMMON_OR_NULL, {
    proto: 'xdp_skc_lookup_tcp',
    packetAccess: true,
  }),
  row(100, 'tcp_check_syncookie', [BTF_SOCK_COMMON, MEM_RDONLY, SIZE, MEM_RDONLY, SIZE], INTEGER, {
    gplOnly: true,
    packetAccess: true,
  }),
  row(110, 'tcp_gen_syncookie', [BTF_SOCK_COMMON, MEM_RDONLY, SIZE, MEM_RDONLY, SIZE], INTEGER, {
    gplOnly: true,
    packetAccess: true,
  }),
  row(116, 'tcp_send_ack', [btfId('tcp_sock'), ANYTHING], INTEGER),
  row(122, 'get_netns_cookie', [CTX_OR_NULL], INTEGER, { proto: 'get_netns_cookie_sk_msg' }),
  row(122, 'get_netns_cookie', [CTX_OR_NULL], INTEGER, { proto: 'get_netns_cookie_sock' }),
  row(122, 'get_netns_cookie', [CTX_OR_NULL], INTEGER, { proto: 'get_netns_cookie_sock_addr' }),
  row(122, 'get_netns_cookie', [CTX_OR_NULL], INTEGER, { proto: 'get_netns_cookie_sock_ops' }),
  row(122, 'get_netns_cookie', [CTX_OR_NULL], INTEGER, { proto: 'get_netns_cookie_sockopt' }),
  row(124, 'sk_assign', [CTX, BTF_SOCK_COMMON, ANYTHING], INTEGER),
  row(124, 'sk_assign', [CTX, SOCKET_OR_NULL, ANYTHING], INTEGER, { proto: 'sk_lookup_assign' }),
  row(136, 'skc_to_tcp6_sock', [BTF_SOCK_COMMON], retBtfIdOrNull('tcp6_sock')),
  row(137, 'skc_to_tcp_sock', [BTF_SOCK_COMMON], retBtfIdOrNull('tcp_sock')),
  row(138, 'skc_to_tcp_timewait_sock', [BTF_SOCK_COMMON], retBtfIdOrNull('tcp_timewait_sock')),
  row(139, 'skc_to_tcp_request_sock', [BTF_SOCK_COMMON], retBtfIdOrNull('tcp_request_sock')),
  row(140, 'skc_to_udp6_sock', [BTF_SOCK_COMMON], retBtfIdOrNull('udp6_sock')),
  row(142, 'load_hdr_opt', [CTX, MEM_WRITE, SIZE, ANYTHING], INTEGER, {
    proto: 'sock_ops_load_hdr_opt',
  }),
  row(143, 'store_hdr_opt', [CTX, MEM_RDONLY, SIZE, ANYTHING], INTEGER, {
    proto: 'sock_ops_store_hdr_opt',
    changesPacket: true,
  }),
  row(144, 'reserve_hdr_opt', [CTX, ANYTHING, ANYTHING], INTEGER, {
    proto: 'sock_ops_reserve_hdr_opt',
  }),
  row(162, 'sock_from_file', [btfId('file')], retBtfIdOrNull('socket')),
  row(178, 'skc_to_unix_sock', [BTF_SOCK_COMMON], retBtfIdOrNull('unix_sock')),
  row(196, 'skc_to_mptcp_sock', [SOCK_COMMON], retBtfIdOrNull('mptcp_sock')),
  row(204, 'tcp_raw_gen_syncookie_ipv4', [fixedMem(20), MEM, SIZE], INTEGER, {
    gplOnly: true,
    packetAccess: true,
  }),
  row(205, 'tcp_raw_gen_syncookie_ipv6', [fixedMem(40), MEM, SIZE], INTEGER, {
    gplOnly: true,
    packetAccess: true,
  }),
  row(206, 'tcp_raw_check_syncookie_ipv4', [fixedMem(20), fixedMem(20)], INTEGER, {
    gplOnly: true,
    packetAccess: true,
  }),
  row(207, 'tcp_raw_check_syncookie_ipv6', [fixedMem(40), fixedMem(20)], INTEGER, {
    gplOnly: true,
    packetAccess: true,
  }),
];
