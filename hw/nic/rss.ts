/**
 * Which receive queue a frame goes to. Hashed are the addresses of IPv4 and IPv6, and the ports of
 * TCP and UDP unless the packet is a fragment (ConnectX-5's defaults in Linux 6.1,
 * mlx5e rss_default_config); a frame that is no IP has hash 0 and goes to the first queue. One
 * 802.1Q tag is looked through, as the 82599 does.
 */
import { DEFAULT_RSS_KEY, RSS_KEY_BYTES, toeplitz, toeplitzTable } from './toeplitz.ts';
import type { ToeplitzTable } from './toeplitz.ts';
import { INDIRECTION_ENTRIES } from './params.ts';

const ETH_P_8021Q = 0x8100;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
/** More fragments, or an offset. */
const IPV4_FRAGMENT_MASK = 0x3fff;

export class Rss {
  #key: Uint8Array = Uint8Array.from(DEFAULT_RSS_KEY);
  #table: ToeplitzTable = toeplitzTable(DEFAULT_RSS_KEY);
  readonly indirection = new Uint8Array(INDIRECTION_ENTRIES);

  /** Fill the indirection table evenly, as ethtool_rxfh_indir_default does. */
  spread(queues: number): void {
    for (let i = 0; i < INDIRECTION_ENTRIES; i++) this.indirection[i] = i % queues;
  }

  get key(): Uint8Array {
    return this.#key;
  }

  set key(key: Uint8Array) {
    if (key.length !== RSS_KEY_BYTES) throw new RangeError(`RSS key of ${key.length} bytes`);
    this.#key = key.slice();
    this.#table = toeplitzTable(key);
  }

  queueOf(hash: number): number {
    return this.indirection[hash & (INDIRECTION_ENTRIES - 1)]!;
  }

  hash(bytes: Uint8Array, start: number, length: number): number {
    const end = start + length;
    let at = start + 12;
    if (length < 34) return 0;
    let type = (bytes[at]! << 8) | bytes[at + 1]!;
    if (type === ETH_P_8021Q) {
      at += 4;
      type = (bytes[at]! << 8) | bytes[at + 1]!;
    }
    at += 2;
    if (type === ETH_P_IP) return this.#ipv4(bytes, at, end);
    if (type === ETH_P_IPV6) return this.#ipv6(bytes, at, end);
    return 0;
  }

  #ipv4(bytes: Uint8Array, at: number, end: number): number {
    if (at + 20 > end) return 0;
    const addresses = toeplitz(this.#table, bytes, at + 12, 8);
    const protocol = bytes[at + 9]!;
    if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return addresses;
    if (((bytes[at + 6]! << 8) | bytes[at + 7]!) & IPV4_FRAGMENT_MASK) return addresses;
    const ports = at + (bytes[at]! & 15) * 4;
    if (ports + 4 > end) return addresses;
    return (addresses ^ toeplitz(this.#table, bytes, ports, 4, 8)) >>> 0;
  }

  #ipv6(bytes: Uint8Array, at: number, end: number): number {
    if (at + 40 > end) return 0;
    const addresses = toeplitz(this.#table, bytes, at + 8, 32);
    const next = bytes[at + 6]!;
    if ((next !== IPPROTO_TCP && next !== IPPROTO_UDP) || at + 44 > end) return addresses;
    return (addresses ^ toeplitz(this.#table, bytes, at + 40, 4, 32)) >>> 0;
  }
}
