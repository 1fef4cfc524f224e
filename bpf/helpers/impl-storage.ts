/** Storage of sockets, inodes, tasks and cgroups (bpf/maps/storage.ts). */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { CgroupStorageMap } from '../maps/storage.ts';
import { LocalStorageMap } from '../maps/storage.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** BPF_LOCAL_STORAGE_GET_F_CREATE, the only flag. */
const CREATE = 1n;
const NULL = 0 as RamOffset;

const get: HelperImplementation = {
  pass: ['i32', 'i32', 'i32', 'i64'],
  returns: 'pointer',
  bind: (runtime) => (mapAt: number, owner: number, initial: number, flags: bigint) => {
    const map = runtime.mapAt(offset(mapAt));
    const known = flags === 0n || flags === CREATE;
    if (!(map instanceof LocalStorageMap) || owner === 0 || !known) return NULL;
    return map.get(offset(owner), offset(initial), flags === CREATE);
  },
};

const remove: HelperImplementation = {
  pass: ['i32', 'i32'],
  returns: 'i32',
  bind: (runtime) => (mapAt: number, owner: number) => {
    const map = runtime.mapAt(offset(mapAt));
    if (!(map instanceof LocalStorageMap) || owner === 0) return -errno.EINVAL;
    return map.remove(offset(owner));
  },
};

export const storageImplementations: Implementations = {
  sk_storage_get: get,
  sk_storage_get_cg_sock: get,
  sk_storage_get_tracing: get,
  inode_storage_get: get,
  task_storage_get: get,
  sk_storage_delete: remove,
  sk_storage_delete_tracing: remove,
  inode_storage_delete: remove,
  task_storage_delete: remove,
  get_local_storage: {
    pass: ['i32', 'i64'],
    returns: 'pointer',
    bind: (runtime) => (mapAt: number) => {
      const map = runtime.mapAt(offset(mapAt)) as CgroupStorageMap;
      // Without a cgroup around (a test run) the program has a value of its own, as in Linux.
      return map.current(runtime.kernel.cgroupStorageKey?.() ?? 'test-run');
    },
  },
};
