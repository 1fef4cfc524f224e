/**
 * The trace ring buffer: one ring a CPU, in overwrite mode, read in the order of time.
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
  readonly bytes: Uint8Array;
}

/** Bytes a record costs besides its own: the ring's event header and its time delta. */
const HEADER_BYTES = 8;

class CpuRing {
  readonly #sizeBytes: number;
  /** By time: an interrupt's records may lie before those of the code that it interrupts. */
  #entries: Stored[] = [];
  /** Index of the oldest entry; those before it are gone. */
  #first = 0;
  #usedBytes = 0;
  written = 0;
  overrun = 0;
  /** Lost since the reader last looked. */
  #lost = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  get count(): number {
    return this.#entries.length - this.#first;
  }

  get oldest(): Stored | undefined {
    return this.#entries[this.#first];
  }

  write(timeNs: Ns, sequence: number, record: Uint8Array): void {
    const length = record.length + HEADER_BYTES;
    if (length > this.#sizeBytes) return;
    while (this.#usedBytes + length > this.#sizeBytes) {
      this.#drop();
      this.overrun++;
      this.#lost++;
    }
    this.#usedBytes += length;
    this.written++;
    const entry: Stored = { timeNs, sequence, bytes: record.slice() };
    const entries = this.#entries;
    let at = entries.length;
    while (at > this.#first && entries[at - 1]!.timeNs > timeNs) at--;
    if (at === entries.length) entries.push(entry);
    else entries.splice(at, 0, entry);
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
    this.#usedBytes -= entry.bytes.length + HEADER_BYTES;
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
    const { timeNs, bytes } = entry;
    return { cpu: bestCpu, timeNs, bytes, lost: best.consume() };
  }

  /** Oldest first. */
  snapshot(onlyCpu?: number): TraceEntry[] {
    const all: { readonly cpu: number; readonly stored: Stored }[] = [];
    for (const [cpu, ring] of (this.#cpus ?? []).entries()) {
      if (onlyCpu !== undefined && cpu !== onlyCpu) continue;
      for (const stored of ring.entries()) all.push({ cpu, stored });
    }
    all.sort((a, b) => (earlier(a.stored, b.stored) ? -1 : 1));
    return all.map(({ cpu, stored }) => ({ cpu, ...stored, lost: 0 }));
  }

  clear(): void {
    for (const ring of this.#cpus ?? []) ring.clear();
  }
}

function earlier(a: Stored, b: Stored): boolean {
  return a.timeNs < b.timeNs || (a.timeNs === b.timeNs && a.sequence < b.sequence);
}
