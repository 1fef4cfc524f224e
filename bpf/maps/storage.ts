/**
 * Storage that belongs to a kernel object: a value for each socket, inode or task (local storage),
 * or for each cgroup that a program is attached to.
 *
 *   storage.get(owner, initial, create)   a program's bpf_sk_storage_get and kin
 *   storage.remove(owner)                 bpf_sk_storage_delete, and when the owner dies
 *
 * differs: no descriptor leads to a socket's or an inode's storage (-EBADF).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { BaseMap, NULL } from './base-map.ts';
import { createInRam } from './indexed-map.ts';
import type { MapSpec } from './map.ts';
import type { MapTypeRow } from './map-type.ts';
import {
  ACCESS_FLAGS,
  accessIsOk,
  hasOnly,
  mayBpf,
  PCPU_MIN_UNIT_BYTES,
  roundUp,
} from './map-type.ts';

/** BPF_LOCAL_STORAGE_MAX_VALUE_SIZE: 64 KiB less struct bpf_local_storage_elem (6.1, x86-64). */
const MAX_VALUE_BYTES = 0xffff - 128;

/** `flags` may have more than 32 bits. */
const withoutLock = (flags: number) =>
  (flags & uapi.BPF_F_LOCK) !== 0 ? flags - uapi.BPF_F_LOCK : flags;

const isAnyOrExist = (flags: number) => flags === uapi.BPF_ANY || flags === uapi.BPF_EXIST;

/** Keys are owners' struct offsets. In user space's view a descriptor stands for the owner. */
export class LocalStorageMap extends BaseMap {
  readonly #values = new Map<RamOffset, RamOffset>();

  /** The owner's value, made with `initial` (or zeros) if `create`; 0 if there is none. */
  get(owner: RamOffset, initial: RamOffset, create: boolean): RamOffset {
    const found = this.#values.get(owner);
    if (found !== undefined || !create) return found ?? NULL;
    const value = this.host.core.areaAlloc(roundUp(this.spec.valueBytes, 8));
    if (value === 0) return NULL;
    if (initial !== 0) {
      this.host.ram.u8.copyWithin(value, initial, initial + this.spec.valueBytes);
    }
    this.#values.set(owner, value);
    return value;
  }

  /** 0, or -ENOENT. */
  remove(owner: RamOffset): number {
    const value = this.#values.get(owner);
    if (value === undefined) return -errno.ENOENT;
    this.host.core.areaFree(value, roundUp(this.spec.valueBytes, 8));
    this.#values.delete(owner);
    return 0;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    const owner = this.#ownerAt(key);
    if (owner < 0) return owner;
    const value = this.#values.get(owner as RamOffset);
    if (value === undefined) return -errno.ENOENT;
    this.host.ram.u8.copyWithin(out, value, value + this.spec.valueBytes);
    return 0;
  }

  override updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    const owner = this.#ownerAt(key);
    if (owner < 0) return owner;
    const kind = withoutLock(flags);
    if (kind > uapi.BPF_EXIST) return -errno.EINVAL;
    if ((flags & uapi.BPF_F_LOCK) !== 0 && this.spinLockOffset === undefined) return -errno.EINVAL;
    const old = this.#values.get(owner as RamOffset);
    if (old !== undefined && kind === uapi.BPF_NOEXIST) return -errno.EEXIST;
    if (old === undefined && kind === uapi.BPF_EXIST) return -errno.ENOENT;
    if (old !== undefined) this.host.ram.u8.copyWithin(old, value, value + this.spec.valueBytes);
    else if (this.get(owner as RamOffset, value, true) === 0) return -errno.ENOMEM;
    return 0;
  }

  override delete(key: RamOffset): number {
    const owner = this.#ownerAt(key);
    return owner < 0 ? owner : this.remove(owner as RamOffset);
  }

  protected override release(): void {
    for (const owner of [...this.#values.keys()]) this.remove(owner);
  }

  #ownerAt(key: RamOffset): number {
    const fd = this.host.ram.view.getInt32(key, true);
    return this.host.kernel.storageOwnerOfFd?.(fd, this.spec.type) ?? -errno.EBADF;
  }
}

const localStorage = (type: MapTypeRow['type']): MapTypeRow => ({
  type,
  /** bpf_local_storage_map_alloc_check */
  check: (spec, caps) => {
    const ok =
      hasOnly(spec.flags, uapi.BPF_F_NO_PREALLOC | uapi.BPF_F_CLONE) &&
      (spec.flags & uapi.BPF_F_NO_PREALLOC) !== 0 &&
      spec.maxEntries === 0 &&
      spec.keyBytes === 4 &&
      spec.valueBytes !== 0 &&
      Boolean(spec.btfKeyTypeId) &&
      Boolean(spec.btfValueTypeId);
    if (!ok) return -errno.EINVAL;
    if (!mayBpf(caps)) return -errno.EPERM;
    return spec.valueBytes > MAX_VALUE_BYTES ? -errno.E2BIG : 0;
  },
  create: (host, spec) =>
    createInRam(host, spec, 0, (offset, bytes) => new LocalStorageMap(host, spec, offset, bytes)),
});

