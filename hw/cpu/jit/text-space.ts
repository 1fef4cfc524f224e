/**
 * Kernel text that is not the kernel's own: where images of machine code lie, and the entries of
 * programs by id that tail calls jump to.
 *
 *   space.allocate(bytes), space.free(address, bytes)
 *   programEntry(id), programAt(address)
 */
import { Bug } from '../../../kernel/types/units.ts';

/** Bytes of code a program id has among the entries. */
export const PROGRAM_ENTRY_BYTES = 8;
/** In the range of modules (Documentation/x86/x86_64/mm.rst), within 2 GiB of the kernel's text. */
const IMAGES = 0xffff_ffff_c000_0000n;
const IMAGES_END = 0xffff_ffff_e000_0000n;
export const PROGRAM_ENTRIES = IMAGES_END;
const PROGRAM_ENTRIES_END = 0xffff_ffff_f000_0000n;
const ENTRIES_LOW = Number(BigInt.asUintN(32, PROGRAM_ENTRIES));
const ENTRIES_END_LOW = Number(BigInt.asUintN(32, PROGRAM_ENTRIES_END));
/** What a run returns to: no code, but where the host goes on. */
export const HOST_RETURN = 0xffff_ffff_bfff_fff0n;

export class TextSpace {
  readonly #free: { address: bigint; sizeBytes: number }[] = [];
  #next = IMAGES;

  allocate(sizeBytes: number): bigint {
    const index = this.#free.findIndex((hole) => hole.sizeBytes >= sizeBytes);
    if (index >= 0) {
      const hole = this.#free[index]!;
      const { address } = hole;
      hole.address += BigInt(sizeBytes);
      hole.sizeBytes -= sizeBytes;
      if (hole.sizeBytes === 0) this.#free.splice(index, 1);
      return address;
    }
    const address = this.#next;
    this.#next += BigInt(sizeBytes);
    if (this.#next > IMAGES_END) throw new Bug('no room for more machine code');
    return address;
  }

  free(address: bigint, sizeBytes: number): void {
    const end = address + BigInt(sizeBytes);
    const before = this.#free.find((hole) => hole.address + BigInt(hole.sizeBytes) === address);
    if (end === this.#next) this.#next = address;
    else if (before !== undefined) before.sizeBytes += sizeBytes;
    else this.#free.push({ address, sizeBytes });
  }
}

export function programEntry(id: number): bigint {
  return PROGRAM_ENTRIES + BigInt(id) * BigInt(PROGRAM_ENTRY_BYTES);
}

/** The id of the program whose entry that is; by the low half of the address. */
export function programAt(low: number): number | undefined {
  const offset = (low >>> 0) - ENTRIES_LOW;
  if (offset < 0 || offset >= ENTRIES_END_LOW - ENTRIES_LOW) return undefined;
  return Math.floor(offset / PROGRAM_ENTRY_BYTES);
}
