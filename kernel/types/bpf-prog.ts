/**
 * struct bpf_prog, bpf_prog_aux and bpf_link with the members that tools read of them, at Linux
 * 6.1's offsets (x86-64, Debian's configuration).
 */
import { array, charArray, i64, pointer, struct, u16, u32, u64, u8 } from './struct.ts';

export const BpfProgAuxStruct = struct(
  'bpf_prog_aux',
  {
    refcnt: i64,
    used_map_cnt: u32,
    max_ctx_offset: u32,
    stack_depth: u32,
    id: u32,
    func_cnt: u32,
    attach_btf_id: u32,
    attach_func_name: pointer('char'),
    prog: pointer('bpf_prog'),
    load_time: u64,
    verified_insns: u32,
    name: charArray(16),
    btf: pointer('btf'),
  },
  {
    size: 1080,
    offsets: {
      max_ctx_offset: 16,
      stack_depth: 28,
      id: 32,
      attach_btf_id: 44,
      attach_func_name: 192,
      prog: 904,
      load_time: 920,
      verified_insns: 928,
      name: 952,
      btf: 984,
    },
  },
);

export const BpfProgStruct = struct(
  'bpf_prog',
  {
    pages: u16,
    type: u32,
    expected_attach_type: u32,
    len: u32,
    jited_len: u32,
    tag: array(u8, 8),
    aux: pointer('bpf_prog_aux'),
  },
  { size: 72, offsets: { aux: 56 } },
);

export const BpfLinkStruct = struct(
  'bpf_link',
  { refcnt: i64, id: u32, type: u32, ops: pointer('bpf_link_ops'), prog: pointer('bpf_prog') },
  { size: 64 },
);
