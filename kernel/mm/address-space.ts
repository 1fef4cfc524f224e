/**
 * A process's memory (mm_struct): areas, and the pages behind those of them that were touched.
 *
 *   copyIn, copyOut, stringIn       the kernel's copy_{from,to}_user: null or false for -EFAULT
 *   read, write, …                  the process's own loads and stores: UserFault is SIGSEGV
 *   translate(address, write)       RAM offset of a byte, faulting its page in; 0 if not allowed
 *   present(address)                the same without faulting anything in (BPF programs)
 *   map, unmap, protect, setBrk     what mmap, munmap, mprotect and brk do
 *   fork(), share(), release()      copy on write; CLONE_VM; the last release frees all
 */
import type { Ram } from '../ram/ram.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import type { UserMemory } from '../syscall/abi.ts';
import { UserFault } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import type { ViewOf } from '../types/struct.ts';
import { MmStruct } from '../types/task.ts';
import { decodeText } from '../types/text.ts';
import type { RamOffset, UserAddress } from '../types/units.ts';
import type { UserPages } from './user-pages.ts';
import type { Backing, Vma } from './vma.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE, VmaList } from './vma.ts';

/** TASK_SIZE of x86-64 with four page table levels. */
export const TASK_SIZE = 0x7fff_ffff_f000;
/** vm.mmap_min_addr's default. */
export const MMAP_MIN_ADDR = 0x10000;
/** mmap_base without randomisation: below the stack's 8 MiB limit and the guard gap. */
const MMAP_BASE = 0x7fff_f7ff_f000;

interface Pte {
  readonly page: RamOffset;
  /** Private page that another address space may share: copy before the first write. */
  cow: boolean;
  /** The kernel's page, not ours to count or free. */
  readonly shared: boolean;
  /** False under mprotect without PROT_READ. */
  readable: boolean;
}

export class AddressSpace implements UserMemory {
  readonly areas = new VmaList();
  readonly struct: ViewOf<typeof MmStruct>;
  readonly #ram: Ram;
  readonly #pages: UserPages;
  #table = new Map<number, Pte>();
  #users = 1;
  startBrk = 0;
  brk = 0;
  /** Where argv's and envp's strings lie, for /proc/PID/cmdline and environ. */
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  startStack = 0;
  /** Pages faulted in, ever. */
  faults = 0;

