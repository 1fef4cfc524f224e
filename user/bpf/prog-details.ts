/**
 * The parts of bpf_prog_info that have a size of their own: instructions, machine code, lines.
 * Asked for in two steps, first the sizes, then the contents.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { BPF_FUNC_INFO, BPF_LINE_INFO, BPF_PROG_INFO } from '../../bpf/info.ts';
import { command } from '../../bpf/loader/commands.ts';
import type { ValuesOf } from '../../bpf/record.ts';
import { progInfo, type ProgInfo } from './objects.ts';
import type { ProcessBpf } from './user.ts';

export interface Wanted {
  readonly xlated?: boolean;
  readonly jited?: boolean;
  readonly mapIds?: boolean;
  readonly funcInfo?: boolean;
  readonly lineInfo?: boolean;
}

export interface ProgDetails {
  readonly info: ProgInfo;
  readonly xlated: Uint8Array;
  readonly jited: Uint8Array;
  readonly mapIds: readonly number[];
  readonly funcs: readonly ValuesOf<typeof BPF_FUNC_INFO>[];
  readonly lines: readonly ValuesOf<typeof BPF_LINE_INFO>[];
  /** Addresses of the program's functions, and bytes of machine code of each. */
  readonly ksyms: readonly bigint[];
  readonly funcLens: readonly number[];
}

export function* progDetails(
  user: ProcessBpf,
  fd: number,
  wanted: Wanted,
): UserFlow<ProgDetails | number> {
  const sizes = yield* progInfo(user, fd);
  if (typeof sizes === 'number') return sizes;
  const bytesOf = (isWanted: boolean | undefined, count: number, each: number): number =>
    isWanted ? count * each : 0;
  const { sizeBytes: funcBytes } = BPF_FUNC_INFO;
  const { sizeBytes: lineBytes } = BPF_LINE_INFO;
  const lengths = {
    xlated: bytesOf(wanted.xlated, sizes.xlated_prog_len, 1),
    jited: bytesOf(wanted.jited, sizes.jited_prog_len, 1),
    mapIds: bytesOf(wanted.mapIds, sizes.nr_map_ids, 4),
    funcs: bytesOf(wanted.funcInfo, sizes.nr_func_info, funcBytes),
    lines: bytesOf(wanted.lineInfo, sizes.nr_line_info, lineBytes),
    ksyms: bytesOf(wanted.jited || wanted.xlated, sizes.nr_jited_ksyms, 8),
    funcLens: bytesOf(wanted.jited, sizes.nr_jited_func_lens, 4),
  };
  const at: Record<string, bigint> = {};
  for (const [name, length] of Object.entries(lengths)) {
    at[name] = length === 0 ? 0n : yield* user.place(new Uint8Array(length));
  }
  const ask = yield* user.place(
    BPF_PROG_INFO.encode({
      xlated_prog_len: lengths.xlated,
      xlated_prog_insns: at.xlated,
      jited_prog_len: lengths.jited,
      jited_prog_insns: at.jited,
      nr_map_ids: lengths.mapIds / 4,
      map_ids: at.mapIds,
      nr_func_info: lengths.funcs / funcBytes,
      func_info_rec_size: lengths.funcs > 0 ? funcBytes : 0,
      func_info: at.funcs,
      nr_line_info: lengths.lines / lineBytes,
      line_info_rec_size: lengths.lines > 0 ? lineBytes : 0,
      line_info: at.lines,
      nr_jited_ksyms: lengths.ksyms / 8,
      jited_ksyms: at.ksyms,
      nr_jited_func_lens: lengths.funcLens / 4,
      jited_func_lens: at.funcLens,
    }),
  );
  const values = { bpf_fd: fd, info_len: BPF_PROG_INFO.sizeBytes, info: ask };
  const { result } = yield* command(user, 'obj_get_info_by_fd', values);
  const info = BPF_PROG_INFO.decode(user.read(ask, BPF_PROG_INFO.sizeBytes));
  const read = (name: keyof typeof lengths): Uint8Array =>
    lengths[name] === 0 ? new Uint8Array(0) : user.read(at[name]!, lengths[name]);
  const details: ProgDetails = {
    info,
    xlated: read('xlated'),
    jited: read('jited'),
    mapIds: words(read('mapIds')),
    funcs: rows(read('funcs'), BPF_FUNC_INFO),
    lines: rows(read('lines'), BPF_LINE_INFO),
    ksyms: quads(read('ksyms')),
    funcLens: words(read('funcLens')),
  };
  yield* user.release();
  return result < 0 ? result : details;
}

function rows<T>(
  bytes: Uint8Array,
  record: { readonly sizeBytes: number; decode(bytes: Uint8Array): T },
): T[] {
  const out: T[] = [];
  for (let at = 0; at < bytes.length; at += record.sizeBytes) {
    out.push(record.decode(bytes.subarray(at, at + record.sizeBytes)));
  }
  return out;
}

function words(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function quads(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, i) => view.getBigUint64(8 * i, true));
}
