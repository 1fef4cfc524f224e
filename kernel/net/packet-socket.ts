/**
 * AF_PACKET sockets: frames as interfaces receive and send them, past all protocols (packet(7),
 * net/packet/af_packet.c). SOCK_RAW has the link-layer header, SOCK_DGRAM has not.
 * differs: no rings (PACKET_RX_RING), no fanout, no auxiliary data.
 */
import { POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../fs/vfs-types.ts';
import type { PollSource } from '../fs/vfs-types.ts';
import type { MaySleep } from '../sched/flow.ts';
import { errno } from '../types/errno.ts';
import { PACKET_OUTGOING } from '../types/skbuff.ts';
import type { RamOffset } from '../types/units.ts';
import { AF_PACKET } from './address.ts';
import type { NetDevice } from './device.ts';
import { ETH_HLEN, ETH_P_ALL, ethHeader } from './ethernet.ts';
import { interfaceIoctl } from './interface-ioctl.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';
import { FilterSlot } from './socket-filter.ts';
import { ReceiveQueue, type Received, type Socket, type SocketCaller } from './socket.ts';

const SOCK_DGRAM = 2;
/** struct sockaddr_ll */
const SOCKADDR_LL_BYTES = 20;
const MAC_AT = 12;
const SOL_SOCKET = 1;
const SOL_PACKET = 263;
/** UAPI linux/if_packet.h */
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_DROP_MEMBERSHIP = 2;
const PACKET_STATISTICS = 6;
/** struct packet_mreq without and with all of its address. */
const MREQ_BYTES = 16;
const SO_TYPE = 3;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
/** net.core.rmem_default */
const DEFAULT_BUFFER_BYTES = 212992;
/** Room that the protocols want in front of a frame. */
const HEADROOM = 16;

export class PacketSocket implements Socket {
  readonly domain = AF_PACKET;
  readonly type: number;
  readonly filter = new FilterSlot();
  readonly #net: Net;
  readonly #queue: ReceiveQueue;
  readonly #untap: () => void;
  /** EtherType, or ETH_P_ALL; 0: nothing comes in. */
  #protocol: number;
  /** 0: all interfaces. */
  #ifindex = 0;
  #receiveBuffer = DEFAULT_BUFFER_BYTES;
  #error = 0;
  #packets = 0;
  #drops = 0;
  /** What it sends does not come back to it (skb_loop_sk). */
  #sending = false;

  constructor(net: Net, type: number, protocol: number) {
    this.#net = net;
    this.type = type;
    this.#protocol = protocol;
    this.#queue = new ReceiveQueue(net.host.sleeper);
    this.#untap = net.rx.addTap((skb, direction) => this.#look(skb, direction));
  }

  bind(address: Uint8Array): number {
    if (address.length < SOCKADDR_LL_BYTES) return -errno.EINVAL;
    const view = viewOf(address);
    if (view.getUint16(0, true) !== AF_PACKET) return -errno.EINVAL;
    const ifindex = view.getInt32(4, true);
    const device = this.#net.byIndex(ifindex);
    if (ifindex !== 0 && !device) return -errno.ENODEV;
    this.#ifindex = ifindex;
    this.#protocol = view.getUint16(2, false) || this.#protocol;
    // Nothing comes from an interface that is down, which the next read tells.
    if (device && !device.isUp) this.#error = errno.ENETDOWN;
    return 0;
  }

  connect(): number {
    return -errno.EOPNOTSUPP;
  }

  send(data: Uint8Array, to: Uint8Array | undefined): MaySleep<number> {
    let [ifindex, protocol] = [this.#ifindex, this.#protocol];
    if (to !== undefined) {
      if (to.length < MAC_AT || to.length < MAC_AT + to[11]!) return -errno.EINVAL;
      ifindex = viewOf(to).getInt32(4, true);
      protocol = viewOf(to).getUint16(2, false);
    }
    const device = this.#net.byIndex(ifindex);
    if (!device) return -errno.ENXIO;
    if (!device.isUp) return -errno.ENETDOWN;
    const isRaw = this.type !== SOCK_DGRAM;
    if (isRaw && data.length < ETH_HLEN) return -errno.EINVAL;
    const header = isRaw ? ETH_HLEN : 0;
    if (data.length > device.view.mtu + header) return -errno.EMSGSIZE;
    const skb = this.#net.skbs.alloc(data.length, ETH_HLEN + HEADROOM);
    skb.dev = device;
    skb.protocol = protocol;
    skb.ram.u8.set(data, skb.put(data.length));
    if (isRaw) {
      skb.view.mac_header = skb.data - skb.view.head;
      if (protocol === 0) skb.protocol = (data[12]! << 8) | data[13]!;
      skb.view.network_header = skb.view.mac_header + ETH_HLEN;
    } else {
      skb.view.network_header = skb.data - skb.view.head;
      ethHeader(skb, protocol, to?.subarray(MAC_AT, MAC_AT + 6) ?? new Uint8Array(6));
    }
    this.#sending = true;
    this.#net.transmit(skb);
    this.#sending = false;
    return data.length;
  }

  receive(flags: number): MaySleep<Received | number> {
    const error = this.#takeError();
    return error !== 0 ? -error : this.#queue.take(flags);
  }

  name(): Uint8Array {
    const device = this.#net.byIndex(this.#ifindex);
    return sockaddr(this.#protocol, this.#ifindex, device, 0, device?.mac ?? new Uint8Array());
  }

  setOption(level: number, option: number, value: Uint8Array): number {
    if (level === SOL_SOCKET && option === SO_RCVBUF) {
      if (value.length < 4) return -errno.EINVAL;
      this.#receiveBuffer = Math.max(2304, viewOf(value).getInt32(0, true) * 2);
      return 0;
    }
    if (level !== SOL_PACKET) return -errno.ENOPROTOOPT;
    if (option !== PACKET_ADD_MEMBERSHIP && option !== PACKET_DROP_MEMBERSHIP) {
      return -errno.ENOPROTOOPT;
    }
    // Interfaces here filter no addresses, so there is nothing to switch.
    if (value.length < MREQ_BYTES) return -errno.EINVAL;
    if (option === PACKET_DROP_MEMBERSHIP) return 0;
    return this.#net.byIndex(viewOf(value).getInt32(0, true)) ? 0 : -errno.ENODEV;
  }

  getOption(level: number, option: number): Uint8Array | number {
    if (level === SOL_PACKET && option === PACKET_STATISTICS) {
      // Reading sets both back; what was dropped counts as seen.
      const counts = Uint32Array.of(this.#packets + this.#drops, this.#drops);
      [this.#packets, this.#drops] = [0, 0];
      return new Uint8Array(counts.buffer);
    }
    if (level !== SOL_SOCKET) return -errno.ENOPROTOOPT;
    switch (option) {
      case SO_TYPE:
        return int(this.type);
      case SO_DOMAIN:
        return int(AF_PACKET);
      case SO_PROTOCOL:
        return int(((this.#protocol & 0xff) << 8) | (this.#protocol >> 8));
      case SO_RCVBUF:
        return int(this.#receiveBuffer);
      case SO_ERROR:
        return int(this.#takeError());
      default:
        return -errno.ENOPROTOOPT;
    }
  }

  ioctl(command: number, arg: number, caller: SocketCaller): number {
    return interfaceIoctl(this.#net, command, arg, caller);
  }

  poll(watch: (queue: PollSource) => void): number {
    const readable = this.#queue.poll(watch) ? POLLIN | POLLRDNORM : 0;
    return readable | POLLOUT | POLLWRNORM | (this.#error !== 0 ? POLLERR : 0);
  }

  release(): void {
    this.#untap();
  }

  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** packet_rcv. Only who wants all protocols sees what goes out. */
  #look(skb: Skb, direction: 'in' | 'out'): void {
    if (this.#ifindex !== 0 && this.#ifindex !== skb.dev.ifindex) return;
    const wantsAll = this.#protocol === ETH_P_ALL;
    if (!wantsAll && (direction === 'out' || this.#protocol !== skb.protocol)) return;
    if (this.#protocol === 0 || (this.#sending && direction === 'out')) return;
    const { view } = skb;
    const start = this.type === SOCK_DGRAM ? view.network_header : view.mac_header;
    const moved = skb.data - (view.head + start);
    const pktType = skb.pktType;
    move(skb, -moved);
    if (direction === 'out') skb.pktType = PACKET_OUTGOING;
    const bytes = this.filter.filter?.run(skb.offset) ?? skb.len;
    if (bytes > 0) this.#queueFrame(skb, Math.min(bytes, skb.len));
    skb.pktType = pktType;
    move(skb, moved);
  }

  #queueFrame(skb: Skb, bytes: number): void {
    if (this.#queue.bytes + bytes > this.#receiveBuffer) {
      this.#drops++;
      return;
    }
    this.#packets++;
    const { ram, macHeader, dev } = skb;
    const source = ram.u8.slice(macHeader + 6, macHeader + 12);
    this.#queue.push({
      data: ram.u8.slice(skb.data, skb.data + bytes),
      from: sockaddr(skb.protocol, dev.ifindex, dev, skb.pktType, source),
    });
  }
}

/** The start of the packet, later by some bytes or earlier. */
function move(skb: Skb, by: number): void {
  skb.view.data = (skb.data + by) as RamOffset;
  skb.view.len -= by;
}

function sockaddr(
  protocol: number,
  ifindex: number,
  device: NetDevice | undefined,
  pktType: number,
  mac: Uint8Array,
): Uint8Array {
  const address = new Uint8Array(SOCKADDR_LL_BYTES);
  const view = viewOf(address);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol, false);
  view.setInt32(4, ifindex, true);
  view.setUint16(8, device?.view.type ?? 0, true);
  view.setUint8(10, pktType);
  view.setUint8(11, mac.length);
  address.set(mac.subarray(0, 8), MAC_AT);
  return address;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
