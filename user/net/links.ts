/** Network interfaces as rtnetlink tells them, and attaching XDP programs to them. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { attributesOf, stringOf, u32Of } from '../../kernel/net/netlink/message.ts';
import {
  IFLA,
  IFLA_XDP,
  RTM_GETLINK,
  RTM_SETLINK,
  XDP_ATTACHED,
} from '../../kernel/net/netlink/route-constants.ts';
import { AF_PACKET } from '../libc/sockets.ts';
import type { Netlink, NetlinkAnswer } from './netlink.ts';

/** XDP_FLAGS_* (UAPI linux/if_link.h). */
export const XDP_FLAGS_UPDATE_IF_NOEXIST = 1;
export const XDP_FLAGS_SKB_MODE = 2;
export const XDP_FLAGS_DRV_MODE = 4;
export const XDP_FLAGS_HW_MODE = 8;

export type XdpAttached = keyof typeof XDP_ATTACHED;

export interface XdpState {
  readonly mode: XdpAttached;
  readonly modeNumber: number;
  readonly progId?: number;
  readonly skbProgId?: number;
  readonly drvProgId?: number;
  readonly hwProgId?: number;
}

export interface Link {
  readonly index: number;
  /** ARPHRD_* */
  readonly type: number;
  readonly flags: number;
  readonly name: string;
  readonly xdp: XdpState;
  readonly attributes: ReadonlyMap<number, Uint8Array>;
}

const IFINFOMSG_BYTES = 16;

export function ifinfomsg(index = 0, flags = 0, change = 0, family = 0): Uint8Array {
  const bytes = new Uint8Array(IFINFOMSG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, family);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

export function parseLink(body: Uint8Array): Link {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const attributes = attributesOf(body, IFINFOMSG_BYTES);
  const name = attributes.get(IFLA.IFNAME);
  return {
    type: view.getUint16(2, true),
    index: view.getInt32(4, true),
    flags: view.getUint32(8, true),
    name: name ? stringOf(name) : '',
    xdp: parseXdp(attributes.get(IFLA.XDP)),
    attributes,
  };
}

function parseXdp(payload: Uint8Array | undefined): XdpState {
  const tb = payload ? attributesOf(payload, 0) : new Map<number, Uint8Array>();
  const modeNumber = tb.get(IFLA_XDP.ATTACHED)?.[0] ?? 0;
  const names = Object.keys(XDP_ATTACHED) as XdpAttached[];
  const id = (type: number): number | undefined => u32Of(tb.get(type)) ?? undefined;
  const ids = {
    progId: id(IFLA_XDP.PROG_ID),
    skbProgId: id(IFLA_XDP.SKB_PROG_ID),
    drvProgId: id(IFLA_XDP.DRV_PROG_ID),
    hwProgId: id(IFLA_XDP.HW_PROG_ID),
  };
  const known = Object.fromEntries(Object.entries(ids).filter(([, value]) => value !== undefined));
  return {
    mode: names.find((name) => XDP_ATTACHED[name] === modeNumber) ?? 'none',
    modeNumber,
    ...known,
  };
}

export function* allLinks(netlink: Netlink): UserFlow<Link[] | number> {
  const answer = yield* netlink.dump(RTM_GETLINK, ifinfomsg(0, 0, 0, AF_PACKET));
  if (answer.error < 0) return answer.error;
  return answer.bodies.map(parseLink);
}

export function* linkByName(netlink: Netlink, name: string): UserFlow<Link | number> {
  const answer = yield* netlink.request(RTM_GETLINK, 0, (message) => {
    message.raw(ifinfomsg()).string(IFLA.IFNAME, name);
  });
  const [body] = answer.bodies;
  if (answer.error < 0 || !body) return answer.error || -errno.ENODEV;
  return parseLink(body);
}

/** `fd` -1 takes the program off. */
export function* setXdp(
  netlink: Netlink,
  index: number,
  fd: number,
  flags: number,
): UserFlow<NetlinkAnswer> {
  return yield* netlink.request(RTM_SETLINK, 0, (message) => {
    message.raw(ifinfomsg(index)).nested(IFLA.XDP, () => {
      message.u32(IFLA_XDP.FD, fd);
      if (flags !== 0) message.u32(IFLA_XDP.FLAGS, flags);
    });
  });
}
