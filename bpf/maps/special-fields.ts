/**
 * Fields of a map's value that only the kernel may touch, found in the value's BTF: one
 * bpf_spin_lock, one bpf_timer, kptrs (kernel/bpf/btf.c, btf_find_field, 6.1).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Btf } from '../btf/btf.ts';
import { uapi } from '../uapi.ts';
import type { MapSpec } from './map.ts';

export interface SpecialFields {
  /** Offset in the value; -ENOENT where there is none, -E2BIG where there are several. */
  readonly spinLock: number;
  readonly timer: number;
  readonly kptrs: readonly KptrField[];
}

export interface KptrField {
  readonly at: number;
  /** The struct that it points at, where the map owns what is there (`__kptr_ref`). */
  readonly owned?: string;
}

export const NO_SPECIAL_FIELDS: SpecialFields = {
  spinLock: -errno.EINVAL,
  timer: -errno.EINVAL,
  kptrs: [],
};

interface Place {
  readonly type: number;
  readonly byteOffset: number;
}

/** Members of the value's struct, or variables of its data section. */
function places(btf: Btf, valueTypeId: number): readonly Place[] | undefined {
  const type = btf.resolved(valueTypeId);
  if (type.kind === 'struct') {
    return type.members.map((member) => ({
      type: member.type,
      byteOffset: member.bitOffset / 8,
    }));
  }
  if (type.kind === 'datasec') {
    return type.vars.map((variable) => ({
      type: btf.typeAs(variable.type, 'var')?.type ?? 0,
      byteOffset: variable.offset,
    }));
  }
  return undefined;
}

function findOne(btf: Btf, where: readonly Place[], name: string, bytes: number): number {
  const align = Math.min(bytes, 8);
  let found = -errno.ENOENT;
  for (const { type, byteOffset } of where) {
    const field = btf.type(type);
    if (field?.name !== name || field.kind !== 'struct') continue;
    if (byteOffset % align !== 0) return -errno.EINVAL;
    if (field.size !== bytes) continue;
    if (found >= 0) return -errno.E2BIG;
    found = byteOffset;
  }
  return found;
}

/** `T __kptr *` and `T __kptr_ref *`: a pointer to a type with that tag. */
function kptrAt(btf: Btf, { type, byteOffset: at }: Place): readonly KptrField[] {
  const pointer = btf.type(type);
  const tag = pointer?.kind === 'ptr' ? btf.type(pointer.type) : undefined;
  if (tag?.kind !== 'type_tag') return [];
  if (tag.name === 'kptr_ref') return [{ at, owned: btf.resolved(tag.type).name }];
  return tag.name === 'kptr' ? [{ at }] : [];
}

export function findSpecialFields(btf: Btf, valueTypeId: number): SpecialFields {
  if (!btf.type(valueTypeId)) return NO_SPECIAL_FIELDS;
  const where = places(btf, valueTypeId);
  if (!where) return NO_SPECIAL_FIELDS;
  return {
    spinLock: findOne(btf, where, 'bpf_spin_lock', 4),
    timer: findOne(btf, where, 'bpf_timer', 16),
    kptrs: where.flatMap((place) => kptrAt(btf, place)),
  };
}

const LOCK_MAPS = [
  'hash',
  'array',
  'cgroup_storage',
  'sk_storage',
  'inode_storage',
  'task_storage',
];
const TIMER_MAPS = ['hash', 'lru_hash', 'array'];
const KPTR_MAPS = ['hash', 'lru_hash', 'array', 'percpu_array'];

/** Types that leave the check of keys to map_check_btf, and want a key with that. */
const UNCHECKED_MAPS = [
  'hash',
  'percpu_hash',
  'lru_hash',
  'lru_percpu_hash',
  'prog_array',
  'reuseport_sockarray',
  'queue',
  'stack',
  'ringbuf',
  'user_ringbuf',
];

/** Undefined for an id that there is not, and for types without a size. */
function sizeOf(btf: Btf, id: number): number | undefined {
  return btf.type(id) && btf.sizeOf(id);
}

