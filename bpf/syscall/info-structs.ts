/**
 * The structs that BPF_OBJ_GET_INFO_BY_FD fills (UAPI linux/bpf.h, 6.1). User addresses and
 * counts are u64/u32 members that are read before they are written, as in Linux.
 */
import { array, charArray, i32, struct, u32, u64, u8 } from '../../kernel/types/struct.ts';

export const ProgInfo = struct('bpf_prog_info', {
  type: u32,
  id: u32,
  tag: array(u8, 8),
  jited_prog_len: u32,
  xlated_prog_len: u32,
  jited_prog_insns: u64,
  xlated_prog_insns: u64,
  load_time: u64,
  created_by_uid: u32,
  nr_map_ids: u32,
  map_ids: u64,
  name: charArray(16),
  ifindex: u32,
  /** Bit 0: gpl_compatible. */
  bits: u32,
  netns_dev: u64,
  netns_ino: u64,
  nr_jited_ksyms: u32,
  nr_jited_func_lens: u32,
  jited_ksyms: u64,
  jited_func_lens: u64,
  btf_id: u32,
  func_info_rec_size: u32,
  func_info: u64,
  nr_func_info: u32,
  nr_line_info: u32,
  line_info: u64,
  jited_line_info: u64,
  nr_jited_line_info: u32,
  line_info_rec_size: u32,
  jited_line_info_rec_size: u32,
  nr_prog_tags: u32,
  prog_tags: u64,
  run_time_ns: u64,
  run_cnt: u64,
  recursion_misses: u64,
  verified_insns: u32,
  attach_btf_obj_id: u32,
  attach_btf_id: u32,
});

export const MapInfo = struct('bpf_map_info', {
  type: u32,
  id: u32,
  key_size: u32,
  value_size: u32,
  max_entries: u32,
  map_flags: u32,
  name: charArray(16),
  ifindex: u32,
  btf_vmlinux_value_type_id: u32,
  netns_dev: u64,
  netns_ino: u64,
  btf_id: u32,
  btf_key_type_id: u32,
  btf_value_type_id: u32,
  pad: u32,
  map_extra: u64,
});

export const BtfInfo = struct('bpf_btf_info', {
  btf: u64,
  btf_size: u32,
  id: u32,
  name: u64,
  name_len: u32,
  kernel_btf: u32,
});

/** The common head; the union of the link's type follows at offset 16. */
export const LinkInfoHead = struct(
  'bpf_link_info',
  { type: u32, id: u32, prog_id: u32 },
  { size: 48 },
);

/** Members of struct bpf_link_info's union, by link type. */
export const LINK_INFO = {
  raw_tracepoint: struct('raw_tracepoint', { tp_name: u64, tp_name_len: u32 }),
  tracing: struct('tracing', { attach_type: u32, target_obj_id: u32, target_btf_id: u32 }),
  cgroup: struct('cgroup', { cgroup_id: u64, attach_type: u32 }),
  netns: struct('netns', { netns_ino: u32, attach_type: u32 }),
  xdp: struct('xdp', { ifindex: u32 }),
  iter: struct('iter', { target_name: u64, target_name_len: u32, map_id: u32 }),
  perf_event: struct('perf_event', { pad: i32 }),
} as const;
