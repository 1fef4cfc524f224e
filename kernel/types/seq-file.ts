/** struct seq_file and what iterator programs get beside it, at Linux 6.1's layout (x86-64). */
import { array, i64, pointer, struct, u32, u64, ulong } from './struct.ts';
import type { ViewOf } from './struct.ts';

export const SeqFileStruct = struct('seq_file', {
  buf: pointer('char'),
  size: ulong,
  /** Of the text in `buf`: what has been read, and how much is left. */
  from: ulong,
  count: ulong,
  pad_until: ulong,
  index: i64,
  read_pos: i64,
  lock: array(ulong, 4),
  op: pointer('seq_operations'),
  poll_event: u32,
  file: pointer('file'),
  private: pointer('void'),
});
export type SeqFileView = ViewOf<typeof SeqFileStruct>;

export const BpfIterMeta = struct('bpf_iter_meta', {
  seq: pointer('seq_file'),
  session_id: u64,
  seq_num: u64,
});

/** struct btf_ptr (UAPI linux/bpf.h). */
export const BtfPtr = struct('btf_ptr', { ptr: pointer('void'), type_id: u32, flags: u32 });
