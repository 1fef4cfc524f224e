/**
 * bpf(2) as a process of a booted machine calls it, for tests.
 *
 *   yield* bpf(u, 'map_create', {…})      the system call's result
 *   yield* load(u, 'xdp', 'r0 = 2\nexit')  a program from text; functions get the BTF they need
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import type { AttrInput } from '../../bpf/attr.ts';
import { encodeAttr } from '../../bpf/attr.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { BpfCommand, ProgType } from '../../bpf/uapi.ts';
import { BPF_COMMANDS, PROG_TYPES } from '../../bpf/uapi.ts';
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { functionBtf, functionStarts } from './bpf-syscalls.ts';
import type { User } from './programs.ts';

export function* bpf<C extends BpfCommand>(
  u: User,
  command: C,
  values: AttrInput<C>,
): UserFlow<number> {
  const attr = encodeAttr(command, values);
  return yield* u.call('bpf', BPF_COMMANDS.indexOf(command), attr, attr.length);
}

export function* load(
  u: User,
  type: ProgType,
  source: string,
  more: AttrInput<'prog_load'> = {},
): UserFlow<number> {
  const program = assemble(source);
  const insns = encodeInsns(program);
  const starts = functionStarts(program);
  const debug: AttrInput<'prog_load'> = {};
  if (starts.length > 1) {
    const { btf, rows } = functionBtf(starts);
    const address = BigInt(yield* u.put(btf));
    Object.assign(debug, {
      prog_btf_fd: yield* bpf(u, 'btf_load', { btf: address, btf_size: btf.length }),
      func_info: BigInt(yield* u.put(rows)),
      func_info_cnt: starts.length,
      func_info_rec_size: 8,
    });
  }
  return yield* bpf(u, 'prog_load', {
    prog_type: PROG_TYPES.indexOf(type),
    insns: BigInt(yield* u.put(insns)),
    insn_cnt: insns.length / 8,
    license: BigInt(yield* u.put('GPL\0')),
    ...debug,
    ...more,
  });
}
