/**
 * The batch commands (generic_map_*_batch and the hash table's own of 6.1). `count` is answered
 * with the elements done, also on errors; a lookup past the last element gives -ENOENT.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { openMap, type OpenMap } from './lookup.ts';
import { lockIsWrong, updateValue } from './map-commands.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

type BatchAttr = Attr<'map_lookup_batch'>;
const NULL = 0 as RamOffset;

/** Checks that all batch commands share; the open map or a negative errno. */
function openForBatch(attr: BatchAttr, caller: BpfCaller, read: boolean, write: boolean) {
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  if ((read && !open.canRead) || (write && !open.canWrite)) return -errno.EPERM;
  if ((Number(attr.elem_flags) & ~uapi.BPF_F_LOCK) !== 0 || attr.flags !== 0n) return -errno.EINVAL;
  if (lockIsWrong(open, Number(attr.elem_flags))) return -errno.EINVAL;
  if (!BATCHED.has(open.object.map.spec.type)) return -errno.ENOTSUPP;
  return open;
}

/** Types with map_*_batch operations. */
const BATCHED: ReadonlySet<string> = new Set([
  'hash',
  'lru_hash',
  'percpu_hash',
  'lru_percpu_hash',
  'array',
  'percpu_array',
  'lpm_trie',
  'hash_of_maps',
  'array_of_maps',
  'devmap',
  'devmap_hash',
  'sockmap',
  'sockhash',
]);

export function mapLookupBatch(bpf: BpfSubsystem, attr: BatchAttr, caller: BpfCaller): number {
  const open = openForBatch(attr, caller, true, false);
  return typeof open === 'number' ? open : lookupBatch(bpf, open, attr, caller, false);
}

export function mapLookupAndDeleteBatch(
  bpf: BpfSubsystem,
  attr: BatchAttr,
  caller: BpfCaller,
): number {
  const open = openForBatch(attr, caller, true, true);
  if (typeof open === 'number') return open;
  if (!open.object.map.spec.type.endsWith('hash')) return -errno.ENOTSUPP;
  return lookupBatch(bpf, open, attr, caller, true);
}

/** differs: the opaque batch position is the last key for all types; Linux's hash uses a bucket. */
function lookupBatch(
  bpf: BpfSubsystem,
  open: OpenMap,
  attr: BatchAttr,
  caller: BpfCaller,
  remove: boolean,
): number {
  const { map } = open.object;
  const { keyBytes } = map.spec;
  const { ram } = bpf.host.runtime;
  const wanted = attr.count;
  attr.count = 0;
  if (wanted === 0) return 0;
  return bpf.withScratch(keyBytes * 2 + map.userValueBytes + 16, (scratch) => {
    const key = scratch;
    const next = align(scratch + keyBytes);
    const value = align(next + keyBytes);
    let from = NULL;
    if (attr.in_batch !== 0n) {
      const bytes = caller.copyFromUser(attr.in_batch, keyBytes);
      if (!bytes) return -errno.EFAULT;
      ram.u8.set(bytes, key);
      from = key;
    }
    let result = 0;
    let done = 0;
    for (; done < wanted; done++) {
      result = map.nextKey(from, next);
      if (result < 0) break;
      result = map.copyValue(next, value, Number(attr.elem_flags));
      if (result < 0) break;
      const keyAt = attr.keys + BigInt(done * keyBytes);
      const valueAt = attr.values + BigInt(done * map.userValueBytes);
      if (
        !caller.copyToUser(keyAt, ram.bytes(next, keyBytes)) ||
        !caller.copyToUser(valueAt, ram.bytes(value, map.userValueBytes))
      ) {
        return -errno.EFAULT;
      }
      ram.u8.copyWithin(key, next, next + keyBytes);
      from = key;
    }
    if (remove) removeAll(bpf, open, attr, done, caller);
    if (from !== NULL && !caller.copyToUser(attr.out_batch, ram.bytes(key, keyBytes))) {
      return -errno.EFAULT;
    }
    attr.count = done;
    return result < 0 && result !== -errno.ENOENT ? result : done < wanted ? -errno.ENOENT : 0;
  });
}

function removeAll(
  bpf: BpfSubsystem,
  open: OpenMap,
  attr: BatchAttr,
  count: number,
  caller: BpfCaller,
): void {
  const { map } = open.object;
  for (let i = 0; i < count; i++) {
    const bytes = caller.copyFromUser(attr.keys + BigInt(i * map.spec.keyBytes), map.spec.keyBytes);
    if (!bytes) return;
    bpf.withScratch(map.spec.keyBytes, (key) => {
      bpf.host.runtime.ram.u8.set(bytes, key);
      map.delete(key);
    });
  }
}

export function mapUpdateBatch(bpf: BpfSubsystem, attr: BatchAttr, caller: BpfCaller): number {
  const open = openForBatch(attr, caller, false, true);
  if (typeof open === 'number') return open;
  const { map } = open.object;
  return forEachKey(bpf, open, attr, caller, (key, index) =>
    bpf.withScratch(map.userValueBytes, (value) => {
      const valueAt = attr.values + BigInt(index * map.userValueBytes);
      const bytes = caller.copyFromUser(valueAt, map.userValueBytes);
      if (!bytes) return -errno.EFAULT;
      bpf.host.runtime.ram.u8.set(bytes, value);
      return updateValue(bpf, open, key, value, Number(attr.elem_flags), caller);
    }),
  );
}

export function mapDeleteBatch(bpf: BpfSubsystem, attr: BatchAttr, caller: BpfCaller): number {
  const open = openForBatch(attr, caller, false, true);
  if (typeof open === 'number') return open;
  return forEachKey(bpf, open, attr, caller, (key) => open.object.map.delete(key));
}

function forEachKey(
  bpf: BpfSubsystem,
  open: OpenMap,
  attr: BatchAttr,
  caller: BpfCaller,
  act: (key: RamOffset, index: number) => number,
): number {
  const { keyBytes } = open.object.map.spec;
  const wanted = attr.count;
  attr.count = 0;
  return bpf.withScratch(keyBytes, (key) => {
    for (let index = 0; index < wanted; index++) {
      const bytes = caller.copyFromUser(attr.keys + BigInt(index * keyBytes), keyBytes);
      if (!bytes) return -errno.EFAULT;
      bpf.host.runtime.ram.u8.set(bytes, key);
      const result = act(key, index);
      if (result < 0) return result;
      attr.count = index + 1;
    }
    return 0;
  });
}

function align(offset: number): RamOffset {
  return (Math.ceil(offset / 8) * 8) as RamOffset;
}
