/**
 * WASM for LD_ABS and LD_IND: what lies in the linear part of the packet is loaded right here, the
 * rest (paged data, offsets from a header) is asked for outside. That result crosses as f64, which
 * holds every u32 and the -1 of "not there", so that no BigInt is made.
 */
import { SkBuff } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Insn } from '../isa/insn.ts';
import type { RowOf } from '../isa/row.ts';
import { packetLoad } from '../packet-load.ts';
import { swap16, swap32 } from './alu.ts';
import type { Expr } from './binaryen.ts';
import type { CodeContext } from './calls.ts';
import { LOCALS, type FrameExpressions } from './frame.ts';

export function emitPacketLoad(
  c: CodeContext,
  f: FrameExpressions,
  row: RowOf<'ld_packet'>,
  { src, imm }: Insn,
): Expr[] {
  const { i32, i64 } = f.m;
  const skb = (member: 'len' | 'data_len' | 'data'): Expr =>
    i32.load(SkBuff.offsets[member], 1, f.get32(6));
  const offset = row.mode === 'ind' ? i32.add(f.get32(src), i32.const(imm)) : i32.const(imm);
  const at = (): Expr => f.i32('i32');
  // Not before the data, and ending within the linear part.
  const room = i32.sub(i32.sub(skb('len'), skb('data_len')), i32.const(row.bytes));
  const isLinear = i32.and(i32.ge_s(at(), i32.const(0)), i32.le_s(at(), room));
  const address = i32.add(skb('data'), at());
  const near = f.set(0, i64.extend_u(bigEndian(f, row.bytes, address)));
  return [
    f.m.local.set(LOCALS.i32, offset),
    f.m.if(isLinear, near, f.m.block(null, emitFarLoad(c, f, row.bytes))),
  ];
}

function emitFarLoad(
  { binaryen, imports, runtime }: CodeContext,
  f: FrameExpressions,
  bytes: number,
): Expr[] {
  const { i32, f64 } = binaryen;
  const { m } = f;
  const load = packetLoad(runtime);
  imports.func('packet_word', [i32, i32, i32], f64, (skb: number, at: number, size: number) => {
    return load((skb >>> 0) as RamOffset, at, size as 1 | 2 | 4) ?? -1;
  });
  const call = m.call('packet_word', [f.get32(6), f.i32('i32'), m.i32.const(bytes)], f64);
  const word = (): Expr => m.local.get(LOCALS.f64, f64);
  return [
    m.local.set(LOCALS.f64, call),
    m.if(m.f64.lt(word(), m.f64.const(0)), m.return(m.i64.const(0n))),
    f.set(0, m.i64.trunc_u.f64(word())),
  ];
}

function bigEndian(f: FrameExpressions, bytes: 1 | 2 | 4, address: Expr): Expr {
  const { m } = f;
  if (bytes === 1) return m.i32.load8_u(0, 1, address);
  const loaded = bytes === 2 ? m.i32.load16_u(0, 1, address) : m.i32.load(0, 1, address);
  const again = (): Expr => f.i32('i32');
  const swapped = bytes === 2 ? swap16(m, again) : swap32(m, again);
  // The offset is not needed any more: its local takes the value, which is used several times.
  return m.block(null, [m.local.set(LOCALS.i32, loaded), swapped]);
}
