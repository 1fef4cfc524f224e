/**
 * A perf event's ring, mapped: one page of control data, then 2^n pages of records
 * (`struct perf_event_mmap_page`, UAPI linux/perf_event.h).
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { syscall } from '../libc/files.ts';
import { NR } from '../libc/nr.ts';
import type { Process } from '../libc/process.ts';

const PAGE_BYTES = 4096;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** Offsets in the control page. */
const DATA_HEAD = 1024;
const DATA_TAIL = 1032;
/** struct perf_event_header: u32 type, u16 misc, u16 size. */
const HEADER_BYTES = 8;

export class PerfBuffer {
  readonly fd: number;
  readonly cpu: number;
  readonly #p: Process;
  readonly #base: UserAddress;
  readonly #dataBytes: number;

  constructor(p: Process, fd: number, cpu: number, base: UserAddress, dataBytes: number) {
    this.#p = p;
    this.fd = fd;
    this.cpu = cpu;
    this.#base = base;
    this.#dataBytes = dataBytes;
  }

  /** Every record: its type and what follows its header. */
  *drain(use: (type: number, body: Uint8Array) => UserFlow<void>): UserFlow<void> {
    const { memory } = this.#p;
    const head = memory.readU64((this.#base + DATA_HEAD) as UserAddress);
    let tail = memory.readU64((this.#base + DATA_TAIL) as UserAddress);
    while (tail < head) {
      const header = this.#read(tail, HEADER_BYTES);
      const view = new DataView(header.buffer);
      const size = view.getUint16(6, true);
      if (size < HEADER_BYTES) break;
      const body = this.#read(tail + BigInt(HEADER_BYTES), size - HEADER_BYTES);
      yield* use(view.getUint32(0, true), body);
      tail += BigInt(size);
    }
    memory.writeU64((this.#base + DATA_TAIL) as UserAddress, tail);
  }

  /** Records wrap at the end of the ring. */
  #read(position: bigint, sizeBytes: number): Uint8Array {
    const { memory } = this.#p;
    const out = new Uint8Array(sizeBytes);
    const offset = Number(position % BigInt(this.#dataBytes));
    const first = Math.min(sizeBytes, this.#dataBytes - offset);
    const data = this.#base + PAGE_BYTES;
    out.set(memory.read((data + offset) as UserAddress, first));
    if (first < sizeBytes) out.set(memory.read(data as UserAddress, sizeBytes - first), first);
    return out;
  }
}

export function* mapPerfBuffer(
  p: Process,
  fd: number,
  cpu: number,
  pages: number,
): UserFlow<PerfBuffer | number> {
  const length = (pages + 1) * PAGE_BYTES;
  const base = yield* syscall(NR.mmap, 0, length, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (base < 0) return base;
  return new PerfBuffer(p, fd, cpu, base as UserAddress, pages * PAGE_BYTES);
}
