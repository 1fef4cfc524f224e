/**
 * A helper is one row: its id and prototype, which the verifier reads, and its implementation,
 * which every engine calls. Types are those of Linux 6.1's `enum bpf_arg_type` and
 * `enum bpf_return_type` (include/linux/bpf.h) in lower case.
 */
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';

export type BaseArgType =
  | 'dontcare'
  | 'const_map_ptr'
  | 'ptr_to_map_key'
  | 'ptr_to_map_value'
  | 'ptr_to_mem'
  | 'ptr_to_alloc_mem'
  | 'const_size'
  | 'const_size_or_zero'
  | 'const_alloc_size_or_zero'
  | 'ptr_to_ctx'
  | 'anything'
  | 'ptr_to_spin_lock'
  | 'ptr_to_sock_common'
  | 'ptr_to_int'
  | 'ptr_to_long'
  | 'ptr_to_socket'
  | 'ptr_to_btf_id'
  | 'ptr_to_btf_id_sock_common'
  | 'ptr_to_percpu_btf_id'
  | 'ptr_to_func'
  | 'ptr_to_stack'
  | 'ptr_to_const_str'
  | 'ptr_to_timer'
  | 'ptr_to_kptr'
  | 'ptr_to_dynptr';

export interface ArgType {
  readonly base: BaseArgType;
  /** PTR_MAYBE_NULL: NULL may be passed. */
  readonly nullable?: true;
  /** MEM_UNINIT: the helper fills it; it need not be initialised. */
  readonly uninit?: true;
  /** MEM_RDONLY: the helper only reads it, so read-only memory will do. */
  readonly readonly?: true;
  /** MEM_WRITE: the helper writes it. Without `uninit` it reads it too. */
  readonly write?: true;
  /** MEM_ALIGNED: must be naturally aligned (comes with `fixedBytes`). */
  readonly aligned?: true;
  /** OBJ_RELEASE: the reference is given up. */
  readonly release?: true;
  /** MEM_FIXED_SIZE and its size in bytes. */
  readonly fixedBytes?: number;
  /** For ptr_to_btf_id: the struct's name; absent for kptr_xchg, whose type is the map slot's. */
  readonly btfStruct?: string;
  /** For dynptr arguments. */
  readonly dynptr?: 'local' | 'ringbuf' | 'any';
}

export type BaseRetType =
  | 'integer'
  | 'void'
  | 'ptr_to_map_value'
  | 'ptr_to_socket'
  | 'ptr_to_tcp_sock'
  | 'ptr_to_sock_common'
  | 'ptr_to_mem'
  | 'ptr_to_dynptr_mem'
  | 'ptr_to_alloc_mem'
  | 'ptr_to_mem_or_btf_id'
  | 'ptr_to_btf_id';

export interface RetType {
  readonly base: BaseRetType;
  readonly nullable?: true;
  /** MEM_RDONLY. */
  readonly readonly?: true;
  readonly btfStruct?: string;
}

/** How a value crosses between generated code and a helper. Offsets and sizes travel as i32. */
export type Passing = 'i32' | 'i64';

/**
 * Bound once per machine. An 'i32' argument arrives as a *signed* number (use `>>> 0` for an
 * offset), an 'i64' one as a bigint. The result is as `returns` says: 'i32' is sign-extended to 64
 * bits, 'i64' is a bigint, 'pointer' is a RamOffset of which 0 is NULL, 'void' leaves r0 at 0.
 */
export interface HelperImplementation {
  readonly pass: readonly Passing[];
  readonly returns: 'i32' | 'i64' | 'pointer' | 'void';
  bind(runtime: BpfRuntime): HelperFunction;
  /** Export of the C core with the same signature, which generated code may call directly. */
  readonly native?: string;
}
export type HelperFunction = (...args: never[]) => number | bigint | RamOffset | void;

/** bpf_func_proto.allowed: conditions that depend on what the program is attached to. */
export type AllowedIn = 'd_path' | 'sleepable_lsm_hook' | 'sk_storage_tracing';

export interface Helper {
  /** BPF_FUNC_* (UAPI linux/bpf.h). */
  readonly id: number;
  /** Without the bpf_ prefix: 'map_lookup_elem'. */
  readonly name: string;
  /**
   * Name of Linux's prototype without bpf_ and _proto. One id may have several, of which the
   * program type chooses one ('xdp_event_output'); mostly it equals `name`. Unique in the table.
   */
  readonly proto: string;
  readonly args: readonly ArgType[];
  readonly ret: RetType;
  /** pkt_access: packet pointers may be passed as memory. */
  readonly packetAccess?: true;
  /** Further condition on the program; see `isAllowed` in allow.ts. */
  readonly allowed?: AllowedIn;
  readonly gplOnly?: true;
  /** The packet may have moved: packet pointers are invalid afterwards. */
  readonly changesPacket?: true;
  readonly mightSleep?: true;
  /** The part of the kernel that is missing for it (missing.ts): a call finds or does nothing. */
  readonly needs?: string;
  /** Undefined for the tail call, which engines make themselves. */
  readonly implementation?: HelperImplementation | undefined;
}
