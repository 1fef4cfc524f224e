/**
 * Instructions to and from their 8-byte little-endian encoding (RFC 9669 section 3).
 */
import { Bug } from '../../kernel/types/units.ts';
import type { Insn } from './insn.ts';

export const INSN_BYTES = 8;

/** One Insn a slot. The length must be a multiple of 8: callers check what comes from outside. */
export function decodeInsns(bytes: Uint8Array): Insn[] {
  if (bytes.length % INSN_BYTES !== 0) throw new Bug(`${bytes.length} bytes are no instructions`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const insns: Insn[] = [];
  for (let at = 0; at < bytes.length; at += INSN_BYTES) {
    const regs = view.getUint8(at + 1);
    insns.push({
      code: view.getUint8(at),
      dst: regs & 15,
      src: regs >> 4,
      off: view.getInt16(at + 2, true),
      imm: view.getInt32(at + 4, true),
    });
  }
  return insns;
}

export function encodeInsns(insns: readonly Insn[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(insns.length * INSN_BYTES);
  const view = new DataView(bytes.buffer);
  insns.forEach((insn, slot) => {
    const at = slot * INSN_BYTES;
    view.setUint8(at, insn.code);
    view.setUint8(at + 1, (insn.src << 4) | insn.dst);
    view.setInt16(at + 2, insn.off, true);
    view.setInt32(at + 4, insn.imm, true);
  });
  return bytes;
}

/** The 64-bit value of the ld_imm64 at `slot`, unsigned. */
export function imm64At(insns: readonly Insn[], slot: number): bigint {
  const low = insns[slot]!.imm;
  const high = insns[slot + 1]?.imm ?? 0;
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
