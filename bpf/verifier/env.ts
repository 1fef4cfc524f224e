/**
 * What a verification needs besides the program: who loads it, what kernel it is loaded into, and
 * how much of a log is wanted.
 */
import type { Btf } from '../btf/btf.ts';
import type { HelperCaller } from '../helpers/allow.ts';
import type { BpfMap } from '../maps/map.ts';
import type { ProgType } from '../uapi.ts';
import type { Capabilities, ProgTypeOps } from '../prog-type.ts';

export interface VerifierEnv {
  readonly ops: ProgTypeOps;
  /** Of the program that it is to replace (spec.attachProg). */
  readonly targetOps?: ProgTypeOps;
  readonly caps: Capabilities;
  /** 6.1 refuses instructions that came after it. */
  readonly level: '6.1' | 'latest';
  /** BPF_LOG_LEVEL1 | BPF_LOG_LEVEL2 | BPF_LOG_STATS; 0: no log. */
  readonly logLevel: number;
  /** Size of the log buffer in bytes; a log that fills it makes the load fail with ENOSPC. */
  readonly logBytes?: number;
  /** Only the verdict is wanted: the program is not rewritten for this kernel's structs. */
  readonly checkOnly?: true;
  readonly kernelBtf?: Btf;
  /** Address that a ld_imm64 of the map gets. */
  readonly mapAddress: (map: BpfMap) => bigint;
  /** Address of a kernel variable, for ld_imm64 of a BTF id. */
  readonly symbolAddress?: (name: string) => bigint | undefined;
  /** Bytes of a frozen read-only map's value; what is read there is a constant. */
  readonly readFrozen?: (map: BpfMap, offset: number, bytes: number) => bigint | undefined;
  /** The function's return value may be replaced (fmod_ret) and it may sleep. */
  readonly isModifiable?: (name: string) => boolean;
  /** Flags (KF_*) of a kernel function that this program type may call. */
  readonly kfuncs?: (type: ProgType, name: string) => number | undefined;
  /** Name of what the program attaches to, where it has one; for helpers. */
  readonly attachName?: HelperCaller['attachName'];
  readonly attachesToProgram?: boolean;
}
