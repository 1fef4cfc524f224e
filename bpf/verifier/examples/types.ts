/** Small BTF for examples: what a map's value holds, functions of a program, parts of a kernel. */
import { BtfBuilder } from '../../btf/builder.ts';
import { intType } from '../../btf/structs.ts';
import type { Btf } from '../../btf/btf.ts';

const U32 = intType('unsigned int', 4, false);
const U64 = intType('unsigned long', 8, false);

export const words = (...values: number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from(values).buffer);

/** A map value `struct value { u64 count; struct FIELD field; }`, and its type's id. */
function valueWith(field: string, bytes: number): { readonly btf: Btf; readonly id: number } {
  const builder = new BtfBuilder();
  const u64 = builder.intern(U64);
  const u32 = builder.intern(U32);
  const member = { name: 'opaque', type: u32, bitOffset: 0, bitSize: 0 };
  const inner = builder.add({
    kind: 'struct',
    name: field,
    size: bytes,
    members: [member],
    kindFlag: false,
  });
  const id = builder.add({
    kind: 'struct',
    name: 'value',
    size: 8 + Math.max(8, bytes),
    members: [
      { name: 'count', type: u64, bitOffset: 0, bitSize: 0 },
      { name: 'field', type: inner, bitOffset: 64, bitSize: 0 },
    ],
    kindFlag: false,
  });
  return { btf: builder.build(), id };
}

function mapOf(field: string, bytes: number) {
  const { btf, id } = valueWith(field, bytes);
  return {
    valueBytes: 8 + Math.max(8, bytes),
    maxEntries: 4,
    btf,
    btfKeyTypeId: 1,
    btfValueTypeId: id,
  };
}

/** `{ u64 count; struct bpf_spin_lock lock; }` */
export const lockMap = mapOf('bpf_spin_lock', 4);
/** `{ u64 count; struct bpf_timer timer; }` */
export const timerMap = mapOf('bpf_timer', 16);

/** `{ u64 count; struct task_struct __kptr *task; }` */
export const kptrMap = (() => {
  const builder = new BtfBuilder();
  const u64 = builder.intern(U64);
  const task = builder.add({
    kind: 'struct',
    name: 'task_struct',
    size: 16,
    members: [{ name: 'opaque', type: u64, bitOffset: 0, bitSize: 0 }],
    kindFlag: false,
  });
  const tag = builder.add({ kind: 'type_tag', name: 'kptr', type: task });
  const pointer = builder.add({ kind: 'ptr', name: '', type: tag });
  const id = builder.add({
    kind: 'struct',
    name: 'value',
    size: 16,
    members: [
      { name: 'count', type: u64, bitOffset: 0, bitSize: 0 },
      { name: 'task', type: pointer, bitOffset: 64, bitSize: 0 },
    ],
    kindFlag: false,
  });
  const btf = builder.build();
  return { valueBytes: 16, maxEntries: 4, btf, btfKeyTypeId: 1, btfValueTypeId: id };
})();

/** A main program and one function, `int FUNC(ARGUMENT)`, at an instruction. */
export function functions(
  secondAt: number,
  linkage: 'static' | 'global',
  argument: 'number' | 'pointer to a function' | 'none' = 'none',
): { readonly btf: Btf; readonly funcInfo: Uint8Array } {
  const builder = new BtfBuilder();
  const int = builder.intern(intType('int', 4, true));
  const proto = builder.add({ kind: 'func_proto', name: '', returnType: int, params: [] });
  const main = builder.add({ kind: 'func', name: 'prog', type: proto, linkage: 'global' });
  const pointee = builder.add({ kind: 'ptr', name: '', type: proto });
  const params =
    argument === 'none' ? [] : [{ name: 'arg', type: argument === 'number' ? int : pointee }];
  const second = builder.add({ kind: 'func_proto', name: '', returnType: int, params });
  const func = builder.add({ kind: 'func', name: 'func', type: second, linkage });
  return { btf: builder.build(), funcInfo: words(0, main, secondAt, func) };
}

/** A program of one function with a row of line info for each given instruction. */
export function lines(...insns: number[]): {
  readonly btf: Btf;
  readonly funcInfo: Uint8Array;
  readonly lineInfo: Uint8Array;
} {
  const builder = new BtfBuilder();
  const int = builder.intern(intType('int', 4, true));
  const proto = builder.add({ kind: 'func_proto', name: '', returnType: int, params: [] });
  const main = builder.add({ kind: 'func', name: 'prog', type: proto, linkage: 'global' });
  const file = builder.string('prog.c');
  const text = builder.string('return 0;');
  const rows = insns.flatMap((insn, index) => [insn, file, text, ((index + 1) << 10) | 1]);
  return { btf: builder.build(), funcInfo: words(0, main), lineInfo: words(...rows) };
}

/** A kernel with `struct task_struct { u32 pid; struct task_struct *parent; }` and functions on it. */
export const kernel = (() => {
  const builder = new BtfBuilder();
  const u32 = builder.intern(U32);
  const task = builder.add({ kind: 'fwd', name: 'task_struct', union: false });
  const pointer = builder.add({ kind: 'ptr', name: '', type: task });
  builder.replace(task, {
    kind: 'struct',
    name: 'task_struct',
    size: 16,
    members: [
      { name: 'pid', type: u32, bitOffset: 0, bitSize: 0 },
      { name: 'parent', type: pointer, bitOffset: 64, bitSize: 0 },
    ],
    kindFlag: false,
  });
  const map = builder.add({
    kind: 'struct',
    name: 'bpf_map',
    size: 64,
    members: [{ name: 'map_type', type: u32, bitOffset: 0, bitSize: 0 }],
    kindFlag: false,
  });
  const params = [{ name: 'task', type: pointer }];
  const proto = builder.add({ kind: 'func_proto', name: '', returnType: u32, params });
  const func = builder.add({ kind: 'func', name: 'wake_up_task', type: proto, linkage: 'static' });
  const variable = builder.add({ kind: 'var', name: 'jiffies', type: u32, linkage: 'global' });
  return { btf: builder.build(), func, variable, task, map };
})();
