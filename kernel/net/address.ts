/** IP addresses of interfaces, and IPv4 addresses as numbers. */

export interface InterfaceAddress {
  readonly family: 'inet' | 'inet6';
  /** 4 or 16 bytes, network order. */
  readonly local: Uint8Array;
  readonly prefixLength: number;
  readonly broadcast?: Uint8Array;
  /** RT_SCOPE_* (UAPI linux/rtnetlink.h). */
  readonly scope: number;
  /** IFA_LABEL; IPv4 only. */
  readonly label?: string;
  /** Hundredths of a second since boot, as IFA_CACHEINFO has it. */
  readonly createdCs: number;
}

export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;

/** Big-endian 32 bits at `at`, unsigned. */
export function readBe32(bytes: Uint8Array, at = 0): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

export function be32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

export const ipv4Text = (bytes: Uint8Array): string => Array.from(bytes).join('.');
