/**
 * AF_INET and AF_INET6 sockets, as far as they go: a handle for questions about interfaces.
 * differs: there is no UDP and no TCP yet; nothing can be bound, connected or sent.
 */
import type { PollSource } from '../fs/vfs-types.ts';
import { POLLOUT } from '../fs/vfs-types.ts';
import { errno } from '../types/errno.ts';
import { interfaceIoctl } from './interface-ioctl.ts';
import type { Net } from './net.ts';
import type { Socket, SocketCaller } from './socket.ts';
import { FilterSlot } from './socket-filter.ts';

export class InetSocket implements Socket {
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
  readonly filter = new FilterSlot();
  readonly #net: Net;

  constructor(net: Net, domain: number, type: number, protocol: number) {
    this.#net = net;
    this.domain = domain;
    this.type = type;
    this.protocol = protocol;
  }

  bind(): number {
    return -errno.EOPNOTSUPP;
  }

  connect(): number {
    return -errno.EOPNOTSUPP;
  }

  send(): number {
    return -errno.EOPNOTSUPP;
  }

  receive(): number {
    return -errno.EOPNOTSUPP;
  }

  /** Bound to nothing: the wildcard address. */
  name(): Uint8Array {
    const address = new Uint8Array(16);
    address[0] = this.domain;
    return address;
  }

  setOption(): number {
    return -errno.ENOPROTOOPT;
  }

  getOption(): number {
    return -errno.ENOPROTOOPT;
  }

  ioctl(command: number, arg: number, caller: SocketCaller): number {
    return interfaceIoctl(this.#net, command, arg, caller);
  }

  poll(_watch: (queue: PollSource) => void): number {
    return POLLOUT;
  }

  release(): void {}
}
