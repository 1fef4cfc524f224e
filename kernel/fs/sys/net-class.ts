/**
 * Network interfaces in sysfs (Documentation/ABI/testing/sysfs-class-net): a directory for each
 * below its bus, a link to it in /sys/class/net. Interfaces come and go; nothing is cached by name.
 */
import type { NetDevice } from '../../net/device.ts';
import { macText } from '../../net/ethernet.ts';
import { LINK_STATS } from '../../net/stats.ts';
import { errno } from '../../types/errno.ts';
import { parseNumber } from '../numbers.ts';
import type { PseudoDirectory, PseudoFs } from '../pseudo.ts';
import type { Inode } from '../vfs-types.ts';

/** By IF_OPER_* (RFC 2863). */
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];

type Devices = () => readonly NetDevice[];

/** Where a device hangs below /sys/devices: 'pci0000:00/0000:00:03.0' or 'virtual'. */
function busPath({ init: { parent } }: NetDevice): string {
  if (!parent) return 'virtual';
  const [domain, bus] = parent.name.split(':');
  return `${parent.bus}${domain}:${bus}/${parent.name}`;
}

/** Fill /sys/class/net and the `net` directories of /sys/devices. */
export function addNetClass(
  fs: PseudoFs,
  directory: (path: string) => PseudoDirectory,
  devices: Devices,
  unplug: (device: NetDevice) => void,
): void {
  const directories = new WeakMap<NetDevice, Inode>();
  const inodeOf = (device: NetDevice): Inode => {
    let inode = directories.get(device);
    if (!inode) directories.set(device, (inode = deviceDirectory(fs, device)));
    return inode;
  };
  const links = new WeakMap<NetDevice, Inode>();
  const linkOf = (device: NetDevice): Inode => {
    let link = links.get(device);
    if (!link) {
      link = fs.link(() => `../../devices/${busPath(device)}/net/${device.name}`);
      links.set(device, link);
    }
    return link;
  };
  const select = (wanted: (device: NetDevice) => boolean, node: (device: NetDevice) => Inode) => ({
    names: () =>
      devices()
        .filter(wanted)
        .map(({ name }) => name),
    get: (name: string) => {
      const device = devices().find((one) => one.name === name && wanted(one));
      return device && node(device);
    },
  });
  directory('class').add(
    'net',
    fs.dynamicDirectory(
      select(() => true, linkOf),
      0o755,
    ),
  );
  const virtual = select(({ init }) => !init.parent, inodeOf);
  directory('devices/virtual').add('net', fs.dynamicDirectory(virtual, 0o755));
  const buses = new Map<string, Inode>();
  directory('devices').addDynamic({
    names: () => new Set(hardware(devices).map((device) => busPath(device).split('/')[0]!)),
    get: (bus) => {
      if (!hardware(devices).some((device) => busPath(device).startsWith(`${bus}/`)))
        return undefined;
      let inode = buses.get(bus);
      if (!inode) buses.set(bus, (inode = busDirectory(fs, bus, devices, inodeOf, unplug)));
      return inode;
    },
  });
}

const hardware = (devices: Devices): readonly NetDevice[] =>
  devices().filter(({ init }) => init.parent);

/** /sys/devices/pci0000:00: a directory for each adapter, with its interfaces in `net`. */
function busDirectory(
  fs: PseudoFs,
  bus: string,
  devices: Devices,
  inodeOf: (device: NetDevice) => Inode,
  unplug: (device: NetDevice) => void,
): Inode {
  const adapters = new Map<string, Inode>();
  const on = (name: string) =>
    hardware(devices).filter((device) => busPath(device) === `${bus}/${name}`);
  return fs.dynamicDirectory(
    {
      names: () =>
        new Set(
          hardware(devices)
            .filter((device) => busPath(device).startsWith(`${bus}/`))
            .map(({ init }) => init.parent!.name),
        ),
      get: (name) => {
        if (on(name).length === 0) return undefined;
        let inode = adapters.get(name);
        if (!inode) {
          const adapter = fs.directory(0o755);
          const interfaces = {
            names: () => on(name).map((device) => device.name),
            get: (interfaceName: string) => {
              const device = on(name).find((one) => one.name === interfaceName);
              return device && inodeOf(device);
            },
          };
          adapter.add('net', fs.dynamicDirectory(interfaces, 0o755));
          const remove = () => on(name).forEach(unplug);
          adapter.add(
            'remove',
            fs.text(() => '', { mode: 0o200, write: unlessZero(remove) }),
          );
          adapters.set(name, (inode = adapter));
        }
        return inode;
      },
    },
    0o755,
  );
}

/** remove_store (drivers/pci/pci-sysfs.c): a number, and anything but 0 does it. */
const unlessZero = (act: () => void) => (text: string) => {
  const value = parseNumber(text);
  if (value === undefined) return -errno.EINVAL;
  if (value !== 0) act();
  return 0;
};

function deviceDirectory(fs: PseudoFs, device: NetDevice): Inode {
  const { view, init } = device;
  const directory = fs.directory(0o755);
  const show = (name: string, render: () => string | number): void =>
    void directory.add(
      name,
      fs.text(() => `${render()}\n`),
    );
  const depth = busPath(device).split('/').length;
  show('addr_assign_type', () => view.addr_assign_type);
  show('addr_len', () => view.addr_len);
  show('address', () => macText(device.mac));
  show('broadcast', () => macText(device.broadcast));
  show('carrier', () => (device.isUp ? 1 : 0));
  show('dev_id', () => '0x0');
  show('dev_port', () => 0);
  show('flags', () => `0x${device.view.flags.toString(16)}`);
  show('ifindex', () => device.ifindex);
  show('iflink', () => device.ifindex);
  show('link_mode', () => view.link_mode);
  directory.add(
    'mtu',
    fs.text(() => `${device.mtu}\n`, {
      write: (text) => {
        const mtu = parseNumber(text);
        return mtu === undefined ? -errno.EINVAL : device.changeMtu(mtu, {});
      },
    }),
  );
  show('name_assign_type', () => view.name_assign_type);
  show('operstate', () => OPERSTATES[view.operstate] ?? 'unknown');
  if (init.speedMbps !== undefined) {
    show('speed', () => (device.isUp ? init.speedMbps! : -1));
    show('duplex', () => (device.isUp ? 'full' : 'unknown'));
  }
  show('tx_queue_len', () => view.tx_queue_len);
  show('type', () => view.type);
  directory.add(
    'uevent',
    fs.text(() => `INTERFACE=${device.name}\nIFINDEX=${device.ifindex}\n`),
  );
  directory.add(
    'subsystem',
    fs.link(() => `${'../'.repeat(depth + 3)}class/net`),
  );
  if (init.parent)
    directory.add(
      'device',
      fs.link(() => `../../../${init.parent!.name}`),
    );
  const statistics = directory.add('statistics', fs.directory(0o755));
  for (const name of LINK_STATS) {
    if (name === 'rx_otherhost_dropped') continue; // Not in sysfs.
    statistics.add(
      name,
      fs.text(() => `${device.linkStats()[name]}\n`),
    );
  }
  const queues = directory.add('queues', fs.directory(0o755));
  for (let i = 0; i < view.real_num_rx_queues; i++) queues.add(`rx-${i}`, fs.directory(0o755));
  for (let i = 0; i < view.real_num_tx_queues; i++) queues.add(`tx-${i}`, fs.directory(0o755));
  return directory;
}
