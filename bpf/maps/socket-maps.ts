/**
 * Maps of sockets: sockmap, sockhash, xskmap, reuseport_sockarray. User space writes socket
 * descriptors, which the kernel resolves to struct sock; programs find the sock. Where the kernel
 * has no sockets, every update fails as for a descriptor that is none.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { uapi } from '../uapi.ts';
import { BaseMap, NULL } from './base-map.ts';
import { createInRam, IndexedMap } from './indexed-map.ts';
import type { MapSpec } from './map.ts';
import type { MapCaps, MapHost, MapTypeRow } from './map-type.ts';
import { checkArray, hasOnly, mayBpf, mayNetAdmin } from './map-type.ts';

const COOKIE_BYTES = 8;
/** What Linux takes for each entry, and for a bucket of a sockhash (struct bpf_shtab_bucket). */
const POINTER_BYTES = 8;
const BUCKET_BYTES = 16;

/** The socket behind the descriptor at `value`: its struct sock, or a negative errno. */
function sockAt({ ram, kernel }: MapHost, spec: MapSpec, value: RamOffset): RamOffset | number {
  const fd = ram.view.getInt32(value, true);
  return kernel.sockOfFd?.(fd, spec.type) ?? -errno.EBADF;
}

/** What user space reads: the socket's cookie, and only into 8 bytes. */
function copyCookie(
  { ram, kernel }: MapHost,
  spec: MapSpec,
  sock: RamOffset,
  out: RamOffset,
): number {
  if (spec.valueBytes !== COOKIE_BYTES) return -errno.ENOSPC;
  if (sock === 0) return -errno.ENOENT;
  ram.writeU64(out, kernel.sockCookie?.(sock) ?? 0n);
  return 0;
}

class SockArray extends IndexedMap {
  readonly #socks: RamOffset[] = [];

  override lookup(key: RamOffset): RamOffset {
    return this.#socks[this.index(key)] ?? NULL;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    if (this.spec.type === 'xskmap') return -errno.EOPNOTSUPP;
    return copyCookie(this.host, this.spec, this.lookup(key), out);
  }

  redirectTarget(index: number): boolean {
    return (this.#socks[index] ?? NULL) !== NULL;
  }

  override updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    const index = this.index(key);
    const isSockmap = this.spec.type === 'sockmap';
    if (!isSockmap && flags > uapi.BPF_EXIST) return -errno.EINVAL;
    if (!isSockmap && index >= this.spec.maxEntries) return -errno.E2BIG;
    const sock = sockAt(this.host, this.spec, value);
    // A reuseport_sockarray looks at the flags before the socket's group.
    const isForeign = this.spec.type === 'reuseport_sockarray' && sock === -errno.EINVAL;
    if (isForeign && flags === uapi.BPF_EXIST && this.lookup(key) === 0) return -errno.ENOENT;
    if (sock < 0) return sock;
    // A sockmap looks at the socket first (sock_map_update_elem_sys).
    if (flags > uapi.BPF_EXIST) return -errno.EINVAL;
    if (index >= this.spec.maxEntries) return -errno.E2BIG;
    const old = this.#socks[index] ?? NULL;
    if (old !== 0 && flags === uapi.BPF_NOEXIST) return -errno.EEXIST;
    if (old === 0 && flags === uapi.BPF_EXIST) return -errno.ENOENT;
    this.#put(index);
    this.#socks[index] = sock as RamOffset;
    return 0;
  }

  override delete(key: RamOffset): number {
    const index = this.index(key);
    const isEmpty = (this.#socks[index] ?? NULL) === NULL;
    switch (this.spec.type) {
      case 'xskmap':
        if (index >= this.spec.maxEntries) return -errno.EINVAL;
        break;
      case 'reuseport_sockarray':
        if (index >= this.spec.maxEntries) return -errno.E2BIG;
        if (isEmpty) return -errno.ENOENT;
        break;
      default:
        if (isEmpty) return -errno.EINVAL;
    }
    this.#put(index);
    return 0;
  }

  protected override release(): void {
    this.#socks.forEach((_, index) => this.#put(index));
  }

  #put(index: number): void {
    const sock = this.#socks[index] ?? NULL;
    if (sock !== 0) this.host.kernel.putSock?.(sock);
    this.#socks[index] = NULL;
  }
}

class SockHash extends BaseMap {
  readonly #socks = new Map<string, RamOffset>();

  override lookup(key: RamOffset): RamOffset {
    return this.#socks.get(this.#text(key)) ?? NULL;
  }

