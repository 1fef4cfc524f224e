/**
 * A program on its way from load to execution.
 *
 *   ProgramSpec       what bpf(BPF_PROG_LOAD) was given, map fds resolved
 *   VerifiedProgram   what the verifier made of it: rewritten instructions and what it proved
 *   Executable        what an engine made of that (bpf/engine.ts)
 */
import type { RamOffset } from '../kernel/types/units.ts';
import type { Btf } from './btf/btf.ts';
import type { Helper } from './helpers/helper.ts';
import type { Insn } from './isa/insn.ts';
import type { BpfMap } from './maps/map.ts';
import type { AttachType, ProgType } from './uapi.ts';
import type { ReasonCode } from './verifier/reasons.ts';

/** One row of BTF func_info: the subprogram at slot `insn` has BTF type `typeId` (a FUNC). */
export interface FuncInfo {
  readonly insn: number;
  readonly typeId: number;
  /** Calls pass what the declaration does not say: compilers drop arguments of static functions. */
  readonly unreliable?: true;
}

/** One row of BTF line_info. */
export interface LineInfo {
  readonly insn: number;
  readonly file: string;
  readonly text: string;
  readonly line: number;
  readonly column: number;
  /** Where file and text stand in the strings of the program's BTF. */
  readonly fileOff: number;
  readonly textOff: number;
}

/** Rows of a table as the loader of a program gave them. */
export interface RawRows {
  readonly recordBytes: number;
  /** As many as could be read and may matter: fewer than `count` where the memory was not there. */
  readonly records: Uint8Array;
  /** How many there should be; absent: these. */
  readonly count?: number;
}

export interface ProgramSpec {
  readonly type: ProgType;
  readonly expectedAttachType: AttachType;
  readonly name: string;
  readonly license: string;
  readonly insns: readonly Insn[];
  /**
   * `map fd` or `fd array index` in a pseudo ld_imm64 -> map; undefined where the fd is bad, null
   * where it is of something else.
   */
  readonly mapByFd: (fd: number) => BpfMap | null | undefined;
  /** Absent: the load came without an fd array. */
  readonly mapByIndex?: (index: number) => BpfMap | null | undefined;
  readonly flags: number;
  readonly btf?: Btf;
  /** Why there is none, where func_info or line_info ask for it; the verifier gets to it in turn. */
  readonly btfErrno?: number;
  /** Raw rows, checked by the verifier. */
  readonly funcInfo?: RawRows;
  readonly lineInfo?: RawRows;
  readonly coreRelos?: RawRows;
  readonly attachBtfId?: number;
  /** The BPF program that it is for, in place of the kernel; attachBtfId is of that one's BTF. */
  readonly attachProg?: VerifiedProgram;
  /** Offload target; absent for the host. */
  readonly ifindex?: number;
}

/** What replaces a function of a program runs as one of that program's type (resolve_prog_type). */
export function kindInEffect(spec: ProgramSpec): Pick<ProgramSpec, 'type' | 'expectedAttachType'> {
  return spec.type === 'ext' && spec.attachProg ? spec.attachProg.spec : spec;
}

export const typeInEffect = (spec: ProgramSpec): ProgType => kindInEffect(spec).type;

/** What a memory instruction touches, as the verifier proved it; one kind on all paths. */
export type PointerKind =
  | 'ctx'
  | 'stack'
  | 'packet'
  | 'packet_meta'
  | 'map_value'
  | 'mem'
  | 'btf'
  | 'sock'
  | 'arena'
  | 'mixed';

