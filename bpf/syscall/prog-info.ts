/** struct bpf_prog_info of a loaded program (bpf_prog_get_info_by_fd of 6.1). */
import { errno } from '../../kernel/types/errno.ts';
import { BPF_FUNC_INFO, BPF_LINE_INFO, BPF_PROG_INFO } from '../info.ts';
import { encodeInsns } from '../isa/codec.ts';
import { PROG_TYPES } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { withLookups } from './inlined-lookups.ts';
import { dumpableInsns } from './xlated.ts';
import type { ProgObject } from './objects.ts';
import { deviceInfo } from './offload.ts';
import { progSymbols } from './prog-symbols.ts';
import type { BpfSubsystem } from './subsystem.ts';

/** An address. */
const JITED_LINE_BYTES = 8;

export function progInfo(
  bpf: BpfSubsystem,
  object: ProgObject,
  wanted: Uint8Array,
  caller: BpfCaller,
): Uint8Array | number {
  const ask = BPF_PROG_INFO.decode(wanted);
  const { prog, offload } = object;
  if (offload && !offload.device.present) return -errno.ENODEV;
  const { verified } = prog;
  const badSize = (count: number, given: number, known: number) =>
    (count > 0 || given > 0) && given !== known;
  if (
    badSize(ask.nr_func_info, ask.func_info_rec_size, BPF_FUNC_INFO.sizeBytes) ||
    badSize(ask.nr_line_info, ask.line_info_rec_size, BPF_LINE_INFO.sizeBytes) ||
    badSize(ask.nr_jited_line_info, ask.jited_line_info_rec_size, JITED_LINE_BYTES)
  ) {
    return -errno.EINVAL;
  }
  /** Elements of `bytes` that fit `count` go to the caller. False: not writable. */
  const give = (address: bigint, count: number, elementBytes: number, bytes: Uint8Array) =>
    count === 0 || caller.copyToUser(address, bytes.subarray(0, count * elementBytes));

  const mapIds = words(object.maps.map(({ map }) => map.id));
  if (!give(ask.map_ids, ask.nr_map_ids, 4, mapIds)) return -errno.EFAULT;
  const known = {
    type: PROG_TYPES.indexOf(verified.spec.type),
    id: object.id,
    tag: fromHex(prog.tag),
    load_time: BigInt(object.loadedAtNs),
    created_by_uid: object.uid,
    nr_map_ids: object.maps.length,
    map_ids: ask.map_ids,
    name: verified.spec.name,
    gpl_compatible: verified.gplCompatible ? 1 : 0,
    btf_id: object.btf?.id ?? 0,
    func_info_rec_size: BPF_FUNC_INFO.sizeBytes,
    line_info_rec_size: BPF_LINE_INFO.sizeBytes,
    jited_line_info_rec_size: JITED_LINE_BYTES,
    run_time_ns: prog.runTimeNs,
    run_cnt: prog.runCnt,
    recursion_misses: prog.recursionMisses,
    verified_insns: verified.verifiedInsns,
    ...(offload && deviceInfo(offload.device)),
  };
  if (!caller.caps.bpf) return BPF_PROG_INFO.encode(known);

  const dumped = withLookups(verified, dumpableInsns(verified));
  const insns = encodeInsns(dumped.insns);
  /** Reported sizes must not depend on how warm a program happens to be. */
  if (!offload) prog.jit();
  const image = offload?.code.bytes ?? prog.executable.image?.() ?? new Uint8Array();
  const symbols = progSymbols(bpf.host.runtime, object);
  const ksyms = quads(symbols.map(({ address }) => address));
  const lengths = words(prog.executable.functionBytes?.() ?? verified.subprogs.map(() => 0));
  const funcs = rows(
    verified.funcs.map((row) =>
      BPF_FUNC_INFO.encode({ insn_off: dumped.slotOf(row.insn), type_id: row.typeId }),
    ),
  );
  const lines = rows(
    verified.lines.map((row) =>
      BPF_LINE_INFO.encode({
        insn_off: dumped.slotOf(row.insn),
        file_name_off: row.fileOff,
        line_off: row.textOff,
        line_col: (row.line << 10) | row.column,
      }),
    ),
  );
  const tags = rows(symbols.map(({ tag }) => fromHex(tag)));
  const nrFuncs = verified.subprogs.length;
  const copied =
    give(ask.xlated_prog_insns, ask.xlated_prog_len, 1, insns) &&
    give(ask.jited_prog_insns, ask.jited_prog_len, 1, image) &&
    give(ask.jited_ksyms, ask.nr_jited_ksyms, 8, ksyms) &&
    give(ask.jited_func_lens, ask.nr_jited_func_lens, 4, lengths) &&
    give(ask.func_info, ask.nr_func_info, BPF_FUNC_INFO.sizeBytes, funcs) &&
    give(ask.line_info, ask.nr_line_info, BPF_LINE_INFO.sizeBytes, lines) &&
    give(ask.prog_tags, ask.nr_prog_tags, 8, tags);
  if (!copied) return -errno.EFAULT;
  return BPF_PROG_INFO.encode({
    ...known,
    attach_btf_id: verified.spec.attachBtfId ?? 0,
    attach_btf_obj_id: attachBtf(bpf, object),
    xlated_prog_len: insns.length,
    xlated_prog_insns: ask.xlated_prog_insns,
    jited_prog_len: image.length,
    jited_prog_insns: ask.jited_prog_insns,
    nr_jited_ksyms: nrFuncs,
    jited_ksyms: ask.jited_ksyms,
    nr_jited_func_lens: nrFuncs,
    jited_func_lens: ask.jited_func_lens,
    nr_func_info: verified.funcs.length,
    func_info: ask.func_info,
    nr_line_info: verified.lines.length,
    line_info: ask.line_info,
    jited_line_info: ask.jited_line_info,
    nr_prog_tags: nrFuncs,
    prog_tags: ask.prog_tags,
  });
}

/** Whose BTF names what it attaches to: that of a program until it is attached, or the kernel's. */
function attachBtf({ kernelBtf }: BpfSubsystem, { prog, loadedFor }: ProgObject): number {
  const { attachBtfId, attachProg } = prog.verified.spec;
  if (attachProg) return loadedFor?.program.btf?.id ?? 0;
  return attachBtfId === undefined ? 0 : (kernelBtf?.id ?? 0);
}

function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

function quads(values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values.map((v) => BigInt.asUintN(64, v))).buffer);
}

function rows(records: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(records.flatMap((record) => [...record]));
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
