/**
 * Programs and maps for a network device instead of the host (kernel/bpf/offload.c, 6.1). What a
 * device is, its driver says (`OffloadDevice`); here are the checks that Linux makes before it.
 *
 *   deviceFor(bpf, ifindex)                 the device, or a negative errno
 *   mapDevice(bpf, spec, caller)            the same for a map that is to be made there
 *   offloadTo(device, program, spec, env)   the device's code, or why it has none
 */
import { errno } from '../../kernel/types/errno.ts';
import type { MapSpec } from '../maps/map.ts';
import { checkForDevice } from '../maps/table.ts';
import type { ProgramSpec, VerifiedProgram } from '../program.ts';
import { verify, type VerifierEnv } from '../verifier/verify.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { BpfCaller } from './caller.ts';
import type { BpfSubsystem } from './subsystem.ts';

/** Map commands that go over the bus. */
export type MapAccess = 'lookup' | 'update' | 'delete' | 'next-key';

/** Positive errno, and what the verifier's log and extack say of it. */
export interface OffloadRefusal {
  readonly errno: number;
  readonly lines: readonly string[];
}

/** A program in the device's form; its driver knows what else it is. */
export interface DeviceCode {
  /** The device's instructions, for jited_prog_insns. */
  readonly bytes: Uint8Array;
  free(): void;
}

/** What the driver of a device that takes programs provides (struct bpf_offload_dev). */
export interface OffloadDevice {
  readonly ifindex: number;
  /** False from the moment that the device is unplugged. */
  readonly present: boolean;
  /** @param device the program as drivers get it, contexts unconverted; @param host as hosts run it */
  translate(device: VerifiedProgram, host: VerifiedProgram): DeviceCode | OffloadRefusal;
  refuseMap(spec: MapSpec): OffloadRefusal | undefined;
  /** Before an operation on a map: the device catches up, and the bus takes its time. */
  mapAccess(access: MapAccess, spec: MapSpec): void;
}

/** The loopback interface, which there is also without a kernel. */
const LOOPBACK_IFINDEX = 1;

/**
 * bpf_dev_offload_check and bpf_offload_find_netdev: -EINVAL for no device and for one that has XDP
 * but no offload, -EOPNOTSUPP for one that has not even that.
 */
export function deviceFor({ host }: BpfSubsystem, ifindex: number): OffloadDevice | number {
  if (host.offloadDevice) return host.offloadDevice(ifindex);
  const { kernel } = host.runtime;
  const exists = kernel.netDeviceExists?.(ifindex) ?? ifindex === LOOPBACK_IFINDEX;
  return exists ? -errno.EOPNOTSUPP : -errno.EINVAL;
}

/**
 * bpf_map_offload_map_alloc: who may, which types, and whether the device has room.
 * differs: at level `latest` a device may take maps of other types than array and hash.
 */
export function mapDevice(
  bpf: BpfSubsystem,
  spec: MapSpec,
  caller: BpfCaller,
): OffloadDevice | number {
  const refused = checkForDevice(spec, caller.caps);
  if (refused < 0) return refused;
  if (!caller.caps.sysAdmin) return -errno.EPERM;
  const isPlain = spec.type === 'array' || spec.type === 'hash';
  if (!isPlain && bpf.host.level === '6.1') return -errno.EINVAL;
  const device = deviceFor(bpf, spec.ifindex ?? 0);
  if (typeof device === 'number') return device;
  const why = device.refuseMap(spec);
  return why ? -why.errno : device;
}

/** @param program the device form, from `verify` of `spec` with `checkOnly` */
export function offloadTo(
  device: OffloadDevice,
  program: VerifiedProgram,
  spec: ProgramSpec,
  env: VerifierEnv,
): DeviceCode | OffloadRefusal {
  const host = verify(spec, { ...env, logLevel: 0 });
  if (host.kind !== 'accepted') throw new Bug('accepted for a device but not for the host');
  return device.translate(program, host.program);
}

/** The verifier's log with what the driver says, as pr_vlog adds it. */
export function withLines(log: string, { lines }: OffloadRefusal): string {
  return `${log}${lines.map((line) => `${line}\n`).join('')}`;
}

/** The only network namespace: nsfs is device 4, the first of its inodes 0xf0000000. */
const NSFS_DEV = 4n;
const INIT_NET_INO = 0xf000_0000n;

/** The members of bpf_prog_info and bpf_map_info that name the device. */
export function deviceInfo({ ifindex }: OffloadDevice) {
  return { ifindex, netns_dev: NSFS_DEV, netns_ino: INIT_NET_INO };
}
