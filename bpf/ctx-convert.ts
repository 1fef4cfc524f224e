/**
 * Building blocks of context conversions: loads and stores of members of the kernel's structs, in
 * place of accesses to the struct that programs see.
 */
import { insn } from './asm/build.ts';
import type { Insn } from './isa/insn.ts';
import type { CtxConversion, CtxRequest } from './prog-type.ts';
import type { AnyStruct } from '../kernel/types/struct.ts';

type Bytes = 1 | 2 | 4 | 8;
const LOADS = { 1: 'ldx8', 2: 'ldx16', 4: 'ldx32', 8: 'ldx64' } as const;
const STORES = { 1: 'stx8', 2: 'stx16', 4: 'stx32', 8: 'stx64' } as const;

export const load = (bytes: Bytes, dst: number, src: number, off: number): Insn =>
  insn(LOADS[bytes], { dst, src, off });
export const store = (bytes: Bytes, dst: number, src: number, off: number): Insn =>
  insn(STORES[bytes], { dst, src, off });

export type Convert = (request: CtxRequest) => CtxConversion;

/** Where a member is: its offset and size. */
export function place<S extends AnyStruct>(
  struct: S,
  member: keyof S['members'] & string,
): { readonly off: number; readonly bytes: Bytes } {
  return { off: struct.offsets[member]!, bytes: struct.members[member]!.size as Bytes };
}

/** The member of the same meaning, of whatever size it has. */
export function direct<S extends AnyStruct>(
  struct: S,
  member: keyof S['members'] & string,
): Convert {
  const { off, bytes } = place(struct, member);
  return at(off, bytes);
}

export const at =
  (off: number, bytes: Bytes): Convert =>
  ({ write, dst, src }) => ({
    insns: [write ? store(bytes, dst, src, off) : load(bytes, dst, src, off)],
    targetBytes: bytes,
  });

/** Some bits of a byte, shifted down. */
export const bits =
  (off: number, mask: number): Convert =>
  ({ dst, src }) => {
    const shift = 31 - Math.clz32(mask & -mask);
    const insns = [load(1, dst, src, off), insn('and32_imm', { dst, imm: mask })];
    if (shift > 0) insns.push(insn('rsh32_imm', { dst, imm: shift }));
    return { insns, targetBytes: 1 };
  };

/** Through pointers: `first` is in the context's struct, each of the others in the one before. */
export const through =
  (pointers: readonly number[], off: number, bytes: Bytes, nullable = false): Convert =>
  ({ dst, src }) => {
    const insns = pointers.map((pointer, i) => load(8, dst, i === 0 ? src : dst, pointer));
    if (nullable) insns.push(insn('jeq64_imm', { dst, off: 1 }));
    insns.push(load(bytes, dst, dst, off));
    return { insns, targetBytes: bytes };
  };
