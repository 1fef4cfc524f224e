/** Loads and stores: packet in CTM, map values in EMEM, stack in local memory. */
import type { Insn } from '../../bpf/isa/insn.ts';
import type { RowOf } from '../../bpf/isa/row.ts';
import type { Code } from './code.ts';
import {
  BASE,
  CACHE,
  hi,
  IMM_A,
  IMM_B,
  L0,
  L3,
  lo,
  PKT,
  PLEN,
  STACK,
  XFER_IN,
  XFER_OUT,
} from './isa.ts';
import type { Copy, Group } from './packet-reads.ts';

/** Words of local memory that one pointer reaches. */
const WINDOW_BYTES = 64;

const maskOf = (bytes: number): number => (1 << bytes) - 1;

/** `struct xdp_md`: the packet's ends. */
export function loadContext(code: Code, { dst, off }: Insn): void {
  if (off === 0) code.mov(lo(dst), PKT);
  else code.alu('+', lo(dst), PKT, PLEN);
  code.mov(hi(dst), BASE);
}

export function loadByCommand(
  code: Code,
  { dst, src, off }: Insn,
  { bytes }: RowOf<'load'>,
  from: 'ctm_read' | 'emem_read',
  upperNeeded: boolean,
): void {
  code.read(from, lo(src), off, Math.max(4, bytes));
  fromTransfer(code, dst, XFER_IN, 0, bytes);
  if (bytes < 8 && upperNeeded) code.immed(hi(dst), 0);
}

/** Bytes from a place in the transfer registers on. */
function fromTransfer(code: Code, dst: number, first: number, at: number, bytes: number): void {
  if (bytes === 8) {
    fromTransferWord(code, lo(dst), first, at, 4);
    fromTransferWord(code, hi(dst), first, at + 4, 4);
  } else fromTransferWord(code, lo(dst), first, at, bytes);
}

function fromTransferWord(code: Code, to: number, first: number, at: number, bytes: number): void {
  const word = first + (at >> 2);
  const within = at & 3;
  if (within + bytes > 4) {
    code.shf('dbl>>', to, word + 1, word, 8 * within);
    if (bytes < 4) code.field('clear', to, maskOf(bytes), to);
  } else if (bytes === 4) code.mov(to, word);
  else code.field('clear', to, maskOf(bytes), word, within);
}

/** @param pointerAt where the base register points, as the group counts */
export function loadFromCache(
  code: Code,
  { dst, src, off }: Insn,
  { bytes }: RowOf<'load'>,
  group: Group,
  slot: number,
  pointerAt: number,
  upperNeeded: boolean,
): void {
  if (slot === group.first) {
    code.read('ctm_read', lo(src), group.from - pointerAt, group.to - group.from, CACHE);
  }
  fromTransfer(code, dst, CACHE, pointerAt + off - group.from, bytes);
  if (bytes < 8 && upperNeeded) code.immed(hi(dst), 0);
}

export function storeToPacket(code: Code, insn: Insn, { bytes, source }: RowOf<'store'>): void {
  const { dst, src, off, imm } = insn;
  if (source === 'imm') {
    code.immed(XFER_OUT, imm);
    if (bytes === 8) code.immed(XFER_OUT + 1, imm < 0 ? -1 : 0);
  } else {
    code.mov(XFER_OUT, lo(src));
    if (bytes === 8) code.mov(XFER_OUT + 1, hi(src));
  }
  code.cmd('ctm_write', XFER_OUT, lo(dst), code.operand(off, IMM_A), bytes);
}

/** @param load, store the first pair @param size bytes of each */
export function copy(
  code: Code,
  { bytes }: Copy,
  from: 'ctm_read' | 'emem_read',
  load: Insn,
  store: Insn,
  size: number,
  upperNeeded: boolean,
): void {
  code.read(from, lo(load.src), load.off, bytes);
  for (let word = 0; word * 4 < bytes; word++) code.mov(XFER_OUT + word, XFER_IN + word);
  code.cmd('ctm_write', XFER_OUT, lo(store.dst), code.operand(store.off, IMM_A), bytes);
  // Whether what was loaded last is read again is not looked at.
  fromTransfer(code, load.dst, XFER_IN, bytes - size, size);
  if (size < 8 && upperNeeded) code.immed(hi(load.dst), 0);
}

export function atomicAdd(code: Code, { dst, src, off }: Insn, bytes: 4 | 8): void {
  code.mov(XFER_OUT, lo(src));
  if (bytes === 8) code.mov(XFER_OUT + 1, hi(src));
  const fn = bytes === 8 ? 'emem_add64' : 'emem_add32';
  code.cmd(fn, XFER_OUT, lo(dst), code.operand(off, IMM_A), bytes);
}

/** A word of the stack as an operand; beyond the first 64 bytes a pointer is set for it. */
function stackWord(code: Code, at: number, window: { at: number }): number {
  if (at < WINDOW_BYTES) return L0 + (at >> 2);
  const start = at & ~(WINDOW_BYTES - 1);
  if (window.at !== start) {
    code.alu('+', IMM_B, STACK, code.operand(start, IMM_B));
    code.csr('lm_addr3', IMM_B);
    window.at = start;
  }
  return L3 + ((at - start) >> 2);
}

/** Parts of an access that lie in one word of memory and of the register each. */
function* parts(at: number, bytes: number) {
  for (let done = 0; done < bytes;) {
    const within = (at + done) & 3;
    const inRegister = done & 3;
    const length = Math.min(4 - within, 4 - inRegister, bytes - done);
    yield { word: (at + done) & ~3, within, half: done >> 2, inRegister, length };
    done += length;
  }
}

/** @param at from the lowest byte of the stack */
export function loadFromStack(
  code: Code,
  dst: number,
  at: number,
  bytes: number,
  upperNeeded: boolean,
): void {
  const window = { at: -1 };
  for (const { word, within, half, inRegister, length } of parts(at, bytes)) {
    const from = stackWord(code, word, window);
    const to = half === 0 ? lo(dst) : hi(dst);
    if (length === 4) code.mov(to, from);
    else {
      const first = inRegister === 0;
      const mask = maskOf(length) << inRegister;
      code.field(first ? 'clear' : 'keep', to, mask, from, (within - inRegister) & 3);
    }
  }
  if (bytes < 8 && upperNeeded) code.immed(hi(dst), 0);
}

export function storeToStack(code: Code, src: number, at: number, bytes: number): void {
  const window = { at: -1 };
  for (const { word, within, half, inRegister, length } of parts(at, bytes)) {
    const from = half === 0 ? lo(src) : hi(src);
    const to = stackWord(code, word, window);
    if (length === 4) code.mov(to, from);
    else code.field('keep', to, maskOf(length) << within, from, (inRegister - within) & 3);
  }
}
