/**
 * `struct bpf_map`, which a program's ld_imm64 of a map points at, and `struct bpf_array`.
 * Layout of Linux 6.1 on x86-64 with CONFIG_SECURITY and CONFIG_MEMCG_KMEM (Debian's), so that
 * programs that read a map's members through BTF find them. `bpf/native/map.h` declares the same
 * for the C core; bpf/native/layout.test.ts holds both together.
 */
import type { ViewOf } from './struct.ts';
import {
  array,
  bool,
  charArray,
  embed,
  i32,
  i64,
  pointer,
  struct,
  u32,
  u64,
  ulong,
} from './struct.ts';

export const BpfMapStruct = struct(
  'bpf_map',
  {
    ops: pointer('bpf_map_ops'),
    inner_map_meta: pointer('bpf_map'),
    security: pointer('void'),
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_extra: u64,
    map_flags: u32,
    /** Offset in the value, or negative. */
    spin_lock_off: i32,
    kptr_off_tab: pointer('bpf_map_value_off'),
    timer_off: i32,
    id: u32,
    numa_node: i32,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
    btf_vmlinux_value_type_id: u32,
    btf: pointer('btf'),
    objcg: pointer('obj_cgroup'),
    name: charArray(16),
    off_arr: pointer('bpf_map_off_arr'),
    refcnt: i64,
    usercnt: i64,
    /**
     * differs: the union of work_struct and rcu_head, of no use without deferred freeing, holds
     * what the C core keeps per map.
     */
    cpu_stride: u32,
    cpu_count: u32,
    work: array(u32, 6),
    freeze_mutex: array(ulong, 4),
    writecnt: i64,
    owner_lock: u32,
    owner: pointer('bpf_map_owner'),
    bypass_spec_v1: bool,
    frozen: bool,
    free_after_mult_rcu_gp: bool,
    elem_count: pointer('void'),
    cookie: u64,
  },
  { size: 256 },
);
export type BpfMapView = ViewOf<typeof BpfMapStruct>;

/** Array-like maps: the elements, or pointers to them, follow at `value`. */
export const BpfArrayStruct = struct('bpf_array', {
  map: embed(BpfMapStruct),
  elem_size: u32,
  index_mask: u32,
  aux: pointer('bpf_array_aux'),
});
/** Offset of the first element, or of the first pointer to one. */
export const BPF_ARRAY_VALUE = BpfArrayStruct.size;
