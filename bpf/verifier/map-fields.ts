/**
 * Fields inside a map's value that belong to the kernel: a spin lock, a timer, kernel pointers. They
 * are found by their types in the BTF that the map was created with.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfType } from '../btf/types.ts';
import { DESTRUCTORS } from '../kfuncs/table.ts';
import type { BpfMap } from '../maps/map.ts';

/** A pointer to a kernel object that a map value holds. */
export interface KernelPtr {
  readonly offset: number;
  /** Owns a reference: only bpf_kptr_xchg may touch it. */
  readonly referenced: boolean;
  readonly struct: string;
}

export interface MapFields {
  /** Offset in the value, or -errno: -ENOENT none, -E2BIG several, -EINVAL no struct or mangled. */
  readonly spinLock: number;
  readonly timer: number;
  /** By offset; -errno where they are malformed. See `kptrsOf`. */
  readonly kptrs: readonly KernelPtr[] | number;
}

/** sizeof struct bpf_spin_lock and struct bpf_timer (UAPI linux/bpf.h). */
export const SPIN_LOCK_BYTES = 4;
export const TIMER_BYTES = 16;
/** BPF_MAP_VALUE_OFF_MAX */
export const MAX_KPTRS = 8;

const NONE: MapFields = { spinLock: -errno.EINVAL, timer: -errno.EINVAL, kptrs: [] };
const cache = new WeakMap<BpfMap, MapFields>();

export function mapFields(map: BpfMap): MapFields {
  const { btf, btfValueTypeId } = map.spec;
  if (!btf || !btfValueTypeId) return NONE;
  let fields = cache.get(map);
  if (!fields) {
    fields = readFields(btf, btfValueTypeId);
    cache.set(map, fields);
  }
  return fields;
}

export const hasSpinLock = (map: BpfMap): boolean => mapFields(map).spinLock >= 0;
export const hasTimer = (map: BpfMap): boolean => mapFields(map).timer >= 0;

/** A map of what the kernel does not have, or cannot release, holds plain memory: -ENOENT. */
export function kptrsOf(map: BpfMap, kernel: Btf | undefined): readonly KernelPtr[] | number {
  const { kptrs } = mapFields(map);
  if (typeof kptrs === 'number') return kptrs;
  const known = kptrs.every(({ struct, referenced }) => {
    const exists = kernel?.find(struct, 'struct') !== undefined;
    return exists && (!referenced || DESTRUCTORS[struct] !== undefined);
  });
  return known ? kptrs : -errno.ENOENT;
}

export function kptrAt(
  map: BpfMap,
  offset: number,
  kernel: Btf | undefined,
): KernelPtr | undefined {
  const kptrs = kptrsOf(map, kernel);
  return typeof kptrs === 'number' ? undefined : kptrs.find((kptr) => kptr.offset === offset);
}

interface Part {
  readonly type: number;
  readonly offset: number;
  readonly bytes: number | undefined;
}

/** Members of a struct, or variables of a section; -EINVAL for anything else. */
function partsOf(btf: Btf, type: BtfType): Part[] | number {
  if (type.kind === 'struct') {
    return type.members.map((m) => ({ type: m.type, offset: m.bitOffset / 8, bytes: undefined }));
  }
  if (type.kind !== 'datasec') return -errno.EINVAL;
  return type.vars.map((v) => ({
    type: btf.typeAs(v.type, 'var')?.type ?? 0,
    offset: v.offset,
    bytes: v.size,
  }));
}

function readFields(btf: Btf, valueType: number): MapFields {
  const parts = partsOf(btf, btf.resolved(valueType));
  if (typeof parts === 'number') return { spinLock: parts, timer: parts, kptrs: parts };
  return {
    spinLock: findStruct(btf, parts, 'bpf_spin_lock', SPIN_LOCK_BYTES, 4),
    timer: findStruct(btf, parts, 'bpf_timer', TIMER_BYTES, 8),
    kptrs: findKptrs(btf, parts),
  };
}

function findStruct(btf: Btf, parts: Part[], name: string, bytes: number, align: number): number {
  let found = -errno.ENOENT as number;
  for (const part of parts) {
    const type = btf.type(part.type)!;
    if (type.name !== name) continue;
    if (part.bytes !== undefined && part.bytes !== bytes) continue;
    if (part.offset % align !== 0) return -errno.EINVAL;
    if (type.kind !== 'struct' || type.size !== bytes) continue;
    if (found >= 0) return -errno.E2BIG;
    found = part.offset;
  }
  return found;
}

function findKptrs(btf: Btf, parts: Part[]): KernelPtr[] | number {
  const found: KernelPtr[] = [];
  for (const part of parts) {
    if (part.bytes !== undefined && part.bytes !== 8) continue;
    if (!Number.isInteger(part.offset) || part.offset % 8 !== 0) {
      // As Linux, which looks at the alignment before it looks at the type.
      return -errno.EINVAL;
    }
    const pointer = btf.typeAs(part.type, 'ptr');
    const tag = pointer && btf.type(pointer.type);
    if (tag?.kind !== 'type_tag') continue;
    if (btf.type(tag.type)?.kind === 'type_tag') return -errno.EINVAL;
    if (tag.name !== 'kptr' && tag.name !== 'kptr_ref') return -errno.EINVAL;
    const target = btf.resolved(tag.type);
    if (target.kind !== 'struct') return -errno.EINVAL;
    if (found.length >= MAX_KPTRS) return -errno.E2BIG;
    const referenced = tag.name === 'kptr_ref';
    found.push({ offset: part.offset, referenced, struct: target.name });
  }
  return found;
}
