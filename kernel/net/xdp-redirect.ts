/**
 * XDP_REDIRECT: to an interface, by its index or through a devmap, or to another CPU through a cpumap
 * (xdp_do_redirect, net/core/filter.c). Frames gather in the target's ring and go out together when
 * the poll ends, as xdp_do_flush has it.
 * differs: xskmap and broadcast are not there yet; such a redirect fails with -EINVAL.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { Redirect } from '../../bpf/runtime.ts';
import { mapTypeNumber, XDP_ABORTED, XDP_DROP, XDP_PASS } from '../../bpf/uapi.ts';
import { XDP_PROGRAM_NS } from '../cost/net.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';
import { XdpBuff, XdpRxqInfo, XdpTxqInfo } from '../types/xdp.ts';
import { CpumapEntry } from './cpumap.ts';
import type { NetDevice, XdpPage } from './device.ts';
import { DROP_REASON } from './net-events.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';

/** BPF_F_BROADCAST (UAPI linux/bpf.h). */
const BPF_F_BROADCAST = 8;

/** differs: no struct bpf_prog is in RAM; raw tracepoints see NULL there. */
export const programArg = (program: ProgObject) => ({ offset: 0 as RamOffset, id: program.id });

function cpuEntryOf(info: Redirect | undefined): CpumapEntry | undefined {
  const entry = info?.map?.cpuEntryAt?.(info.index);
  return entry instanceof CpumapEntry ? entry : undefined;
}

export class XdpRedirects {
  readonly #net: Net;
  #pending: (() => void)[] = [];

  constructor(net: Net) {
    this.#net = net;
  }

  /** 0: the frame is the target's now. Otherwise a negative errno, and it stays the caller's. */
  redirect(from: NetDevice, program: ProgObject, frame: XdpPage): number {
    const { host, cpumaps } = this.#net;
    const info = host.takeRedirect();
    const entry = cpuEntryOf(info);
    if (entry) {
      cpumaps.enqueue(entry, from, frame);
      this.#trace(from, program, info, undefined, 0);
      return 0;
    }
    const target = this.#targetOf(info);
    const { xdpXmit } = target?.driver ?? {};
    let result = 0;
    if (!target) result = -errno.EINVAL;
    else if (!xdpXmit) result = -errno.EOPNOTSUPP;
    else {
      const passed = this.#passEntry(from, target, info, frame);
      // What the entry's program dropped has been redirected all the same.
      if (passed && !xdpXmit.call(target.driver, passed)) result = -errno.ENOSPC;
    }
    this.#trace(from, program, info, target, result);
    return result;
  }

  /** From generic XDP: the sk_buff goes out as it is. 0 or a negative errno, as above. */
  redirectSkb(from: NetDevice, program: ProgObject, skb: Skb): number {
    const { host, cpumaps } = this.#net;
    const info = host.takeRedirect();
    const entry = cpuEntryOf(info);
    if (entry) {
      const queued = cpumaps.enqueueSkb(entry, skb) ? 0 : -errno.ENOSPC;
      this.#trace(from, program, info, undefined, queued);
      return queued;
    }
    const target = this.#targetOf(info);
    const result = !target ? -errno.EINVAL : !target.isUp ? -errno.ENETDOWN : 0;
    this.#trace(from, program, info, target, result);
    if (result < 0) return result;
    const { view } = skb;
    const passed = this.#passEntry(from, target!, info, {
      page: view.head,
      data: skb.data,
      length: skb.len,
      release: () => this.#net.skbs.drop(skb, DROP_REASON.XDP),
    });
    if (!passed) return 0;
    const moved = passed.data - skb.data;
    view.data = passed.data;
    view.mac_header += moved;
    view.len = passed.length;
    view.tail = view.data - view.head + view.len;
    skb.dev = target!;
    this.#net.transmitXdp(skb);
    return 0;
  }

  /**
   * dev_map_bpf_prog_run: the program of a devmap's entry decides whether the frame goes on, perhaps
   * changed. Undefined: it is released.
   */
  #passEntry(
    from: NetDevice,
    target: NetDevice,
    info: Redirect | undefined,
    frame: XdpPage,
  ): XdpPage | undefined {
    const program = info?.map?.programAt?.(info.index);
    if (!program) return frame;
    const { host } = this.#net;
    const { ram } = host;
    const xdp = XdpBuff.alloc(ram);
    const rxq = XdpRxqInfo.alloc(ram);
    const txq = XdpTxqInfo.alloc(ram);
    rxq.dev = from.offset;
    txq.dev = target.offset;
    xdp.rxq = rxq.offset;
    xdp.txq = txq.offset;
    xdp.data_hard_start = frame.page;
    xdp.frame_sz = PAGE_SIZE;
    xdp.data = frame.data;
    xdp.data_meta = frame.data;
    xdp.data_end = (frame.data + frame.length) as RamOffset;
    host.charge(XDP_PROGRAM_NS);
    const verdict = program.prog.run(xdp.offset);
    const { data, data_end: end } = xdp;
    for (const each of [xdp, rxq, txq]) ram.kfree(each.offset);
    if (verdict === XDP_PASS) return { ...frame, data, length: end - data };
    if (verdict !== XDP_DROP && verdict !== XDP_ABORTED) {
      this.#net.warnInvalidAction(target, program, verdict);
    }
    if (verdict !== XDP_DROP) this.#net.xdpException(target, program, verdict);
    frame.release(frame.page);
    return undefined;
  }

  flushLater(flush: () => void): void {
    if (!this.#pending.includes(flush)) this.#pending.push(flush);
  }

  flush(): void {
    if (this.#pending.length > 0) {
      for (const flush of this.#pending) flush();
      this.#pending = [];
    }
    this.#net.cpumaps.flush();
  }

  #targetOf(info: Redirect | undefined): NetDevice | undefined {
    if (!info || info.flags & BPF_F_BROADCAST) return undefined;
    const ifindex = info.map ? (info.map.ifindexAt?.(info.index) ?? 0) : info.index;
    return this.#net.byIndex(ifindex);
  }

  #trace(
    from: NetDevice,
    program: ProgObject,
    info: Redirect | undefined,
    target: NetDevice | undefined,
    result: number,
  ): void {
    const { xdpRedirect, xdpRedirectErr } = this.#net.tracepoints;
    const tracepoint = result < 0 ? xdpRedirectErr : xdpRedirect;
    if (!tracepoint.enabled) return;
    const map = info?.map;
    const mapType = map ? mapTypeNumber(map.spec.type) : 0;
    const to = target ?? (0 as RamOffset);
    const index = info?.index ?? 0;
    tracepoint.fire(from, programArg(program), to, result, mapType, map?.id ?? 0, index);
  }
}