  constructor(pages: UserPages) {
    this.#pages = pages;
    this.#ram = pages.ram;
    this.struct = MmStruct.alloc(this.#ram);
    this.struct.mm_users = 1;
  }

  /** Pages present: VmRSS. */
  get residentPages(): number {
    return this.#table.size;
  }

  /** VmSize in pages. */
  get totalPages(): number {
    return this.areas.all.reduce((sum, vma) => sum + (vma.end - vma.start) / PAGE_SIZE, 0);
  }

  // --- access ---

  translate(address: number, write: boolean): RamOffset {
    const vpn = Math.floor(address / PAGE_SIZE);
    let pte = this.#table.get(vpn);
    if (!pte?.readable || write) {
      const vma = this.areas.find(address);
      if (!vma || !(vma.prot & (write ? PROT_WRITE : PROT_READ))) return 0 as RamOffset;
      pte ??= this.#fault(vma, vpn);
      if (!pte) return 0 as RamOffset;
      if (write && pte.cow) pte = this.#breakCow(vpn, pte);
    }
    return (pte.page + (address % PAGE_SIZE)) as RamOffset;
  }

  /** No side effect: what a BPF program may read. 0 where the page is not there. */
  present(address: number): RamOffset {
    const pte = this.#table.get(Math.floor(address / PAGE_SIZE));
    return (pte?.readable ? pte.page + (address % PAGE_SIZE) : 0) as RamOffset;
  }

  copyIn(address: number, sizeBytes: number): Uint8Array<ArrayBuffer> | null {
    if (!accessOk(address, sizeBytes)) return null;
    const out = new Uint8Array(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const at = this.translate(address + done, false);
      if (at === 0) return null;
      const chunk = Math.min(sizeBytes - done, PAGE_SIZE - (at % PAGE_SIZE));
      out.set(this.#ram.u8.subarray(at, at + chunk), done);
      done += chunk;
    }
    return out;
  }

  /** False if not all bytes could be written; those before the fault are. */
  copyOut(address: number, bytes: Uint8Array): boolean {
    if (!accessOk(address, bytes.length)) return false;
    for (let done = 0; done < bytes.length;) {
      const at = this.translate(address + done, true);
      if (at === 0) return false;
      const chunk = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      this.#ram.u8.set(bytes.subarray(done, done + chunk), at);
      done += chunk;
    }
    return true;
  }

  /** The bytes up to and without the NUL; a negative errno if unmapped or `limit` or longer. */
  bytesToNul(address: number, limit: number): Uint8Array | number {
    const parts: number[] = [];
    for (let done = 0; done < limit;) {
      const at = accessOk(address + done, 1) ? this.translate(address + done, false) : 0;
      if (at === 0) return -errno.EFAULT;
      const chunk = Math.min(limit - done, PAGE_SIZE - (at % PAGE_SIZE));
      for (let i = 0; i < chunk; i++) {
        const byte = this.#ram.u8[at + i]!;
        if (byte === 0) return Uint8Array.from(parts);
        parts.push(byte);
      }
      done += chunk;
    }
    return -errno.ENAMETOOLONG;
  }

  /** A path or name, as UTF-8. */
  stringIn(address: number, limit = 4096): string | number {
    const bytes = this.bytesToNul(address, limit);
    return typeof bytes === 'number' ? bytes : decodeText(bytes);
  }

  // --- the process's own loads and stores (UserMemory) ---

  read(address: UserAddress, sizeBytes: number): Uint8Array {
    return this.copyIn(address, sizeBytes) ?? this.#segfault(address, sizeBytes, false);
  }

  write(address: UserAddress, bytes: Uint8Array): void {
    if (!this.copyOut(address, bytes)) this.#segfault(address, bytes.length, true);
  }

  readString(address: UserAddress, limit = 2 ** 20): string {
    const text = this.stringIn(address, limit);
    if (typeof text === 'string') return text;
    return text === -errno.EFAULT
      ? this.#segfault(address, limit, false)
      : decodeText(this.read(address, limit));
  }

  readU32(address: UserAddress): number {
    const at = this.#within(address, 4, false);
    return at
      ? this.#ram.view.getUint32(at, true)
      : viewOf(this.read(address, 4)).getUint32(0, true);
  }

  readU64(address: UserAddress): bigint {
    const at = this.#within(address, 8, false);
    return at
      ? this.#ram.view.getBigUint64(at, true)
      : viewOf(this.read(address, 8)).getBigUint64(0, true);
  }

  writeU32(address: UserAddress, value: number): void {
    const at = this.#within(address, 4, true);
    if (at) return this.#ram.view.setUint32(at, value, true);
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value, true);
    this.write(address, bytes);
  }

  writeU64(address: UserAddress, value: bigint): void {
    const at = this.#within(address, 8, true);
    if (at) return this.#ram.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    const bytes = new Uint8Array(8);
    viewOf(bytes).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.write(address, bytes);
  }

  // --- areas ---

  /** Map an area; the caller has chosen a free and page-aligned range. */
  map(vma: Vma): void {
    this.areas.insert(vma);
    this.publish();
  }

  /** A free range for `size` bytes (page-aligned), near `hint` if it is free there. */
  findRange(hint: number, size: number): number | undefined {
    const wanted = Math.ceil(hint / PAGE_SIZE) * PAGE_SIZE;
    if (
      wanted >= MMAP_MIN_ADDR &&
      wanted + size <= TASK_SIZE &&
      this.areas.isFree(wanted, wanted + size)
    ) {
      return wanted;
    }
    return this.areas.freeRange(size, MMAP_MIN_ADDR, MMAP_BASE);
  }

  unmap(start: number, end: number): void {
    for (const vma of this.areas.remove(start, end)) this.#dropPages(vma.start, vma.end);
    this.publish();
  }

  /**
   * 0, or -ENOMEM if a part of the range is not mapped.
   * differs: nothing is changed then; Linux has changed what comes before the hole.
   */
  protect(start: number, end: number, prot: number): number {
    const areas = this.areas.overlapping(start, end);
    const covered = areas.reduce(
      (sum, vma) => sum + Math.min(vma.end, end) - Math.max(vma.start, start),
      0,
    );
    if (covered !== end - start) return -errno.ENOMEM;
    // Each piece that remove() leaves and each one inserted here is an area of its own.
    for (const vma of areas) vma.backing?.open?.();
    for (const vma of this.areas.remove(start, end)) this.areas.insert({ ...vma, prot });
    for (const [vpn, pte] of this.#table) {
      if (vpn >= start / PAGE_SIZE && vpn < end / PAGE_SIZE) {
        pte.readable = (prot & PROT_READ) !== 0;
      }
    }
    return 0;
  }

  /** brk(2): the new break, or the old one where it cannot move. */
  setBrk(wanted: number): number {
    if (wanted < this.startBrk) return this.brk;
    const oldEnd = Math.ceil(this.brk / PAGE_SIZE) * PAGE_SIZE;
    const newEnd = Math.ceil(wanted / PAGE_SIZE) * PAGE_SIZE;
    if (newEnd > oldEnd) {
      if (newEnd > TASK_SIZE || !this.areas.isFree(oldEnd, newEnd)) return this.brk;
      this.map(anonymous(oldEnd, newEnd, '[heap]'));
    } else if (newEnd < oldEnd) {
      this.unmap(newEnd, oldEnd);
    }
    this.brk = wanted;
    this.publish();
    return wanted;
  }

  // --- life ---

  fork(): AddressSpace {
    const copy = new AddressSpace(this.#pages);
    for (const vma of this.areas.all) {
      vma.backing?.open?.();
      copy.areas.insert(vma);
    }
    for (const [vpn, pte] of this.#table) {
      if (!pte.shared) {
        this.#pages.get(pte.page);
        pte.cow = true;
      }
      copy.#table.set(vpn, { ...pte });
    }
    const { startBrk, brk, argStart, argEnd, envStart, envEnd, startStack } = this;
    Object.assign(copy, { startBrk, brk, argStart, argEnd, envStart, envEnd, startStack });
    copy.publish();
    return copy;
  }

  get users(): number {
    return this.#users;
  }

  share(): this {
    this.#users++;
    this.struct.mm_users = this.#users;
    return this;
  }

  release(): void {
    this.struct.mm_users = --this.#users;
    if (this.#users > 0) return;
    this.unmap(0, TASK_SIZE);
    this.#ram.kfree(this.struct.offset);
  }

  #fault(vma: Vma, vpn: number): Pte | undefined {
    const index = vma.page + vpn - vma.start / PAGE_SIZE;
    const { backing } = vma;
    let pte: Pte;
    if (backing?.sharedPage) {
      const page = backing.sharedPage(index);
      if (page === undefined) return undefined;
      pte = { page, cow: false, shared: true, readable: true };
    } else {
      const page = this.#pages.alloc();
      if (backing?.readPage) this.#ram.u8.set(backing.readPage(index), page);
      pte = { page, cow: false, shared: false, readable: true };
    }
    this.#table.set(vpn, pte);
    this.faults++;
    this.#pages.onFault();
    return pte;
  }

  #breakCow(vpn: number, pte: Pte): Pte {
    if (this.#pages.references(pte.page) === 1) {
      pte.cow = false;
      return pte;
    }
    const page = this.#pages.alloc();
    this.faults++;
    this.#pages.onFault();
    this.#ram.u8.copyWithin(page, pte.page, pte.page + PAGE_SIZE);
    this.#pages.put(pte.page);
    const own: Pte = { page, cow: false, shared: false, readable: true };
    this.#table.set(vpn, own);
    return own;
  }

  #dropPages(start: number, end: number): void {
    const drop = (vpn: number, pte: Pte) => {
      if (!pte.shared) this.#pages.put(pte.page);
      this.#table.delete(vpn);
    };
    const first = start / PAGE_SIZE;
    const last = end / PAGE_SIZE;
    if (last - first > this.#table.size) {
      for (const [vpn, pte] of this.#table) if (vpn >= first && vpn < last) drop(vpn, pte);
      return;
    }
    for (let vpn = first; vpn < last; vpn++) {
      const pte = this.#table.get(vpn);
      if (pte) drop(vpn, pte);
    }
  }

  /** Offset of `size` bytes that lie on one page and may be accessed so; 0 otherwise. */
  #within(address: number, size: number, write: boolean): RamOffset | 0 {
    if ((address % PAGE_SIZE) + size > PAGE_SIZE || !accessOk(address, size)) return 0;
    return this.translate(address, write);
  }

