/**
 * stack_trace: stacks by the hash of their addresses. A program puts one in with bpf_get_stackid
 * and keeps the id; user space reads the addresses.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { BaseMap } from './base-map.ts';
import { createInRam } from './indexed-map.ts';
import type { MapSpec } from './map.ts';
import type { MapTypeRow } from './map-type.ts';
import { hasOnly, mayBpf } from './map-type.ts';

/** sysctl kernel.perf_event_max_stack */
export const MAX_STACK_DEPTH = 127;
const ADDRESS_BYTES = 8;
/** What Linux takes for the table, and for each stack (struct stack_map_bucket, x86-64). */
const POINTER_BYTES = 8;
const BUCKET_BYTES = 16;

interface Stack {
  readonly hash: number;
  readonly addresses: readonly bigint[];
}

const bucketCount = ({ maxEntries }: MapSpec) => 2 ** Math.ceil(Math.log2(maxEntries));

export class StackTraceMap extends BaseMap {
  readonly #buckets = new Map<number, Stack>();

  get #bucketCount(): number {
    return bucketCount(this.spec);
  }

  get depth(): number {
    return this.spec.valueBytes / ADDRESS_BYTES;
  }

  /** __bpf_get_stackid: the id, or -EEXIST where another stack has the bucket, or -ENOMEM. */
  put(stack: readonly bigint[], flags: number): number {
    const addresses = stack.slice(0, this.depth);
    const hash = this.#hash(addresses);
    const id = hash & (this.#bucketCount - 1);
    const old = this.#buckets.get(id);
    if (old?.hash === hash) {
      if ((flags & uapi.BPF_F_FAST_STACK_CMP) !== 0) return id;
      if (old.addresses.join() === addresses.join()) return id;
    }
    if (old && (flags & uapi.BPF_F_REUSE_STACKID) === 0) return -errno.EEXIST;
    if (!old && this.#buckets.size >= this.spec.maxEntries) return -errno.ENOMEM;
    this.#buckets.set(id, { hash, addresses });
    return id;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    const stack = this.#buckets.get(this.#id(key));
    if (!stack) return -errno.ENOENT;
    const { ram } = this.host;
    ram.u8.fill(0, out, out + this.spec.valueBytes);
    stack.addresses.forEach((address, i) =>
      ram.writeU64((out + i * ADDRESS_BYTES) as RamOffset, address),
    );
    return 0;
  }

  override update(_key: RamOffset, _value: RamOffset, _flags: number): number {
    return -errno.EINVAL;
  }

  override delete(key: RamOffset): number {
    const id = this.#id(key);
    if (id >= this.#bucketCount) return -errno.E2BIG;
    return this.#buckets.delete(id) ? 0 : -errno.ENOENT;
  }

  override nextKey(key: RamOffset, out: RamOffset): number {
    const current = key === 0 ? -1 : this.#id(key);
    let id = this.#buckets.has(current) ? current + 1 : 0;
    while (id < this.#bucketCount && !this.#buckets.has(id)) id++;
    if (id >= this.#bucketCount) return -errno.ENOENT;
    this.host.ram.view.setUint32(out, id, true);
    return 0;
  }

  #id(key: RamOffset): number {
    return this.host.ram.view.getUint32(key, true);
  }

  /** jhash2 of the addresses, as Linux's, so that ids agree where addresses do. */
  #hash(addresses: readonly bigint[]): number {
    const { ram, core } = this.host;
    const bytes = addresses.length * ADDRESS_BYTES;
    const scratch = ram.kzalloc(Math.max(bytes, ADDRESS_BYTES));
    addresses.forEach((address, i) =>
      ram.writeU64((scratch + i * ADDRESS_BYTES) as RamOffset, address),
    );
    const hash = core.exports.jhash(scratch, bytes, 0) >>> 0;
    ram.kfree(scratch);
    return hash;
  }
}

export const stackTraceMap: MapTypeRow = {
  type: 'stack_trace',
  check: (spec, caps) => {
    if (!mayBpf(caps)) return -errno.EPERM;
    // differs: build ids instead of addresses (BPF_F_STACK_BUILD_ID) are not there.
    const flags = uapi.BPF_F_NUMA_NODE | uapi.BPF_F_RDONLY | uapi.BPF_F_WRONLY;
    const ok =
      hasOnly(spec.flags, flags) &&
      spec.maxEntries !== 0 &&
      spec.keyBytes === 4 &&
      spec.valueBytes >= ADDRESS_BYTES &&
      spec.valueBytes % ADDRESS_BYTES === 0 &&
      spec.valueBytes / ADDRESS_BYTES <= MAX_STACK_DEPTH;
    if (!ok) return -errno.EINVAL;
    return spec.maxEntries > 2 ** 31 ? -errno.E2BIG : 0;
  },
  create: (host, spec) =>
    createInRam(
      host,
      spec,
      bucketCount(spec) * POINTER_BYTES + spec.maxEntries * (BUCKET_BYTES + spec.valueBytes),
      (offset, bytes) => new StackTraceMap(host, spec, offset, bytes),
    ),
};
