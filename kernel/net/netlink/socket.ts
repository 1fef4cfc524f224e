/**
 * AF_NETLINK sockets: datagrams to and from the kernel (netlink(7), net/netlink/af_netlink.c). A
 * request is answered before sendmsg returns; answers and notifications wait in the receive queue.
 */
import { errno } from '../../types/errno.ts';
import { AF_NETLINK } from '../address.ts';
import type { MaySleep } from '../../sched/flow.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../fs/vfs-types.ts';
import type { PollSource } from '../../fs/vfs-types.ts';
import type { Received, Socket, SocketCaller } from '../socket.ts';
import { ReceiveQueue } from '../socket.ts';
import { FilterSlot } from '../socket-filter.ts';
import {
  acknowledgement,
  headerAt,
  MessageWriter,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP_FILTERED,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_HDRLEN,
  NLMSG_MIN_TYPE,
  NLMSGERR_ATTR_MSG,
  align4,
  u32Bytes,
} from './message.ts';
import type { MessageHeader } from './message.ts';
import type { NetlinkFamily, NetlinkTable } from './table.ts';

/** What NLMSG_DONE says besides the result. */
export interface DumpEnd {
  /** Of a dump that failed. */
  readonly message?: string | undefined;
  /** The dump showed only what the request asked for. */
  readonly filtered?: boolean | undefined;
}

const SOCKADDR_NL_BYTES = 12;
const SOL_SOCKET = 1;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SO_TYPE = 3;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
/** net.core.rmem_default */
const DEFAULT_BUFFER_BYTES = 212992;
/** Room of the first datagram of a dump (NLMSG_GOODSIZE: a page less skb_shared_info). */
const GOOD_SIZE = 4096 - 320;
/** Later ones grow with the reader's buffer, to this (netlink_dump). */
const MAX_DUMP_BYTES = 32768 - 320;

export class NetlinkSocket implements Socket {
  readonly domain = AF_NETLINK;
  readonly type: number;
  readonly protocol: number;
  readonly filter = new FilterSlot();
  readonly #table: NetlinkTable;
  readonly #family: NetlinkFamily;
  readonly #queue: ReceiveQueue;
  portId = 0;
  /** Multicast groups joined: bit N - 1 for group N. */
  groups = 0;
  strict = false;
  #extAck = false;
  #capAck = false;
  #receiveBuffer = DEFAULT_BUFFER_BYTES;
  #largestRead = 0;

  constructor(table: NetlinkTable, family: NetlinkFamily, type: number) {
    this.#table = table;
    this.#family = family;
    this.type = type;
    this.protocol = family.protocol;
    this.#queue = new ReceiveQueue(table.sleeper);
  }

  bind(address: Uint8Array, caller: SocketCaller): number {
    if (address.length < SOCKADDR_NL_BYTES) return -errno.EINVAL;
    const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
    if (view.getUint16(0, true) !== AF_NETLINK) return -errno.EINVAL;
    const portId = view.getUint32(4, true);
    const groups = view.getUint32(8, true);
    if (this.portId !== 0) {
      if (portId !== this.portId) return -errno.EINVAL;
    } else {
      const result =
        portId === 0 ? this.#table.autobind(this, caller.tgid) : this.#table.insert(this, portId);
      if (result < 0) return result;
    }
    this.groups = groups;
    return 0;
  }

  connect(address: Uint8Array, caller: SocketCaller): number {
    if (address.length < SOCKADDR_NL_BYTES) return -errno.EINVAL;
    return this.portId === 0 ? this.#table.autobind(this, caller.tgid) : 0;
  }

  send(data: Uint8Array, to: Uint8Array | undefined, caller: SocketCaller): MaySleep<number> {
    if (to !== undefined) {
      if (to.length < SOCKADDR_NL_BYTES) return -errno.EINVAL;
      const view = new DataView(to.buffer, to.byteOffset, to.byteLength);
      if (view.getUint16(0, true) !== AF_NETLINK) return -errno.EINVAL;
      // differs: only the kernel can be written to, not another socket.
      if (view.getUint32(4, true) !== 0) return -errno.ECONNREFUSED;
    }
    if (this.portId === 0) {
      const result = this.#table.autobind(this, caller.tgid);
      if (result < 0) return result;
    }
    this.#receiveFromUser(data, caller);
    return data.length;
  }

  receive(flags: number, sizeBytes: number): MaySleep<Received | number> {
    this.#largestRead = Math.max(this.#largestRead, sizeBytes);
    return this.#queue.take(flags);
  }

