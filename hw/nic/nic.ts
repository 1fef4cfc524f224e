/**
 * A multi-queue Ethernet controller: receive and transmit rings in host memory, receive-side
 * scaling, an interrupt a queue with moderation, a line of a given speed, PCIe in between.
 *
 *   nic.connect(source)                     frames that arrive (frames.ts)
 *   nic.start(maxFrameBytes), nic.stop()
 *   nic.setRxRing / setRxTail, setTxRing / txDoorbell, sync, armInterrupt     the driver's registers
 *
 * It keeps no clock of its own: every access carries the time of the CPU that makes it, and what the
 * device has done until then is worked out at that moment. Only where an interrupt is awaited is an
 * event scheduled, so a busy receiver that polls costs no events at all.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { Ns, RamOffset } from '../../kernel/types/units.ts';
import type { FrameSource, FrameStore } from './frames.ts';
import type { Ingress } from './ingress.ts';
import { BITS_PER_SECOND, MIN_FRAME_BYTES, MODERATION_NS, PCIE } from './params.ts';
import { WIRE_OVERHEAD_BYTES } from './params.ts';
import { DESCRIPTOR_BYTES } from './descriptor.ts';
import { PcieLink } from './pcie.ts';
import { Rss } from './rss.ts';
import { RxQueue } from './rx-queue.ts';
import { TxQueue } from './tx-queue.ts';

/** What the device needs of the event queue. */
export interface DeviceEvents {
  readonly now: Ns;
  at(time: Ns, priority: 'hardware', run: () => void): unknown;
}

export interface NicOptions {
  readonly queues: number;
  /** Line speed. */
  readonly bitsPerSecond?: number | undefined;
  /** Raise the message-signalled interrupt of a queue. */
  readonly interrupt: (queue: number) => void;
}

/** A frame leaves: last bit at `endNs`, the bytes still in the host's buffer. */
export type TransmitTap = (endNs: number, frame: RamOffset, lengthBytes: number) => void;

/** Frames that wait in a queue before it must catch up with the event queue's time. */
const CATCH_UP_FRAMES = 512;

interface Vector {
  armed: boolean;
  /** Receive descriptor that the driver looks at next; transmit descriptor likewise. */
  rxSeen: number;
  txSeen: number;
  lastNs: number;
  /** An event will raise it; nothing else needs to. */
  scheduled: boolean;
  raised: number;
}

export class Nic {
  readonly ram: Ram;
  readonly pcie = new PcieLink();
  readonly rss = new Rss();
  readonly rx: readonly RxQueue[];
  readonly tx: readonly TxQueue[];
  readonly bitsPerSecond: number;
  readonly stats = {
    /** Longer than the driver's limit. */
    rxOversize: 0,
    /** Came while the device was stopped. */
    rxWhileDown: 0,
    interrupts: 0,
  };
  /** Least time between two interrupts of a queue, ns. */
  moderationNs = MODERATION_NS;
  onTransmit: TransmitTap | undefined;
  /** The processor that frames pass on their way in, while it has something to do. */
  ingress: Ingress | undefined;

  readonly #events: DeviceEvents;
  readonly #interrupt: (queue: number) => void;
  readonly #vectors: Vector[];
  readonly #nsPerByte: number;
  #running = false;
  #maxFrameBytes = 0;

  #sources: FrameSource[] = [];
  #lineInFreeNs = 0;
  #lineOutFreeNs = 0;
  /** The next frame that arrives: whose, when its last bit is here, when its DMA is done. */
  #next: FrameSource | undefined;
  #nextEndNs = 0;
  #nextDmaEndNs = 0;
  #nextVisibleNs = Infinity;
  /** Earliest time for which an event is scheduled. */
  #eventNs = Infinity;
  readonly #onEvent = (): void => this.#wake();

