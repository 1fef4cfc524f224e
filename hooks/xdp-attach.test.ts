/** The rules of attaching by link; those of netlink are in kernel/net/netlink/rtnetlink.test.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Attachment, ProgObject } from '../bpf/syscall/objects.ts';
import { Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import { fakeXdp } from '../test/support/xdp-program.ts';
import type { Extack, XdpDevice } from './xdp-attach.ts';
import {
  changeXdpProgram,
  createXdpLink,
  newXdpSlots,
  releaseXdp,
  XDP_FLAGS_DRV_MODE,
  XDP_FLAGS_SKB_MODE,
  XDP_FLAGS_UPDATE_IF_NOEXIST,
} from './xdp-attach.ts';

const ram = new Ram(1 << 20, 0);
const program = (options = {}) => fakeXdp(ram, () => 2, options);

let installed: (ProgObject | undefined)[];
let device: XdpDevice;
beforeEach(() => {
  installed = [];
  const install = (next: ProgObject | undefined) => {
    installed.push(next);
    return 0;
  };
  device = {
    ifindex: 2,
    xdp: newXdpSlots(),
    installXdp: { skb: install, drv: install, hw: undefined },
  };
});
const link = (prog: ProgObject, flags = 0) => createXdpLink(device, prog, flags) as Attachment;
const change = (prog: ProgObject | undefined, flags = 0) => {
  const extack: Extack = {};
  return [changeXdpProgram(device, { program: prog, flags }, extack), extack.message];
};

describe('an XDP link', () => {
  it('holds its mode against everyone else until it is detached', () => {
    const [first, second] = [program(), program()];
    const held = link(first);
    expect(held.info()).toEqual({ fields: { xdp_ifindex: 2 } });
    expect(device.xdp.drv.program).toBe(first);
    expect(change(second)).toEqual([-errno.EBUSY, "Can't replace active BPF XDP link"]);
    expect(change(undefined)).toEqual([-errno.EBUSY, "Can't replace active BPF XDP link"]);
    expect(createXdpLink(device, second, 0)).toBe(-errno.EBUSY);
    expect(createXdpLink(device, second, XDP_FLAGS_SKB_MODE)).toBe(-errno.EEXIST);
    held.detach();
    held.detach();
    expect(installed).toEqual([first, undefined]);
    expect(device.xdp.drv).toEqual({ program: undefined, link: undefined });
    expect(first.references).toBe(1);
    expect(change(second)).toEqual([0, undefined]);
  });

  it('does not push out what netlink has attached', () => {
    const [first, second] = [program(), program()];
    change(first);
    expect(createXdpLink(device, second, 0)).toBe(-errno.EBUSY);
    expect([first.references, second.references]).toEqual([2, 1]);
  });

  it('takes mode flags only, one of them, and needs a device', () => {
    const prog = program();
    expect(createXdpLink(device, prog, XDP_FLAGS_UPDATE_IF_NOEXIST)).toBe(-errno.EINVAL);
    expect(createXdpLink(device, prog, XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE)).toBe(
      -errno.EINVAL,
    );
    expect(createXdpLink(undefined, prog, 0)).toBe(-errno.EINVAL);
    expect(createXdpLink(device, program({ attachType: 'xdp_cpumap' }), 0)).toBe(-errno.EINVAL);
  });

  it('swaps its program for one of the same kind', () => {
    const [first, second] = [program(), program()];
    const held = link(first, XDP_FLAGS_DRV_MODE);
    expect(held.replace!(program({ attachType: 'xdp_devmap' }))).toBe(-errno.EINVAL);
    expect(held.replace!(first)).toBe(0);
    expect(held.replace!(second)).toBe(0);
    expect(installed).toEqual([first, second]);
    expect([first.references, second.references]).toEqual([1, 2]);
    held.detach();
    expect(second.references).toBe(1);
    expect(held.replace!(first)).toBe(-errno.ENOLINK);
    expect(held.info()).toEqual({ fields: { xdp_ifindex: 0 } });
  });

  it('lets go when its device disappears', () => {
    const [linked, plain] = [program(), program()];
    link(linked);
    releaseXdp(device);
    expect([linked.references, device.xdp.drv.program]).toEqual([1, undefined]);
    change(plain, XDP_FLAGS_SKB_MODE);
    releaseXdp(device);
    expect([plain.references, device.xdp.skb.program]).toEqual([1, undefined]);
  });
});

it('a mode that the device has not is refused by name', () => {
  const bare: XdpDevice = { ...device, installXdp: { ...device.installXdp, drv: undefined } };
  const extack: Extack = {};
  const request = { program: program(), flags: XDP_FLAGS_DRV_MODE };
  expect(changeXdpProgram(bare, request, extack)).toBe(-errno.EOPNOTSUPP);
  expect(extack.message).toBe('Underlying driver does not support XDP in native mode');
  // Without a mode, such a device gets the generic one.
  expect(changeXdpProgram(bare, { program: program(), flags: 0 }, {})).toBe(0);
  expect(bare.xdp.skb.program).toBeDefined();
});
