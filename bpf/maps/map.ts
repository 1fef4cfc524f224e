/**
 * A BPF map, as bpf(2), helpers and devices see it. The data lives in RAM at Linux's layout and is
 * worked on by the C core; `offset` is the RAM offset of the `struct bpf_map` that a program's
 * ld_imm64 points at.
 */
import type { ProgObject } from '../syscall/objects.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Btf } from '../btf/btf.ts';
import type { MapType } from '../uapi.ts';
import type { KptrField } from './special-fields.ts';

export interface MapSpec {
  readonly type: MapType;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** BPF_F_* of map creation. */
  readonly flags: number;
  readonly name: string;
  readonly innerMap?: BpfMap;
  /** Why the descriptor of an inner map gave none: a negative errno. */
  readonly noInnerMap?: number;
  /** With BPF_F_NUMA_NODE: the node, or -1 (NUMA_NO_NODE) for any. */
  readonly numaNode?: number;
  readonly btf?: Btf;
  readonly btfKeyTypeId?: number;
  readonly btfValueTypeId?: number;
  /** struct_ops: the type in the kernel's BTF. */
  readonly btfVmlinuxValueTypeId?: number;
  readonly mapExtra?: bigint;
  /** The device that has the map; absent for the host. */
  readonly ifindex?: number;
}

/** A queue of packets with a thread that works it off on one CPU: the kernel's side of an entry. */
export interface CpuEntry {
  /** No longer in the map: what is queued is still worked off, then the thread ends. */
  remove(): void;
}

export interface CpuEntryInit {
  readonly cpu: number;
  readonly mapId: number;
  /** Packets that it holds, at least 1. */
  readonly queueSize: number;
  /** Runs on that CPU for each packet; the reference passes to the entry. */
  readonly program: ProgObject | undefined;
}

export interface BpfMap {
  readonly spec: MapSpec;
  /** Unique id as in bpf_map_info; given by the id registry, 0 before. */
  id: number;
  readonly offset: RamOffset;
  frozen: boolean;
  /** Bytes of value per element as bpf(2) copies them: value rounded to 8 times CPUs for per-CPU. */
  readonly userValueBytes: number;
  /** RAM offset of the element's value for a program on the current CPU; 0 if there is none. */
  lookup(key: RamOffset): RamOffset;
  /** 0 or -errno. `flags` are BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK. */
  update(key: RamOffset, value: RamOffset, flags: number): number;
  delete(key: RamOffset): number;
  /** bpf(2)'s view: copy out / in the user form (all CPUs for per-CPU maps). 0 or -errno. */
  copyValue(key: RamOffset, out: RamOffset, flags: number): number;
  updateFromUser(key: RamOffset, value: RamOffset, flags: number): number;
  /** `key` 0 asks for the first. Writes the next key to `out`; -ENOENT at the end. */
  nextKey(key: RamOffset, out: RamOffset): number;
  /** Bytes charged, for `memlock`. */
  readonly memoryBytes: number;
  /**
   * RAM offset of the first element's value where the map is one flat block that ld_imm64 may
   * point into (array maps: .data, .rodata, .bss); undefined otherwise.
   */
  readonly directValue?: RamOffset;
  /** Bytes between the values of two neighbouring elements of a flat array. */
  readonly elementBytes: number;
  /** Queues, stacks and hash tables: take an element out. 0 or -errno. */
  lookupAndDelete?(key: RamOffset, out: RamOffset, flags: number): number;
  /** Where a struct bpf_spin_lock stands in the value. */
  readonly spinLockOffset?: number;
  /** Where a struct bpf_timer stands in the value. */
  readonly timerOffset?: number;
  /** Pointers to kernel objects in the value. */
  readonly kptrs?: readonly KptrField[];
  /** devmap, cpumap, xskmap: there is something at `index` to redirect a packet to. */
  redirectTarget?(index: number): boolean;
  /** devmap: the interface behind `index`, 0 where there is none. */
  ifindexAt?(index: number): number;
  /** devmap: the program that a packet has to pass at `index`, where there is one. */
  programAt?(index: number): ProgObject | undefined;
  /** cpumap: what the kernel has started for the entry at `index`; undefined where there is none. */
  cpuEntryAt?(index: number): CpuEntry | undefined;
  /** prog_array: id of the program in slot `index` (below max_entries), 0 where it is empty. */
  progIdAt?(index: number): number;
  /** Arrays of descriptors: empty slot `index` (below max_entries). */
  clearSlot?(index: number): void;
  /** Descriptors and pins there are now (`usercnt`). At 0, what only user space keeps up ends. */
  setUsers(count: number): void;
  free(): void;
}
