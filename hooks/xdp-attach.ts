/**
 * Attaching XDP programs to interfaces: which program is on which interface in which mode, and the
 * rules for changing that, errnos and extack texts as in Linux 6.1 (dev_xdp_attach).
 *
 *   changeXdpProgram(device, {program, expected, flags}, extack)   what IFLA_XDP asks for
 *   createXdpLink(device, program, flags)                          BPF_LINK_CREATE; an Attachment
 *
 * The device says in which modes it takes programs and runs `slots.drv.program` or
 * `slots.skb.program` for its packets.
 */
import type { Attachment, ProgObject } from '../bpf/syscall/objects.ts';
import { errno } from '../kernel/types/errno.ts';

/** XDP_FLAGS_* (UAPI linux/if_link.h). */
export const XDP_FLAGS_UPDATE_IF_NOEXIST = 1;
export const XDP_FLAGS_SKB_MODE = 2;
export const XDP_FLAGS_DRV_MODE = 4;
export const XDP_FLAGS_HW_MODE = 8;
export const XDP_FLAGS_REPLACE = 16;
export const XDP_FLAGS_MODES = XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE | XDP_FLAGS_HW_MODE;
export const XDP_FLAGS_MASK = XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_MODES | XDP_FLAGS_REPLACE;

/** Generic, in the driver, on the device: in the order of enum bpf_xdp_mode. */
export const XDP_MODES = ['skb', 'drv', 'hw'] as const;
export type XdpMode = (typeof XDP_MODES)[number];

/** Where a netlink request's error text goes. */
export interface Extack {
  message?: string;
}

export interface XdpSlot {
  program: ProgObject | undefined;
  /** Attached by a link, which alone may change it. */
  link: XdpLink | undefined;
}
export type XdpSlots = Readonly<Record<XdpMode, XdpSlot>>;

export const newXdpSlots = (): XdpSlots => ({
  skb: { program: undefined, link: undefined },
  drv: { program: undefined, link: undefined },
  hw: { program: undefined, link: undefined },
});

/** What attaching needs of an interface. */
export interface XdpDevice {
  readonly ifindex: number;
  readonly xdp: XdpSlots;
  /**
   * Put a program to work, or none: 0 or a negative errno with a text. Undefined where the mode is
   * not supported at all (no ndo_bpf); generic mode always is.
   */
  readonly installXdp: Readonly<
    Record<XdpMode, ((program: ProgObject | undefined, extack: Extack) => number) | undefined>
  >;
}

export interface XdpRequest {
  /** None: detach. */
  readonly program: ProgObject | undefined;
  /** With XDP_FLAGS_REPLACE: what must be attached now. */
  readonly expected?: ProgObject | undefined;
  readonly flags: number;
}

/** dev_change_xdp_fd: 0 or a negative errno. References stay the caller's. */
export function changeXdpProgram(device: XdpDevice, request: XdpRequest, extack: Extack): number {
  return attach(device, { ...request, link: undefined }, extack);
}

/** A link that is the program's attachment until it is closed, or the negative errno. */
export function createXdpLink(
  device: XdpDevice | undefined,
  program: ProgObject,
  flags: number,
): Attachment | number {
  if (!device) return -errno.EINVAL;
  const link = new XdpLink(device, program, flags);
  const result = attach(device, { program: undefined, flags, link }, {});
  return result < 0 ? result : link;
}

/** The mode that flags ask for: the driver's where it has one and none is named. */
export function xdpModeOf(device: XdpDevice, flags: number): XdpMode {
  if (flags & XDP_FLAGS_HW_MODE) return 'hw';
  if (flags & XDP_FLAGS_DRV_MODE) return 'drv';
  if (flags & XDP_FLAGS_SKB_MODE) return 'skb';
  return device.installXdp.drv ? 'drv' : 'skb';
}

const attachedModes = (device: XdpDevice): XdpMode[] =>
  XDP_MODES.filter((mode) => device.xdp[mode].program !== undefined);

interface AttachRequest extends XdpRequest {
  readonly link: XdpLink | undefined;
}