  override copyValue(key: RamOffset, out: RamOffset, _flags: number): number {
    return copyCookie(this.host, this.spec, this.lookup(key), out);
  }

  override updateFromUser(key: RamOffset, value: RamOffset, flags: number): number {
    const sock = sockAt(this.host, this.spec, value);
    if (sock < 0) return sock;
    if (flags > uapi.BPF_EXIST) return -errno.EINVAL;
    const text = this.#text(key);
    const old = this.#socks.get(text);
    if (old !== undefined && flags === uapi.BPF_NOEXIST) return -errno.EEXIST;
    if (old === undefined && flags === uapi.BPF_EXIST) return -errno.ENOENT;
    if (old === undefined && this.#socks.size >= this.spec.maxEntries) return -errno.E2BIG;
    if (old !== undefined) this.host.kernel.putSock?.(old);
    this.#socks.set(text, sock as RamOffset);
    return 0;
  }

  override delete(key: RamOffset): number {
    const text = this.#text(key);
    const sock = this.#socks.get(text);
    if (sock === undefined) return -errno.ENOENT;
    this.host.kernel.putSock?.(sock);
    this.#socks.delete(text);
    return 0;
  }

  /** differs: in the order of insertion, where Linux's depends on its random hash seed. */
  override nextKey(key: RamOffset, out: RamOffset): number {
    const keys = [...this.#socks.keys()];
    const at = key === 0 ? -1 : keys.indexOf(this.#text(key));
    const next = keys[at + 1];
    if (next === undefined) return -errno.ENOENT;
    this.host.ram.u8.set(next.split(',').map(Number), out);
    return 0;
  }

  protected override release(): void {
    for (const sock of this.#socks.values()) this.host.kernel.putSock?.(sock);
  }

  #text(key: RamOffset): string {
    return this.host.ram.bytes(key, this.spec.keyBytes).join();
  }
}

const bucketCount = ({ maxEntries }: MapSpec) => 2 ** Math.ceil(Math.log2(maxEntries));
const valueIsFd = ({ valueBytes }: MapSpec) => valueBytes === 4 || valueBytes === COOKIE_BYTES;
const FLAGS = uapi.BPF_F_NUMA_NODE | uapi.BPF_F_RDONLY | uapi.BPF_F_WRONLY;

const array = (
  type: MapTypeRow['type'],
  check: (spec: MapSpec, caps: MapCaps) => number,
): MapTypeRow => ({
  type,
  ...(type !== 'reuseport_sockarray' && { checksInAlloc: true }),
  check,
  create: (host, spec) =>
    createInRam(
      host,
      spec,
      spec.maxEntries * POINTER_BYTES,
      (offset, bytes) => new SockArray(host, spec, offset, bytes),
    ),
});

export const sockmapMap = array('sockmap', (spec, caps) => {
  if (!mayNetAdmin(caps)) return -errno.EPERM;
  const ok =
    spec.maxEntries !== 0 &&
    spec.maxEntries < 2 ** 31 &&
    spec.keyBytes === 4 &&
    valueIsFd(spec) &&
    hasOnly(spec.flags, FLAGS);
  return ok ? 0 : -errno.EINVAL;
});

export const xskmapMap = array('xskmap', (spec, caps) => {
  if (!mayNetAdmin(caps)) return -errno.EPERM;
  const ok =
    spec.maxEntries !== 0 &&
    spec.keyBytes === 4 &&
    spec.valueBytes === 4 &&
    hasOnly(spec.flags, FLAGS);
  return ok ? 0 : -errno.EINVAL;
});

export const reuseportSockarrayMap = array('reuseport_sockarray', (spec, caps) => {
  if (!valueIsFd(spec)) return -errno.EINVAL;
  return checkArray(spec) || (mayBpf(caps) ? 0 : -errno.EPERM);
});

export const sockhashMap: MapTypeRow = {
  type: 'sockhash',
  checksInAlloc: true,
  check: (spec, caps) => {
    if (!mayNetAdmin(caps)) return -errno.EPERM;
    const ok =
      spec.maxEntries !== 0 && spec.keyBytes !== 0 && valueIsFd(spec) && hasOnly(spec.flags, FLAGS);
    if (!ok) return -errno.EINVAL;
    if (spec.keyBytes > uapi.MAX_BPF_STACK) return -errno.E2BIG;
    return bucketCount(spec) * BUCKET_BYTES >= 2 ** 32 ? -errno.EINVAL : 0;
  },
  create: (host, spec) =>
    createInRam(
      host,
      spec,
      bucketCount(spec) * BUCKET_BYTES,
      (offset, bytes) => new SockHash(host, spec, offset, bytes),
    ),
};
