/** RTM_GETLINK, RTM_SETLINK, RTM_NEWLINK and RTM_DELLINK (net/core/rtnetlink.c, 6.1). */
import { ProgObject } from '../../../bpf/syscall/objects.ts';
import {
  changeXdpProgram,
  XDP_FLAGS_MASK,
  XDP_FLAGS_MODES,
  XDP_FLAGS_REPLACE,
} from '../../../hooks/xdp-attach.ts';
import { errno } from '../../types/errno.ts';
import {
  IFF_ALLMULTI,
  IFF_NOARP,
  IFF_PROMISC,
  IFF_UP,
  IFNAMSIZ,
  NET_NAME_RENAMED,
} from '../../types/net-device.ts';
import type { NetDevice } from '../device.ts';
import type { Net } from '../net.ts';
import type { SocketCaller } from '../socket.ts';
import { attributesOf, NLM_F_CREATE, NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from './message.ts';
import { NLMSG_HDRLEN, stringOf, u32Of } from './message.ts';
import { IFLA, IFLA_XDP } from './route-constants.ts';
import { IFINFOMSG_BYTES, linkMessage } from './rtnl-link-fill.ts';
import type { NetlinkRequest } from './table.ts';

interface LinkRequest {
  readonly ifindex: number;
  readonly flags: number;
  readonly change: number;
  readonly attributes: Map<number, Uint8Array>;
}

const BODY = NLMSG_HDRLEN;
const ATTRIBUTES = BODY + IFINFOMSG_BYTES;
/** Flags that may be set from outside (__dev_change_flags). */
const SETTABLE_FLAGS = IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI;

function parse({ request }: NetlinkRequest): LinkRequest | undefined {
  if (request.length < ATTRIBUTES) return undefined;
  const view = new DataView(request.buffer, request.byteOffset + BODY, IFINFOMSG_BYTES);
  return {
    ifindex: view.getInt32(4, true),
    flags: view.getUint32(8, true),
    change: view.getUint32(12, true),
    attributes: attributesOf(request, ATTRIBUTES),
  };
}

/** The interface that a request means, undefined if there is none such, null if it names none. */
function deviceOf(net: Net, link: LinkRequest): NetDevice | undefined | null {
  if (link.ifindex > 0) return net.byIndex(link.ifindex);
  const name = link.attributes.get(IFLA.IFNAME) ?? link.attributes.get(IFLA.ALT_IFNAME);
  return name ? net.byName(stringOf(name)) : null;
}

export function getLink(net: Net, request: NetlinkRequest): number {
  const link = parse(request);
  if (!link) {
    request.extack.message = 'Invalid header for get link';
    return -errno.EINVAL;
  }
  const device = deviceOf(net, link);
  if (device === null) return -errno.EINVAL;
  if (!device) return -errno.ENODEV;
  const { socket, header } = request;
  const { portId } = socket;
  socket.push(linkMessage(device, { seq: header.seq, portId, extMask: extMaskOf(link) }));
  return 0;
}

export function dumpLinks(net: Net, request: NetlinkRequest): readonly Uint8Array[] | number {
  const { socket, header, extack } = request;
  if (socket.strict) {
    const link = parse(request);
    if (!link) {
      extack.message = 'Invalid header for link dump';
      return -errno.EINVAL;
    }
    if (link.flags || link.change) {
      extack.message = 'Invalid values in header for link dump request';
      return -errno.EINVAL;
    }
    if (link.ifindex) {
      extack.message = 'Filter by device index not supported for link dumps';
      return -errno.EINVAL;
    }
  }
  const { seq } = header;
  const { portId } = socket;
  const extMask = extMaskOf(parse(request));
  return net.devices.map((device) =>
    linkMessage(device, { flags: NLM_F_MULTI, seq, portId, extMask }),
  );
}

const extMaskOf = (link: LinkRequest | undefined): number =>
  u32Of(link?.attributes.get(IFLA.EXT_MASK)) ?? 0;

export function setLink(net: Net, request: NetlinkRequest): number {
  const link = parse(request);
  if (!link) return -errno.EINVAL;
  const device = deviceOf(net, link);
  if (device === null) return -errno.EINVAL;
  if (!device) return -errno.ENODEV;
  return change(net, device, link, request);
}

export function newLink(net: Net, request: NetlinkRequest): number {
  const link = parse(request);
  if (!link) return -errno.EINVAL;
  const device = deviceOf(net, link);
  const { flags } = request.header;
  if (device) {
    if (flags & NLM_F_EXCL) return -errno.EEXIST;
    if (flags & NLM_F_REPLACE) return -errno.EOPNOTSUPP;
    return change(net, device, link, request);
  }
  if (!(flags & NLM_F_CREATE)) return -errno.ENODEV;
  // differs: no kind of interface can be made from outside yet.
  request.extack.message = 'Unknown device type';
  return -errno.EOPNOTSUPP;
}

export function deleteLink(net: Net, request: NetlinkRequest): number {
  const link = parse(request);
  const device = link && deviceOf(net, link);
  if (device === null || !link) return -errno.EINVAL;
  // What is there has no rtnl_link_ops to delete it with.
  return device ? -errno.EOPNOTSUPP : -errno.ENODEV;
}

/** do_setlink: one thing after the other; what was done before a failure stays done. */
function change(net: Net, device: NetDevice, link: LinkRequest, request: NetlinkRequest): number {
  const { extack, caller } = request;
  const { attributes } = link;
  const mtu = u32Of(attributes.get(IFLA.MTU));
  const group = u32Of(attributes.get(IFLA.GROUP));
  const txQueueLength = u32Of(attributes.get(IFLA.TXQLEN));
  if (mtu === null || group === null || txQueueLength === null) return -errno.ERANGE;
  const name = attributes.get(IFLA.IFNAME);
  const steps: (() => number)[] = [];
  if (attributes.has(IFLA.ADDRESS)) {
    // differs: the hardware's address is fixed.
    steps.push(() => -errno.EOPNOTSUPP);
  }
  if (mtu !== undefined) steps.push(() => device.changeMtu(mtu, extack));
  if (group !== undefined) steps.push(() => set(() => (device.view.group = group)));
  if (link.ifindex > 0 && name && name[0]) steps.push(() => rename(net, device, stringOf(name)));
  if (link.flags || link.change) steps.push(() => changeFlags(net, device, link));
  if (txQueueLength !== undefined) {
    steps.push(() => set(() => (device.view.tx_queue_len = txQueueLength)));
  }
  const xdp = attributes.get(IFLA.XDP);
  if (xdp) steps.push(() => changeXdp(device, xdp, caller, extack));
  for (const step of steps) {
    const result = step();
    if (result < 0) return result;
  }
  net.changed(device);
  return 0;
}

function set(assign: () => void): number {
  assign();
  return 0;
}

/** dev_change_name */
function rename(net: Net, device: NetDevice, name: string): number {
  if (name === device.name) return 0;
  if (device.isUp) return -errno.EBUSY;
  const isValid =
    name.length > 0 &&
    name.length < IFNAMSIZ &&
    name !== '.' &&
    name !== '..' &&
    !/[/:\s]/.test(name);
  if (!isValid) return -errno.EINVAL;
  if (net.byName(name)) return -errno.EEXIST;
  device.view.name = name;
  device.view.name_assign_type = NET_NAME_RENAMED;
  return 0;
}

/** rtnl_dev_get_flags and dev_change_flags: without a mask all flags are meant. */
function changeFlags(net: Net, device: NetDevice, link: LinkRequest): number {
  const { view } = device;
  const flags = link.change ? (link.flags & link.change) | (view.flags & ~link.change) : link.flags;
  view.flags = (view.flags & ~SETTABLE_FLAGS) | (flags & SETTABLE_FLAGS);
  view.promiscuity = view.flags & IFF_PROMISC ? 1 : 0;
  view.allmulti = view.flags & IFF_ALLMULTI ? 1 : 0;
  if (flags & IFF_UP) return net.up(device);
  net.down(device);
  return 0;
}

function changeXdp(
  device: NetDevice,
  nested: Uint8Array,
  caller: SocketCaller,
  extack: { message?: string },
): number {
  const xdp = attributesOf(nested, 0);
  if (xdp.has(IFLA_XDP.ATTACHED) || xdp.has(IFLA_XDP.PROG_ID)) return -errno.EINVAL;
  const flags = u32Of(xdp.get(IFLA_XDP.FLAGS)) ?? 0;
  const modes = flags & XDP_FLAGS_MODES;
  if (flags & ~XDP_FLAGS_MASK || modes & (modes - 1)) return -errno.EINVAL;
  const fd = u32Of(xdp.get(IFLA_XDP.FD));
  if (fd === undefined || fd === null) return 0;
  let expected: ProgObject | undefined;
  if (flags & XDP_FLAGS_REPLACE) {
    const expectedFd = u32Of(xdp.get(IFLA_XDP.EXPECTED_FD));
    if (expectedFd === undefined || expectedFd === null) return -errno.EINVAL;
    const found = programOf(caller, expectedFd | 0);
    if (typeof found === 'number') return found;
    expected = found;
  }
  const program = programOf(caller, fd | 0);
  if (typeof program === 'number') return program;
  return changeXdpProgram(device, { program, expected, flags }, extack);
}

/** Of a descriptor; a negative one means none. */
function programOf(caller: SocketCaller, fd: number): ProgObject | undefined | number {
  if (fd < 0) return undefined;
  const object = caller.objectOfFd(fd);
  if (object === undefined) return -errno.EBADF;
  if (!(object instanceof ProgObject)) return -errno.EINVAL;
  return object.prog.verified.spec.type === 'xdp' ? object : -errno.EINVAL;
}
