/** bpf_sk_lookup_tcp, bpf_sk_lookup_udp, bpf_skc_lookup_tcp: the socket of a packet's addresses (6.1). */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { SockQuery } from '../runtime.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** struct bpf_sock_tuple: two addresses and two ports, of either family. */
const IPV4_TUPLE_BYTES = 12;
const IPV6_TUPLE_BYTES = 36;

const NULL = 0 as RamOffset;

function readTuple(
  ram: Ram,
  at: RamOffset,
  sizeBytes: number,
): Omit<SockQuery, 'protocol' | 'anyState'> {
  const isV4 = sizeBytes === IPV4_TUPLE_BYTES;
  const bytes = isV4 ? 4 : 16;
  const ports = at + 2 * bytes;
  return {
    family: isV4 ? 'inet' : 'inet6',
    source: ram.u8.slice(at, at + bytes),
    destination: ram.u8.slice(at + bytes, ports),
    sourcePort: ram.view.getUint16(ports, false),
    destinationPort: ram.view.getUint16(ports + 2, false),
  };
}

/** A namespace is the caller's own (negative), or one of a number, of which there is none. */
function lookUp(protocol: 'tcp' | 'udp', anyState: boolean): HelperImplementation {
  return {
    pass: ['i32', 'i32', 'i32', 'i64', 'i64'],
    returns: 'pointer',
    bind:
      ({ ram, kernel }) =>
      (_ctx: number, tuple: number, sizeBytes: number, netns: bigint, flags: bigint) => {
        const size = sizeBytes >>> 0;
        if (size !== IPV4_TUPLE_BYTES && size !== IPV6_TUPLE_BYTES) return NULL;
        if (flags !== 0n || BigInt.asIntN(32, netns) >= 0n) return NULL;
        const query = { ...readTuple(ram, offset(tuple), size), protocol, anyState };
        return kernel.findSock?.(query) ?? NULL;
      },
  };
}

const tcp = lookUp('tcp', false);
const udp = lookUp('udp', false);
const anyTcp = lookUp('tcp', true);

export const sockLookupImplementations: Implementations = {
  sk_lookup_tcp: tcp,
  tc_sk_lookup_tcp: tcp,
  xdp_sk_lookup_tcp: tcp,
  sock_addr_sk_lookup_tcp: tcp,
  sk_lookup_udp: udp,
  tc_sk_lookup_udp: udp,
  xdp_sk_lookup_udp: udp,
  sock_addr_sk_lookup_udp: udp,
  skc_lookup_tcp: anyTcp,
  tc_skc_lookup_tcp: anyTcp,
  xdp_skc_lookup_tcp: anyTcp,
  sock_addr_skc_lookup_tcp: anyTcp,
};
