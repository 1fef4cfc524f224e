/** BPF_MAP_CREATE, the element commands and BPF_MAP_FREEZE (kernel/bpf/syscall.c of 6.1). */
import { errno } from '../../kernel/types/errno.ts';
import { OutOfMemory } from '../../kernel/ram/page-allocator.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { ATTR } from '../attr.ts';
import type { MapSpec } from '../maps/map.ts';
import { uapi, mapTypeOf } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { type MapAccess, mapDevice } from './offload.ts';
import { btfOfFd, install, objectName, mapOfFd, openMap, type OpenMap } from './lookup.ts';
import { MapObject } from './objects.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';
import { dropUserValue, setUserValue, userValueIsFd, userValueOfFdMap } from './fd-maps.ts';

const NULL = 0 as RamOffset;
/** NUMA_NO_NODE as a u32. */
const NO_NODE = 0xffff_ffff;

export function mapCreate(
  bpf: BpfSubsystem,
  attr: Attr<'map_create'>,
  caller: BpfCaller,
  raw: Uint8Array,
): number {
  const type = mapTypeOf(attr.map_type);
  if (attr.btf_vmlinux_value_type_id !== 0) {
    if (type !== 'struct_ops' || attr.btf_key_type_id !== 0 || attr.btf_value_type_id !== 0) {
      return -errno.EINVAL;
    }
  } else if (attr.btf_key_type_id !== 0 && attr.btf_value_type_id === 0) {
    return -errno.EINVAL;
  }
  if (type !== 'bloom_filter' && attr.map_extra !== 0n) return -errno.EINVAL;
  const access = fdAccess(attr.map_flags);
  if (access === undefined) return -errno.EINVAL;
  // One NUMA node, and NUMA_NO_NODE.
  const wantsNode = (attr.map_flags & uapi.BPF_F_NUMA_NODE) !== 0;
  if (wantsNode && attr.numa_node !== 0 && attr.numa_node !== NO_NODE) return -errno.EINVAL;
  if (type === undefined || type === 'unspec') return -errno.EINVAL;
  if (type === 'tcam' && bpf.host.level === '6.1') return -errno.EINVAL;
  const nameAt = ATTR.map_create.offsets.map_name;
  const name = objectName(raw.subarray(nameAt, nameAt + uapi.BPF_OBJ_NAME_LEN));
  const hasBtf = attr.btf_key_type_id !== 0 || attr.btf_value_type_id !== 0;
  const found = hasBtf ? btfOfFd(caller, attr.btf_fd) : undefined;
  const btf = typeof found === 'number' ? undefined : found;
  // What Linux finds only when it has made the map.
  const late = name === undefined ? -errno.EINVAL : whyNotBtf(found);
  const holdsMaps = type === 'array_of_maps' || type === 'hash_of_maps';
  const inner = holdsMaps ? mapOfFd(caller, attr.inner_map_fd) : undefined;
  const spec: MapSpec = {
    type,
    keyBytes: attr.key_size,
    valueBytes: attr.value_size,
    maxEntries: attr.max_entries,
    flags: attr.map_flags,
    name: name ?? '',
    mapExtra: attr.map_extra,
    ...(typeof inner === 'number' && { noInnerMap: inner }),
    ...(typeof inner === 'object' && { innerMap: inner.map }),
    ...(wantsNode && { numaNode: attr.numa_node | 0 }),
    ...(attr.btf_vmlinux_value_type_id !== 0 && {
      btfVmlinuxValueTypeId: attr.btf_vmlinux_value_type_id,
    }),
    ...(btf && { btf: btf.btf }),
    ...(hasBtf && {
      btfKeyTypeId: attr.btf_key_type_id,
      btfValueTypeId: attr.btf_value_type_id,
    }),
    ...(attr.map_ifindex !== 0 && { ifindex: attr.map_ifindex }),
  };
  const device = spec.ifindex === undefined ? undefined : mapDevice(bpf, spec, caller);
  if (typeof device === 'number') return device;
  const map = bpf.host.createMap(spec, caller.caps);
  if (typeof map === 'number') return map;
  if (late < 0) {
    map.free();
    return late;
  }
  return install(caller, new MapObject(map, btf, bpf.maps, bpf.mapsByOffset, device), access);
}

