/**
 * The ioctls by which a socket asks about interfaces: SIOCGIF* (netdevice(7)) and, of ethtool's,
 * who drives a device and what it has counted.
 */
import { errno } from '../types/errno.ts';
import { IFF_UP, IFNAMSIZ } from '../types/net-device.ts';
import { AF_INET, maskOf, be32 } from './address.ts';
import type { NetDevice } from './device.ts';
import type { Net } from './net.ts';
import type { SocketCaller } from './socket.ts';

/** UAPI linux/sockios.h. */
const SIOCGIFNAME = 0x8910;
const SIOCGIFCONF = 0x8912;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFADDR = 0x8915;
const SIOCGIFBRDADDR = 0x8919;
const SIOCGIFNETMASK = 0x891b;
const SIOCGIFMETRIC = 0x891d;
const SIOCGIFMTU = 0x8921;
const SIOCSIFMTU = 0x8922;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
const SIOCGIFTXQLEN = 0x8942;
const SIOCETHTOOL = 0x8946;

/** struct ifreq: a name and a union of 24 bytes. */
const IFREQ_BYTES = 40;
const IFREQ_DATA = IFNAMSIZ;

/** UAPI linux/ethtool.h. */
const ETHTOOL_GDRVINFO = 0x3;
const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GSTATS = 0x1d;
const ETHTOOL_GSSET_INFO = 0x37;
const ETH_SS_STATS = 1;
const ETH_GSTRING_LEN = 32;
const DRVINFO_BYTES = 196;

const encoder = new TextEncoder();

/** -ENOTTY: not a request about interfaces. */
export function interfaceIoctl(
  net: Net,
  command: number,
  arg: number,
  caller: SocketCaller,
): number {
  if (command === SIOCGIFCONF) return interfaceList(net, arg, caller);
  if ((command & 0xff00) !== 0x8900) return -errno.ENOTTY;
  const ifreq = caller.copyIn(arg, IFREQ_BYTES);
  if (!ifreq) return -errno.EFAULT;
  const view = new DataView(ifreq.buffer, ifreq.byteOffset, IFREQ_BYTES);
  if (command === SIOCGIFNAME) {
    const device = net.byIndex(view.getInt32(IFREQ_DATA, true));
    if (!device) return -errno.ENODEV;
    ifreq.fill(0, 0, IFNAMSIZ);
    ifreq.set(encoder.encode(device.name), 0);
    return caller.copyOut(arg, ifreq) ? 0 : -errno.EFAULT;
  }
  const device = net.byName(nameIn(ifreq));
  if (!device) return -errno.ENODEV;
  if (command === SIOCETHTOOL) return ethtool(device, view.getUint32(IFREQ_DATA, true), caller);
  const result = request(net, device, command, ifreq, view, caller);
  if (result < 0) return result;
  return caller.copyOut(arg, ifreq) ? 0 : -errno.EFAULT;
}

/** One request that has its answer in the ifreq. */
function request(
  net: Net,
  device: NetDevice,
  command: number,
  ifreq: Uint8Array,
  view: DataView,
  caller: SocketCaller,
): number {
  const { view: dev } = device;
  switch (command) {
    case SIOCGIFINDEX:
      view.setInt32(IFREQ_DATA, device.ifindex, true);
      return 0;
    case SIOCGIFFLAGS:
      view.setUint16(IFREQ_DATA, device.userFlags & 0xffff, true);
      return 0;
    case SIOCSIFFLAGS:
      if (!caller.netAdmin) return -errno.EPERM;
      if (view.getUint16(IFREQ_DATA, true) & IFF_UP) return net.up(device);
      net.down(device);
      return 0;
    case SIOCGIFMTU:
      view.setInt32(IFREQ_DATA, dev.mtu, true);
      return 0;
    case SIOCSIFMTU:
      if (!caller.netAdmin) return -errno.EPERM;
      return device.changeMtu(view.getInt32(IFREQ_DATA, true), {});
    case SIOCGIFMETRIC:
      view.setInt32(IFREQ_DATA, 0, true);
      return 0;
    case SIOCGIFTXQLEN:
      view.setInt32(IFREQ_DATA, dev.tx_queue_len, true);
      return 0;
    case SIOCGIFHWADDR:
      ifreq.fill(0, IFREQ_DATA);
      view.setUint16(IFREQ_DATA, dev.type, true);
      ifreq.set(device.mac, IFREQ_DATA + 2);
      return 0;
    case SIOCGIFADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
      return address(device, command, ifreq, view);
    default:
      return -errno.ENOTTY;
  }
}

