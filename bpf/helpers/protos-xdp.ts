/** Prototypes of helpers. XDP. Facts: Linux 6.1's bpf_func_proto tables. */
import {
  ANYTHING,
  CTX,
  INTEGER,
  MAP,
  MEM,
  MEM_RDONLY,
  RESULT_U32,
  SIZE,
  SIZE_OR_ZERO,
  UNINIT_MEM,
  row,
} from './prototype.ts';

export const xdpHelpers = [
  row(23, 'redirect', [ANYTHING, ANYTHING], INTEGER, { proto: 'xdp_redirect' }),
  row(25, 'perf_event_output', [CTX, MAP, ANYTHING, MEM_RDONLY, SIZE_OR_ZERO], INTEGER, {
    proto: 'xdp_event_output',
    gplOnly: true,
  }),
  row(44, 'xdp_adjust_head', [CTX, ANYTHING], INTEGER, { changesPacket: true }),
  row(51, 'redirect_map', [MAP, ANYTHING, ANYTHING], INTEGER, { proto: 'xdp_redirect_map' }),
  row(54, 'xdp_adjust_meta', [CTX, ANYTHING], INTEGER, { changesPacket: true }),
  row(65, 'xdp_adjust_tail', [CTX, ANYTHING], INTEGER, { changesPacket: true }),
  row(69, 'fib_lookup', [CTX, MEM, SIZE, ANYTHING], INTEGER, {
    proto: 'xdp_fib_lookup',
    gplOnly: true,
  }),
  row(163, 'check_mtu', [CTX, ANYTHING, RESULT_U32, ANYTHING, ANYTHING], INTEGER, {
    proto: 'xdp_check_mtu',
    gplOnly: true,
  }),
  row(188, 'xdp_get_buff_len', [CTX], INTEGER),
  row(189, 'xdp_load_bytes', [CTX, ANYTHING, UNINIT_MEM, SIZE], INTEGER),
  row(190, 'xdp_store_bytes', [CTX, ANYTHING, MEM_RDONLY, SIZE], INTEGER),
];
