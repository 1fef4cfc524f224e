/**
 * What a program type tells the verifier: the contract between `hooks/` (one row a program type,
 * collected in hooks/prog-types.ts) and `bpf/verifier/`. Which helpers a type may call stands in
 * bpf/helpers/allow.ts.
 */
import type { Btf } from './btf/btf.ts';
import type { Insn } from './isa/insn.ts';
import type { AttachType, ProgType } from './uapi.ts';
import type { RegKind } from './verifier/reg.ts';

/** What the loading process may do; CAP_SYS_ADMIN implies the others. */
export interface Capabilities {
  readonly bpf: boolean;
  readonly perfmon: boolean;
  readonly netAdmin: boolean;
  readonly sysAdmin: boolean;
}

/** What an access rule may depend on. */
export interface ProgContext {
  readonly type: ProgType;
  readonly expectedAttachType: AttachType;
  /** The loader has CAP_BPF (or CAP_SYS_ADMIN). */
  readonly bpfCapable: boolean;
  /** An instruction of the program touches __sk_buff.tstamp_type. */
  readonly seesTstampType: boolean;
}

/** A context access that is allowed, and what a load of it gives. */
export interface CtxAccess {
  readonly kind: RegKind;
  readonly nullable?: true;
  /** Size of the field, where narrower loads are made from a load of the whole. */
  readonly fieldBytes?: number;
  /** kind `ptr_`: the kernel struct, and flags such as USER (verifier/reg.ts). */
  readonly btf?: Btf;
  readonly btfId?: number;
  readonly flags?: number;
  /** The access makes `ProgContext.seesTstampType` true. */
  readonly tstampType?: true;
}

export interface CtxRequest {
  /** Offset from the start of the context, aligned to the field where a narrow load was widened. */
  readonly off: number;
  /** Bytes of the load or store to convert. */
  readonly bytes: 1 | 2 | 4 | 8;
  readonly write: boolean;
  /** Loads: destination and context pointer. Stores: context pointer and value. */
  readonly dst: number;
  readonly src: number;
  /** Offset from r10 of 8 bytes that a conversion may use; it says so then (`usesScratch`). */
  readonly scratchOff: number;
}

export interface CtxConversion {
  readonly insns: readonly Insn[];
  /** Bytes that the real member has: a narrow load needs no mask where it has no more. */
  readonly targetBytes: number;
  readonly usesScratch?: true;
}

/** What an exiting program may leave in r0; undefined: anything. */
export interface ReturnRange {
  readonly min: number;
  readonly max: number;
}

export interface ProgTypeOps {
  readonly type: ProgType;
  /** UAPI struct that r1 points at, by which BTF of subprograms tells a context argument. */
  readonly ctxStruct: string | undefined;
  /** Another name that the kernel has for that struct. */
  readonly ctxAlias?: string;
  /**
   * The access, or undefined where it is invalid. `btf`: r1 points at an array of the traced
   * function's arguments, whose types the kernel's BTF has.
   */
  readonly access:
    | 'btf'
    | ((off: number, bytes: number, write: boolean, ctx: ProgContext) => CtxAccess | undefined);
  /**
   * Instructions on the kernel's own struct; undefined for a member that the kernel does not have
   * yet. No function: the context is laid out as programs see it.
   */
  readonly convert?: (request: CtxRequest, ctx: ProgContext) => CtxConversion | undefined;
  /** Linux converts nothing either: helpers may be passed the context as plain memory. */
  readonly plainCtx?: true;
  /** What the program may do with packet pointers; `option`: with a socket option's buffer. */
  readonly packet: 'none' | 'read' | 'read-write' | 'option';
  /** Instructions put in front where the program writes to the packet; the first insn follows. */
  readonly prologue?: (writesPacket: boolean, ctx: ProgContext) => readonly Insn[];
  /** BPF_LD_ABS and BPF_LD_IND may be used. */
  readonly ldPacket?: true;
  /** Runs where spin locks and timers must not be touched (is_tracing_prog_type). */
  readonly tracing?: true;
  readonly returnRange?: (ctx: ProgContext) => ReturnRange | undefined;
  /** Range of r0 that needs this attach type to be kept (BPF_CGROUP_INET_EGRESS). */
  readonly enforcedRange?: (ctx: ProgContext) => ReturnRange | undefined;
  /** Capability beside CAP_BPF that a load needs. */
  readonly requires?: 'net_admin' | 'perfmon';
  /** May be loaded without CAP_BPF, where unprivileged BPF is allowed at all. */
  readonly unprivileged?: true;
  /** Values of expected_attach_type; undefined: it must not be checked. */
  readonly attachTypes?: readonly AttachType[];
}
