/**
 * The socket of a test run's packet (bpf_prog_test_run_skb of 6.1): one of no protocol, closed, with
 * the addresses of the packet's IP header where it has one.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import { NO_QUEUE_MAPPING, Sock, SockCommon, TCP_CLOSE } from '../kernel/types/sock.ts';
import type { RamOffset } from '../kernel/types/units.ts';

/** UAPI linux/socket.h. */
const AF_INET = 2;
const AF_INET6 = 10;
/** UAPI linux/if_ether.h. */
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

/** Where headers have their source address, its size, and the size of the header. */
const IP4 = { header: 20, source: 12, bytes: 4 } as const;
const IP6 = { header: 40, source: 8, bytes: 16 } as const;

/** `network`: the packet from its network header on. Free the result with ram.kfree. */
export function testSocket(ram: Ram, protocol: number, network: Uint8Array): RamOffset {
  const sk = Sock.alloc(ram);
  const common = SockCommon.at(ram, sk.__sk_common);
  common.skc_state = TCP_CLOSE;
  common.skc_tx_queue_mapping = NO_QUEUE_MAPPING;
  common.skc_rx_queue_mapping = NO_QUEUE_MAPPING;
  common.skc_refcnt = 1;
  const setAddresses = (layout: typeof IP4 | typeof IP6, local: RamOffset, peer: RamOffset) => {
    if (network.length < layout.header) return;
    const { source, bytes } = layout;
    ram.u8.set(network.subarray(source, source + bytes), local);
    ram.u8.set(network.subarray(source + bytes, source + 2 * bytes), peer);
  };
  const place = (member: keyof typeof SockCommon.offsets) =>
    (common.offset + SockCommon.offsets[member]) as RamOffset;
  if (protocol === ETH_P_IP) {
    common.skc_family = AF_INET;
    setAddresses(IP4, place('skc_rcv_saddr'), place('skc_daddr'));
  } else if (protocol === ETH_P_IPV6) {
    common.skc_family = AF_INET6;
    setAddresses(IP6, place('skc_v6_rcv_saddr'), place('skc_v6_daddr'));
  }
  return sk.offset;
}
