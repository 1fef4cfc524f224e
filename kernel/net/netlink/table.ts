/** All netlink sockets of the machine, by port id, and the families that answer them. */
import type { Sleeper } from '../../sched/wait-queue.ts';
import { errno } from '../../types/errno.ts';
import type { SocketCaller } from '../socket.ts';
import type { MessageHeader } from './message.ts';
import { NetlinkSocket } from './socket.ts';

export interface NetlinkRequest {
  readonly socket: NetlinkSocket;
  readonly header: MessageHeader;
  /** The whole message, header included. */
  readonly request: Uint8Array;
  readonly caller: SocketCaller;
  readonly extack: { message?: string };
  /** Set by a dump that shows only a part. */
  filtered?: boolean;
}

/** NETLINK_ROUTE and the like. */
export interface NetlinkFamily {
  readonly protocol: number;
  /** 0, a negative errno, or 'dumped': answered by a dump, which needs no acknowledgement. */
  handle(request: NetlinkRequest): number | 'dumped';
}

/** Where the search for a free port id starts, downwards, when the process's is taken. */
const FIRST_ROVER = -4097;

export class NetlinkTable {
  readonly sleeper: Sleeper;
  readonly #families = new Map<number, NetlinkFamily>();
  readonly #sockets = new Map<string, NetlinkSocket>();
  #rover = FIRST_ROVER;

  constructor(sleeper: Sleeper) {
    this.sleeper = sleeper;
  }

  addFamily(family: NetlinkFamily): void {
    this.#families.set(family.protocol, family);
  }

  socket(type: number, protocol: number): NetlinkSocket | number {
    const family = this.#families.get(protocol);
    return family ? new NetlinkSocket(this, family, type) : -errno.EPROTONOSUPPORT;
  }

  insert(socket: NetlinkSocket, portId: number): number {
    const key = `${socket.protocol}/${portId}`;
    if (this.#sockets.has(key)) return -errno.EADDRINUSE;
    this.#sockets.set(key, socket);
    socket.portId = portId;
    return 0;
  }

  /** The process's id, or a number that no process has. */
  autobind(socket: NetlinkSocket, tgid: number): number {
    if (this.insert(socket, tgid) === 0) return 0;
    while (this.insert(socket, this.#rover-- >>> 0) < 0);
    return 0;
  }

  remove(socket: NetlinkSocket): void {
    const key = `${socket.protocol}/${socket.portId}`;
    if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
  }

  /** nlmsg_notify: to every socket that has joined the group. */
  multicast(protocol: number, group: number, message: () => Uint8Array): void {
    let bytes: Uint8Array | undefined;
    for (const socket of this.#sockets.values()) {
      if (socket.protocol !== protocol || !(socket.groups & (1 << (group - 1)))) continue;
      bytes ??= message();
      socket.push(bytes, group);
    }
  }
}