  /** Answer or notification for this socket's reader. */
  push(whole: Uint8Array, group = 0): void {
    const datagram = this.filter.take(whole);
    if (!datagram) return;
    if (this.#queue.bytes + datagram.length > this.#receiveBuffer) {
      this.#queue.overrun();
      return;
    }
    const from = new Uint8Array(SOCKADDR_NL_BYTES);
    const view = new DataView(from.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(8, group === 0 ? 0 : 1 << (group - 1), true);
    this.#queue.push({ data: datagram, from });
  }

  /**
   * A dump: its messages, as many to a datagram as fit, and NLMSG_DONE in one of its own. A dump
   * that fails says so in NLMSG_DONE, not by an acknowledgement (netlink_dump_done).
   */
  pushDump(messages: readonly Uint8Array[] | number, header: MessageHeader, dump: DumpEnd): void {
    let batch: Uint8Array[] = [];
    let size = 0;
    let room = GOOD_SIZE;
    const flush = () => {
      if (batch.length > 0) this.push(concatenate(batch));
      batch = [];
      size = 0;
      room = Math.max(GOOD_SIZE, Math.min(this.#largestRead, MAX_DUMP_BYTES));
    };
    for (const message of typeof messages === 'number' ? [] : messages) {
      if (size + message.length > room) flush();
      batch.push(message);
      size += message.length;
    }
    flush();
    const text = this.#extAck ? dump.message : undefined;
    const flags =
      NLM_F_MULTI |
      (dump.filtered ? NLM_F_DUMP_FILTERED : 0) |
      (text === undefined ? 0 : NLM_F_ACK_TLVS);
    const done = new MessageWriter(NLMSG_DONE, flags, header.seq, this.portId);
    done.raw(u32Bytes(typeof messages === 'number' ? messages : 0));
    if (text !== undefined) done.string(NLMSGERR_ATTR_MSG, text);
    this.push(done.finish());
  }

  name(): Uint8Array {
    const address = new Uint8Array(SOCKADDR_NL_BYTES);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(4, this.portId, true);
    view.setUint32(8, this.groups, true);
    return address;
  }

  setOption(level: number, option: number, value: Uint8Array): number {
    if (value.length < 4) return -errno.EINVAL;
    const number = new DataView(value.buffer, value.byteOffset, 4).getInt32(0, true);
    if (level === SOL_SOCKET) {
      // Linux doubles what is asked for, to account for its own overhead.
      if (option === SO_RCVBUF) this.#receiveBuffer = Math.max(2304, number * 2);
      return option === SO_RCVBUF || option === SO_SNDBUF ? 0 : -errno.ENOPROTOOPT;
    }
    if (level !== SOL_NETLINK) return -errno.ENOPROTOOPT;
    switch (option) {
      case NETLINK_EXT_ACK:
        this.#extAck = number !== 0;
        return 0;
      case NETLINK_CAP_ACK:
        this.#capAck = number !== 0;
        return 0;
      case NETLINK_GET_STRICT_CHK:
        this.strict = number !== 0;
        return 0;
      case NETLINK_ADD_MEMBERSHIP:
      case NETLINK_DROP_MEMBERSHIP: {
        if (number < 1 || number > 32) return -errno.EINVAL;
        const bit = 1 << (number - 1);
        if (option === NETLINK_ADD_MEMBERSHIP) this.groups |= bit;
        else this.groups &= ~bit;
        return 0;
      }
      default:
        return -errno.ENOPROTOOPT;
    }
  }

  getOption(level: number, option: number): Uint8Array | number {
    if (level === SOL_SOCKET) {
      if (option === SO_TYPE) return u32Bytes(this.type);
      if (option === SO_DOMAIN) return u32Bytes(AF_NETLINK);
      if (option === SO_PROTOCOL) return u32Bytes(this.protocol);
      if (option === SO_RCVBUF || option === SO_SNDBUF) return u32Bytes(this.#receiveBuffer);
    } else if (level === SOL_NETLINK) {
      if (option === NETLINK_EXT_ACK) return u32Bytes(this.#extAck ? 1 : 0);
      if (option === NETLINK_CAP_ACK) return u32Bytes(this.#capAck ? 1 : 0);
      if (option === NETLINK_GET_STRICT_CHK) return u32Bytes(this.strict ? 1 : 0);
    }
    return -errno.ENOPROTOOPT;
  }

  poll(watch: (queue: PollSource) => void): number {
    const readable = this.#queue.poll(watch) ? POLLIN | POLLRDNORM : 0;
    return readable | POLLOUT | POLLWRNORM;
  }

  release(): void {
    this.#table.remove(this);
  }

  /** netlink_rcv_skb: each message of the datagram, in order. */
  #receiveFromUser(data: Uint8Array, caller: SocketCaller): void {
    let at = 0;
    while (at + NLMSG_HDRLEN <= data.length) {
      const header = headerAt(data, at);
      if (header.length < NLMSG_HDRLEN || at + header.length > data.length) return;
      const request = data.slice(at, at + header.length);
      const extack: { message?: string } = {};
      let result: number | 'dumped' = 0;
      if (header.flags & NLM_F_REQUEST && header.type >= NLMSG_MIN_TYPE) {
        result = this.#family.handle({ socket: this, header, request, caller, extack });
      }
      if (result !== 'dumped' && (header.flags & NLM_F_ACK || result < 0)) {
        const message = this.#extAck ? extack.message : undefined;
        this.push(acknowledgement(request, this.portId, result, { message, capped: this.#capAck }));
      }
      at += align4(header.length);
    }
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
