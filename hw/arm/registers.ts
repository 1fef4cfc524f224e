/** AArch64's general registers, by the number that their encoding has, and BPF's mapping to them. */
import type { Convention } from '../cpu/jit/architecture.ts';

export const X0 = 0;
export const X7 = 7;
export const X9 = 9;
export const X10 = 10;
export const X11 = 11;
export const X12 = 12;
export const X25 = 25;
export const X26 = 26;
export const X27 = 27;
export const X28 = 28;
export const X29 = 29;
/** The link register. */
export const X30 = 30;
/** Number 31 of an encoding is the stack pointer or the zero register, as the instruction has it. */
export const SP = 31;
export const ZR = 32;

/**
 * The register of BPF's r0 to r10 and of AX, as Linux maps them (bpf2a64,
 * arch/arm64/net/bpf_jit_comp.c): arguments in the order of the calling convention, r6 to r9 where
 * callees save them. r0 is not x0, where results come back: each call is followed by a move.
 */
export const ARM_OF_BPF: readonly number[] = [X7, 0, 1, 2, 3, 4, 19, 20, 21, 22, X25, X9];

/** The JIT's own (TMP_REG_1 to 3, TCALL_CNT, FP_BOTTOM). */
export const TMP1 = X10;
export const TMP2 = X11;
export const TMP3 = X12;
export const TAIL_CALLS = X26;
export const STACK_BOTTOM = X27;

/** AAPCS64; x18 is the platform's, which Linux uses for its shadow call stack. */
export const CONVENTION: Convention = {
  count: 32,
  arguments: [0, 1, 2, 3, 4],
  result: X0,
  stack: SP,
  callerSaved: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
  calleeSaved: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, X29],
};

export function registerName(register: number, widthBits: 32 | 64): string {
  const letter = widthBits === 64 ? 'x' : 'w';
  if (register === ZR) return `${letter}zr`;
  if (register === SP) return widthBits === 64 ? 'sp' : 'wsp';
  return `${letter}${register}`;
}
