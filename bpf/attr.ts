/**
 * `union bpf_attr` (UAPI linux/bpf.h, 6.1): one layout a command, used by whoever fills it in (the
 * loader, bpftool) and by bpf(2) that reads it.
 *
 *   attrOf.prog_load.over(bytes).insn_cnt     members over plain bytes
 *   ATTR_BYTES                                sizeof(union bpf_attr)
 *   attrEnd('prog_load')                      bytes the command looks at; the rest must be zero
 *   newAttr('map_create', {map_type: 1, …})   a zeroed attr with some members set
 *
 * A layout ends with the command's CHECK_ATTR field. User addresses are u64 members (bigint).
 */
import type { AnyStruct, ViewOf } from '../kernel/types/struct.ts';
import { charArray, struct, u32, u64 } from '../kernel/types/struct.ts';
import type { BpfCommand } from './uapi.ts';

/** sizeof(union bpf_attr) in 6.1. */
export const ATTR_BYTES = 144;

const elem = struct('elem', { map_fd: u32, key: u64, value: u64, flags: u64 });
const batch = struct('batch', {
  in_batch: u64,
  out_batch: u64,
  keys: u64,
  values: u64,
  /** In: elements wanted or given; out: elements done. */
  count: u32,
  map_fd: u32,
  elem_flags: u64,
  flags: u64,
});
const obj = struct('obj', { pathname: u64, bpf_fd: u32, file_flags: u32 });
const nextId = struct('next_id', { start_id: u32, next_id: u32 });

export const attrOf = {
  map_create: struct('map_create', {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: charArray(16),
    map_ifindex: u32,
    btf_fd: u32,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
    btf_vmlinux_value_type_id: u32,
    map_extra: u64,
  }),
  map_lookup_elem: elem,
  map_update_elem: elem,
  map_lookup_and_delete_elem: elem,
  map_delete_elem: struct('map_delete_elem', { map_fd: u32, key: u64 }),
  map_get_next_key: struct('map_get_next_key', { map_fd: u32, key: u64, next_key: u64 }),
  map_freeze: struct('map_freeze', { map_fd: u32 }),
  map_lookup_batch: batch,
  map_lookup_and_delete_batch: batch,
  map_update_batch: batch,
  map_delete_batch: batch,
  prog_load: struct('prog_load', {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: charArray(16),
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    /** Or attach_btf_obj_fd. */
    attach_prog_fd: u32,
    core_relo_cnt: u32,
    fd_array: u64,
    core_relos: u64,
    core_relo_rec_size: u32,
  }),
  obj_pin: obj,
  obj_get: obj,
  prog_attach: struct('prog_attach', {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
  }),
  prog_detach: struct('prog_detach', { target_fd: u32, attach_bpf_fd: u32, attach_type: u32 }),
  prog_test_run: struct('prog_test_run', {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    /** In: size of the buffer; out: bytes of packet. */
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    /** Out: nanoseconds a run. */
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
  }),
  prog_get_next_id: nextId,
  map_get_next_id: nextId,
  btf_get_next_id: nextId,
  link_get_next_id: nextId,
  prog_get_fd_by_id: struct('prog_get_fd_by_id', { prog_id: u32 }),
  map_get_fd_by_id: struct('map_get_fd_by_id', { map_id: u32, next_id: u32, open_flags: u32 }),
  btf_get_fd_by_id: struct('btf_get_fd_by_id', { btf_id: u32 }),
  link_get_fd_by_id: struct('link_get_fd_by_id', { link_id: u32 }),
  obj_get_info_by_fd: struct('obj_get_info_by_fd', { bpf_fd: u32, info_len: u32, info: u64 }),
  prog_query: struct('prog_query', {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    prog_attach_flags: u64,
  }),
  raw_tracepoint_open: struct('raw_tracepoint_open', { name: u64, prog_fd: u32 }),
  btf_load: struct('btf_load', {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
  }),
  task_fd_query: struct('task_fd_query', {
    pid: u32,
    fd: u32,
    flags: u32,
    buf_len: u32,
    buf: u64,
    prog_id: u32,
    fd_type: u32,
    probe_offset: u64,
    probe_addr: u64,
  }),
  link_create: struct('link_create', {
    prog_fd: u32,
    /** Or target_ifindex. */
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    /**
     * The union of the attach types' own members, as the largest (kprobe_multi) has it. Byte 16
     * is also target_btf_id, iter_info and perf_event.bpf_cookie; see `linkCreateUnion`.
     */
    kprobe_flags: u32,
    kprobe_cnt: u32,
    syms: u64,
    addrs: u64,
    cookies: u64,
  }),
  link_update: struct('link_update', {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
  }),
  link_detach: struct('link_detach', { link_fd: u32 }),
  enable_stats: struct('enable_stats', { type: u32 }),
  iter_create: struct('iter_create', { link_fd: u32, flags: u32 }),
  prog_bind_map: struct('prog_bind_map', { prog_fd: u32, map_fd: u32, flags: u32 }),
} as const satisfies Record<BpfCommand, AnyStruct>;

/** The other readings of link_create's bytes from 16 on. */
export const linkCreateUnion = {
  tracing: struct('tracing', { target_btf_id: u32, cookie: u64 }),
  iter: struct('iter', { iter_info: u64, iter_info_len: u32 }),
  perf_event: struct('perf_event', { bpf_cookie: u64 }),
} as const;
export const LINK_CREATE_UNION_AT = 16;

export type AttrOf<C extends BpfCommand> = ViewOf<(typeof attrOf)[C]>;

/** End of the command's last member: everything after it must be zero (-EINVAL). */
export function attrEnd(command: BpfCommand): number {
  const layout: AnyStruct = attrOf[command];
  return Math.max(
    ...Object.entries(layout.members).map(([name, type]) => layout.offsets[name]! + type.size),
  );
}

type Settable<C extends BpfCommand> = Partial<Omit<AttrOf<C>, 'ram' | 'offset'>>;

/** A zeroed attr with some members set. */
export function newAttr<C extends BpfCommand>(
  command: C,
  members: Settable<C>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ATTR_BYTES);
  Object.assign(attrOf[command].over(bytes), members);
  return bytes;
}