  constructor(ram: Ram, events: DeviceEvents, options: NicOptions) {
    this.ram = ram;
    this.#events = events;
    this.#interrupt = options.interrupt;
    this.bitsPerSecond = options.bitsPerSecond ?? BITS_PER_SECOND;
    this.#nsPerByte = 8e9 / this.bitsPerSecond;
    const queues = Array.from({ length: options.queues }, (_, queue) => queue);
    this.rx = queues.map(() => new RxQueue(ram, this.pcie));
    this.tx = queues.map(() => new TxQueue(ram, this.pcie, this.#send));
    this.#vectors = queues.map(() => ({
      armed: false,
      rxSeen: 0,
      txSeen: 0,
      lastNs: -Infinity,
      scheduled: false,
      raised: 0,
    }));
    this.rss.spread(options.queues);
  }

  /** Interrupts raised by a queue so far. */
  interruptsOf(queue: number): number {
    return this.#vectors[queue]!.raised;
  }

  connect(source: FrameSource): void {
    this.#sources.push(source);
    source.onFrame = () => this.#sourceChanged();
    this.#sourceChanged();
  }

  disconnect(source: FrameSource): void {
    this.#sources = this.#sources.filter((other) => other !== source);
    source.onFrame = undefined;
    this.#sourceChanged();
  }

  start(maxFrameBytes: number, nowNs: number): void {
    this.#arrivals(nowNs);
    this.#maxFrameBytes = maxFrameBytes;
    this.#running = true;
  }

  stop(nowNs: number): void {
    this.#arrivals(nowNs);
    this.#running = false;
    for (const queue of this.rx) queue.setRing(0 as RamOffset, 0);
    for (const vector of this.#vectors) vector.armed = false;
  }

  setRxRing(queue: number, ring: RamOffset, size: number): void {
    this.rx[queue]!.setRing(ring, size);
    this.#vectors[queue]!.rxSeen = 0;
  }

  setTxRing(queue: number, ring: RamOffset, size: number): void {
    this.tx[queue]!.setRing(ring, size);
    this.#vectors[queue]!.txSeen = 0;
  }

  /** Doorbell: descriptors up to, not including, `tail` have fresh buffers. */
  setRxTail(queue: number, tail: number, nowNs: number): void {
    this.sync(queue, nowNs);
    this.pcie.registerWrite(nowNs);
    this.rx[queue]!.tail = tail;
  }

  txDoorbell(queue: number, tail: number, nowNs: number): void {
    this.tx[queue]!.doorbell(tail, nowNs);
    if (this.#vectors[queue]!.armed) this.#schedule();
  }

  /** What the device does by itself until `nowNs`, without the rings in host memory. */
  catchUp(nowNs: number): void {
    this.#arrivals(nowNs);
  }

  /** Bring a queue's rings in host memory up to `nowNs`; the driver does so before it reads them. */
  sync(queue: number, nowNs: number): void {
    this.#arrivals(nowNs);
    this.rx[queue]!.deliver(nowNs);
    this.tx[queue]!.complete(nowNs);
  }

  /**
   * Interrupt once when there is more than the driver has seen: a frame at or beyond receive
   * descriptor `rxSeen`, or a transmit descriptor done at or beyond `txSeen`. The interrupt
   * disarms itself. (ConnectX arms its completion queues in this way, so none is lost or spurious.)
   */
  armInterrupt(queue: number, rxSeen: number, txSeen: number, nowNs: number): void {
    this.pcie.registerWrite(nowNs);
    const vector = this.#vectors[queue]!;
    vector.armed = true;
    vector.rxSeen = rxSeen;
    vector.txSeen = txSeen;
    this.sync(queue, nowNs);
    this.#check(queue, nowNs);
    this.#schedule();
  }

  disarmInterrupt(queue: number): void {
    this.#vectors[queue]!.armed = false;
  }

  /** Find the frame that arrives next and when; nothing is committed. */
  #sourceChanged(): void {
    this.#choose();
    this.#plan();
    this.#schedule();
  }

  #choose(): void {
    let best: FrameSource | undefined;
    for (const source of this.#sources) {
      if (best === undefined || source.nextNs < best.nextNs) best = source;
    }
    this.#next = best;
  }

  #plan(): void {
    const source = this.#next;
    if (source === undefined || source.nextNs === Infinity) {
      this.#nextVisibleNs = Infinity;
      return;
    }
    const { length, nextNs } = source;
    const start = nextNs > this.#lineInFreeNs ? nextNs : this.#lineInFreeNs;
    this.#nextEndNs = start + this.#wireBytes(length) * this.#nsPerByte;
    this.#nextDmaEndNs = this.pcie.writeEnd(this.#nextEndNs, length + DESCRIPTOR_BYTES);
    this.#nextVisibleNs = Math.ceil(this.#nextDmaEndNs + PCIE.writeNs);
  }

  /** Take in all frames that are in host memory by `nowNs`, as far as their queues. */
  #arrivals(nowNs: number): void {
    while (this.#nextVisibleNs <= nowNs) {
      const source = this.#next!;
      const { store, start, length } = source;
      this.#lineInFreeNs = this.#nextEndNs;
      if (!this.#running) this.stats.rxWhileDown++;
      else if (length > this.#maxFrameBytes) this.stats.rxOversize++;
      else if (this.ingress) this.#process(this.ingress, store, start, length);
      else this.#toHost(this.#nextDmaEndNs, store, start, length);
      source.advance();
      if (source.done) this.#sources = this.#sources.filter((other) => other !== source);
      if (this.#sources.length > 1 || source.done) this.#choose();
      this.#plan();
    }
  }

  #process(ingress: Ingress, store: FrameStore, start: number, length: number): void {
    const verdict = ingress.frame(store, start, length, this.#nextEndNs);
    if (verdict.kind === 'out') this.#send(verdict.readyNs, verdict.frame, verdict.lengthBytes);
    if (verdict.kind !== 'host') return;
    const { readyNs, lengthBytes } = verdict;
    const dmaEndNs = this.pcie.writeEnd(readyNs, lengthBytes + DESCRIPTOR_BYTES);
    this.#toHost(dmaEndNs, verdict.store, verdict.start, lengthBytes);
  }

  #toHost(dmaEndNs: number, store: FrameStore, start: number, length: number): void {
    this.pcie.commitWrite(dmaEndNs);
    const hash = this.rss.hash(store.bytes, start, length);
    const queue = this.rx[this.rss.queueOf(hash)]!;
    if (queue.pending >= CATCH_UP_FRAMES) queue.deliver(this.#events.now);
    queue.push(Math.ceil(dmaEndNs + PCIE.writeNs), store, start, length, hash);
  }

  #wireBytes(length: number): number {
    return (length < MIN_FRAME_BYTES ? MIN_FRAME_BYTES : length) + WIRE_OVERHEAD_BYTES;
  }

  readonly #send = (readyNs: number, frame: RamOffset, length: number): number => {
    const start = readyNs > this.#lineOutFreeNs ? readyNs : this.#lineOutFreeNs;
    this.#lineOutFreeNs = start + this.#wireBytes(length) * this.#nsPerByte;
    this.onTransmit?.(this.#lineOutFreeNs, frame, length);
    return this.#lineOutFreeNs;
  };

  /** Raise the interrupt of an armed queue that has something to report, or see that it comes. */
  #check(queue: number, nowNs: number): void {
    const vector = this.#vectors[queue]!;
    if (!vector.armed || vector.scheduled) return;
    if (this.rx[queue]!.head === vector.rxSeen && this.tx[queue]!.head === vector.txSeen) return;
    const fireNs = Math.max(nowNs, vector.lastNs + this.moderationNs);
    vector.scheduled = true;
    this.#events.at(Math.ceil(fireNs) as Ns, 'hardware', () => {
      vector.scheduled = false;
      if (!vector.armed) return;
      vector.armed = false;
      vector.lastNs = this.#events.now;
      vector.raised++;
      this.stats.interrupts++;
      this.#interrupt(queue);
    });
  }

  /** See that an event comes when an armed queue may next have something to report. */
  #schedule(): void {
    let timeNs = Infinity;
    let waiting = false;
    for (let queue = 0; queue < this.#vectors.length; queue++) {
      const vector = this.#vectors[queue]!;
      if (!vector.armed || vector.scheduled) continue;
      waiting = true;
      const doneNs = Math.min(this.tx[queue]!.nextDoneNs, this.rx[queue]!.nextNs);
      if (doneNs < timeNs) timeNs = doneNs;
    }
    if (!waiting) return;
    if (this.#nextVisibleNs < timeNs) timeNs = this.#nextVisibleNs;
    if (timeNs === Infinity || timeNs >= this.#eventNs) return;
    this.#eventNs = Math.max(timeNs, this.#events.now);
    this.#events.at(this.#eventNs as Ns, 'hardware', this.#onEvent);
  }

  #wake(): void {
    const nowNs = this.#events.now;
    if (nowNs >= this.#eventNs) this.#eventNs = Infinity;
    this.#arrivals(nowNs);
    for (let queue = 0; queue < this.#vectors.length; queue++) {
      if (!this.#vectors[queue]!.armed) continue;
      this.rx[queue]!.deliver(nowNs);
      this.tx[queue]!.complete(nowNs);
      this.#check(queue, nowNs);
    }
    this.#schedule();
  }
}
