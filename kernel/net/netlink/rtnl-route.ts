/** RTM_GETROUTE and RTM_GETNEIGH: what is, and where a packet would go. Nothing can be changed. */
import { errno } from '../../types/errno.ts';
import { AF_INET, AF_UNSPEC, be32, readBe32, RT_SCOPE_UNIVERSE } from '../address.ts';
import type { Route } from '../ipv4.ts';
import type { Net } from '../net.ts';
import type { Neighbour } from '../neighbour.ts';
import { NUD_REACHABLE, NUD_STALE } from '../neighbour.ts';
import { attributesOf, MessageWriter, NLM_F_DUMP_FILTERED, NLM_F_MULTI } from './message.ts';
import { NLMSG_HDRLEN, u32Bytes } from './message.ts';
import {
  NDA,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTA,
  RTM_F_CLONED,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTPROT_KERNEL,
  RTPROT_UNSPEC,
} from './route-constants.ts';
import type { NetlinkRequest } from './table.ts';

const RTMSG_BYTES = 12;
const NDMSG_BYTES = 12;
const RTN_UNICAST = 1;
const RTN_LOCAL = 2;

interface RouteHeader {
  readonly prefixLength: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  readonly flags?: number;
}

export function dumpRoutes(net: Net, { socket, header, request }: NetlinkRequest) {
  const family = request[NLMSG_HDRLEN]!;
  if (family !== AF_UNSPEC && family !== AF_INET) return [];
  // A strict request is a filter, even one that lets everything through.
  const flags = NLM_F_MULTI | (socket.strict ? NLM_F_DUMP_FILTERED : 0);
  return net.ipv4.routes().map((route) => routeMessage(route, flags, header.seq, socket.portId));
}

function routeMessage(route: Route, flags: number, seq: number, portId: number): Uint8Array {
  const { prefixLength, scope, type } = route;
  const table = route.table === 'main' ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
  const message = new MessageWriter(RTM_NEWROUTE, flags, seq, portId);
  message.raw(rtmsg({ prefixLength, table, protocol: RTPROT_KERNEL, scope, type }));
  message.u32(RTA.TABLE, table);
  if (prefixLength > 0) message.bytes(RTA.DST, be32(route.destination));
  return message.bytes(RTA.PREFSRC, be32(route.source)).u32(RTA.OIF, route.device.ifindex).finish();
}

/** `ip route get`: inet_rtm_getroute. */
export function getRoute(net: Net, { socket, header, request }: NetlinkRequest): number {
  if (request.length < NLMSG_HDRLEN + RTMSG_BYTES) return -errno.EINVAL;
  if (request[NLMSG_HDRLEN] !== AF_INET) return -errno.EOPNOTSUPP;
  const destination = attributesOf(request, NLMSG_HDRLEN + RTMSG_BYTES).get(RTA.DST);
  const ip = destination && destination.length >= 4 ? readBe32(destination) : 0;
  const device = net.ipv4.route(ip);
  if (!device) return -errno.ENETUNREACH;
  const isLocal = device === net.loopback;
  const table = isLocal ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
  const message = new MessageWriter(RTM_NEWROUTE, 0, header.seq, socket.portId);
  message.raw(
    rtmsg({
      prefixLength: 32,
      table,
      protocol: RTPROT_UNSPEC,
      scope: RT_SCOPE_UNIVERSE,
      type: isLocal ? RTN_LOCAL : RTN_UNICAST,
      flags: RTM_F_CLONED,
    }),
  );
  const source = isLocal ? ip : net.ipv4.sourceFor(device, ip);
  message.u32(RTA.TABLE, table).bytes(RTA.DST, be32(ip)).u32(RTA.OIF, device.ifindex);
  if (source !== undefined) message.bytes(RTA.PREFSRC, be32(source));
  message.u32(RTA.UID, 0).bytes(RTA.CACHEINFO, routeCacheInfo());
  socket.push(message.finish());
  return 0;
}

/** struct rta_cacheinfo: two references, the table's and the question's; never used, no expiry. */
function routeCacheInfo(): Uint8Array {
  const info = new Uint8Array(32);
  info[0] = 2;
  return info;
}

export function dumpNeighbours(net: Net, { socket, header, request }: NetlinkRequest) {
  const family = request[NLMSG_HDRLEN]!;
  if (family !== AF_UNSPEC && family !== AF_INET) return [];
  return net.neighbours
    .entries(net.host.clock())
    .map((entry) => neighbourMessage(entry, header.seq, socket.portId));
}

function neighbourMessage(entry: Neighbour, seq: number, portId: number): Uint8Array {
  const head = new Uint8Array(NDMSG_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, AF_INET);
  view.setInt32(4, entry.device.ifindex, true);
  view.setUint16(8, entry.state, true);
  view.setUint8(11, RTN_UNICAST);
  const message = new MessageWriter(RTM_NEWNEIGH, NLM_F_MULTI, seq, portId).raw(head);
  message.bytes(NDA.DST, be32(entry.ip));
  if (entry.state & (NUD_REACHABLE | NUD_STALE)) message.bytes(NDA.LLADDR, entry.mac);
  return message
    .bytes(NDA.CACHEINFO, new Uint8Array(16))
    .bytes(NDA.PROBES, u32Bytes(entry.probes))
    .finish();
}

function rtmsg(route: RouteHeader): Uint8Array {
  const { prefixLength, table, protocol, scope, type, flags = 0 } = route;
  const bytes = Uint8Array.of(
    AF_INET,
    prefixLength,
    0,
    0,
    table,
    protocol,
    scope,
    type,
    0,
    0,
    0,
    0,
  );
  new DataView(bytes.buffer).setUint32(8, flags, true);
  return bytes;
}
