/**
 * The ring of a perf event: one control page (struct perf_event_mmap_page) and 2^n data pages, which
 * user space maps. The kernel moves data_head, the reader data_tail.
 */
import { PAGE_SIZE } from '../ram/ram.ts';
import type { Ram } from '../ram/ram.ts';
import { PageAllocator } from '../ram/page-allocator.ts';
import type { Ns, RamOffset } from '../types/units.ts';
import type { PerfAttr } from './perf-attr.ts';

/** Offsets in struct perf_event_mmap_page. */
const DATA_HEAD = 1024;
const DATA_TAIL = 1032;
const DATA_OFFSET = 1040;
const DATA_SIZE = 1048;
const PERF_RECORD_SAMPLE = 9;
const PERF_RECORD_LOST = 2;
const HEADER_BYTES = 8;
const LOST_BYTES = 24;

interface Part {
  readonly offset: RamOffset;
  readonly sizeBytes: number;
}

export class PerfRing {
  readonly dataPages: number;
  readonly #ram: Ram;
  readonly #block: RamOffset;
  readonly #dataBytes: number;
  #head = 0;
  #lost = 0;
  #eventsSinceWake = 0;
  #wokenAtHead = 0;

  constructor(ram: Ram, dataPages: number) {
    this.#ram = ram;
    this.dataPages = dataPages;
    this.#dataBytes = dataPages * PAGE_SIZE;
    const bytes = this.#dataBytes + PAGE_SIZE;
    this.#block = ram.pages.alloc(PageAllocator.orderFor(bytes));
    ram.u8.fill(0, this.#block, this.#block + bytes);
    ram.writeU64((this.#block + DATA_OFFSET) as RamOffset, BigInt(PAGE_SIZE));
    ram.writeU64((this.#block + DATA_SIZE) as RamOffset, BigInt(this.#dataBytes));
  }

  page(index: number): RamOffset | undefined {
    return index <= this.dataPages ? ((this.#block + index * PAGE_SIZE) as RamOffset) : undefined;
  }

  get hasData(): boolean {
    return this.#head !== this.#tail;
  }

  get #tail(): number {
    return Number(this.#ram.readU64((this.#block + DATA_TAIL) as RamOffset));
  }

  /** False where the reader is too far behind; that it was is told before the next record. */
  writeSample(parts: readonly Part[], time: Ns | undefined): boolean {
    const raw = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    // u32 size and the bytes, padded to a multiple of 8 together (PERF_SAMPLE_RAW).
    const rawBytes = Math.ceil((4 + raw) / 8) * 8;
    const size = HEADER_BYTES + (time === undefined ? 0 : 8) + rawBytes;
    const lostBytes = this.#lost > 0 ? LOST_BYTES : 0;
    if (size > 0xffff || this.#head - this.#tail + size + lostBytes > this.#dataBytes) {
      this.#lost++;
      return false;
    }
    if (this.#lost > 0) this.#writeLost();
    this.#header(PERF_RECORD_SAMPLE, size);
    if (time !== undefined) this.#u64(BigInt(time));
    this.#u32(rawBytes - 4);
    for (const { offset, sizeBytes } of parts) {
      this.#bytes(this.#ram.bytes(offset, sizeBytes));
    }
    this.#bytes(new Uint8Array(rawBytes - 4 - raw));
    this.#publish();
    return true;
  }

  /** wakeup_events or wakeup_watermark has been reached since the reader was last woken. */
  shouldWake(attr: PerfAttr): boolean {
    this.#eventsSinceWake++;
    const due = attr.watermark
      ? this.#head - this.#wokenAtHead >= Math.max(1, attr.wakeup)
      : attr.wakeup > 0 && this.#eventsSinceWake >= attr.wakeup;
    if (!due) return false;
    this.#eventsSinceWake = 0;
    this.#wokenAtHead = this.#head;
    return true;
  }

  free(): void {
    this.#ram.pages.free(this.#block);
  }

  #writeLost(): void {
    this.#header(PERF_RECORD_LOST, LOST_BYTES);
    this.#u64(0n);
    this.#u64(BigInt(this.#lost));
    this.#lost = 0;
  }

  /** struct perf_event_header: type, misc (kernel mode), size. */
  #header(type: number, size: number): void {
    this.#u32(type);
    this.#u32(1 | (size << 16));
  }

  #u32(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#bytes(bytes);
  }

  #u64(value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.#bytes(bytes);
  }

  #bytes(bytes: Uint8Array): void {
    const data = this.#block + PAGE_SIZE;
    const at = this.#head % this.#dataBytes;
    const first = bytes.subarray(0, this.#dataBytes - at);
    this.#ram.u8.set(first, data + at);
    this.#ram.u8.set(bytes.subarray(first.length), data);
    this.#head += bytes.length;
  }

  #publish(): void {
    this.#ram.writeU64((this.#block + DATA_HEAD) as RamOffset, BigInt(this.#head));
  }
}
