/**
 * The batch commands (generic_map_*_batch and the hash table's own of 6.1). `count` is answered
 * with the elements done, also on errors; a lookup past the last element gives -ENOENT.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { HTAB_ELEM_BYTES } from '../maps/map-type.ts';
import { dropUserValue, userValueIsFd, userValueOfFdMap } from './fd-maps.ts';
import { openMap, type OpenMap } from './lookup.ts';
import { lockIsWrong, updateValue } from './map-commands.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

type BatchAttr = Attr<'map_lookup_batch'>;
const NULL = 0 as RamOffset;

type Command = 'lookup' | 'lookup and delete' | 'update' | 'delete';

const HASHES = ['hash', 'lru_hash', 'percpu_hash', 'lru_percpu_hash', 'hash_of_maps'];
/** Types with map_*_batch operations, by command. */
const BATCHED: Readonly<Record<Command, ReadonlySet<string>>> = {
  lookup: new Set([...HASHES, 'array', 'percpu_array', 'array_of_maps', 'lpm_trie', 'tcam']),
  'lookup and delete': new Set(HASHES),
  update: new Set([...HASHES, 'array', 'percpu_array', 'array_of_maps', 'lpm_trie', 'tcam']),
  delete: new Set([...HASHES, 'lpm_trie', 'tcam']),
};

/** Checks that all batch commands share; the open map or a negative errno. */
function openForBatch(attr: BatchAttr, caller: BpfCaller, command: Command): OpenMap | number {
  const open = openMap(caller, attr.map_fd);
  if (typeof open === 'number') return open;
  const reads = command === 'lookup' || command === 'lookup and delete';
  const writes = command !== 'lookup';
  if ((reads && !open.canRead) || (writes && !open.canWrite)) return -errno.EPERM;
  const { type } = open.object.map.spec;
  if (!BATCHED[command].has(type) || open.object.device) return -errno.ENOTSUPP;
  if ((attr.elem_flags & ~BigInt(uapi.BPF_F_LOCK)) !== 0n) return -errno.EINVAL;
  if (lockIsWrong(open, Number(attr.elem_flags))) return -errno.EINVAL;
  // Only the hash tables' own look-up cares for these.
  if (reads && HASHES.includes(type) && attr.flags !== 0n) return -errno.EINVAL;
  return open;
}

export function mapLookupBatch(bpf: BpfSubsystem, attr: BatchAttr, caller: BpfCaller): number {
  const open = openForBatch(attr, caller, 'lookup');
  return typeof open === 'number' ? open : lookupBatch(bpf, open, attr, caller, false);
}

export function mapLookupAndDeleteBatch(
  bpf: BpfSubsystem,
  attr: BatchAttr,
  caller: BpfCaller,
): number {
  const open = openForBatch(attr, caller, 'lookup and delete');
  return typeof open === 'number' ? open : lookupBatch(bpf, open, attr, caller, true);
}

function lookupBatch(
  bpf: BpfSubsystem,
  open: OpenMap,
  attr: BatchAttr,
  caller: BpfCaller,
  remove: boolean,
): number {
  if (attr.count === 0) return 0;
  return HASHES.includes(open.object.map.spec.type)
    ? hashBatch(bpf, open, attr, caller, remove)
    : genericBatch(bpf, open, attr, caller);
}

/** One element to its place in the caller's arrays: 0 or a negative errno. */
function giveElement(
  bpf: BpfSubsystem,
  { object }: OpenMap,
  attr: BatchAttr,
  caller: BpfCaller,
  key: RamOffset,
  value: RamOffset,
  index: number,
): number {
  const { map } = object;
  const { ram } = bpf.host.runtime;
  const { keyBytes } = map.spec;
  const copied = userValueIsFd(map)
    ? userValueOfFdMap(bpf, map, key, value)
    : map.copyValue(key, value, Number(attr.elem_flags));
  if (copied < 0) return copied;
  const keyAt = attr.keys + BigInt(index * keyBytes);
  const valueAt = attr.values + BigInt(index * map.userValueBytes);
  const given =
    caller.copyToUser(keyAt, ram.bytes(key, keyBytes)) &&
    caller.copyToUser(valueAt, ram.bytes(value, map.userValueBytes));
  return given ? 0 : -errno.EFAULT;
}