/** What the verifier proved of one instruction slot of the rewritten program. */
export interface InsnFact {
  /** Loads, stores and atomics: what the pointer points at. */
  readonly pointer?: PointerKind;
  /** Helper calls: the row that applies to this program, since an id may have several. */
  readonly helper?: Helper;
  /**
   * Helper calls: the result is a 32-bit int and the upper half of r0 becomes 0. Linux 6.1 calls
   * the operation of a map that it knows directly; only from 6.4 on do these return long.
   */
  readonly returnsInt?: true;
  /** Calls of kernel functions: the function's name. */
  readonly kfunc?: string;
  /** Helper calls with a map argument, where it is the same map on all paths. */
  readonly map?: BpfMap;
  /** Map helper calls whose key is a known constant on all paths (array index, for one). */
  readonly constKey?: bigint;
  /** ld_imm64: what the 64-bit value is, for dumps and for devices. */
  readonly imm64?:
    | { readonly kind: 'map'; readonly map: BpfMap }
    | { readonly kind: 'map_value'; readonly map: BpfMap; readonly offset: number }
    | { readonly kind: 'func'; readonly subprog: number }
    | { readonly kind: 'ksym'; readonly name: string };
  /** Slot of the instruction in the program as loaded; several rewritten slots may share one. */
  readonly original: number;
}

export interface SubprogInfo {
  readonly name: string;
  /** First slot and the slot after the last, in the rewritten program. */
  readonly start: number;
  readonly end: number;
  /** Bytes of stack this frame uses, rounded up to 8. */
  readonly stackBytes: number;
  /** Called by a helper (bpf_loop, bpf_for_each_map_elem, timers), not by a call instruction. */
  readonly isCallback: boolean;
  readonly hasTailCall: boolean;
}

/**
 * Rewritten as Linux rewrites: context accesses are loads and stores of the kernel structs behind
 * them, dead code is gone, loads through BTF pointers have mode PROBE_MEM (0x20), every ld_imm64
 * holds its final 64-bit value (map address, map value address, kernel symbol), helper calls keep
 * their helper id in `imm`, calls between subprograms (src 1) their slot distance.
 * A ld_imm64 of a callback (fact `imm64.kind === 'func'`) holds the subprogram's index.
 */
export interface VerifiedProgram {
  readonly spec: ProgramSpec;
  readonly insns: readonly Insn[];
  /** One fact a slot of `insns`. */
  readonly facts: readonly InsnFact[];
  /** subprogs[0] is the entry. */
  readonly subprogs: readonly SubprogInfo[];
  readonly usedMaps: readonly BpfMap[];
  readonly gplCompatible: boolean;
  /** Instructions the verifier processed, for `verified_insns`. */
  readonly verifiedInsns: number;
  /** Rows of line_info moved along with the rewriting; empty without BTF. */
  readonly lines: readonly LineInfo[];
  readonly funcs: readonly FuncInfo[];
  /** Returns of the program need the attach type that it was loaded with. */
  readonly enforcesAttachType?: true;
  /** Bytes used of the context, and of buffers whose size is known at attach time only. */
  readonly bufferUse?: {
    readonly tracepoint: number;
    readonly rdonly: number;
    readonly rdwr: number;
    readonly ctx: number;
  };
}

/** How a rejection is told: the errno, the reason's stable code, and Linux's log. */
export interface Rejection {
  readonly kind: 'rejected';
  /** Positive, e.g. errno.EACCES. */
  readonly errno: number;
  readonly reason: ReasonCode;
  /** Slot of the offending instruction, where there is one. */
  readonly insn?: number;
  readonly log: string;
  /** Instructions processed up to there. */
  readonly verifiedInsns: number;
}

export interface Acceptance {
  readonly kind: 'accepted';
  readonly program: VerifiedProgram;
  readonly log: string;
}

export type Verdict = Acceptance | Rejection;

/** An instruction of a program: its slot in the rewritten program. */
export interface CodePlace {
  readonly program: VerifiedProgram;
  readonly slot: number;
}

/** A run-time fault of a verified program; the kernel prints an oops from it. */
export class BpfOops extends Error {
  override name = 'BpfOops';
  /** What was accessed; the end of the NULL guard where the engine cannot tell. */
  readonly address: RamOffset | bigint;
  /** The instruction that faulted, of the program that runs or of one that it called. */
  readonly at: CodePlace | undefined;

  constructor(message: string, address: RamOffset | bigint, at?: CodePlace) {
    super(message);
    this.address = address;
    this.at = at;
  }
}