/**
 * A value (or one a CPU) for each cgroup that a program with this map is attached to. The key is
 * the cgroup's id, or the id and the attach type (struct bpf_cgroup_storage_key).
 */
export class CgroupStorageMap extends BaseMap {
  readonly #values = new Map<string, RamOffset>();

  get #percpu(): boolean {
    return this.spec.type === 'percpu_cgroup_storage';
  }

  get #stride(): number {
    return roundUp(this.spec.valueBytes, 8);
  }

  get #valueBytes(): number {
    return this.#stride * (this.#percpu ? this.host.kernel.cpuCount : 1);
  }

  /** When a program is attached: storage for that cgroup. False: no memory. */
  link(key: string): boolean {
    if (this.#values.has(key)) return true;
    const value = this.host.core.areaAlloc(this.#valueBytes);
    if (value === 0) return false;
    this.#values.set(key, value);
    return true;
  }

  unlink(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.host.core.areaFree(value, this.#valueBytes);
    this.#values.delete(key);
  }

  /** bpf_get_local_storage: the value of the cgroup that runs the program, on this CPU. */
  current(key: string): RamOffset {
    this.link(key);
    const value = this.#values.get(key) ?? NULL;
    const cpu = this.#percpu ? this.host.kernel.cpu() : 0;
    return value === 0 ? value : ((value + cpu * this.#stride) as RamOffset);
  }

  /** The text by which `link` knows a key. */
  static keyText(cgroupId: bigint, attachType: number | undefined): string {
    return `${cgroupId}/${attachType ?? ''}`;
  }

  override lookup(key: RamOffset): RamOffset {
    return this.#values.get(this.#keyAt(key)) ?? NULL;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    const value = this.lookup(key);
    if (value === 0) return -errno.ENOENT;
    this.host.ram.u8.copyWithin(out, value, value + this.userValueBytes);
    return 0;
  }

  override update(key: RamOffset, value: RamOffset, flags: number): number {
    const allowed = this.#percpu ? isAnyOrExist(flags) : isAnyOrExist(withoutLock(flags));
    if (!allowed) return -errno.EINVAL;
    if ((flags & uapi.BPF_F_LOCK) !== 0 && this.spinLockOffset === undefined) return -errno.EINVAL;
    const stored = this.lookup(key);
    if (stored === 0) return -errno.ENOENT;
    this.host.ram.u8.copyWithin(stored, value, value + this.userValueBytes);
    return 0;
  }

  override delete(_key: RamOffset): number {
    return -errno.EINVAL;
  }

  /** The newest comes first. */
  override nextKey(key: RamOffset, out: RamOffset): number {
    const keys = [...this.#values.keys()].reverse();
    const at = key === 0 ? -1 : keys.indexOf(this.#keyAt(key));
    const next = key !== 0 && at < 0 ? undefined : keys[at + 1];
    if (next === undefined) return -errno.ENOENT;
    const [cgroupId = '', attachType = ''] = next.split('/');
    const { ram } = this.host;
    ram.u8.fill(0, out, out + this.spec.keyBytes);
    ram.writeU64(out, BigInt(cgroupId));
    if (this.spec.keyBytes > 8) ram.view.setUint32(out + 8, Number(attachType), true);
    return 0;
  }

  protected override release(): void {
    for (const key of [...this.#values.keys()]) this.unlink(key);
  }

  #keyAt(key: RamOffset): string {
    const { ram } = this.host;
    const attachType = this.spec.keyBytes === 8 ? undefined : ram.view.getUint32(key + 8, true);
    return CgroupStorageMap.keyText(ram.readU64(key), attachType);
  }
}

const cgroupStorage = (type: MapTypeRow['type']): MapTypeRow => ({
  type,
  /** cgroup_storage_map_alloc */
  check: (spec) => {
    const percpu = type === 'percpu_cgroup_storage';
    const limit = percpu ? Math.min(MAX_VALUE_BYTES, PCPU_MIN_UNIT_BYTES) : MAX_VALUE_BYTES;
    if (spec.keyBytes !== 16 && spec.keyBytes !== 8) return -errno.EINVAL;
    if (spec.valueBytes === 0) return -errno.EINVAL;
    if (spec.valueBytes > limit) return -errno.E2BIG;
    const flagsOk = hasOnly(spec.flags, uapi.BPF_F_NUMA_NODE | ACCESS_FLAGS);
    return flagsOk && accessIsOk(spec.flags) && spec.maxEntries === 0 ? 0 : -errno.EINVAL;
  },
  create: (host, spec: MapSpec) => {
    const percpu = type === 'percpu_cgroup_storage';
    const userBytes = percpu ? roundUp(spec.valueBytes, 8) * host.kernel.cpuCount : spec.valueBytes;
    return createInRam(
      host,
      spec,
      0,
      (offset, bytes) => new CgroupStorageMap(host, spec, offset, bytes, userBytes),
    );
  },
});

export const skStorageMap = localStorage('sk_storage');
export const inodeStorageMap = localStorage('inode_storage');
export const taskStorageMap = localStorage('task_storage');
export const cgroupStorageMap = cgroupStorage('cgroup_storage');
export const percpuCgroupStorageMap = cgroupStorage('percpu_cgroup_storage');
