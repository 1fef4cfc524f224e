/**
 * Branded numbers: kinds of number that must not be swapped for one another.
 * A brand costs nothing at run time; `x as Ns` is the only way in.
 */

declare const brand: unique symbol;
type Branded<B extends string> = number & { readonly [brand]: B };

/** Byte offset into the machine's RAM; the low 32 bits of a kernel virtual address. 0 is NULL. */
export type RamOffset = Branded<'RamOffset'>;
/** Virtual nanoseconds since boot. A double holds 104 days exactly. */
export type Ns = Branded<'Ns'>;
export type Fd = Branded<'Fd'>;
export type Pid = Branded<'Pid'>;
/** User virtual address (below 2^47, so a double holds it exactly). */
export type UserAddress = Branded<'UserAddress'>;

/** Full 64-bit kernel virtual address. */
export type KernelAddress = bigint & { readonly [brand]: 'KernelAddress' };

/** A broken invariant of ours; never the fault of a guest or of an input. */
export class Bug extends Error {
  override name = 'Bug';
}