/** generic_map_lookup_batch: the position is the last key. */
function genericBatch(
  bpf: BpfSubsystem,
  open: OpenMap,
  attr: BatchAttr,
  caller: BpfCaller,
): number {
  const { map } = open.object;
  const { keyBytes } = map.spec;
  const { ram } = bpf.host.runtime;
  const wanted = attr.count;
  attr.count = 0;
  return bpf.withScratch(keyBytes * 2 + map.userValueBytes + 16, (key) => {
    const next = align(key + keyBytes);
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
      result = giveElement(bpf, open, attr, caller, next, value, done);
      if (result === -errno.EFAULT) return result;
      if (result < 0) break;
      ram.u8.copyWithin(key, next, next + keyBytes);
      from = key;
    }
    attr.count = done;
    if (done > 0 && !caller.copyToUser(attr.out_batch, ram.bytes(key, keyBytes))) {
      return -errno.EFAULT;
    }
    return result;
  });
}

/**
 * The hash tables' own: whole buckets at a time, so that -ENOSPC says that a bucket has more
 * elements than there is room for; the position is the next bucket.
 */
function hashBatch(
  bpf: BpfSubsystem,
  open: OpenMap,
  attr: BatchAttr,
  caller: BpfCaller,
  remove: boolean,
): number {
  const { map } = open.object;
  const { core } = bpf.host.runtime;
  const wanted = attr.count;
  attr.count = 0;
  let bucket = 0;
  if (attr.in_batch !== 0n) {
    const bytes = caller.copyFromUser(attr.in_batch, 4);
    if (!bytes) return -errno.EFAULT;
    bucket = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
  const buckets = core.exports.htab_bucket_count(map.offset) >>> 0;
  if (bucket >= buckets) return -errno.ENOENT;
  return bpf.withScratch(map.userValueBytes, (value) => {
    let result = 0;
    let done = 0;
    for (; bucket < buckets; bucket++) {
      const keys = bucketKeys(bpf, open, bucket);
      if (keys.length > wanted - done) {
        result = done === 0 ? -errno.ENOSPC : 0;
        break;
      }
      const unreadable = keys.some(
        (key) => giveElement(bpf, open, attr, caller, key, value, done++) === -errno.EFAULT,
      );
      // What the caller does not get is gone all the same.
      if (remove) for (const key of keys) removeElement(bpf, open, key);
      if (unreadable) return -errno.EFAULT;
    }
    if (bucket >= buckets) result = -errno.ENOENT;
    const position = new Uint8Array(Uint32Array.of(bucket).buffer);
    if (!caller.copyToUser(attr.out_batch, position)) return -errno.EFAULT;
    attr.count = done;
    return result;
  });
}

/** Where the keys of a bucket's elements are. */
function bucketKeys(bpf: BpfSubsystem, { object }: OpenMap, bucket: number): RamOffset[] {
  const { ram, core } = bpf.host.runtime;
  const keys: RamOffset[] = [];
  let elem = core.exports.htab_bucket_first(object.map.offset, bucket) >>> 0;
  for (; elem !== 0; elem = ram.view.getUint32(elem, true)) {
    keys.push((elem + HTAB_ELEM_BYTES) as RamOffset);
  }
  return keys;
}

/** `key` may be in the element itself. */
function removeElement(bpf: BpfSubsystem, { object }: OpenMap, key: RamOffset): number {
  if (userValueIsFd(object.map)) dropUserValue(bpf, object, key);
  return object.map.delete(key);
}

export function mapUpdateBatch(bpf: BpfSubsystem, attr: BatchAttr, caller: BpfCaller): number {
  const open = openForBatch(attr, caller, 'update');
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
  const open = openForBatch(attr, caller, 'delete');
  if (typeof open === 'number') return open;
  return forEachKey(bpf, open, attr, caller, (key) => removeElement(bpf, open, key));
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
