/**
 * SYN cookies: an initial sequence number from which the connection can be told when the third
 * packet of the handshake comes (net/ipv4/syncookies.c and net/ipv6/syncookies.c, Linux 6.1).
 *
 *   makeCookie(secret, packet, mss, minute)    {cookie, mss} for a SYN
 *   checkCookie(secret, packet, minute)        the mss that an ACK's cookie stands for; 0: none
 */
import { siphash, type SipKey } from './siphash.ts';

/** Two keys: for the part that stays and the part that changes with time. */
export type SyncookieSecret = readonly [SipKey, SipKey];

/** What of a packet counts. Addresses as on the wire, 4 or 16 bytes. */
export interface CookiePacket {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** The two ports as they stand in the header. */
  readonly ports: Uint8Array;
  readonly sequence: number;
  readonly acknowledged: number;
}

/** Segment sizes that a cookie can stand for (the two files' msstab). */
const IPV4_MSS = [536, 1300, 1440, 1460] as const;
const IPV6_MSS = [1280 - 60, 1480 - 60, 1500 - 60, 9000 - 60] as const;

const COOKIE_BITS = 24;
const COOKIE_MASK = 2 ** COOKIE_BITS - 1;
/** In minutes. */
const MAX_AGE = 2;

const tableOf = ({ source }: CookiePacket) => (source.length === 4 ? IPV4_MSS : IPV6_MSS);

export function randomSecret(random32: () => number): SyncookieSecret {
  const word = () => (BigInt(random32() >>> 0) << 32n) | BigInt(random32() >>> 0);
  const key = (): SipKey => ({ low: word(), high: word() });
  return [key(), key()];
}

/** The lower 32 bits of the hash of a connection at a time. */
function hash(secret: SipKey, packet: CookiePacket, minute: number): number {
  const { source, destination, ports } = packet;
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, minute, true);
  const isV4 = source.length === 4;
  // siphash_4u32 takes both ports as one number, the source's above.
  const portWord = Uint8Array.of(ports[2]!, ports[3]!, ports[0]!, ports[1]!);
  const parts = isV4 ? [source, destination, portWord, count] : [source, destination, count, ports];
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
  return Number(BigInt.asUintN(32, siphash(bytes, secret)));
}

export function makeCookie(
  [fixed, timed]: SyncookieSecret,
  packet: CookiePacket,
  mss: number,
  minute: number,
): { readonly cookie: number; readonly mss: number } {
  const table = tableOf(packet);
  // The largest that is not above; the smallest where all are.
  const index = Math.max(
    0,
    table.findLastIndex((size) => mss >= size),
  );
  const base = hash(fixed, packet, 0) + packet.sequence + minute * 2 ** COOKIE_BITS;
  const cookie = base + ((hash(timed, packet, minute) + index) & COOKIE_MASK);
  return { cookie: Number(BigInt.asUintN(32, BigInt(cookie))), mss: table[index]! };
}

export function checkCookie(
  [fixed, timed]: SyncookieSecret,
  packet: CookiePacket,
  minute: number,
): number {
  const base = (packet.acknowledged - 1 - hash(fixed, packet, 0) - (packet.sequence - 1)) >>> 0;
  const age = (minute - (base >>> COOKIE_BITS)) & 0xff;
  if (age >= MAX_AGE) return 0;
  const index = (base - hash(timed, packet, minute - age)) & COOKIE_MASK;
  return tableOf(packet)[index] ?? 0;
}
