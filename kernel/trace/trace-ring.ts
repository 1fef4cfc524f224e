/**
 * The trace ring buffer: one byte ring a CPU, in overwrite mode, read in the order of time.
 *
 *   ring.write(cpu, timeNs, record)   copies; drops the oldest records to make room
 *   ring.consume()                    next record of all CPUs, removed (trace_pipe)
 *   ring.snapshot()                   all of them, in place (trace)
 *
 * differs: records lie in the host's memory, not in the machine's RAM; no program can point at them.
 */
import type { Ns } from '../types/units.ts';

export interface TraceEntry {
  readonly cpu: number;
  readonly timeNs: Ns;
  /** The record, common fields first. */
  readonly bytes: Uint8Array;
  /** Records lost on this CPU just before this one. */
  readonly lost: number;
}

interface Stored {
  readonly timeNs: Ns;
  /** Order of writing, which decides between equal times. */
  readonly sequence: number;
  readonly start: number;
  readonly length: number;
}

/** Bytes a record costs besides its own: the ring's event header and its time delta. */
const HEADER_BYTES = 8;

class CpuRing {
  #bytes: Uint8Array;
  #entries: Stored[] = [];
  /** Index of the oldest entry; those before it are gone. */
  #first = 0;
  #writeAt = 0;
  #usedBytes = 0;
  written = 0;
  overrun = 0;
  /** Lost since the reader last looked. */
  #lost = 0;

  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(sizeBytes);
  }

  get count(): number {
    return this.#entries.length - this.#first;
  }

  get oldest(): Stored | undefined {
    return this.#entries[this.#first];
  }

  write(timeNs: Ns, sequence: number, record: Uint8Array): void {
    const length = record.length + HEADER_BYTES;
    if (length > this.#bytes.length) return;
    while (this.#usedBytes + length > this.#bytes.length) {
      this.#drop();
      this.overrun++;
      this.#lost++;
    }
    const start = this.#writeAt;
    const untilEnd = this.#bytes.length - start;
    this.#bytes.set(record.subarray(0, untilEnd), start);
    if (record.length > untilEnd) this.#bytes.set(record.subarray(untilEnd), 0);
    this.#writeAt = (start + length) % this.#bytes.length;
    this.#usedBytes += length;
    this.written++;
    this.#entries.push({ timeNs, sequence, start, length: record.length });
  }

  read(entry: Stored): Uint8Array {
    const end = entry.start + entry.length;
    if (end <= this.#bytes.length) return this.#bytes.slice(entry.start, end);
    const out = new Uint8Array(entry.length);
    const first = this.#bytes.subarray(entry.start);
    out.set(first);
    out.set(this.#bytes.subarray(0, entry.length - first.length), first.length);
    return out;
  }

  /** Remove the oldest; returns how many were lost before it. */
  consume(): number {
    this.#drop();
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  *entries(): Generator<Stored> {
    for (let i = this.#first; i < this.#entries.length; i++) yield this.#entries[i]!;
  }

  clear(): void {
    this.#entries = [];
    this.#first = 0;
    this.#usedBytes = 0;
    this.#lost = 0;
    this.written = 0;
    this.overrun = 0;
  }

  #drop(): void {
    const entry = this.#entries[this.#first]!;
    this.#usedBytes -= entry.length + HEADER_BYTES;
    this.#first++;
    // Shift the dead front out now and then, at constant cost an entry.
    if (this.#first > 1024 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}

export class TraceRing {
  readonly #cpuCount: number;
  #cpus: CpuRing[] | undefined;
  #sequence = 0;
  #sizeBytes: number;

  constructor(cpuCount: number, sizeBytesPerCpu: number) {
    this.#cpuCount = cpuCount;
    this.#sizeBytes = sizeBytesPerCpu;
  }

  get sizeBytesPerCpu(): number {
    return this.#sizeBytes;
  }

  /** Resizing empties the ring. */
  resize(sizeBytesPerCpu: number): void {
    this.#sizeBytes = sizeBytesPerCpu;
    this.#cpus = undefined;
  }

  /** The rings come into being with the first record. */
  #rings(): CpuRing[] {
    return (this.#cpus ??= Array.from(
      { length: this.#cpuCount },
      () => new CpuRing(this.#sizeBytes),
    ));
  }

  write(cpu: number, timeNs: Ns, record: Uint8Array): void {
    this.#rings()[cpu]!.write(timeNs, this.#sequence++, record);
  }

  /** Entries there are, and entries ever written since the last clear. */
  get counts(): { readonly inBuffer: number; readonly written: number } {
    let inBuffer = 0;
    let written = 0;
    for (const ring of this.#cpus ?? []) {
      inBuffer += ring.count;
      written += ring.written;
    }
    return { inBuffer, written };
  }

  /** per_cpu/cpuN/stats: entries, and entries overwritten. */
  statsOf(cpu: number): { readonly entries: number; readonly overrun: number } {
    const ring = this.#cpus?.[cpu];
    return { entries: ring?.count ?? 0, overrun: ring?.overrun ?? 0 };
  }

  get isEmpty(): boolean {
    return !this.#cpus?.some((ring) => ring.count > 0);
  }

  consume(): TraceEntry | undefined {
    let best: CpuRing | undefined;
    let bestCpu = 0;
    for (const [cpu, ring] of (this.#cpus ?? []).entries()) {
      if (ring.oldest && (!best || earlier(ring.oldest, best.oldest!))) {
        best = ring;
        bestCpu = cpu;
      }
    }
    const entry = best?.oldest;
    if (!best || !entry) return undefined;
    const bytes = best.read(entry);
    return { cpu: bestCpu, timeNs: entry.timeNs, bytes, lost: best.consume() };
  }

  /** Oldest first. */
  snapshot(onlyCpu?: number): TraceEntry[] {
    const all: { cpu: number; ring: CpuRing; stored: Stored }[] = [];
    for (const [cpu, ring] of (this.#cpus ?? []).entries()) {
      if (onlyCpu !== undefined && cpu !== onlyCpu) continue;
      for (const stored of ring.entries()) all.push({ cpu, ring, stored });
    }
    all.sort((a, b) => (earlier(a.stored, b.stored) ? -1 : 1));
    return all.map(({ cpu, ring, stored }) => ({
      cpu,
      timeNs: stored.timeNs,
      bytes: ring.read(stored),
      lost: 0,
    }));
  }

  clear(): void {
    for (const ring of this.#cpus ?? []) ring.clear();
  }
}

function earlier(a: Stored, b: Stored): boolean {
  return a.timeNs < b.timeNs || (a.timeNs === b.timeNs && a.sequence < b.sequence);
}
