/** Prototypes of helpers. Socket buffers: tc, lightweight tunnels, socket filters. Facts: Linux 6.1's bpf_func_proto tables. */
import {
  ANYTHING,
  CTX,
  INTEGER,
  MAP,
  MEM,
  MEM_RDONLY,
  MEM_RDONLY_OR_NULL,
  RESULT_U32,
  SIZE,
  SIZE_OR_ZERO,
  UNINIT_MEM,
  row,
} from './prototype.ts';

export const skbHelpers = [
  row(9, 'skb_store_bytes', [CTX, ANYTHING, MEM_RDONLY, SIZE, ANYTHING], INTEGER, {
    changesPacket: true,
  }),
  row(10, 'l3_csum_replace', [CTX, ANYTHING, ANYTHING, ANYTHING, ANYTHING], INTEGER, {
    changesPacket: true,
  }),
  row(11, 'l4_csum_replace', [CTX, ANYTHING, ANYTHING, ANYTHING, ANYTHING], INTEGER, {
    changesPacket: true,
  }),
  row(13, 'clone_redirect', [CTX, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(18, 'skb_vlan_push', [CTX, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(19, 'skb_vlan_pop', [CTX], INTEGER, { changesPacket: true }),
  row(20, 'skb_get_tunnel_key', [CTX, UNINIT_MEM, SIZE, ANYTHING], INTEGER),
  row(21, 'skb_set_tunnel_key', [CTX, MEM_RDONLY, SIZE, ANYTHING], INTEGER),
  row(23, 'redirect', [ANYTHING, ANYTHING], INTEGER),
  row(24, 'get_route_realm', [CTX], INTEGER),
  row(25, 'perf_event_output', [CTX, MAP, ANYTHING, MEM_RDONLY, SIZE_OR_ZERO], INTEGER, {
    proto: 'skb_event_output',
    gplOnly: true,
  }),
  row(26, 'skb_load_bytes', [CTX, ANYTHING, UNINIT_MEM, SIZE], INTEGER, {
    proto: 'flow_dissector_load_bytes',
  }),
  row(26, 'skb_load_bytes', [CTX, ANYTHING, UNINIT_MEM, SIZE], INTEGER, {
    proto: 'sk_reuseport_load_bytes',
  }),
  row(26, 'skb_load_bytes', [CTX, ANYTHING, UNINIT_MEM, SIZE], INTEGER),
  row(
    28,
    'csum_diff',
    [MEM_RDONLY_OR_NULL, SIZE_OR_ZERO, MEM_RDONLY_OR_NULL, SIZE_OR_ZERO, ANYTHING],
    INTEGER,
    { packetAccess: true },
  ),
  row(29, 'skb_get_tunnel_opt', [CTX, UNINIT_MEM, SIZE], INTEGER),
  row(30, 'skb_set_tunnel_opt', [CTX, MEM_RDONLY, SIZE], INTEGER),
  row(31, 'skb_change_proto', [CTX, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(32, 'skb_change_type', [CTX, ANYTHING], INTEGER),
  row(34, 'get_hash_recalc', [CTX], INTEGER),
  row(38, 'skb_change_tail', [CTX, ANYTHING, ANYTHING], INTEGER, {
    proto: 'sk_skb_change_tail',
    changesPacket: true,
  }),
  row(38, 'skb_change_tail', [CTX, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(39, 'skb_pull_data', [CTX, ANYTHING], INTEGER, {
    proto: 'sk_skb_pull_data',
    changesPacket: true,
  }),
  row(39, 'skb_pull_data', [CTX, ANYTHING], INTEGER, { changesPacket: true }),
  row(40, 'csum_update', [CTX, ANYTHING], INTEGER),
  row(41, 'set_hash_invalid', [CTX], INTEGER),
  row(43, 'skb_change_head', [CTX, ANYTHING, ANYTHING], INTEGER, {
    proto: 'sk_skb_change_head',
    changesPacket: true,
  }),
  row(43, 'skb_change_head', [CTX, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(48, 'set_hash', [CTX, ANYTHING], INTEGER),
  row(50, 'skb_adjust_room', [CTX, ANYTHING, ANYTHING, ANYTHING], INTEGER, {
    proto: 'sk_skb_adjust_room',
    changesPacket: true,
  }),
  row(50, 'skb_adjust_room', [CTX, ANYTHING, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(66, 'skb_get_xfrm_state', [CTX, ANYTHING, UNINIT_MEM, SIZE, ANYTHING], INTEGER),
  row(68, 'skb_load_bytes_relative', [CTX, ANYTHING, UNINIT_MEM, SIZE, ANYTHING], INTEGER, {
    proto: 'sk_reuseport_load_bytes_relative',
  }),
  row(68, 'skb_load_bytes_relative', [CTX, ANYTHING, UNINIT_MEM, SIZE, ANYTHING], INTEGER),
  row(69, 'fib_lookup', [CTX, MEM, SIZE, ANYTHING], INTEGER, {
    proto: 'skb_fib_lookup',
    gplOnly: true,
  }),
  row(73, 'lwt_push_encap', [CTX, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    proto: 'lwt_in_push_encap',
    changesPacket: true,
  }),
  row(73, 'lwt_push_encap', [CTX, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    proto: 'lwt_xmit_push_encap',
    changesPacket: true,
  }),
  row(74, 'lwt_seg6_store_bytes', [CTX, ANYTHING, MEM_RDONLY, SIZE], INTEGER, {
    changesPacket: true,
  }),
  row(75, 'lwt_seg6_adjust_srh', [CTX, ANYTHING, ANYTHING], INTEGER, { changesPacket: true }),
  row(76, 'lwt_seg6_action', [CTX, ANYTHING, MEM_RDONLY, SIZE], INTEGER, { changesPacket: true }),
  row(97, 'skb_ecn_set_ce', [CTX], INTEGER),
  row(135, 'csum_level', [CTX, ANYTHING], INTEGER),
  row(152, 'redirect_neigh', [ANYTHING, MEM_RDONLY_OR_NULL, SIZE_OR_ZERO, ANYTHING], INTEGER),
  row(155, 'redirect_peer', [ANYTHING, ANYTHING], INTEGER),
  row(163, 'check_mtu', [CTX, ANYTHING, RESULT_U32, ANYTHING, ANYTHING], INTEGER, {
    proto: 'skb_check_mtu',
    gplOnly: true,
  }),
  row(192, 'skb_set_tstamp', [CTX, ANYTHING, ANYTHING], INTEGER),
];
