/**
 * Where frames come from. A source holds its frames in one block of memory and says when the next
 * one may start; the receiving NIC asks as its time goes on, so that a frame costs no event and no
 * object of its own.
 *
 *   new CaptureSource(frames, {startNs})            a capture at its recorded times
 *   new GeneratorSource(frames, {packetsPerSecond}) the same frames over and over, for load
 *   new FrameQueue()                                frames pushed from outside, each with its time
 */

/** Frames end to end, each starting at a multiple of four bytes. */
export interface FrameStore {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
}

export interface FrameSource {
  /** Time at which the next frame may start on the wire; Infinity while there is none. */
  readonly nextNs: number;
  readonly store: FrameStore;
  /** Byte offset of the next frame in the store, a multiple of 4, and its length. */
  readonly start: number;
  readonly length: number;
  advance(): void;
  /** No frame will ever come again. */
  readonly done: boolean;
  /** Called by the source when a frame has appeared where there was none. */
  onFrame?: (() => void) | undefined;
}

interface PackedFrames extends FrameStore {
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
}

function packFrames(frames: readonly Uint8Array[]): PackedFrames {
  const starts = new Uint32Array(frames.length);
  const lengths = new Uint32Array(frames.length);
  let size = 0;
  frames.forEach((frame, i) => {
    starts[i] = size;
    lengths[i] = frame.length;
    size += (frame.length + 3) & ~3;
  });
  const buffer = new ArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  frames.forEach((frame, i) => bytes.set(frame, starts[i]));
  return { bytes, words: new Uint32Array(buffer), starts, lengths };
}

/**
 * Frames at given times, as they were captured: one that a real card would have padded to 60 bytes
 * arrives as short as the capture has it, though it takes the wire as long as the padded one.
 * Frames that come too fast for the wire wait for it.
 */
export class CaptureSource implements FrameSource {
  readonly store: PackedFrames;
  readonly #times: Float64Array;
  #index = 0;

  /** @param startNs virtual time at which a `timeNs` of 0 is due */
  constructor(
    frames: readonly { readonly timeNs: number; readonly data: Uint8Array }[],
    options: { readonly startNs: number },
  ) {
    const ordered = frames
      .map((frame) => ({ timeNs: Math.max(0, frame.timeNs), data: frame.data }))
      .sort((a, b) => a.timeNs - b.timeNs);
    this.store = packFrames(ordered.map((frame) => frame.data));
    this.#times = Float64Array.from(ordered, (frame) => options.startNs + frame.timeNs);
  }

  get nextNs(): number {
    return this.#times[this.#index] ?? Infinity;
  }

  get done(): boolean {
    return this.#index >= this.#times.length;
  }

  get start(): number {
    return this.store.starts[this.#index]!;
  }

  get length(): number {
    return this.store.lengths[this.#index]!;
  }

  advance(): void {
    this.#index++;
  }
}

export interface GeneratorOptions {
  readonly startNs: number;
  /** Infinity: as fast as the wire goes. */
  readonly packetsPerSecond: number;
  readonly count: number;
}

/** The given frames in turn, at a constant rate. */
export class GeneratorSource implements FrameSource {
  readonly store: PackedFrames;
  readonly #options: GeneratorOptions;
  readonly #intervalNs: number;
  #sent = 0;
  #index = 0;
  nextNs: number;
  start: number;
  length: number;

  constructor(frames: readonly Uint8Array[], options: GeneratorOptions) {
    this.store = packFrames(frames);
    this.#options = options;
    this.#intervalNs = 1e9 / options.packetsPerSecond;
    this.nextNs = options.count > 0 ? options.startNs : Infinity;
    this.start = this.store.starts[0]!;
    this.length = this.store.lengths[0]!;
  }

  get done(): boolean {
    return this.#sent >= this.#options.count;
  }

  advance(): void {
    const { startNs, count } = this.#options;
    this.#sent++;
    this.nextNs = this.#sent < count ? startNs + this.#sent * this.#intervalNs : Infinity;
    this.#index++;
    if (this.#index === this.store.starts.length) this.#index = 0;
    this.start = this.store.starts[this.#index]!;
    this.length = this.store.lengths[this.#index]!;
  }
}

const NOTHING: FrameStore = { bytes: new Uint8Array(0), words: new Uint32Array(0) };

/** Frames from outside: injected by a user, or sent by a peer. In order of pushing. */
export class FrameQueue implements FrameSource {
  readonly #frames: { readonly timeNs: number; readonly length: number; store: FrameStore }[] = [];
  readonly start = 0;
  readonly done = false;
  onFrame: (() => void) | undefined;

  /** @param timeNs when its first bit may be on the wire */
  push(data: Uint8Array, timeNs: number): void {
    const buffer = new ArrayBuffer((data.length + 3) & ~3);
    const store = { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer) };
    store.bytes.set(data);
    this.#frames.push({ timeNs, length: data.length, store });
    if (this.#frames.length === 1) this.onFrame?.();
  }

  get nextNs(): number {
    return this.#frames[0]?.timeNs ?? Infinity;
  }

  get store(): FrameStore {
    return this.#frames[0]?.store ?? NOTHING;
  }

  get length(): number {
    return this.#frames[0]?.length ?? 0;
  }

  advance(): void {
    this.#frames.shift();
  }
}
