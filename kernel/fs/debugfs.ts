/**
 * debugfs: what drivers tell of themselves, as far as there is something to tell.
 *
 *   skepnic/PCI-ADDRESS/bpf_bound_progs/ID/listing      an offloaded program in the device's form
 *   skepnic/PCI-ADDRESS/bpf_bound_progs/ID/resources    what it takes of the device
 *
 * The layout is netdevsim's (drivers/net/netdevsim/bpf.c), which has no device to list.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { NicDriver } from '../net/nic-driver.ts';
import type { NicCode } from '../net/nic-offload.ts';
import type { Ns } from '../types/units.ts';
import { PseudoFs, type PseudoDirectory } from './pseudo.ts';

/** UAPI linux/magic.h */
const DEBUGFS_MAGIC = 0x64626720;

export interface DebugfsHost {
  readonly now: () => Ns;
  /** Asked when somebody looks: there are none while file systems come up. */
  drivers(): readonly NicDriver[];
  programs(): Iterable<ProgObject>;
}

export function createDebugfs(dev: number, host: DebugfsHost): PseudoFs {
  const { now } = host;
  const fs = new PseudoFs({ type: 'debugfs', dev, magic: DEBUGFS_MAGIC, now, rootMode: 0o700 });
  fs.root.add('tracing', fs.directory(0o755));
  const cards = () => host.drivers().filter(({ offload }) => offload?.present);
  const card = remembered((driver: NicDriver) => cardDirectory(fs, driver, host));
  fs.root.add(
    'skepnic',
    fs.dynamicDirectory({
      names: () => cards().map(addressOf),
      get: (name) => card(cards().find((driver) => addressOf(driver) === name)),
    }),
  );
  return fs;
}

const addressOf = ({ device }: NicDriver): string => device.init.parent!.name;

function cardDirectory(fs: PseudoFs, driver: NicDriver, host: DebugfsHost): PseudoDirectory {
  const bound = () =>
    [...host.programs()].filter(({ offload }) => offload?.device === driver.offload);
  const program = remembered((object: ProgObject) => programDirectory(fs, object));
  const directory = fs.directory();
  directory.add(
    'bpf_bound_progs',
    fs.dynamicDirectory({
      names: () => bound().map(({ id }) => String(id)),
      get: (name) => program(bound().find(({ id }) => String(id) === name)),
    }),
  );
  return directory;
}

function programDirectory(fs: PseudoFs, { id, offload }: ProgObject): PseudoDirectory {
  const { image } = offload!.code as NicCode;
  const directory = fs.directory();
  directory.add(
    'id',
    fs.text(() => `${id}\n`),
  );
  directory.add(
    'listing',
    fs.text(() => image.text()),
  );
  directory.add(
    'resources',
    fs.text(() => image.resources.map(resourceLine).join('')),
  );
  return directory;
}

function resourceLine(use: { readonly name: string; readonly used: number; available?: number }) {
  const of = use.available === undefined ? '' : ` of ${use.available}`;
  return `${use.name}: ${use.used}${of}\n`;
}

/** One inode an object, as long as there is the object. */
function remembered<K extends object>(make: (key: K) => PseudoDirectory) {
  const made = new WeakMap<K, PseudoDirectory>();
  return (key: K | undefined): PseudoDirectory | undefined => {
    if (!key) return undefined;
    let directory = made.get(key);
    if (!directory) made.set(key, (directory = make(key)));
    return directory;
  };
}
