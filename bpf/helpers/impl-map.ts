/** Maps, spin locks, kptrs, ring buffers and dynptrs; most of it is the C core's. */
import { errno } from '../../kernel/types/errno.ts';
import type { Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Implementations } from './implement.ts';
import { native, offset } from './implement.ts';

export const mapImplementations: Implementations = {
  map_lookup_elem: native('map_lookup_elem', ['i32', 'i32'], 'pointer'),
  map_lookup_percpu_elem: native('map_lookup_percpu_elem', ['i32', 'i32', 'i32'], 'pointer'),
  map_update_elem: native('map_update_elem', ['i32', 'i32', 'i32', 'i64'], 'i32'),
  map_delete_elem: native('map_delete_elem', ['i32', 'i32'], 'i32'),
  map_push_elem: native('map_push_elem', ['i32', 'i32', 'i64'], 'i32'),
  map_pop_elem: native('map_pop_elem', ['i32', 'i32'], 'i32'),
  map_peek_elem: native('map_peek_elem', ['i32', 'i32'], 'i32'),
  ringbuf_output: native('ringbuf_output', ['i32', 'i32', 'i64', 'i64'], 'i32'),
  ringbuf_reserve: native('ringbuf_reserve', ['i32', 'i64', 'i64'], 'pointer'),
  ringbuf_submit: native('ringbuf_submit', ['i32', 'i64'], 'void'),
  ringbuf_discard: native('ringbuf_discard', ['i32', 'i64'], 'void'),
  ringbuf_query: native('ringbuf_query', ['i32', 'i64'], 'i64'),

  // One CPU runs at a time and nothing preempts a program, so a lock is never contended.
  spin_lock: {
    pass: ['i32'],
    returns: 'void',
    bind:
      ({ ram }) =>
      (lock: number) =>
        ram.view.setUint32(offset(lock), 1, true),
  },
  spin_unlock: {
    pass: ['i32'],
    returns: 'void',
    bind:
      ({ ram }) =>
      (lock: number) =>
        ram.view.setUint32(offset(lock), 0, true),
  },
  kptr_xchg: {
    pass: ['i32', 'i64'],
    returns: 'i64',
    bind:
      ({ ram }) =>
      (slot: number, pointer: bigint) => {
        const old = ram.readU64(offset(slot));
        ram.writeU64(offset(slot), pointer);
        return old;
      },
  },

  dynptr_from_mem: {
    pass: ['i32', 'i32', 'i64', 'i32'],
    returns: 'i32',
    bind:
      ({ ram }) =>
      (data: number, sizeBytes: number, flags: bigint, dynptr: number) => {
        const error = sizeError(sizeBytes) || (flags !== 0n ? -errno.EINVAL : 0);
        if (error) setNull(ram, offset(dynptr));
        else initDynptr(ram, offset(dynptr), offset(data), DYNPTR_LOCAL, sizeBytes);
        return error;
      },
  },
  dynptr_read: {
    pass: ['i32', 'i32', 'i32', 'i32', 'i64'],
    returns: 'i32',
    bind:
      ({ ram }) =>
      (out: number, sizeBytes: number, dynptr: number, from: number, flags: bigint) => {
        const source = slice(ram, offset(dynptr), from, sizeBytes);
        if (source === undefined || flags !== 0n) return -errno.EINVAL;
        if (source < 0) return source;
        ram.u8.copyWithin(offset(out), source, source + (sizeBytes >>> 0));
        return 0;
      },
  },
  dynptr_write: {
    pass: ['i32', 'i32', 'i32', 'i32', 'i64'],
    returns: 'i32',
    bind:
      ({ ram }) =>
      (dynptr: number, to: number, data: number, sizeBytes: number, flags: bigint) => {
        const target = slice(ram, offset(dynptr), to, sizeBytes);
        if (target === undefined || flags !== 0n) return -errno.EINVAL;
        if (target < 0) return target;
        ram.u8.copyWithin(target, offset(data), offset(data) + (sizeBytes >>> 0));
        return 0;
      },
  },
  dynptr_data: {
    pass: ['i32', 'i32', 'i32'],
    returns: 'pointer',
    bind:
      ({ ram }) =>
      (dynptr: number, from: number, sizeBytes: number) =>
        Math.max(slice(ram, offset(dynptr), from, sizeBytes) ?? 0, 0),
  },
  ringbuf_reserve_dynptr: {
    pass: ['i32', 'i32', 'i64', 'i32'],
    returns: 'i32',
    bind:
      ({ ram, core }) =>
      (map: number, sizeBytes: number, flags: bigint, dynptr: number) => {
        setNull(ram, offset(dynptr));
        if (flags !== 0n) return -errno.EINVAL;
        const error = sizeError(sizeBytes);
        if (error) return error;
        const size = BigInt(sizeBytes >>> 0);
        const sample = offset(core.exports.ringbuf_reserve(map, size, 0n));
        if (sample === 0) return -errno.EINVAL;
        initDynptr(ram, offset(dynptr), sample, DYNPTR_RINGBUF, sizeBytes);
        return 0;
      },
  },
  ringbuf_submit_dynptr: {
    pass: ['i32', 'i64'],
    returns: 'void',
    bind:
      ({ ram, core }) =>
      (dynptr: number, flags: bigint) => {
        const sample = ram.readPointer(offset(dynptr));
        if (sample === 0) return;
        core.exports.ringbuf_submit(sample, flags);
        setNull(ram, offset(dynptr));
      },
  },
  ringbuf_discard_dynptr: {
    pass: ['i32', 'i64'],
    returns: 'void',
    bind:
      ({ ram, core }) =>
      (dynptr: number, flags: bigint) => {
        const sample = ram.readPointer(offset(dynptr));
        if (sample === 0) return;
        core.exports.ringbuf_discard(sample, flags);
        setNull(ram, offset(dynptr));
      },
  },
};

/** struct bpf_dynptr_kern (include/linux/bpf.h): data pointer, size and type, offset. */
export const DYNPTR_BYTES = 16;
const SIZE = 8;
const OFFSET = 12;
/** kernel/bpf/helpers.c: 24 bits of size, type above, read-only bit on top. */
const MAX_SIZE_BYTES = 0xffffff;
const TYPE_SHIFT = 28;
export const DYNPTR_LOCAL = 1;
const DYNPTR_RINGBUF = 2;

function sizeError(sizeBytes: number): number {
  return sizeBytes >>> 0 > MAX_SIZE_BYTES ? -errno.E2BIG : 0;
}

function setNull(ram: Ram, dynptr: RamOffset): void {
  ram.u8.fill(0, dynptr, dynptr + DYNPTR_BYTES);
}

export function initDynptr(
  ram: Ram,
  dynptr: RamOffset,
  data: RamOffset,
  type: number,
  sizeBytes: number,
): void {
  ram.writePointer(dynptr, data);
  ram.view.setUint32(dynptr + SIZE, sizeBytes | (type << TYPE_SHIFT), true);
  ram.view.setUint32(dynptr + OFFSET, 0, true);
}

/** Where `from` bytes into a dynptr is: -E2BIG beyond its end, undefined for a null dynptr. */
function slice(ram: Ram, dynptr: RamOffset, from: number, sizeBytes: number): number | undefined {
  const data = ram.readPointer(dynptr);
  if (data === 0) return undefined;
  const size = ram.view.getUint32(dynptr + SIZE, true) & MAX_SIZE_BYTES;
  if ((from >>> 0) + (sizeBytes >>> 0) > size) return -errno.E2BIG;
  return data + ram.view.getUint32(dynptr + OFFSET, true) + (from >>> 0);
}
