/**
 * What a cpumap's thread does with the frames that it has taken from its ring: the entry's program
 * runs over each, and what it passes goes up the stack as sk_buffs.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../../bpf/uapi.ts';
import { XDP_GENERIC_NS, XDP_PROGRAM_NS, XDP_REDIRECT_NS } from '../cost/net.ts';
import { OutOfMemory } from '../ram/page-allocator.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import type { RamOffset } from '../types/units.ts';
import {
  MEM_TYPE_PAGE_POOL,
  XdpBuff,
  XdpCpumapStats,
  XdpMemInfo,
  XdpRxqInfo,
} from '../types/xdp.ts';
import type { CpumapFrame } from './cpumap.ts';
import type { NetDevice, XdpPage } from './device.ts';
import { ethTypeTrans } from './ethernet.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import { Skb } from './skb.ts';
import { runOnSkb } from './xdp-generic.ts';

export class CpumapBatch {
  /** Of the last batch, in RAM for programs at the tracepoint. */
  readonly stats;
  readonly #net: Net;
  readonly #program: ProgObject | undefined;
  readonly #xdp;
  /** differs: rx_queue_index is 0; in 6.1 it is whatever was on the thread's stack. */
  readonly #rxq;

  /** Throws OutOfMemory. */
  constructor(net: Net, program: ProgObject | undefined) {
    const { ram } = net.host;
    this.#net = net;
    this.#program = program;
    this.stats = XdpCpumapStats.alloc(ram);
    this.#xdp = XdpBuff.alloc(ram);
    this.#rxq = XdpRxqInfo.alloc(ram);
    this.#xdp.rxq = this.#rxq.offset;
    this.#xdp.frame_sz = PAGE_SIZE;
    XdpMemInfo.at(ram, this.#rxq.mem).type = MEM_TYPE_PAGE_POOL;
  }

  free(): void {
    for (const each of [this.stats, this.#xdp, this.#rxq]) this.#net.host.ram.kfree(each.offset);
  }

  /** Takes what was queued; `drops` got no sk_buff. */
  work(items: readonly (CpumapFrame | Skb)[]): { processed: number; drops: number } {
    const { stats } = this;
    Object.assign(stats, { redirect: 0, pass: 0, drop: 0 });
    const queuedSkbs = items.filter((item) => item instanceof Skb);
    const frames = items.filter((item): item is CpumapFrame => !(item instanceof Skb));
    const passed = this.#program ? this.#runOnFrames(this.#program, frames) : frames;
    const skbs = this.#program ? this.#runOnSkbs(this.#program, queuedSkbs) : queuedSkbs;
    let drops = 0;
    for (const { device, frame } of passed) {
      const skb = this.#build(frame);
      if (skb) {
        skb.view.skb_iif = device.ifindex;
        ethTypeTrans(skb, device);
        skbs.push(skb);
      } else drops++;
    }
    for (const skb of skbs) this.#net.receive(skb);
    return { processed: items.length, drops };
  }

  /** cpu_map_bpf_prog_run_xdp: the frames that go on, as the program left them. */
  #runOnFrames(program: ProgObject, frames: readonly CpumapFrame[]): CpumapFrame[] {
    const { stats } = this;
    const passed: CpumapFrame[] = [];
    for (const { device, frame } of frames) {
      const verdict = this.#run(program, device.offset, frame);
      const after = this.#frameNow(frame);
      if (verdict === XDP_PASS) {
        stats.pass++;
        passed.push({ device, frame: after });
      } else if (verdict === XDP_REDIRECT && this.#redirect(program, device, after)) {
        stats.redirect++;
      } else {
        // Here XDP_ABORTED is an invalid action as well, and no xdp_exception is traced.
        if (verdict !== XDP_DROP && verdict !== XDP_REDIRECT) {
          this.#net.warnInvalidAction(undefined, program, verdict);
        }
        frame.release(frame.page);
        stats.drop++;
      }
    }
    if (stats.redirect > 0) this.#net.redirects.flush();
    return passed;
  }

  #run(program: ProgObject, device: RamOffset, frame: XdpPage): number {
    const xdp = this.#xdp;
    this.#net.host.charge(XDP_PROGRAM_NS);
    this.#rxq.dev = device;
    xdp.data_hard_start = frame.page;
    xdp.data = frame.data;
    xdp.data_meta = (frame.data - (frame.metaBytes ?? 0)) as RamOffset;
    xdp.data_end = (frame.data + frame.length) as RamOffset;
    return program.prog.run(xdp.offset);
  }

  #redirect(program: ProgObject, device: NetDevice, frame: XdpPage): boolean {
    this.#net.host.charge(XDP_REDIRECT_NS);
    return this.#net.redirects.redirect(device, program, frame) >= 0;
  }

  #frameNow(frame: XdpPage): XdpPage {
    const { data, data_meta: meta, data_end: end } = this.#xdp;
    return { ...frame, data, length: end - data, metaBytes: data - meta };
  }

  /**
   * cpu_map_bpf_prog_run_skb, for what came from generic XDP. As in 6.1, the first packet that is
   * not passed ends it: those behind go up without the program having seen them.
   */
  #runOnSkbs(program: ProgObject, skbs: readonly Skb[]): Skb[] {
    const net = this.#net;
    for (const [index, skb] of skbs.entries()) {
      net.host.charge(XDP_GENERIC_NS + XDP_PROGRAM_NS);
      const verdict = runOnSkb(net, skb, program);
      if (verdict === XDP_PASS) continue;
      const others = skbs.filter((_, other) => other !== index);
      if (verdict === XDP_REDIRECT && net.redirects.redirectSkb(skb.dev, program, skb) === 0) {
        this.stats.redirect++;
        return others;
      }
      if (verdict !== XDP_DROP && verdict !== XDP_REDIRECT) {
        if (verdict !== XDP_ABORTED) net.warnInvalidAction(undefined, program, verdict);
        net.xdpException(skb.dev, program, verdict);
      }
      net.skbs.drop(skb, DROP_REASON.NOT_SPECIFIED);
      this.stats.drop++;
      return others;
    }
    return [...skbs];
  }

  /** __xdp_build_skb_from_frame; undefined without memory, and the frame is given back. */
  #build({ page, data, length, release }: XdpPage): Skb | undefined {
    try {
      return this.#net.skbs.build(page, data, length, release);
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      release(page);
      return undefined;
    }
  }
}
