/**
 * A caller of bpf(2) without a kernel around it: descriptors, pins and user memory of its own. The
 * batch command and tests use it; a task of the simulated kernel has the real things.
 *
 *   caller.place(bytes)          bytes in user memory, zero-terminated; their address
 *   caller.bytesAt(address, n)   what is there now
 *   caller.textAt(address, n)    the zero-terminated text there, of at most n bytes
 *   caller.reset()               close every descriptor and free all memory
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Fd } from '../../kernel/types/units.ts';
import type { BpfCaller, BpfCaps, BpfHandle } from './caller.ts';
import { releaseHandle } from './lookup.ts';
import type { BpfObject } from './objects.ts';

/** Where user memory starts; below it nothing is mapped, as vm.mmap_min_addr has it. */
const USER_BASE = 0x10000n;
const FIRST_BYTES = 1 << 16;
/** The first descriptor that a process of its own gets beside stdin, stdout and stderr. */
const FIRST_FD = 3;

export class BareCaller implements BpfCaller {
  caps: BpfCaps;
  readonly uid: number;
  #memory = new Uint8Array(FIRST_BYTES);
  #used = 0;
  #handles = new Map<number, BpfHandle>();
  readonly #pins = new Map<string, BpfObject>();
  #nextFd = FIRST_FD;

  constructor(caps: BpfCaps, uid = 0) {
    this.caps = caps;
    this.uid = uid;
  }

  /** The address of a copy of `bytes`, or of `sizeBytes` zeros. */
  place(bytes: Uint8Array | number): bigint {
    const sizeBytes = typeof bytes === 'number' ? bytes : bytes.length;
    const at = this.#used;
    this.#used = Math.ceil((at + sizeBytes + 1) / 8) * 8;
    if (this.#used > this.#memory.length) {
      const grown = new Uint8Array(2 ** Math.ceil(Math.log2(this.#used)));
      grown.set(this.#memory);
      this.#memory = grown;
    }
    this.#memory.fill(0, at, this.#used);
    if (typeof bytes !== 'number') this.#memory.set(bytes, at);
    return USER_BASE + BigInt(at);
  }

  placeText(text: string): bigint {
    return this.place(new TextEncoder().encode(text));
  }

  bytesAt(address: bigint, sizeBytes: number): Uint8Array {
    const bytes = this.copyFromUser(address, sizeBytes);
    if (!bytes) throw new RangeError(`0x${address.toString(16)} was never placed`);
    return bytes;
  }

  textAt(address: bigint, mostBytes: number): string {
    const at = Number(address - USER_BASE);
    const zero = this.#memory.indexOf(0, at);
    const end = zero < 0 ? at + mostBytes : Math.min(zero, at + mostBytes);
    return new TextDecoder().decode(this.#memory.subarray(at, end));
  }

  reset(): void {
    for (const handle of this.#handles.values()) releaseHandle(handle);
    for (const object of this.#pins.values()) object.putUser();
    this.#handles.clear();
    this.#pins.clear();
    this.#used = 0;
    this.#nextFd = FIRST_FD;
  }

  copyFromUser(address: bigint, sizeBytes: number): Uint8Array | undefined {
    const at = Number(address - USER_BASE);
    if (sizeBytes === 0) return new Uint8Array();
    if (at < 0 || at + sizeBytes > this.#used) return undefined;
    return this.#memory.slice(at, at + sizeBytes);
  }

  copyToUser(address: bigint, bytes: Uint8Array): boolean {
    const at = Number(address - USER_BASE);
    if (bytes.length === 0) return true;
    if (at < 0 || at + bytes.length > this.#used) return false;
    this.#memory.set(bytes, at);
    return true;
  }

  installFd(handle: BpfHandle): Fd {
    this.#handles.set(this.#nextFd, handle);
    return this.#nextFd++ as Fd;
  }

  handleOfFd(fd: number): BpfHandle | null | undefined {
    // Stdin, stdout and stderr are there, as every process has them.
    return fd >= 0 && fd < FIRST_FD ? null : this.#handles.get(fd);
  }

  closeFd(fd: number): number {
    const handle = this.#handles.get(fd);
    if (!handle) return -errno.EBADF;
    this.#handles.delete(fd);
    releaseHandle(handle);
    return 0;
  }

  close(fd: number): void {
    this.closeFd(fd);
  }

  pin(path: string, object: BpfObject): number {
    if (this.#pins.has(path)) return -errno.EEXIST;
    this.#pins.set(path, object);
    return 0;
  }

  pinned(path: string): BpfObject | number {
    return this.#pins.get(path) ?? -errno.ENOENT;
  }
}
