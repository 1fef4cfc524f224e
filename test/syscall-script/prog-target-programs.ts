/** Programs with functions to attach to, and how prog-target-scripts.ts loads and runs them. */
import { assemble } from '../../bpf/asm/assemble.ts';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import { intType } from '../../bpf/btf/structs.ts';
import { PROG_TYPES, type AttachType, type ProgType } from '../../bpf/uapi.ts';
import { attachType, type Values } from './kernel-objects.ts';
import { toHex, type Value } from './script.ts';
import { word, type Writer } from './writer.ts';

const btf = new BtfBuilder();
export const int = btf.add(intType('int', 4, true));
const long = btf.add(intType('long', 8, true));
const short = btf.add(intType('short', 2, true));
const pointerTo = (type: number) => btf.add({ kind: 'ptr', name: '', type });
const struct = (name: string) =>
  btf.add({
    kind: 'struct',
    name,
    size: 4,
    members: [{ name: 'x', type: int, bitOffset: 0, bitSize: 0 }],
    kindFlag: false,
  });
const xdp = pointerTo(struct('xdp_md'));
const skb = pointerTo(struct('__sk_buff'));
const other = pointerTo(struct('other'));
const number = pointerTo(int);
const color = btf.add({
  kind: 'enum',
  name: 'color',
  size: 4,
  signed: false,
  values: [{ name: 'RED', value: 0n }],
});
const func = (
  name: string,
  types: readonly number[],
  returnType = int,
  linkage: 'static' | 'global' = 'global',
): number => {
  const params = types.map((type, i) => ({ name: `a${i}`, type }));
  const proto = btf.add({ kind: 'func_proto', name: '', returnType, params });
  return btf.add({ kind: 'func', name, type: proto, linkage });
};
export const ID = {
  main: func('xdp_main', [xdp]),
  glob: func('glob', [xdp]),
  num: func('num', [int, int]),
  stat: func('stat', [int], int, 'static'),
  loose: func('loose', [other], int, 'static'),
  dead: func('dead', [xdp]),
  byPointer: func('by_pointer', [number]),
  extCtx: func('ext_ctx', [xdp]),
  extNum: func('ext_num', [int, int]),
  extOne: func('ext_one', [int]),
  extLong: func('ext_long', [long, int]),
  extShort: func('ext_short', [short, int]),
  extEnum: func('ext_enum', [color, int]),
  extSkb: func('ext_skb', [skb]),
  extVoid: func('ext_void', [xdp], 0),
  extReturnsLong: func('ext_returns_long', [xdp], long),
  extStatic: func('ext_static', [xdp], int, 'static'),
  extPointer: func('ext_pointer', [number]),
  extMixed: func('ext_mixed', [int, xdp]),
  filter: func('filter', [skb]),
} as const;
export const BTF = btf.build().bytes;

/** 1, then 1 + 5, + 10, + 100: 116. */
export const TARGET = `r6 = r1
call glob
r7 = r0
r1 = r7
r2 = 5
call num
r7 = r0
r1 = r7
call stat
r7 = r0
r1 = r6
call loose
r0 += r7
exit
glob:
r0 = 1
exit
num:
r0 = r1
r0 += r2
exit
stat:
r0 = r1
r0 += 10
exit
loose:
r0 = 100
exit`;
export const TARGET_FUNCS = [
  [0, ID.main],
  [14, ID.glob],
  [16, ID.num],
  [19, ID.stat],
  [22, ID.loose],
] as const;

export type Funcs = readonly (readonly [insn: number, id: number])[];

/** Loads programs of one BTF; each with the log's text. */
export function loader(w: Writer, log = true) {
  const btfFd = w.call('btf_load', { btf: w.buf(toHex(BTF)), btf_size: BTF.length });
  return (
    type: ProgType,
    asm: string,
    funcs: Funcs,
    more: Values = {},
    fds: readonly (readonly [number, string])[] = [],
  ): string => {
    const buffer = w.buf(8192);
    const prog = w.call('prog_load', {
      prog_type: PROG_TYPES.indexOf(type),
      insns: w.asm(asm, fds),
      insn_cnt: assemble(asm).length,
      license: w.text('GPL'),
      ...(funcs.length > 0 && {
        prog_btf_fd: btfFd,
        func_info: w.buf(funcs.flat().map(word).join('')),
        func_info_rec_size: 8,
        func_info_cnt: funcs.length,
      }),
      ...(log && { log_buf: buffer, log_size: 8192, log_level: 1 }),
      ...more,
    });
    if (log) w.log(buffer);
    return prog;
  };
}

export type Load = ReturnType<typeof loader>;

export const loadTarget = (load: Load) =>
  load('xdp', TARGET, TARGET_FUNCS, { log_level: 0, log_buf: 0, log_size: 0 });

export function run(w: Writer, prog: Value): void {
  w.call('prog_test_run', { prog_fd: prog, data_in: w.buf('00'.repeat(64)), data_size_in: 64 });
}

export const replacing = (load: Load, fd: Value, id: number, own: number, asm = 'r0 = 3\nexit') =>
  load('ext', asm, [[0, own]], { attach_prog_fd: fd, attach_btf_id: id });
export const around = (
  load: Load,
  how: AttachType,
  fd: Value,
  id: number,
  asm = 'r0 = 0\nexit',
  fds: readonly (readonly [number, string])[] = [],
) =>
  load(
    'tracing',
    asm,
    [],
    { attach_prog_fd: fd, attach_btf_id: id, expected_attach_type: attachType(how) },
    fds,
  );
