/**
 * A BPF ring buffer read as libbpf reads it: consumer page mapped read-write, producer page and
 * data mapped read-only, the data twice in a row so that no record wraps.
 *
 *   const ring = yield* mapRing(p, fd, bytes); yield* ring.drain(record => …)
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { uapi } from '../../bpf/uapi.ts';
import { syscall } from '../libc/files.ts';
import { NR } from '../libc/nr.ts';
import type { Process } from '../libc/process.ts';

const PAGE_BYTES = 4096;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

export class Ring {
  readonly fd: number;
  readonly #p: Process;
  readonly #consumer: UserAddress;
  readonly #producer: UserAddress;
  readonly #dataBytes: number;

  constructor(
    p: Process,
    fd: number,
    consumer: UserAddress,
    producer: UserAddress,
    dataBytes: number,
  ) {
    this.#p = p;
    this.fd = fd;
    this.#consumer = consumer;
    this.#producer = producer;
    this.#dataBytes = dataBytes;
  }

  /** Give every committed record to `use`, discarded ones left out. The number given. */
  *drain(use: (record: Uint8Array) => UserFlow<void>): UserFlow<number> {
    const { memory } = this.#p;
    let count = 0;
    let position = memory.readU64(this.#consumer);
    for (;;) {
      const end = memory.readU64(this.#producer);
      if (position >= end) return count;
      const offset = Number(position % BigInt(this.#dataBytes));
      const at = (this.#producer + PAGE_BYTES + offset) as UserAddress;
      const header = memory.readU32(at);
      if ((header & uapi.BPF_RINGBUF_BUSY_BIT) !== 0) return count;
      const length = header & ~(uapi.BPF_RINGBUF_BUSY_BIT | uapi.BPF_RINGBUF_DISCARD_BIT);
      if ((header & uapi.BPF_RINGBUF_DISCARD_BIT) === 0) {
        const start = (at + uapi.BPF_RINGBUF_HDR_SZ) as UserAddress;
        yield* use(memory.read(start, length).slice());
        count++;
      }
      position += BigInt(Math.ceil((length + uapi.BPF_RINGBUF_HDR_SZ) / 8) * 8);
      memory.writeU64(this.#consumer, position);
    }
  }

  *unmap(): UserFlow<void> {
    yield* syscall(NR.munmap, this.#consumer, PAGE_BYTES);
    yield* syscall(NR.munmap, this.#producer, PAGE_BYTES + 2 * this.#dataBytes);
  }
}

/** A negative errno where the mapping fails. */
export function* mapRing(p: Process, fd: number, dataBytes: number): UserFlow<Ring | number> {
  const consumer = yield* syscall(
    NR.mmap,
    0,
    PAGE_BYTES,
    PROT_READ | PROT_WRITE,
    MAP_SHARED,
    fd,
    0,
  );
  if (consumer < 0) return consumer;
  const length = PAGE_BYTES + 2 * dataBytes;
  const producer = yield* syscall(NR.mmap, 0, length, PROT_READ, MAP_SHARED, fd, PAGE_BYTES);
  if (producer < 0) {
    yield* syscall(NR.munmap, consumer, PAGE_BYTES);
    return producer;
  }
  return new Ring(p, fd, consumer as UserAddress, producer as UserAddress, dataBytes);
}
