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
import type { CodeContext } from './calls.ts';
import { F64_LT, I32, I64 } from './code-writer.ts';
import type { FunctionCode } from './frame.ts';

const LOAD = { 1: I32.load8_u, 2: I32.load16_u, 4: I32.load } as const;

export function emitPacketLoad(
  c: CodeContext,
  f: FunctionCode,
  row: RowOf<'ld_packet'>,
  { src, imm }: Insn,
): void {
  const { bytes } = row;
  const at = f.local('i32');
  const skb = (member: 'len' | 'data_len' | 'data'): void => {
    f.get32(6);
    f.memory(I32.load, SkBuff.offsets[member]);
  };
  f.i32(imm);
  if (row.mode === 'ind') {
    f.get32(src);
    f.op(I32.add);
  }
  f.localTee(at);
  // Not before the data, and ending within the linear part.
  f.i32(0);
  f.op(I32.ge_s);
  f.localGet(at);
  skb('len');
  skb('data_len');
  f.op(I32.sub);
  f.i32(bytes);
  f.op(I32.sub);
  f.op(I32.le_s);
  f.op(I32.and);
  f.if();
  skb('data');
  f.localGet(at);
  f.op(I32.add);
  f.memory(LOAD[bytes], 0);
  if (bytes === 2) swap16(f);
  if (bytes === 4) swap32(f);
  f.set32(0);
  f.else();
  emitFarLoad(c, f, bytes, at);
  f.end();
}

/** A load past the end makes the function return 0. */
function emitFarLoad({ module, runtime }: CodeContext, f: FunctionCode, bytes: number, at: number) {
  const load = packetLoad(runtime);
  const func = module.importFunction(
    'packet_word',
    { params: ['i32', 'i32', 'i32'], results: ['f64'] },
    () => (skb: number, offset: number, size: number) =>
      load((skb >>> 0) as RamOffset, offset, size as 1 | 2 | 4) ?? -1,
  );
  const word = f.temporary('f64');
  f.get32(6);
  f.localGet(at);
  f.i32(bytes);
  f.callImport(func);
  f.localTee(word);
  f.f64Const(0);
  f.op(F64_LT);
  f.if();
  f.setConstant(0, 0n);
  f.exit();
  f.end();
  f.localGet(word);
  f.op(I64.trunc_f64_u);
  f.set(0);
}