/** map_check_btf: whether BTF's key and value fit the map, and its special fields are allowed. */
export function checkBtf(spec: MapSpec, fields: SpecialFields, mayBpf: boolean): number {
  const { btf, btfKeyTypeId = 0, btfValueTypeId = 0, type, flags } = spec;
  if (!btf || btfValueTypeId === 0) return 0;
  if (btfKeyTypeId !== 0 && sizeOf(btf, btfKeyTypeId) !== spec.keyBytes) return -errno.EINVAL;
  if (sizeOf(btf, btfValueTypeId) !== spec.valueBytes) return -errno.EINVAL;
  if (btfKeyTypeId === 0 && UNCHECKED_MAPS.includes(type)) return -errno.EINVAL;
  // Programs see what is in a devmap, and do not change it.
  const readOnly = (flags & uapi.BPF_F_RDONLY_PROG) !== 0 || type.startsWith('devmap');
  if (fields.spinLock >= 0) {
    if (readOnly) return -errno.EACCES;
    if (!LOCK_MAPS.includes(type)) return -errno.ENOTSUPP;
  }
  if (fields.timer >= 0) {
    if (readOnly) return -errno.EACCES;
    if (!TIMER_MAPS.includes(type)) return -errno.EOPNOTSUPP;
  }
  if (fields.kptrs.length > 0) {
    if (!mayBpf) return -errno.EPERM;
    if (readOnly || (flags & uapi.BPF_F_WRONLY_PROG) !== 0) return -errno.EACCES;
    if (!KPTR_MAPS.includes(type)) return -errno.EOPNOTSUPP;
  }
  return checkKeyType(spec);
}

/** Each type's map_check_btf, as far as it looks at kinds. */
function checkKeyType(spec: MapSpec): number {
  const btf = spec.btf!;
  const key = spec.btfKeyTypeId ? btf.resolved(spec.btfKeyTypeId) : undefined;
  switch (spec.type) {
    case 'array':
    case 'percpu_array':
      if (!key) {
        const isData = btf.resolved(spec.btfValueTypeId!).kind === 'datasec';
        return spec.type === 'array' && spec.maxEntries === 1 && isData ? 0 : -errno.EINVAL;
      }
      return key.kind === 'int' && key.bits === 32 && key.bitOffset === 0 ? 0 : -errno.EINVAL;
    case 'sk_storage':
    case 'inode_storage':
    case 'task_storage':
      return key?.kind === 'int' && key.bits === 32 && key.bitOffset === 0 ? 0 : -errno.EINVAL;
    case 'lpm_trie':
    case 'tcam':
      return key?.kind === 'struct' ? 0 : -errno.EINVAL;
    case 'bloom_filter':
      return key ? -errno.EINVAL : 0;
    case 'perf_event_array':
    case 'cgroup_array':
    case 'array_of_maps':
    case 'hash_of_maps':
    case 'stack_trace':
    case 'devmap':
    case 'devmap_hash':
    case 'cpumap':
    case 'xskmap':
    case 'sockmap':
    case 'sockhash':
      return -errno.ENOTSUPP;
    // Its key is checked member by member in Linux; the sizes have been compared above.
    case 'cgroup_storage':
    case 'percpu_cgroup_storage':
      return key ? 0 : -errno.EINVAL;
    default:
      return 0;
  }
}

/** struct bpf_map_off_arr of the C core (bpf/native/map.h). */
const OFF_ARR_BYTES = 56;
const OFF_ARR_OFFSETS = 4;
const OFF_ARR_SIZES = 44;

/** The list of fields that the core's value copies skip; 0 where there are none. */
export function offArrayFor(ram: Ram, fields: SpecialFields): RamOffset {
  const list = [
    ...(fields.spinLock >= 0 ? [{ at: fields.spinLock, bytes: 4 }] : []),
    ...(fields.timer >= 0 ? [{ at: fields.timer, bytes: 16 }] : []),
    ...fields.kptrs.map(({ at }) => ({ at, bytes: 8 })),
  ].sort((a, b) => a.at - b.at);
  if (list.length === 0) return 0 as RamOffset;
  const array = ram.kzalloc(OFF_ARR_BYTES);
  ram.view.setUint32(array, list.length, true);
  list.forEach(({ at, bytes }, i) => {
    ram.view.setUint32(array + OFF_ARR_OFFSETS + i * 4, at, true);
    ram.u8[array + OFF_ARR_SIZES + i] = bytes;
  });
  return array;
}
