/** Helpers on XDP's packets. */
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { XdpBuff, XDP_PACKET_HEADROOM, XdpFrame } from '../../kernel/types/xdp.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { bareMachine } from '../../test/support/assets.ts';
import type { MapSpec } from '../maps/map.ts';

import { callHelper, mapFor, type HelperValue } from '../../test/support/call-helper.ts';

let machine: BareMachine;
/** 4 KiB to play with. */
let buffer: RamOffset;

beforeEach(async () => {
  machine = await bareMachine({ ramMiB: 16, cpuCount: 2 });
  buffer = machine.ram.kzalloc(4096);
});

const call = (proto: string, ...args: HelperValue[]): HelperValue =>
  callHelper(machine.runtime, proto, ...args);
const at = (distance: number) => (buffer + distance) as RamOffset;

const make = (spec: Partial<MapSpec>) => mapFor(machine.runtime, spec);

describe('XDP', () => {
  const FRAME = 2048;
  let ctx: RamOffset;
  let frame: RamOffset;

  beforeEach(() => {
    frame = machine.ram.kzalloc(FRAME);
    const xdp = XdpBuff.alloc(machine.ram);
    ctx = xdp.offset;
    xdp.data_hard_start = frame;
    xdp.frame_sz = FRAME;
    xdp.data = (frame + XDP_PACKET_HEADROOM) as RamOffset;
    xdp.data_meta = xdp.data;
    xdp.data_end = (xdp.data + 64) as RamOffset;
    for (let i = 0; i < 64; i++) machine.ram.u8[xdp.data + i] = i + 1;
  });
  const xdp = () => XdpBuff.at(machine.ram, ctx);

  it('adjust_head moves the start between the frame header and the Ethernet header', () => {
    expect(call('xdp_adjust_head', ctx, -14)).toBe(0);
    expect(xdp().data).toBe(frame + XDP_PACKET_HEADROOM - 14);
    expect(xdp().data_meta).toBe(xdp().data);
    expect(call('xdp_adjust_head', ctx, 14 + 50)).toBe(0);
    expect(call('xdp_adjust_head', ctx, 1)).toBe(-errno.EINVAL);
    const room = xdp().data - frame - XdpFrame.size;
    expect(call('xdp_adjust_head', ctx, -room - 1)).toBe(-errno.EINVAL);
    expect(call('xdp_adjust_head', ctx, -room)).toBe(0);
  });

  it('adjust_tail grows with zeros up to the shared info and shrinks to the Ethernet header', () => {
    machine.ram.u8.fill(0xaa, xdp().data_end, frame + FRAME);
    expect(call('xdp_adjust_tail', ctx, 8)).toBe(0);
    expect(call('xdp_get_buff_len', ctx)).toBe(72);
    expect([...machine.ram.u8.slice(xdp().data_end - 8, xdp().data_end + 1)]).toEqual([
      ...Array(8).fill(0),
      0xaa,
    ]);
    const room = frame + FRAME - 320 - xdp().data_end;
    expect(call('xdp_adjust_tail', ctx, room + 1)).toBe(-errno.EINVAL);
    expect(call('xdp_adjust_tail', ctx, room)).toBe(0);
    const shrink = call('xdp_get_buff_len', ctx) as number;
    expect(call('xdp_adjust_tail', ctx, -(shrink - 13))).toBe(-errno.EINVAL);
    expect(call('xdp_adjust_tail', ctx, -(shrink - 14))).toBe(0);
  });

  it('metadata: words up to 32 bytes, moved along with the head', () => {
    expect(call('xdp_adjust_meta', ctx, -8)).toBe(0);
    expect(xdp().data - xdp().data_meta).toBe(8);
    machine.ram.u8.fill(0x5a, xdp().data_meta, xdp().data);
    expect(call('xdp_adjust_head', ctx, -4)).toBe(0);
    expect([...machine.ram.u8.slice(xdp().data_meta, xdp().data)]).toEqual(Array(8).fill(0x5a));
    expect(call('xdp_adjust_meta', ctx, -2)).toBe(-errno.EACCES);
    expect(call('xdp_adjust_meta', ctx, -28)).toBe(-errno.EACCES);
    expect(call('xdp_adjust_meta', ctx, 9)).toBe(-errno.EINVAL);
    expect(call('xdp_adjust_meta', ctx, 8)).toBe(0);
    xdp().data_meta = (xdp().data + 1) as RamOffset;
    expect(call('xdp_adjust_meta', ctx, -4)).toBe(-errno.ENOTSUPP);
  });

  it('load_bytes and store_bytes stay inside the packet', () => {
    expect(call('xdp_load_bytes', ctx, 60, buffer, 4)).toBe(0);
    expect([...machine.ram.u8.slice(buffer, buffer + 4)]).toEqual([61, 62, 63, 64]);
    expect(call('xdp_store_bytes', ctx, 0, buffer, 4)).toBe(0);
    expect(machine.ram.u8[xdp().data]).toBe(61);
    expect(call('xdp_load_bytes', ctx, 61, buffer, 4)).toBe(-errno.EINVAL);
    expect(call('xdp_load_bytes', ctx, -1, buffer, 4)).toBe(-errno.EFAULT);
  });

  it('redirect leaves where to for the kernel', () => {
    expect(call('xdp_redirect', 3, 0n)).toBe(4);
    expect(machine.runtime.redirect).toEqual({ index: 3, map: undefined, flags: 0 });
    expect(call('xdp_redirect', 3, 1n)).toBe(0);
  });

  it('perf output: descriptor slots, flags and the packet that is appended', () => {
    const sent: { event: number; bytes: number[] }[] = [];
    Object.assign(machine.kernel, {
      perfEventOfFd: (fd: number) => (fd < 0 ? -errno.EBADF : fd + 1000),
      perfEventOutput: (event: number, raw: readonly { offset: number; sizeBytes: number }[]) => {
        const bytes = raw.flatMap((part) => [
          ...machine.ram.u8.slice(part.offset, part.offset + part.sizeBytes),
        ]);
        sent.push({ event, bytes });
        return 0;
      },
    });
    const map = make({ type: 'perf_event_array', valueBytes: 4, maxEntries: 2 });
    const put = (cpu: number, fd: number) => {
      machine.ram.view.setUint32(at(32), cpu, true);
      machine.ram.view.setInt32(at(40), fd, true);
      return map.updateFromUser(at(32), at(40), 0);
    };
    expect(put(1, 5)).toBe(0);
    expect(put(0, -1)).toBe(-errno.EBADF);
    expect(put(2, 5)).toBe(-errno.E2BIG);
    machine.ram.u8.set([7, 8], buffer);
    const out = (flags: bigint) => call('xdp_event_output', ctx, map.offset, flags, buffer, 2n);
    const current = 0xffff_ffffn;
    expect(out(current)).toBe(-errno.ENOENT);
    machine.kernel.setCpu(1);
    expect(out(current)).toBe(0);
    expect(out(1n | (3n << 32n))).toBe(0);
    expect(out(1n | (65n << 32n))).toBe(-errno.EFAULT);
    expect(out(2n)).toBe(-errno.E2BIG);
    expect(out(1n | (1n << 60n))).toBe(-errno.EINVAL);
    expect(sent).toEqual([
      { event: 1005, bytes: [7, 8] },
      { event: 1005, bytes: [7, 8, 1, 2, 3] },
    ]);
  });
});
