/**
 * What BPF_OBJ_GET_INFO_BY_FD fills, and the records that PROG_LOAD takes (UAPI linux/bpf.h, 6.1).
 */
import { NAME, U32, U64, rawBytes, record } from './record.ts';

export const BPF_PROG_INFO = record({
  type: U32,
  id: U32,
  tag: rawBytes(8),
  jited_prog_len: U32,
  xlated_prog_len: U32,
  jited_prog_insns: U64,
  xlated_prog_insns: U64,
  /** Nanoseconds since boot. */
  load_time: U64,
  created_by_uid: U32,
  nr_map_ids: U32,
  map_ids: U64,
  name: NAME,
  ifindex: U32,
  /** Bit 0 of 32. */
  gpl_compatible: U32,
  netns_dev: U64,
  netns_ino: U64,
  nr_jited_ksyms: U32,
  nr_jited_func_lens: U32,
  jited_ksyms: U64,
  jited_func_lens: U64,
  btf_id: U32,
  func_info_rec_size: U32,
  func_info: U64,
  nr_func_info: U32,
  nr_line_info: U32,
  line_info: U64,
  jited_line_info: U64,
  nr_jited_line_info: U32,
  line_info_rec_size: U32,
  jited_line_info_rec_size: U32,
  nr_prog_tags: U32,
  prog_tags: U64,
  run_time_ns: U64,
  run_cnt: U64,
  recursion_misses: U64,
  verified_insns: U32,
  attach_btf_obj_id: U32,
  attach_btf_id: U32,
  pad: U32,
});

export const BPF_MAP_INFO = record({
  type: U32,
  id: U32,
  key_size: U32,
  value_size: U32,
  max_entries: U32,
  map_flags: U32,
  name: NAME,
  ifindex: U32,
  btf_vmlinux_value_type_id: U32,
  netns_dev: U64,
  netns_ino: U64,
  btf_id: U32,
  btf_key_type_id: U32,
  btf_value_type_id: U32,
  pad: U32,
  map_extra: U64,
});

export const BPF_BTF_INFO = record({
  btf: U64,
  btf_size: U32,
  id: U32,
  name: U64,
  name_len: U32,
  kernel_btf: U32,
});

/** The union by link type starts at 16. */
export const BPF_LINK_INFO = record(
  {
    type: U32,
    id: U32,
    prog_id: U32,
    tp_name: U64,
    tp_name_len: U32,
    tracing_attach_type: U32,
    tracing_target_obj_id: U32,
    tracing_target_btf_id: U32,
    cgroup_id: U64,
    cgroup_attach_type: U32,
    iter_target_name: U64,
    iter_target_name_len: U32,
    iter_map_id: U32,
    iter_tid: U32,
    iter_pid: U32,
    netns_ino: U32,
    netns_attach_type: U32,
    xdp_ifindex: U32,
  },
  {
    tp_name: 16,
    tp_name_len: 24,
    tracing_attach_type: 16,
    tracing_target_obj_id: 20,
    tracing_target_btf_id: 24,
    cgroup_id: 16,
    cgroup_attach_type: 24,
    iter_target_name: 16,
    iter_target_name_len: 24,
    iter_map_id: 28,
    iter_tid: 32,
    iter_pid: 36,
    netns_ino: 16,
    netns_attach_type: 20,
    xdp_ifindex: 16,
  },
);
/** sizeof(struct bpf_link_info). */
export const BPF_LINK_INFO_BYTES = 48;

/** struct bpf_func_info, bpf_line_info and bpf_core_relo. */
export const BPF_FUNC_INFO = record({ insn_off: U32, type_id: U32 });
export const BPF_LINE_INFO = record({
  insn_off: U32,
  file_name_off: U32,
  line_off: U32,
  /** Line number above 10 bits of column. */
  line_col: U32,
});
export const BPF_CORE_RELO = record({
  insn_off: U32,
  type_id: U32,
  access_str_off: U32,
  kind: U32,
});
