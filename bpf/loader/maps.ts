/**
 * An object's maps brought into the kernel: created (or taken from where they are pinned), global
 * data filled in and frozen, slots of maps of maps set, pinned.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { AttrInput } from '../attr.ts';
import type { Btf } from '../btf/btf.ts';
import type { MapDef, ObjectMap, ObjectSpec } from '../elf/object-spec.ts';
import { BPF_MAP_INFO } from '../info.ts';
import type { MapType } from '../uapi.ts';
import { mapTypeNumber, mapTypeOf } from '../uapi.ts';
import { mapCreate, mapFreeze, mapUpdate, objGet, objInfo, objPin } from './commands.ts';
import { LoadError } from './failure.ts';
import type { BpfFlow, BpfUser } from './user.ts';

export interface MapContext {
  readonly spec: ObjectSpec;
  readonly btf: Btf | undefined;
  readonly btfFd: number;
  /** CPUs of the machine: the size of a perf event array that states none. */
  readonly cpuCount: number;
  readonly pageBytes: number;
  readonly ifindex: number;
  /** Directory for maps that are pinned by name. */
  readonly pinDirectory: string;
  readonly strerror: (errno: number) => string;
  readonly say: (message: string) => void;
  /** Every descriptor opened, so that a failure can close them. */
  readonly opened: number[];
}

export interface CreatedMap {
  readonly map: ObjectMap;
  /** As the kernel knows it. */
  readonly kernelName: string;
  readonly fd: number;
}

/** Types whose keys and values the kernel does not take BTF for. */
const NO_BTF: ReadonlySet<MapType> = new Set([
  'perf_event_array',
  'cgroup_array',
  'stack_trace',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'devmap_hash',
  'cpumap',
  'xskmap',
  'sockmap',
  'sockhash',
  'queue',
  'stack',
]);

/** `reuse`: descriptors to use instead of creating, by map name. */
export function* createMaps<Y>(
  user: BpfUser<Y>,
  context: MapContext,
  reuse: ReadonlyMap<string, number>,
): BpfFlow<Y, Map<string, CreatedMap>> {
  const created = new Map<string, CreatedMap>();
  for (const map of context.spec.maps) {
    const kernelName = kernelMapName(context.spec.name, map);
    const given = reuse.get(map.name);
    const path = pinPath(map, context);
    let fd =
      given ?? (path === undefined ? -errno.ENOENT : yield* reusePinned(user, map, path, context));
    if (fd < 0) {
      fd = yield* createMap(user, map.def, kernelName, map.name, context);
      context.opened.push(fd);
      if (map.data !== undefined && map.structOps === undefined)
        yield* fill(user, map, fd, context);
      if (path !== undefined) yield* pin(user, map, fd, path, context);
    }
    created.set(map.name, { map, kernelName, fd });
    yield* user.release();
  }
  for (const { map, fd } of created.values()) yield* setInnerMaps(user, map, fd, created, context);
  return created;
}

/**
 * libbpf's names: a defined map's own, for global data the object's and the section's, both cut to
 * fit 15 characters. A custom section (`.data.mine`) keeps its name.
 */
export function kernelMapName(objectName: string, map: ObjectMap): string {
  if (map.data === undefined || map.structOps !== undefined) return map.name.slice(0, 15);
  if (map.name.indexOf('.', 1) > 0) return map.name.slice(0, 15);
  const suffixBytes = Math.min(15, Math.max(7, map.name.length));
  const name = objectName.slice(0, 15 - suffixBytes) + map.name.slice(0, suffixBytes);
  return name.replace(/[^A-Za-z0-9_.]/g, '_');
}

function pinPath(map: ObjectMap, { pinDirectory, spec }: MapContext): string | undefined {
  switch (map.pinning) {
    case 'none':
      return undefined;
    case 'by_name':
      return `${pinDirectory}/${map.name.replaceAll('.', '_')}`;
    // iproute2's directories under the bpf file system.
    case 'object_ns':
      return `${pinDirectory}/tc/${spec.name}/${map.name}`;
    case 'global_ns':
      return `${pinDirectory}/tc/globals/${map.name}`;
  }
}

function* createMap<Y>(
  user: BpfUser<Y>,
  def: MapDef,
  kernelName: string,
  name: string,
  context: MapContext,
): BpfFlow<Y, number> {
  let innerFd = 0;
  if (def.inner !== undefined) {
    innerFd = yield* createMap(user, def.inner, `${kernelName}.inner`, `${name}.inner`, context);
  }
  const plain: AttrInput<'map_create'> = {
    map_type: mapTypeNumber(def.type),
    key_size: def.keyBytes,
    value_size: def.valueBytes,
    max_entries: maxEntries(def, context),
    map_flags: def.flags,
    numa_node: def.numaNode,
    map_name: kernelName,
    map_ifindex: context.ifindex,
    map_extra: def.mapExtra,
    inner_map_fd: innerFd,
    btf_vmlinux_value_type_id: def.kernelValueTypeId ?? 0,
  };
  const typed = context.btfFd > 0 && !NO_BTF.has(def.type);
  const btf = {
    btf_fd: context.btfFd,
    btf_key_type_id: def.btfKeyTypeId,
    btf_value_type_id: def.btfValueTypeId,
  };
  const hasTypes = def.btfKeyTypeId !== 0 || def.btfValueTypeId !== 0;
  let fd = yield* mapCreate(user, typed ? { ...plain, ...btf } : plain);
  if (fd < 0 && typed && hasTypes) {
    const why = `${context.strerror(-fd)}(${fd})`;
    context.say(`libbpf: Error in bpf_create_map_xattr(${name}):${why}. Retrying without BTF.`);
    fd = yield* mapCreate(user, plain);
  }
  if (innerFd > 0) yield* user.close(innerFd);
  if (fd < 0) {
    const why = `${context.strerror(-fd)}(${fd})`;
    throw new LoadError(-fd, [`libbpf: map '${name}': failed to create: ${why}`]);
  }
  return fd;
}