function address(device: NetDevice, command: number, ifreq: Uint8Array, view: DataView): number {
  const first = device.addresses.find((candidate) => candidate.family === 'inet');
  if (!first) return -errno.EADDRNOTAVAIL;
  const value =
    command === SIOCGIFADDR
      ? first.local
      : command === SIOCGIFNETMASK
        ? be32(maskOf(first.prefixLength))
        : (first.broadcast ?? new Uint8Array(4));
  ifreq.fill(0, IFREQ_DATA);
  view.setUint16(IFREQ_DATA, AF_INET, true);
  ifreq.set(value, IFREQ_DATA + 4);
  return 0;
}

/** struct ifconf {int len; char *buf}: an ifreq for each address. */
function interfaceList(net: Net, arg: number, caller: SocketCaller): number {
  const ifconf = caller.copyIn(arg, 16);
  if (!ifconf) return -errno.EFAULT;
  const view = new DataView(ifconf.buffer, ifconf.byteOffset, 16);
  const room = view.getInt32(0, true);
  const buffer = Number(view.getBigUint64(8, true));
  const rows = net.devices.flatMap((device) => {
    const ifreq = new Uint8Array(IFREQ_BYTES);
    ifreq.set(encoder.encode(device.name));
    const row = new DataView(ifreq.buffer);
    return address(device, SIOCGIFADDR, ifreq, row) < 0 ? [] : [ifreq];
  });
  const fitting = buffer === 0 ? rows : rows.slice(0, Math.floor(room / IFREQ_BYTES));
  if (buffer !== 0) {
    for (const [i, row] of fitting.entries()) {
      if (!caller.copyOut(buffer + i * IFREQ_BYTES, row)) return -errno.EFAULT;
    }
  }
  view.setInt32(0, fitting.length * IFREQ_BYTES, true);
  return caller.copyOut(arg, ifconf) ? 0 : -errno.EFAULT;
}

function ethtool(device: NetDevice, at: number, caller: SocketCaller): number {
  const head = caller.copyIn(at, 16);
  if (!head) return -errno.EFAULT;
  const view = new DataView(head.buffer, head.byteOffset, 16);
  const stats = device.driver.ethtoolStats?.() ?? [];
  switch (view.getUint32(0, true)) {
    case ETHTOOL_GDRVINFO: {
      const info = new Uint8Array(DRVINFO_BYTES);
      const put = (offset: number, text: string) => info.set(encoder.encode(text), offset);
      new DataView(info.buffer).setUint32(0, ETHTOOL_GDRVINFO, true);
      put(4, device.driver.name);
      put(36, '6.1.0');
      put(68, (device.driver.firmware ?? '').slice(0, 31));
      put(100, device.init.parent?.name ?? '');
      new DataView(info.buffer).setUint32(180, stats.length, true);
      return caller.copyOut(at, info) ? 0 : -errno.EFAULT;
    }
    case ETHTOOL_GSSET_INFO: {
      const mask = view.getBigUint64(8, true);
      const wanted = (mask >> BigInt(ETH_SS_STATS)) & 1n;
      const answer = new Uint8Array(20);
      const out = new DataView(answer.buffer);
      out.setUint32(0, ETHTOOL_GSSET_INFO, true);
      out.setBigUint64(8, wanted << BigInt(ETH_SS_STATS), true);
      out.setUint32(16, wanted ? stats.length : 0, true);
      return caller.copyOut(at, answer) ? 0 : -errno.EFAULT;
    }
    case ETHTOOL_GSTRINGS: {
      if (view.getUint32(4, true) !== ETH_SS_STATS) return -errno.EOPNOTSUPP;
      const answer = new Uint8Array(12 + stats.length * ETH_GSTRING_LEN);
      const out = new DataView(answer.buffer);
      out.setUint32(0, ETHTOOL_GSTRINGS, true);
      out.setUint32(4, ETH_SS_STATS, true);
      out.setUint32(8, stats.length, true);
      stats.forEach(([name], i) => answer.set(encoder.encode(name), 12 + i * ETH_GSTRING_LEN));
      return caller.copyOut(at, answer) ? 0 : -errno.EFAULT;
    }
    case ETHTOOL_GSTATS: {
      const answer = new Uint8Array(8 + stats.length * 8);
      const out = new DataView(answer.buffer);
      out.setUint32(0, ETHTOOL_GSTATS, true);
      out.setUint32(4, stats.length, true);
      stats.forEach(([, value], i) => out.setBigUint64(8 + i * 8, BigInt(value), true));
      return caller.copyOut(at, answer) ? 0 : -errno.EFAULT;
    }
    default:
      return -errno.EOPNOTSUPP;
  }
}

function nameIn(ifreq: Uint8Array): string {
  const name = ifreq.subarray(0, IFNAMSIZ);
  const end = name.indexOf(0);
  return new TextDecoder().decode(end < 0 ? name : name.subarray(0, end));
}
