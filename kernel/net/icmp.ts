/** ICMP (RFC 792): answers echo requests, tells of ports where nobody listens. */
import { PACKET_HOST } from '../types/skbuff.ts';
import { readBe32 } from './address.ts';
import { checksum } from './checksum.ts';
import { ETH_HLEN } from './ethernet.ts';
import { IP_HEADER_BYTES, IPPROTO_ICMP } from './ipv4.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';

const ECHO_REPLY = 0;
const DEST_UNREACH = 3;
const ECHO_REQUEST = 8;
const PORT_UNREACH = 3;
const ICMP_HEADER_BYTES = 8;
/** Of the offending packet, as much as keeps the whole within this (RFC 1812, 4.3.2.3). */
const MAX_ERROR_BYTES = 576;

export class Icmp {
  readonly stats = {
    InMsgs: 0,
    InErrors: 0,
    InCsumErrors: 0,
    InDestUnreachs: 0,
    InEchos: 0,
    InEchoReps: 0,
    OutMsgs: 0,
    OutDestUnreachs: 0,
    OutEchoReps: 0,
  };
  readonly #net: Net;

  constructor(net: Net) {
    this.#net = net;
  }

  /** Takes an skb whose data is the ICMP message, the IP header right before it. */
  receive(skb: Skb): void {
    const { stats } = this;
    const { skbs } = this.#net;
    const bytes = skb.bytes();
    stats.InMsgs++;
    if (bytes.length < ICMP_HEADER_BYTES || checksum(bytes, 0, bytes.length) !== 0) {
      if (bytes.length >= ICMP_HEADER_BYTES) stats.InCsumErrors++;
      stats.InErrors++;
      skbs.drop(skb, DROP_REASON.ICMP_CSUM);
      return;
    }
    if (bytes[0] === ECHO_REQUEST) {
      stats.InEchos++;
      this.#reply(skb, bytes);
    } else if (bytes[0] === ECHO_REPLY) stats.InEchoReps++;
    else if (bytes[0] === DEST_UNREACH) stats.InDestUnreachs++;
    skbs.consume(skb);
  }

  /** `skb`'s data is the transport packet; its IP header of `headerBytes` is right before it. */
  sendPortUnreachable(skb: Skb, headerBytes: number): void {
    // Never in answer to a broadcast (RFC 1122, 3.2.2).
    if (skb.pktType !== PACKET_HOST) return;
    const ip = skb.data - headerBytes;
    const quoted = Math.min(
      headerBytes + skb.len,
      MAX_ERROR_BYTES - IP_HEADER_BYTES - ICMP_HEADER_BYTES,
    );
    const message = new Uint8Array(ICMP_HEADER_BYTES + quoted);
    message[0] = DEST_UNREACH;
    message[1] = PORT_UNREACH;
    message.set(skb.ram.u8.subarray(ip, ip + quoted), ICMP_HEADER_BYTES);
    this.stats.OutDestUnreachs++;
    // Precedence "internetwork control" (RFC 1812, 4.3.2.5), as icmp_send sets it.
    const tos = (skb.ram.u8[ip + 1]! & 0x1e) | 0xc0;
    this.#send(message, skb.ram.u8.subarray(ip, ip + IP_HEADER_BYTES), tos);
  }

  #reply(skb: Skb, request: Uint8Array): void {
    const message = request.slice();
    message[0] = ECHO_REPLY;
    const ip = skb.view.head + skb.view.network_header;
    this.stats.OutEchoReps++;
    const header = skb.ram.u8.subarray(ip, ip + IP_HEADER_BYTES);
    this.#send(message, header, header[1]! & 0x1e);
  }

  /** Back to where the packet with `header` came from. */
  #send(message: Uint8Array, header: Uint8Array, tos: number): void {
    const { skbs, ipv4 } = this.#net;
    message[2] = 0;
    message[3] = 0;
    const sum = checksum(message, 0, message.length);
    message[2] = sum >> 8;
    message[3] = sum & 255;
    const to = readBe32(header, 12);
    const addressed = readBe32(header, 16);
    const device = ipv4.route(to);
    const source = ipv4.isLocal(addressed) ? addressed : device && ipv4.sourceFor(device, to);
    if (source === undefined) return;
    const skb = skbs.alloc(message.length, ETH_HLEN + 2 + IP_HEADER_BYTES);
    skb.ram.u8.set(message, skb.put(message.length));
    this.stats.OutMsgs++;
    ipv4.send(skb, { protocol: IPPROTO_ICMP, source, destination: to, tos });
  }
}
