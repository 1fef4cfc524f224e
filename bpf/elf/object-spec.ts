/**
 * What an object file holds, as values: no machine, no file descriptors. `readObject` makes it,
 * `bpf/loader` brings it into a kernel.
 */
import type { Btf } from '../btf/btf.ts';
import type { CoreRelo } from '../btf/ext.ts';
import type { Insn } from '../isa/insn.ts';
import type { AttachType, MapType, ProgType } from '../uapi.ts';
import type { SectionDef } from './section-defs.ts';

export interface ObjectSpec {
  /** As given to readObject; messages name it. */
  readonly file: string;
  /** libbpf's name of the object: the file's name up to its first dot. */
  readonly name: string;
  readonly license: string;
  /** KERNEL_VERSION of the `version` section; 0 without one. */
  readonly version: number;
  /** As in the file. Sizes of data sections and offsets of variables are filled in when loading. */
  readonly btf: Btf | undefined;
  readonly maps: readonly ObjectMap[];
  readonly programs: readonly ObjectProgram[];
  readonly externs: readonly ObjectExtern[];
  /** What BTF's DATASECs lack in the file: sizes, and offsets of variables. */
  readonly dataLayouts: readonly DataLayout[];
  /** Functions with global linkage that must be verified as static ones (hidden visibility). */
  readonly hiddenFunctions: readonly string[];
  /** What was left out, and why: worth a line to the user, no reason to fail. */
  readonly notes: readonly string[];
}

export interface MapDef {
  readonly type: MapType;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** BPF_F_* */
  readonly flags: number;
  readonly numaNode: number;
  readonly mapExtra: bigint;
  /** 0 where the definition names no type. */
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  /** struct_ops: type of the value in the kernel's BTF. */
  readonly kernelValueTypeId?: number;
  /** Template of a map-in-map's inner maps. */
  readonly inner?: MapDef;
}

/** What a slot of a prog array or of a map-in-map is filled with at load. */
export interface MapSlot {
  readonly index: number;
  readonly map?: string;
  readonly program?: string;
}

export interface ObjectMap {
  /** The variable's name, or the section's for global data: `.rodata`. */
  readonly name: string;
  readonly def: MapDef;
  /** LIBBPF_PIN_BY_NAME, or iproute2's PIN_OBJECT_NS and PIN_GLOBAL_NS. */
  readonly pinning: 'none' | 'by_name' | 'object_ns' | 'global_ns';
  /** Contents of the single element of a global data section. */
  readonly data?: Uint8Array;
  /** Frozen after it is filled: `.rodata*` and `.kconfig`. */
  readonly readOnly?: true;
  readonly slots: readonly MapSlot[];
  /** Id of iproute2's bpf_elf_map; sections named `ID/INDEX` hold the programs for it. */
  readonly elfMapId?: number;
  /** struct_ops: the struct's type id, and its function pointers by byte offset. */
  readonly structOps?: {
    readonly typeId: number;
    readonly functions: readonly { readonly offset: number; readonly program: string }[];
  };
}

/** What the loader must put into an instruction. Slots count within the linked program. */
export type ObjectRelocation =
  /** ld_imm64 of the map itself. */
  | { readonly kind: 'map'; readonly insn: number; readonly map: string }
  /** ld_imm64 of an address in the map's only value. */
  | {
      readonly kind: 'data';
      readonly insn: number;
      readonly map: string;
      readonly offset: number;
    }
  /** ld_imm64 of an extern variable or function, or a call of an extern function. */
  | { readonly kind: 'extern'; readonly insn: number; readonly name: string };

export interface InfoRecords {
  readonly recordBytes: number;
  /** Rows as in `.BTF.ext`, but insn_off counts slots of the linked program. */
  readonly records: Uint8Array;
}

export interface ObjectProgram {
  /** The function's name. */
  readonly name: string;
  /** As in the file, without a leading `?`. */
  readonly section: string;
  /** False for a section that starts with `?`. */
  readonly autoload: boolean;
  /** The row that the section's name matched; undefined for a name that says nothing. */
  readonly def: SectionDef | undefined;
  /** `unspec` where the section's name says nothing. */
  readonly type: ProgType;
  readonly attachType: AttachType | undefined;
  /** What stands behind the section name's slash: a function, a tracepoint, a struct's member. */
  readonly target: string;
  /** BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS. */
  readonly flags: number;
  /** The function and, behind it, every subprogram that it reaches, calls already resolved. */
  readonly insns: readonly Insn[];
  readonly relocations: readonly ObjectRelocation[];
  readonly coreRelos: readonly CoreRelo[];
  readonly funcInfo: InfoRecords | undefined;
  readonly lineInfo: InfoRecords | undefined;
  /** Names of the functions in `insns` and where each starts; the program's own is first. */
  readonly functions: readonly { readonly name: string; readonly start: number }[];
}

export interface ObjectExtern {
  readonly name: string;
  readonly kind: 'kconfig' | 'ksym' | 'kfunc';
  /** Unresolved is 0 instead of an error. */
  readonly weak: boolean;
  /** Its VAR or FUNC. */
  readonly btfId: number;
  /** Type of the variable; 0 for an untyped (void) ksym and for functions. */
  readonly typeId: number;
  /** kconfig: size and place in the `.kconfig` map. */
  readonly sizeBytes: number;
  readonly offset: number;
}

export interface DataLayout {
  readonly section: string;
  readonly sizeBytes: number;
  readonly offsets: ReadonlyMap<string, number>;
}
