/**
 * `union bpf_attr` of bpf(2), one layout a command (UAPI linux/bpf.h, 6.1). User space encodes,
 * the kernel decodes; nothing else states an offset.
 *
 *   encodeAttr('map_create', { map_type: 1, … })   bytes to pass, with their length as `size`
 *   decodeAttr('map_create', bytes)                values; missing bytes are 0, as in Linux
 *   tailIsZero('map_create', bytes)                CHECK_ATTR: nothing set after the last field
 *   ATTR.prog_test_run.offsets.retval              where the kernel writes a result
 *
 * A layout ends with the field that Linux calls the command's LAST_FIELD.
 */
import type { Record_, ValuesOf } from './record.ts';
import { NAME, U32, U64, record } from './record.ts';
import type { BpfCommand } from './uapi.ts';

/** sizeof(union bpf_attr); a larger attr must be 0 beyond it (-E2BIG). */
export const BPF_ATTR_BYTES = 144;

const elem = { map_fd: U32, key: U64 } as const;
const batch = record({
  in_batch: U64,
  out_batch: U64,
  keys: U64,
  values: U64,
  count: U32,
  map_fd: U32,
  elem_flags: U64,
  flags: U64,
});
const object = record({ pathname: U64, bpf_fd: U32, file_flags: U32 });
const nextId = record({ start_id: U32, next_id: U32 });

