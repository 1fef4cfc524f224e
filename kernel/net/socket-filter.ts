/**
 * The program that a socket asks of each packet how much of it to take (sk_filter of Linux 6.1):
 * a classic one by SO_ATTACH_FILTER, or a BPF program by SO_ATTACH_BPF.
 *
 *   slot.attach(filter), slot.detach()    0 or -errno; not while it is locked
 *   slot.take(datagram)                   what of it the socket gets; undefined: nothing
 */
import type { ClassicInsn } from '../../bpf/cbpf/insn.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';

export interface SocketFilter {
  /** What was attached, where that was classic. */
  readonly classic?: readonly ClassicInsn[];
  /** Bytes to keep of an sk_buff, perhaps more than it has; 0 for none. */
  run(skb: RamOffset): number;
  /** The same of bytes that are in none yet. */
  keep(packet: Uint8Array): number;
  release(): void;
}

export class FilterSlot {
  #filter: SocketFilter | undefined;
  /** SO_LOCK_FILTER: it stays what it is, for good. */
  locked = false;

  get filter(): SocketFilter | undefined {
    return this.#filter;
  }

  attach(filter: SocketFilter): number {
    if (this.locked) return -errno.EPERM;
    this.#filter?.release();
    this.#filter = filter;
    return 0;
  }

  detach(): number {
    if (this.locked) return -errno.EPERM;
    if (!this.#filter) return -errno.ENOENT;
    this.release();
    return 0;
  }

  take(datagram: Uint8Array): Uint8Array | undefined {
    if (!this.#filter) return datagram;
    const bytes = this.#filter.keep(datagram);
    return bytes === 0 ? undefined : datagram.subarray(0, bytes);
  }

  release(): void {
    this.#filter?.release();
    this.#filter = undefined;
  }
}
