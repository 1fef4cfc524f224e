/**
 * A map type is one row: the checks that Linux makes before it creates such a map, and the maker.
 * The rows are joined in table.ts; map-contract.test.ts runs over all of them.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { NativeCore } from '../native/core.ts';
import type { BpfKernel } from '../runtime.ts';
import type { BpfTimers } from '../timers.ts';
import type { MapType } from '../uapi.ts';
import { uapi } from '../uapi.ts';
import type { BpfMap, MapSpec } from './map.ts';

/** What a map needs of the machine; a BpfRuntime has it all. */
export interface MapHost {
  readonly ram: Ram;
  readonly core: NativeCore;
  readonly kernel: BpfKernel;
  /** Where maps are found by offset; see BpfRuntime. */
  readonly maps?: Map<RamOffset, BpfMap>;
  /** Timers in values; see BpfRuntime. */
  readonly timers?: BpfTimers;
}

/** Capabilities of who creates the map; CAP_SYS_ADMIN implies the others. */
export interface MapCaps {
  readonly bpf: boolean;
  readonly netAdmin: boolean;
  readonly sysAdmin: boolean;
}

export interface MapTypeRow {
  readonly type: MapType;
  /** Linux makes these checks only when it allocates a map on the host. */
  readonly checksInAlloc?: true;
  /** map_alloc_check and the checks of map_alloc: 0 or -errno. */
  check(spec: MapSpec, caps: MapCaps): number;
  /** The map, or -errno. `spec` has passed `check`. */
  create(host: MapHost, spec: MapSpec, caps: MapCaps): BpfMap | number;
}

/** Largest kmalloc on x86-64 (KMALLOC_MAX_SIZE, 6.1). */
export const KMALLOC_MAX_BYTES = 4 << 20;
/** PCPU_MIN_UNIT_SIZE: what one per-CPU allocation may be at most. */
export const PCPU_MIN_UNIT_BYTES = 32 << 10;
/** sizeof(struct htab_elem), x86-64. */
export const HTAB_ELEM_BYTES = 48;

/** BPF_F_ACCESS_MASK */
export const ACCESS_FLAGS =
  uapi.BPF_F_RDONLY | uapi.BPF_F_RDONLY_PROG | uapi.BPF_F_WRONLY | uapi.BPF_F_WRONLY_PROG;

export function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** bpf_map_flags_access_ok: not both read-only and write-only for programs. */
export function accessIsOk(flags: number): boolean {
  const both = uapi.BPF_F_RDONLY_PROG | uapi.BPF_F_WRONLY_PROG;
  return (flags & both) !== both;
}

export function hasOnly(flags: number, allowed: number): boolean {
  return (flags & ~allowed) === 0;
}

/** What a map's flags say of the map, and not of its first descriptor (map_flags of struct bpf_map). */
export function permanentFlags(flags: number): number {
  return flags & ~(uapi.BPF_F_RDONLY | uapi.BPF_F_WRONLY);
}

export const mayBpf = (caps: MapCaps) => caps.bpf || caps.sysAdmin;
export const mayNetAdmin = (caps: MapCaps) => caps.netAdmin;

/** The map is to be on one NUMA node, which memory per CPU cannot. */
export function bindsNode({ flags, numaNode = 0 }: MapSpec): boolean {
  return (flags & uapi.BPF_F_NUMA_NODE) !== 0 && numaNode >= 0;
}

/** array_map_alloc_check, shared by all maps whose key is an index. */
export function checkArray(spec: MapSpec): number {
  const { type, flags, valueBytes } = spec;
  const percpu = type === 'percpu_array';
  const allowed =
    uapi.BPF_F_NUMA_NODE |
    uapi.BPF_F_MMAPABLE |
    ACCESS_FLAGS |
    uapi.BPF_F_PRESERVE_ELEMS |
    uapi.BPF_F_INNER_MAP;
  if (spec.maxEntries === 0 || spec.keyBytes !== 4 || valueBytes === 0) return -errno.EINVAL;
  if (!hasOnly(flags, allowed) || !accessIsOk(flags)) return -errno.EINVAL;
  if (percpu && bindsNode(spec)) return -errno.EINVAL;
  if (type !== 'array' && (flags & (uapi.BPF_F_MMAPABLE | uapi.BPF_F_INNER_MAP)) !== 0) {
    return -errno.EINVAL;
  }
  if (type !== 'perf_event_array' && (flags & uapi.BPF_F_PRESERVE_ELEMS) !== 0) {
    return -errno.EINVAL;
  }
  if (valueBytes > 0x7fffffff) return -errno.E2BIG;
  if (percpu && roundUp(valueBytes, 8) > PCPU_MIN_UNIT_BYTES) return -errno.E2BIG;
  return 0;
}
