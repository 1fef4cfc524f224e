/**
 * The processor of a SmartNIC: runs the image that is loaded, frame by frame, at the speed that its
 * timing model says. What it counts, the driver shows.
 *
 *   processor.load(image)    or undefined: frames go to the host as in a plain card
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import { Datapath } from '../datapath.ts';
import type { DeviceImage, Target } from '../target.ts';
import type { FrameStore } from './frames.ts';
import type { Ingress, IngressVerdict } from './ingress.ts';

const GONE = { kind: 'gone' } as const;

export class NicProcessor implements Ingress {
  readonly target: Target;
  readonly counts = {
    drop: 0,
    pass: 0,
    tx: 0,
    aborted: 0,
    /** Redirected, though a card of one port has nowhere to send it. */
    redirect_no_port: 0,
    /** Came while the processor had no room for it. */
    overrun: 0,
  };
  readonly #runtime: BpfRuntime;
  readonly #options: { readonly bitsPerSecond: number };
  readonly #ifindex: number;
  #datapath: Datapath | undefined;

  constructor(
    runtime: BpfRuntime,
    target: Target,
    options: { readonly ifindex: number; readonly bitsPerSecond: number },
  ) {
    this.#runtime = runtime;
    this.target = target;
    this.#ifindex = options.ifindex;
    this.#options = { bitsPerSecond: options.bitsPerSecond };
  }

  get isLoaded(): boolean {
    return this.#datapath !== undefined;
  }

  load(image: DeviceImage | undefined): void {
    this.#datapath?.free();
    this.#datapath = undefined;
    if (!image) return;
    const timing = this.target.timing(image, this.#runtime, this.#options);
    const port = { ifindex: this.#ifindex, queue: 0 };
    this.#datapath = new Datapath(this.#runtime, image.program, timing, [port]);
  }

  frame(store: FrameStore, start: number, lengthBytes: number, endNs: number): IngressVerdict {
    const { counts } = this;
    const path = this.#datapath;
    if (!path) return { kind: 'host', readyNs: endNs, store, start, lengthBytes };
    path.packet(store.bytes.subarray(start, start + lengthBytes), endNs);
    switch (path.verdict) {
      case undefined:
        counts.overrun++;
        return GONE;
      case XDP_DROP:
        counts.drop++;
        return GONE;
      case XDP_PASS: {
        counts.pass++;
        const bytes = path.bytes();
        const copy = new Uint8Array((bytes.length + 3) & ~3);
        copy.set(bytes);
        const changed = { bytes: copy, words: new Uint32Array(copy.buffer) };
        const { doneNs: readyNs } = path;
        return { kind: 'host', readyNs, store: changed, start: 0, lengthBytes: bytes.length };
      }
      case XDP_TX: {
        counts.tx++;
        const { xdp, length } = path.slot;
        return { kind: 'out', readyNs: path.doneNs, frame: xdp.data, lengthBytes: length };
      }
      case XDP_REDIRECT:
        counts.redirect_no_port++;
        return GONE;
      default:
        counts.aborted++;
        return GONE;
    }
  }
}