function whyNotBtf(found: ReturnType<typeof btfOfFd> | undefined): number {
  if (typeof found === 'number') return found;
  return found?.isKernel ? -errno.EACCES : 0;
}

/** FMODE of the new descriptor from BPF_F_RDONLY and BPF_F_WRONLY; undefined: both are set. */
export function fdAccess(
  flags: number,
): { readonly canRead: boolean; readonly canWrite: boolean } | undefined {
  const readOnly = (flags & uapi.BPF_F_RDONLY) !== 0;
  const writeOnly = (flags & uapi.BPF_F_WRONLY) !== 0;
  if (readOnly && writeOnly) return undefined;
  return { canRead: !writeOnly, canWrite: !readOnly };
}

export function mapLookupElem(
  bpf: BpfSubsystem,
  attr: Attr<'map_lookup_elem'>,
  caller: BpfCaller,
): number {
  if ((attr.flags & ~BigInt(uapi.BPF_F_LOCK)) !== 0n) return -errno.EINVAL;
  const flags = Number(attr.flags);
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  if (!open.canRead) return -errno.EPERM;
  if (lockIsWrong(open, flags)) return -errno.EINVAL;
  const { map } = open.object;
  return withKey(bpf, open, attr.key, caller, (key) => {
    const { ram } = bpf.host.runtime;
    if (!reached(open, 'lookup')) return -errno.ENODEV;
    return bpf.withScratch(map.userValueBytes, (value) => {
      if (
        map.spec.type === 'bloom_filter' &&
        !copyIn(bpf, caller, attr.value, value, map.userValueBytes)
      ) {
        return -errno.EFAULT;
      }
      const result = userValueIsFd(map)
        ? userValueOfFdMap(bpf, map, key, value)
        : map.copyValue(key, value, flags);
      if (result < 0) return result;
      const bytes = ram.bytes(value, map.userValueBytes);
      return caller.copyToUser(attr.value, bytes) ? 0 : -errno.EFAULT;
    });
  });
}

export function mapUpdateElem(
  bpf: BpfSubsystem,
  attr: Attr<'map_update_elem'>,
  caller: BpfCaller,
): number {
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  if (!open.canWrite) return -errno.EPERM;
  const flags = Number(attr.flags);
  if (lockIsWrong(open, flags)) return -errno.EINVAL;
  return withKey(bpf, open, attr.key, caller, (key) =>
    withValue(bpf, open, attr.value, caller, (value) =>
      reached(open, 'update') ? updateValue(bpf, open, key, value, flags, caller) : -errno.ENODEV,
    ),
  );
}

/** One element from user space; values of some maps are descriptors. */
export function updateValue(
  bpf: BpfSubsystem,
  open: OpenMap,
  key: RamOffset,
  value: RamOffset,
  flags: number,
  caller: BpfCaller,
): number {
  const { map } = open.object;
  try {
    if (userValueIsFd(map)) return setUserValue(bpf, open.object, key, value, flags, caller);
    const result = map.updateFromUser(key, value, flags);
    if (result === 0 && map.spec.type === 'perf_event_array') {
      open.object.noteAdded(bpf.host.runtime.ram.view.getUint32(key, true), open.handle);
    }
    return result;
  } catch (error) {
    if (error instanceof OutOfMemory) return -errno.ENOMEM;
    throw error;
  }
}

export function mapDeleteElem(
  bpf: BpfSubsystem,
  attr: Attr<'map_delete_elem'>,
  caller: BpfCaller,
): number {
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  if (!open.canWrite) return -errno.EPERM;
  return withKey(bpf, open, attr.key, caller, (key) => {
    if (!reached(open, 'delete')) return -errno.ENODEV;
    const result = open.object.map.delete(key);
    if (result >= 0 && userValueIsFd(open.object.map)) dropUserValue(bpf, open.object, key);
    return result;
  });
}

