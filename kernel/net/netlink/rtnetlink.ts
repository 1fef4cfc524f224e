/**
 * rtnetlink: how interfaces, addresses and routes are shown and changed (rtnetlink(7)). One table
 * says who answers which message; errnos and extack texts are those of Linux 6.1.
 */
import { errno } from '../../types/errno.ts';
import type { Net } from '../net.ts';
import * as address from './rtnl-address.ts';
import * as link from './rtnl-link.ts';
import { linkMessage } from './rtnl-link-fill.ts';
import * as qdisc from './rtnl-qdisc.ts';
import * as route from './rtnl-route.ts';
import { NLM_F_DUMP, NLMSG_HDRLEN } from './message.ts';
import {
  NETLINK_ROUTE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETQDISC,
  RTM_GETROUTE,
  RTM_GETTCLASS,
  RTM_GETTFILTER,
  RTM_MAX,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_SETLINK,
  RTNLGRP_LINK,
} from './route-constants.ts';
import type { NetlinkFamily, NetlinkRequest, NetlinkTable } from './table.ts';

/** Does what a message asks for: 0 or a negative errno. */
export type Doit = (net: Net, request: NetlinkRequest) => number;
/** The messages of a dump, or a negative errno. */
export type Dumpit = (net: Net, request: NetlinkRequest) => readonly Uint8Array[] | number;

const doits = new Map<number, Doit>([
  [RTM_NEWLINK, link.newLink],
  [RTM_DELLINK, link.deleteLink],
  [RTM_GETLINK, link.getLink],
  [RTM_SETLINK, link.setLink],
  [RTM_NEWADDR, address.newAddress],
  [RTM_DELADDR, address.deleteAddress],
  [RTM_GETROUTE, route.getRoute],
]);

const dumpits = new Map<number, Dumpit>([
  [RTM_GETLINK, link.dumpLinks],
  [RTM_GETADDR, address.dumpAddresses],
  [RTM_GETROUTE, route.dumpRoutes],
  [RTM_GETNEIGH, route.dumpNeighbours],
  [RTM_GETQDISC, qdisc.dumpQdiscs],
  // There are no classes and no filters to show.
  [RTM_GETTCLASS, () => []],
  [RTM_GETTFILTER, () => []],
]);

/** NEW, DEL, GET, SET: the low two bits of every type. */
const KIND_GET = 2;

export class RouteFamily implements NetlinkFamily {
  readonly protocol = NETLINK_ROUTE;
  readonly #net: Net;

  constructor(net: Net, table: NetlinkTable) {
    this.#net = net;
    net.watch((device, what) => {
      const type = what === 'gone' ? RTM_DELLINK : RTM_NEWLINK;
      const change = ~0 >>> 0;
      table.multicast(NETLINK_ROUTE, RTNLGRP_LINK, () => linkMessage(device, { type, change }));
    });
  }

  handle(request: NetlinkRequest): number | 'dumped' {
    const { header, socket, caller, extack } = request;
    const { type, flags, length } = header;
    if (type > RTM_MAX) return -errno.EOPNOTSUPP;
    // Nothing can be done without a family byte.
    if (length < NLMSG_HDRLEN + 1) return 0;
    const isGet = (type & 3) === KIND_GET;
    if (!isGet && !caller.netAdmin) return -errno.EPERM;
    if (isGet && flags & NLM_F_DUMP) {
      const dumpit = dumpits.get(type);
      if (!dumpit) return -errno.EOPNOTSUPP;
      const messages = dumpit(this.#net, request);
      socket.pushDump(messages, header, { message: extack.message, filtered: request.filtered });
      return 'dumped';
    }
    return doits.get(type)?.(this.#net, request) ?? -errno.EOPNOTSUPP;
  }
}