function maxEntries(def: MapDef, { cpuCount, pageBytes }: MapContext): number {
  if (def.type === 'perf_event_array' && def.maxEntries === 0) return cpuCount;
  if (def.type !== 'ringbuf' && def.type !== 'user_ringbuf') return def.maxEntries;
  // A ring is a power of two of pages; libbpf rounds up where that is possible.
  if (def.maxEntries === 0) return 0;
  let bytes = pageBytes;
  while (bytes < def.maxEntries && bytes < 0x8000_0000) bytes *= 2;
  return bytes >= def.maxEntries ? bytes : def.maxEntries;
}

function* fill<Y>(
  user: BpfUser<Y>,
  map: ObjectMap,
  fd: number,
  { strerror }: MapContext,
): BpfFlow<Y, void> {
  const result = yield* mapUpdate(user, fd, new Uint8Array(4), map.data!);
  if (result < 0) {
    const why = strerror(-result);
    throw new LoadError(-result, [
      `libbpf: Error setting initial map(${map.name}) contents: ${why}`,
    ]);
  }
  if (!map.readOnly) return;
  const frozen = yield* mapFreeze(user, fd);
  if (frozen < 0) {
    const why = strerror(-frozen);
    throw new LoadError(-frozen, [`libbpf: Error freezing map(${map.name}) as read-only: ${why}`]);
  }
}

function* setInnerMaps<Y>(
  user: BpfUser<Y>,
  map: ObjectMap,
  fd: number,
  created: ReadonlyMap<string, CreatedMap>,
  { strerror }: MapContext,
): BpfFlow<Y, void> {
  for (const slot of map.slots) {
    const inner = slot.map === undefined ? undefined : created.get(slot.map);
    if (inner === undefined) continue;
    const result = yield* mapUpdate(user, fd, u32(slot.index), u32(inner.fd));
    if (result < 0) {
      const why = `${strerror(-result)}`;
      throw new LoadError(-result, [
        `libbpf: map '${map.name}': failed to initialize slot [${slot.index}] to map '${inner.map.name}' fd=${inner.fd}: ${why}`,
      ]);
    }
  }
  yield* user.release();
}

/** Prog arrays can be filled only once the programs are there. */
export function* setPrograms<Y>(
  user: BpfUser<Y>,
  maps: ReadonlyMap<string, CreatedMap>,
  programs: ReadonlyMap<string, number>,
  { strerror }: MapContext,
): BpfFlow<Y, void> {
  for (const { map, fd } of maps.values()) {
    for (const { index, program } of map.slots) {
      const programFd = program === undefined ? undefined : programs.get(program);
      if (programFd === undefined) continue;
      const result = yield* mapUpdate(user, fd, u32(index), u32(programFd));
      if (result < 0) {
        throw new LoadError(-result, [
          `libbpf: map '${map.name}': failed to initialize slot [${index}] to prog '${program}' fd=${programFd}: ${strerror(-result)}`,
        ]);
      }
    }
    yield* user.release();
  }
}

/** -ENOENT where nothing is pinned there. */
function* reusePinned<Y>(
  user: BpfUser<Y>,
  map: ObjectMap,
  path: string,
  context: MapContext,
): BpfFlow<Y, number> {
  const fd = yield* objGet(user, path);
  if (fd === -errno.ENOENT) return fd;
  if (fd < 0) {
    throw new LoadError(-fd, [
      `libbpf: couldn't retrieve pinned map '${path}': ${context.strerror(-fd)}`,
    ]);
  }
  const info = yield* objInfo(user, fd, BPF_MAP_INFO.sizeBytes);
  const { def } = map;
  const pinned = typeof info === 'number' ? undefined : BPF_MAP_INFO.decode(info);
  const same =
    pinned !== undefined &&
    mapTypeOf(pinned.type) === def.type &&
    pinned.key_size === def.keyBytes &&
    pinned.value_size === def.valueBytes &&
    pinned.max_entries === maxEntries(def, context) &&
    pinned.map_flags === def.flags &&
    pinned.map_extra === def.mapExtra;
  if (!same) {
    yield* user.close(fd);
    throw new LoadError(errno.EINVAL, [
      `libbpf: couldn't reuse pinned map at '${path}': parameter mismatch`,
    ]);
  }
  context.opened.push(fd);
  return fd;
}

function* pin<Y>(
  user: BpfUser<Y>,
  map: ObjectMap,
  fd: number,
  path: string,
  { strerror }: MapContext,
): BpfFlow<Y, void> {
  const result = yield* objPin(user, fd, path);
  if (result >= 0) return;
  throw new LoadError(-result, [
    `libbpf: map '${map.name}': failed to auto-pin at '${path}': ${strerror(-result)}(${result})`,
  ]);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