export function mapGetNextKey(
  bpf: BpfSubsystem,
  attr: Attr<'map_get_next_key'>,
  caller: BpfCaller,
): number {
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  if (!open.canRead) return -errno.EPERM;
  const { map } = open.object;
  const { ram } = bpf.host.runtime;
  return bpf.withScratch(map.spec.keyBytes, (next) => {
    const step = (key: RamOffset): number => {
      if (!reached(open, 'next-key')) return -errno.ENODEV;
      const result = map.nextKey(key, next);
      if (result < 0) return result;
      const bytes = ram.bytes(next, map.spec.keyBytes);
      return caller.copyToUser(attr.next_key, bytes) ? 0 : -errno.EFAULT;
    };
    return attr.key === 0n ? step(NULL) : withKey(bpf, open, attr.key, caller, step);
  });
}

export function mapLookupAndDeleteElem(
  bpf: BpfSubsystem,
  attr: Attr<'map_lookup_and_delete_elem'>,
  caller: BpfCaller,
): number {
  if ((attr.flags & ~BigInt(uapi.BPF_F_LOCK)) !== 0n) return -errno.EINVAL;
  const flags = Number(attr.flags);
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  if (!open.canRead || !open.canWrite) return -errno.EPERM;
  const { map } = open.object;
  const isStream = map.spec.type === 'queue' || map.spec.type === 'stack';
  if (flags !== 0 && isStream) return -errno.EINVAL;
  if (lockIsWrong(open, flags)) return -errno.EINVAL;
  return withKey(bpf, open, attr.key, caller, (key) =>
    bpf.withScratch(map.userValueBytes, (value) => {
      const take = open.object.device ? undefined : map.lookupAndDelete;
      const result = take?.call(map, key, value, flags) ?? -errno.ENOTSUPP;
      if (result < 0) return result;
      const bytes = bpf.host.runtime.ram.bytes(value, map.userValueBytes);
      return caller.copyToUser(attr.value, bytes) ? 0 : -errno.EFAULT;
    }),
  );
}

export function mapFreeze(_bpf: BpfSubsystem, attr: Attr<'map_freeze'>, caller: BpfCaller): number {
  const object = mapOfFd(caller, attr.map_fd);
  if (typeof object === 'number') return object;
  const { map } = object;
  if (map.spec.type === 'struct_ops') return -errno.ENOTSUPP;
  if (object.writableMappings > 0 || map.frozen) return -errno.EBUSY;
  if (!caller.caps.bpf) return -errno.EPERM;
  map.frozen = true;
  return 0;
}

/** The map is on the host, or its device answers; that takes its time. */
function reached({ object: { device, map } }: OpenMap, access: MapAccess): boolean {
  if (device?.present) device.mapAccess(access, map.spec);
  return device?.present ?? true;
}

/** BPF_F_LOCK is for maps whose values hold a spin lock. */
export function lockIsWrong(open: OpenMap, flags: number): boolean {
  return (flags & uapi.BPF_F_LOCK) !== 0 && open.object.map.spinLockOffset === undefined;
}

/** The key in RAM while `use` runs. Maps without keys want a NULL address. */
export function withKey(
  bpf: BpfSubsystem,
  open: OpenMap,
  address: bigint,
  caller: BpfCaller,
  use: (key: RamOffset) => number,
): number {
  const { keyBytes } = open.object.map.spec;
  if (keyBytes === 0) return address === 0n ? use(NULL) : -errno.EINVAL;
  return bpf.withScratch(keyBytes, (key) =>
    copyIn(bpf, caller, address, key, keyBytes) ? use(key) : -errno.EFAULT,
  );
}

export function withValue(
  bpf: BpfSubsystem,
  open: OpenMap,
  address: bigint,
  caller: BpfCaller,
  use: (value: RamOffset) => number,
): number {
  const { userValueBytes } = open.object.map;
  return bpf.withScratch(userValueBytes, (value) =>
    copyIn(bpf, caller, address, value, userValueBytes) ? use(value) : -errno.EFAULT,
  );
}

function copyIn(
  bpf: BpfSubsystem,
  caller: BpfCaller,
  address: bigint,
  to: RamOffset,
  sizeBytes: number,
): boolean {
  const bytes = caller.copyFromUser(address, sizeBytes);
  if (!bytes) return false;
  bpf.host.runtime.ram.u8.set(bytes, to);
  return true;
}