export const ATTR = {
  map_create: record({
    map_type: U32,
    key_size: U32,
    value_size: U32,
    max_entries: U32,
    map_flags: U32,
    inner_map_fd: U32,
    numa_node: U32,
    map_name: NAME,
    map_ifindex: U32,
    btf_fd: U32,
    btf_key_type_id: U32,
    btf_value_type_id: U32,
    btf_vmlinux_value_type_id: U32,
    map_extra: U64,
  }),
  map_lookup_elem: record({ ...elem, value: U64, flags: U64 }),
  map_update_elem: record({ ...elem, value: U64, flags: U64 }),
  map_delete_elem: record(elem),
  map_get_next_key: record({ ...elem, next_key: U64 }),
  map_lookup_and_delete_elem: record({ ...elem, value: U64, flags: U64 }),
  map_freeze: record({ map_fd: U32 }),
  map_lookup_batch: batch,
  map_lookup_and_delete_batch: batch,
  map_update_batch: batch,
  map_delete_batch: batch,
  prog_load: record(
    {
      prog_type: U32,
      insn_cnt: U32,
      insns: U64,
      license: U64,
      log_level: U32,
      log_size: U32,
      log_buf: U64,
      kern_version: U32,
      prog_flags: U32,
      prog_name: NAME,
      prog_ifindex: U32,
      expected_attach_type: U32,
      prog_btf_fd: U32,
      func_info_rec_size: U32,
      func_info: U64,
      func_info_cnt: U32,
      line_info_rec_size: U32,
      line_info: U64,
      line_info_cnt: U32,
      attach_btf_id: U32,
      attach_prog_fd: U32,
      /** Shares its place with attach_prog_fd. */
      attach_btf_obj_fd: U32,
      core_relo_cnt: U32,
      fd_array: U64,
      core_relos: U64,
      core_relo_rec_size: U32,
    },
    { attach_btf_obj_fd: 112 },
  ),
  obj_pin: object,
  obj_get: object,
  prog_attach: record({
    target_fd: U32,
    attach_bpf_fd: U32,
    attach_type: U32,
    attach_flags: U32,
    replace_bpf_fd: U32,
  }),
  prog_detach: record({ target_fd: U32, attach_bpf_fd: U32, attach_type: U32 }),
  prog_test_run: record({
    prog_fd: U32,
    retval: U32,
    data_size_in: U32,
    data_size_out: U32,
    data_in: U64,
    data_out: U64,
    repeat: U32,
    duration: U32,
    ctx_size_in: U32,
    ctx_size_out: U32,
    ctx_in: U64,
    ctx_out: U64,
    flags: U32,
    cpu: U32,
    batch_size: U32,
  }),
  prog_get_next_id: nextId,
  map_get_next_id: nextId,
  btf_get_next_id: nextId,
  link_get_next_id: nextId,
  prog_get_fd_by_id: record({ prog_id: U32 }),
  map_get_fd_by_id: record({ map_id: U32, next_id: U32, open_flags: U32 }),
  btf_get_fd_by_id: record({ btf_id: U32 }),
  link_get_fd_by_id: record({ link_id: U32 }),
  obj_get_info_by_fd: record({ bpf_fd: U32, info_len: U32, info: U64 }),
  prog_query: record({
    target_fd: U32,
    attach_type: U32,
    query_flags: U32,
    attach_flags: U32,
    prog_ids: U64,
    prog_cnt: U32,
    prog_attach_flags: U64,
  }),
  raw_tracepoint_open: record({ name: U64, prog_fd: U32 }),
  btf_load: record({
    btf: U64,
    btf_log_buf: U64,
    btf_size: U32,
    btf_log_size: U32,
    btf_log_level: U32,
  }),
  task_fd_query: record({
    pid: U32,
    fd: U32,
    flags: U32,
    buf_len: U32,
    buf: U64,
    prog_id: U32,
    fd_type: U32,
    probe_offset: U64,
    probe_addr: U64,
  }),
  /** What follows `flags` is a union by attach type; its members all start at 16. */
  link_create: record(
    {
      prog_fd: U32,
      /** Or target_ifindex. */
      target_fd: U32,
      attach_type: U32,
      flags: U32,
      target_btf_id: U32,
      iter_info: U64,
      iter_info_len: U32,
      perf_event_cookie: U64,
      tracing_cookie: U64,
      kprobe_multi_flags: U32,
      kprobe_multi_cnt: U32,
      kprobe_multi_syms: U64,
      kprobe_multi_addrs: U64,
      kprobe_multi_cookies: U64,
    },
    {
      target_btf_id: 16,
      iter_info: 16,
      iter_info_len: 24,
      perf_event_cookie: 16,
      tracing_cookie: 24,
      kprobe_multi_flags: 16,
      kprobe_multi_cnt: 20,
      kprobe_multi_syms: 24,
      kprobe_multi_addrs: 32,
      kprobe_multi_cookies: 40,
    },
  ),
  link_update: record({ link_fd: U32, new_prog_fd: U32, flags: U32, old_prog_fd: U32 }),
  link_detach: record({ link_fd: U32 }),
  enable_stats: record({ type: U32 }),
  iter_create: record({ link_fd: U32, flags: U32 }),
  prog_bind_map: record({ prog_fd: U32, map_fd: U32, flags: U32 }),
} as const satisfies Record<BpfCommand, unknown>;

type Layouts = typeof ATTR;
/** Values of a command's attr, as the kernel sees them. */
export type AttrOf<C extends BpfCommand> = ValuesOf<Layouts[C]>;
export type AttrInput<C extends BpfCommand> = { readonly [K in keyof AttrOf<C>]?: AttrOf<C>[K] };

export function encodeAttr<C extends BpfCommand>(
  command: C,
  values: AttrInput<C>,
): Uint8Array<ArrayBuffer> {
  return anyLayout(command).encode(values as never);
}

export function decodeAttr<C extends BpfCommand>(command: C, bytes: Uint8Array): AttrOf<C> {
  return anyLayout(command).decode(bytes) as AttrOf<C>;
}

/** Linux refuses (-EINVAL) an attr with anything set behind the command's last field. */
export function tailIsZero(command: BpfCommand, bytes: Uint8Array): boolean {
  return bytes.subarray(ATTR[command].sizeBytes).every((byte) => byte === 0);
}

const anyLayout = (command: BpfCommand) =>
  ATTR[command] as unknown as Record_<Record<string, typeof U32>>;
