/** Machine code of loads, stores and atomics, as Linux's JIT writes it. */
import type { AtomicOperation, RowOf } from '../../bpf/isa/row.ts';
import { INSN_BYTES, isScaledOffset, type AluOp, type LseOp, type Width } from './assembler.ts';
import type { FunctionCode } from './function-code.ts';
import { STACK_BOTTOM, TMP1, TMP2, TMP3, X25, X7, X9, ZR } from './registers.ts';

/** From the lowest place of the stack where that makes the offset one that an instruction can hold. */
function scaled(
  f: FunctionCode,
  bytes: 1 | 2 | 4 | 8,
  base: number,
  off: number,
): readonly [base: number, offset: number] | undefined {
  const { bottomOffset } = f.shape;
  const fromBottom = base === X25 && bottomOffset > 0;
  const [register, offset] = fromBottom ? [STACK_BOTTOM, off + bottomOffset] : [base, off];
  return isScaledOffset(offset, bytes) ? [register, offset] : undefined;
}

/** A load that may fault has an entry in the exception table; user addresses fault (PAN). */
export function emitLoad(
  f: FunctionCode,
  row: RowOf<'load'>,
  dst: number,
  base: number,
  off: number,
): void {
  const place = scaled(f, row.bytes, base, off);
  if (place === undefined) f.movImm(64, TMP1, off);
  if (row.probe) f.exceptions.push({ at: f.length, register: dst });
  if (place !== undefined) f.loadImm(row.bytes, row.signed, dst, ...place);
  else f.loadIndexed(row.bytes, row.signed, dst, base, TMP1);
}

export function emitStore(
  f: FunctionCode,
  row: RowOf<'store'>,
  base: number,
  src: number,
  off: number,
  imm: number,
): void {
  const isImm = row.source === 'imm';
  if (isImm) f.movImm(64, TMP1, imm);
  const value = isImm ? TMP1 : src;
  const place = scaled(f, row.bytes, base, off);
  if (place !== undefined) return f.storeImm(row.bytes, value, ...place);
  const offset = isImm ? TMP2 : TMP1;
  f.movImm(64, offset, off);
  f.storeIndexed(row.bytes, value, base, offset);
}

export function emitAtomic(
  f: FunctionCode,
  row: RowOf<'atomic'>,
  base: number,
  src: number,
  off: number,
): void {
  const { lse } = f.shape.options;
  let address = base;
  if (off !== 0) {
    f.movImm(64, TMP1, off);
    f.alu('add', 64, TMP1, TMP1, base);
    address = TMP1;
  } else if (!lse && row.fetch && base === (row.operation === 'cmpxchg' ? X7 : src)) {
    // differs: in Linux 6.1 the loop loses the address that it loads over, here it is kept.
    f.mov(64, TMP1, base);
    address = TMP1;
  }
  if (lse) singleInstruction(f, row, address, src);
  else loop(f, row, address, src);
}

const LSE: Readonly<Record<Exclude<AtomicOperation, 'cmpxchg'>, LseOp>> = {
  add: 'ldadd',
  and: 'ldclr',
  or: 'ldset',
  xor: 'ldeor',
  xchg: 'swp',
};

function singleInstruction(
  f: FunctionCode,
  { operation, bytes, fetch }: RowOf<'atomic'>,
  address: number,
  src: number,
): void {
  if (operation === 'cmpxchg') return f.compareAndSwap(bytes, src, address, X7);
  let operand = src;
  if (operation === 'and') {
    // There is only an instruction that clears bits.
    f.alu('orn', widthOf(bytes), TMP2, ZR, src);
    operand = TMP2;
  }
  f.lse(LSE[operation], bytes, fetch ? src : ZR, address, operand);
}

const widthOf = (bytes: 4 | 8): Width => (bytes === 8 ? 64 : 32);

type Computed = Exclude<AtomicOperation, 'xchg' | 'cmpxchg'>;
const ALU: Readonly<Record<Computed, AluOp>> = { add: 'add', and: 'and', or: 'orr', xor: 'eor' };

/** Load and store exclusively until nobody came between (LL/SC). */
function loop(
  f: FunctionCode,
  { operation, bytes, fetch }: RowOf<'atomic'>,
  address: number,
  src: number,
): void {
  const width = widthOf(bytes);
  const again = (loadAt: number): void => f.cb('cbnz', 32, TMP3, loadAt - f.length);
  if (operation === 'cmpxchg') {
    f.mov(width, TMP2, X7);
    const loadAt = f.length;
    f.loadExclusive(bytes, X7, address);
    f.alu('eor', width, TMP3, X7, TMP2);
    f.cb('cbnz', width, TMP3, 4 * INSN_BYTES);
    f.storeExclusive(bytes, src, address, TMP3, true);
    again(loadAt);
  } else if (operation === 'xchg') {
    f.mov(width, TMP2, src);
    const loadAt = f.length;
    f.loadExclusive(bytes, src, address);
    f.storeExclusive(bytes, TMP2, address, TMP3, true);
    again(loadAt);
  } else if (fetch) {
    f.mov(width, X9, src);
    const loadAt = f.length;
    f.loadExclusive(bytes, src, address);
    f.alu(ALU[operation], width, TMP2, src, X9);
    f.storeExclusive(bytes, TMP2, address, TMP3, true);
    again(loadAt);
  } else {
    const loadAt = f.length;
    f.loadExclusive(bytes, TMP2, address);
    f.alu(ALU[operation], width, TMP2, TMP2, src);
    f.storeExclusive(bytes, TMP2, address, TMP3, false);
    return again(loadAt);
  }
  f.dmbIsh();
}
