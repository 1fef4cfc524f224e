/**
 * The vocabulary of helper prototypes: Linux's argument and return types under short names, and
 * `row`, which makes one line of a table. See include/linux/bpf.h (6.1), enum bpf_arg_type.
 */
import type { ArgType, Helper, RetType } from './helper.ts';

/** A prototype as the tables state it; table.ts adds the implementation. */
export type Prototype = Omit<Helper, 'implementation'>;
type Extras = Omit<Partial<Prototype>, 'id' | 'name' | 'args' | 'ret'>;

export function row(
  id: number,
  name: string,
  args: readonly ArgType[],
  ret: RetType,
  extras: Extras = {},
): Prototype {
  return { id, name, proto: name, args, ret, ...extras };
}

export const ANYTHING: ArgType = { base: 'anything' };
export const MAP: ArgType = { base: 'const_map_ptr' };
export const KEY: ArgType = { base: 'ptr_to_map_key' };
export const VALUE: ArgType = { base: 'ptr_to_map_value' };
export const VALUE_OR_NULL: ArgType = { base: 'ptr_to_map_value', nullable: true };
export const UNINIT_VALUE: ArgType = { base: 'ptr_to_map_value', uninit: true, write: true };
export const MEM: ArgType = { base: 'ptr_to_mem' };
export const MEM_OR_NULL: ArgType = { base: 'ptr_to_mem', nullable: true };
export const MEM_RDONLY: ArgType = { base: 'ptr_to_mem', readonly: true };
export const MEM_RDONLY_OR_NULL: ArgType = { base: 'ptr_to_mem', readonly: true, nullable: true };
export const MEM_WRITE: ArgType = { base: 'ptr_to_mem', write: true };
export const UNINIT_MEM: ArgType = { base: 'ptr_to_mem', uninit: true, write: true };
export const SIZE: ArgType = { base: 'const_size' };
export const SIZE_OR_ZERO: ArgType = { base: 'const_size_or_zero' };
export const ALLOC_SIZE: ArgType = { base: 'const_alloc_size_or_zero' };
export const CTX: ArgType = { base: 'ptr_to_ctx' };
export const CTX_OR_NULL: ArgType = { base: 'ptr_to_ctx', nullable: true };
export const SPIN_LOCK: ArgType = { base: 'ptr_to_spin_lock' };
export const SOCK_COMMON: ArgType = { base: 'ptr_to_sock_common' };
export const SOCKET_OR_NULL: ArgType = { base: 'ptr_to_socket', nullable: true };
export const BTF_SOCK_COMMON: ArgType = { base: 'ptr_to_btf_id_sock_common' };
export const BTF_SOCK_RELEASE: ArgType = { base: 'ptr_to_btf_id_sock_common', release: true };
export const PERCPU_BTF_ID: ArgType = { base: 'ptr_to_percpu_btf_id' };
export const FUNC: ArgType = { base: 'ptr_to_func' };
export const STACK_OR_NULL: ArgType = { base: 'ptr_to_stack', nullable: true };
export const CONST_STR: ArgType = { base: 'ptr_to_const_str' };
export const TIMER: ArgType = { base: 'ptr_to_timer' };
export const KPTR: ArgType = { base: 'ptr_to_kptr' };
export const KPTR_VALUE_RELEASE: ArgType = { base: 'ptr_to_btf_id', nullable: true, release: true };
export const ALLOC_MEM_RELEASE: ArgType = { base: 'ptr_to_alloc_mem', release: true };
/** An initialised dynptr of any kind. */
export const DYNPTR: ArgType = { base: 'ptr_to_dynptr', dynptr: 'any' };
export const NEW_LOCAL_DYNPTR: ArgType = {
  base: 'ptr_to_dynptr',
  dynptr: 'local',
  uninit: true,
  write: true,
};
export const NEW_RINGBUF_DYNPTR: ArgType = {
  base: 'ptr_to_dynptr',
  dynptr: 'ringbuf',
  uninit: true,
  write: true,
};
export const RINGBUF_DYNPTR_RELEASE: ArgType = {
  base: 'ptr_to_dynptr',
  dynptr: 'ringbuf',
  release: true,
};
export const fixedMem = (fixedBytes: number): ArgType => ({ base: 'ptr_to_mem', fixedBytes });
const result = (fixedBytes: number): ArgType => ({
  base: 'ptr_to_mem',
  fixedBytes,
  uninit: true,
  write: true,
  aligned: true,
});
/** Where a helper stores one number. */
export const RESULT_U32 = result(4);
export const RESULT_U64 = result(8);
export const btfId = (btfStruct: string): ArgType => ({ base: 'ptr_to_btf_id', btfStruct });

export const INTEGER: RetType = { base: 'integer' };
export const VOID: RetType = { base: 'void' };
export const RET_VALUE: RetType = { base: 'ptr_to_map_value' };
export const RET_VALUE_OR_NULL: RetType = { base: 'ptr_to_map_value', nullable: true };
export const RET_SOCKET_OR_NULL: RetType = { base: 'ptr_to_socket', nullable: true };
export const RET_TCP_SOCK_OR_NULL: RetType = { base: 'ptr_to_tcp_sock', nullable: true };
export const RET_SOCK_COMMON_OR_NULL: RetType = { base: 'ptr_to_sock_common', nullable: true };
/** A ring buffer record: RET_PTR_TO_ALLOC_MEM with MEM_ALLOC, must be submitted or discarded. */
export const RET_ALLOC_MEM_OR_NULL: RetType = { base: 'ptr_to_alloc_mem', nullable: true };
/** RET_PTR_TO_ALLOC_MEM without MEM_ALLOC: a slice of a dynptr. */
export const RET_DYNPTR_MEM_OR_NULL: RetType = { base: 'ptr_to_dynptr_mem', nullable: true };
export const RET_PERCPU: RetType = { base: 'ptr_to_mem_or_btf_id', readonly: true };
export const RET_PERCPU_OR_NULL: RetType = {
  base: 'ptr_to_mem_or_btf_id',
  readonly: true,
  nullable: true,
};
export const RET_KPTR_OR_NULL: RetType = { base: 'ptr_to_btf_id', nullable: true };
export const retBtfId = (btfStruct: string): RetType => ({ base: 'ptr_to_btf_id', btfStruct });
export const retBtfIdOrNull = (btfStruct: string): RetType => ({
  base: 'ptr_to_btf_id',
  btfStruct,
  nullable: true,
});