  #segfault(address: number, sizeBytes: number, write: boolean): never {
    let at = address;
    const end = Math.min(address + sizeBytes, TASK_SIZE);
    while (at < end && this.translate(at, write) !== 0) {
      at = Math.floor(at / PAGE_SIZE) * PAGE_SIZE + PAGE_SIZE;
    }
    throw new UserFault(at);
  }

  /** Put what programs can see into struct mm_struct. */
  publish(): void {
    const { struct } = this;
    struct.map_count = this.areas.all.length;
    struct.start_brk = BigInt(this.startBrk);
    struct.brk = BigInt(this.brk);
    struct.start_stack = BigInt(this.startStack);
    struct.arg_start = BigInt(this.argStart);
    struct.arg_end = BigInt(this.argEnd);
    struct.env_start = BigInt(this.envStart);
    struct.env_end = BigInt(this.envEnd);
  }
}

/** An anonymous, private, readable and writable area. */
export function anonymous(start: number, end: number, name = ''): Vma {
  const prot = PROT_READ | PROT_WRITE;
  return { start, end, prot, flags: MAP_PRIVATE | MAP_ANONYMOUS, name, page: 0 };
}

export type { Backing };

function accessOk(address: number, sizeBytes: number): boolean {
  if (!Number.isInteger(address) || !Number.isInteger(sizeBytes)) return false;
  return address >= 0 && sizeBytes >= 0 && address + sizeBytes <= TASK_SIZE;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
