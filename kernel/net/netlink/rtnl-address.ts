/** RTM_GETADDR, RTM_NEWADDR and RTM_DELADDR, IPv4 (net/ipv4/devinet.c, 6.1). */
import { errno } from '../../types/errno.ts';
import { AF_INET, AF_INET6, AF_UNSPEC, RT_SCOPE_HOST, RT_SCOPE_UNIVERSE } from '../address.ts';
import type { InterfaceAddress } from '../address.ts';
import type { NetDevice } from '../device.ts';
import type { Net } from '../net.ts';
import { attributesOf, MessageWriter, NLM_F_DUMP_FILTERED, NLM_F_MULTI } from './message.ts';
import { NLMSG_HDRLEN, stringOf, u32Bytes } from './message.ts';
import { IFA, IFA_F_PERMANENT, RTM_NEWADDR } from './route-constants.ts';
import type { NetlinkRequest } from './table.ts';

const IFADDRMSG_BYTES = 8;
const ATTRIBUTES = NLMSG_HDRLEN + IFADDRMSG_BYTES;
const FOREVER = 0xffffffff;

interface AddressRequest {
  readonly family: number;
  readonly prefixLength: number;
  readonly flags: number;
  readonly scope: number;
  readonly ifindex: number;
  readonly attributes: Map<number, Uint8Array>;
}

function parse({ request }: NetlinkRequest): AddressRequest | undefined {
  if (request.length < ATTRIBUTES) return undefined;
  const view = new DataView(request.buffer, request.byteOffset + NLMSG_HDRLEN, IFADDRMSG_BYTES);
  return {
    family: view.getUint8(0),
    prefixLength: view.getUint8(1),
    flags: view.getUint8(2),
    scope: view.getUint8(3),
    ifindex: view.getInt32(4, true),
    attributes: attributesOf(request, ATTRIBUTES),
  };
}

export function dumpAddresses(net: Net, request: NetlinkRequest): readonly Uint8Array[] | number {
  const { socket, header, extack } = request;
  const family = request.request[NLMSG_HDRLEN]!;
  if (family !== AF_UNSPEC && family !== AF_INET && family !== AF_INET6) return [];
  let ifindex = 0;
  if (socket.strict) {
    const wanted = parse(request);
    if (!wanted) {
      extack.message = 'ipv4: Invalid header for address dump request';
      return -errno.EINVAL;
    }
    if (wanted.prefixLength || wanted.flags || wanted.scope) {
      extack.message = 'ipv4: Invalid values in header for address dump request';
      return -errno.EINVAL;
    }
    ifindex = wanted.ifindex;
    request.filtered = ifindex !== 0;
    if (ifindex !== 0 && !net.byIndex(ifindex)) return -errno.ENODEV;
  }
  const flags = NLM_F_MULTI | (ifindex === 0 ? 0 : NLM_F_DUMP_FILTERED);
  return net.devices
    .filter((device) => ifindex === 0 || device.ifindex === ifindex)
    .flatMap((device) =>
      device.addresses
        .filter((address) => family === AF_UNSPEC || familyOf(address) === family)
        .map((address) => addressMessage(device, address, flags, header.seq, socket.portId)),
    );
}

export function newAddress(net: Net, request: NetlinkRequest): number {
  const wanted = parse(request);
  if (!wanted) return -errno.EINVAL;
  // differs: no IPv6 addresses yet.
  if (wanted.family !== AF_INET) return -errno.EOPNOTSUPP;
  const local = wanted.attributes.get(IFA.LOCAL);
  if (!local || local.length < 4 || wanted.prefixLength > 32) return -errno.EINVAL;
  const device = net.byIndex(wanted.ifindex);
  if (!device) return -errno.ENODEV;
  const label = wanted.attributes.get(IFA.LABEL);
  const broadcast = wanted.attributes.get(IFA.BROADCAST);
  const result = net.ipv4.addAddress(device, {
    family: 'inet',
    local: local.slice(0, 4),
    prefixLength: wanted.prefixLength,
    scope: wanted.scope,
    label: label ? stringOf(label) : device.name,
    createdCs: Math.floor(net.host.clock() / 1e7),
    ...(broadcast && { broadcast: broadcast.slice(0, 4) }),
  });
  return result;
}

export function deleteAddress(net: Net, request: NetlinkRequest): number {
  const wanted = parse(request);
  if (!wanted) return -errno.EINVAL;
  if (wanted.family !== AF_INET) return -errno.EOPNOTSUPP;
  const device = net.byIndex(wanted.ifindex);
  if (!device) return -errno.ENODEV;
  const local = wanted.attributes.get(IFA.LOCAL) ?? wanted.attributes.get(IFA.ADDRESS);
  return net.ipv4.removeAddress(device, local, wanted.prefixLength);
}

/** What an interface that comes up gets by itself: 127.0.0.1/8 on the loopback (inetdev_event). */
export function loopbackAddress(createdCs: number, label: string): InterfaceAddress {
  return {
    family: 'inet',
    local: Uint8Array.of(127, 0, 0, 1),
    prefixLength: 8,
    scope: RT_SCOPE_HOST,
    label,
    createdCs,
  };
}

const familyOf = (address: InterfaceAddress): number =>
  address.family === 'inet' ? AF_INET : AF_INET6;

function addressMessage(
  device: NetDevice,
  address: InterfaceAddress,
  flags: number,
  seq: number,
  portId: number,
): Uint8Array {
  const header = new Uint8Array(IFADDRMSG_BYTES);
  const view = new DataView(header.buffer);
  view.setUint8(0, familyOf(address));
  view.setUint8(1, address.prefixLength);
  view.setUint8(2, IFA_F_PERMANENT);
  view.setUint8(3, address.scope ?? RT_SCOPE_UNIVERSE);
  view.setInt32(4, device.ifindex, true);
  const message = new MessageWriter(RTM_NEWADDR, flags, seq, portId).raw(header);
  message.bytes(IFA.ADDRESS, address.local).bytes(IFA.LOCAL, address.local);
  if (address.broadcast) message.bytes(IFA.BROADCAST, address.broadcast);
  if (address.label) message.string(IFA.LABEL, address.label);
  message.u32(IFA.FLAGS, IFA_F_PERMANENT);
  return message.bytes(IFA.CACHEINFO, cacheInfo(address.createdCs)).finish();
}

/** struct ifa_cacheinfo: valid for ever, since then. */
function cacheInfo(createdCs: number): Uint8Array {
  const words = [FOREVER, FOREVER, createdCs, createdCs].map(u32Bytes);
  return Uint8Array.from(words.flatMap((word) => [...word]));
}