function attach(device: XdpDevice, request: AttachRequest, extack: Extack): number {
  const { flags, link, expected } = request;
  const refuse = (message: string, code: number) => {
    extack.message = message;
    return -code;
  };
  const modes = flags & XDP_FLAGS_MODES;
  if (link && flags & ~XDP_FLAGS_MODES) {
    return refuse('Invalid XDP flags for BPF link attachment', errno.EINVAL);
  }
  if (modes & (modes - 1)) return refuse('Only one XDP mode flag can be set', errno.EINVAL);
  if (modes === 0 && attachedModes(device).length > 1) {
    return refuse('More than one program loaded, unset mode is ambiguous', errno.EINVAL);
  }
  if (expected && !(flags & XDP_FLAGS_REPLACE)) {
    return refuse('XDP_FLAGS_REPLACE is not specified', errno.EINVAL);
  }
  const mode = xdpModeOf(device, flags);
  const slot = device.xdp[mode];
  if (slot.link) return refuse("Can't replace active BPF XDP link", errno.EBUSY);
  if (link && slot.program) {
    return refuse("Can't replace active XDP program with BPF link", errno.EBUSY);
  }
  if (flags & XDP_FLAGS_REPLACE && slot.program !== expected) {
    return refuse('Active program does not match expected', errno.EEXIST);
  }
  const program = link ? link.program : request.program;
  const install = device.installXdp[mode];
  // A mode that is not there is named before a conflict with another one, as 6.1.192 does.
  if (program !== slot.program && !install) {
    return refuse('Underlying driver does not support XDP in native mode', errno.EOPNOTSUPP);
  }
  if (program) {
    const refusal = refuseProgram(device, program, mode, flags, refuse);
    if (refusal < 0) return refusal;
  }
  if (program !== slot.program && install) {
    const result = install(program, extack);
    if (result < 0) return result;
  }
  const previous = slot.program;
  slot.program = program?.get();
  slot.link = link;
  previous?.put();
  return 0;
}

function refuseProgram(
  device: XdpDevice,
  program: ProgObject,
  mode: XdpMode,
  flags: number,
  refuse: (message: string, code: number) => number,
): number {
  if (flags & XDP_FLAGS_UPDATE_IF_NOEXIST && device.xdp[mode].program) {
    return refuse('XDP program already attached', errno.EBUSY);
  }
  const isOffloaded = program.prog.verified.spec.ifindex !== undefined;
  if (mode !== 'hw') {
    if (device.xdp[mode === 'skb' ? 'drv' : 'skb'].program) {
      return refuse("Native and generic XDP can't be active at the same time", errno.EEXIST);
    }
    if (isOffloaded) {
      return refuse('Using offloaded program without HW_MODE flag is not supported', errno.EINVAL);
    }
  }
  if (program.attachType === 'xdp_devmap') {
    return refuse('BPF_XDP_DEVMAP programs can not be attached to a device', errno.EINVAL);
  }
  if (program.attachType === 'xdp_cpumap') {
    return refuse('BPF_XDP_CPUMAP programs can not be attached to a device', errno.EINVAL);
  }
  return 0;
}

/** A bpf_xdp_link: holds the slot of its mode until detached, or until the device goes. */
export class XdpLink implements Attachment {
  readonly type = 'xdp';
  readonly detachable = true;
  readonly flags: number;
  program: ProgObject;
  #device: XdpDevice | undefined;

  constructor(device: XdpDevice, program: ProgObject, flags: number) {
    this.#device = device;
    this.program = program;
    this.flags = flags;
  }

  detach(): void {
    const device = this.#device;
    if (!device) return;
    const mode = xdpModeOf(device, this.flags);
    const slot = device.xdp[mode];
    if (slot.link === this) {
      device.installXdp[mode]?.(undefined, {});
      slot.link = undefined;
      slot.program?.put();
      slot.program = undefined;
    }
    this.#device = undefined;
  }

  replace(program: ProgObject): number {
    const device = this.#device;
    if (!device) return -errno.ENOLINK;
    if (program === this.program) return 0;
    const mode = xdpModeOf(device, this.flags);
    const { type } = program.prog.verified.spec;
    if (type !== 'xdp' || program.attachType !== this.program.attachType) return -errno.EINVAL;
    const result = device.installXdp[mode]?.(program, {}) ?? -errno.EOPNOTSUPP;
    if (result < 0) return result;
    const slot = device.xdp[mode];
    const previous = slot.program;
    slot.program = program.get();
    previous?.put();
    this.program = program;
    return 0;
  }

  info(): { readonly fields: Readonly<Record<string, number>> } {
    return { fields: { xdp_ifindex: this.#device?.ifindex ?? 0 } };
  }
}

/** Let go of all programs of a device that disappears (dev_xdp_uninstall). */
export function releaseXdp(device: XdpDevice): void {
  for (const mode of XDP_MODES) {
    const slot = device.xdp[mode];
    if (!slot.program) continue;
    device.installXdp[mode]?.(undefined, {});
    if (slot.link) slot.link.detach();
    else {
      slot.program.put();
      slot.program = undefined;
    }
  }
}
