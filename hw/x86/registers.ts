/** x86-64's general registers, by the number that their encoding has, and BPF's mapping to them. */
import type { Convention } from '../cpu/jit/architecture.ts';

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R10 = 10;
export const R11 = 11;
export const R13 = 13;
export const R14 = 14;
export const R15 = 15;

/**
 * The x86 register of BPF's r0 to r10 and of AX, as Linux maps them (reg2hex,
 * arch/x86/net/bpf_jit_comp.c): arguments in the order of the calling convention, r6 to r9 where
 * callees save them. r9, r12 and r11 are no BPF register; r11 is the JIT's own.
 */
export const X86_OF_BPF: readonly number[] = [
  RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP, R10,
]; // prettier-ignore

/** BPF's registers that callees save, with the order in which they are pushed. */
export const CALLEE_SAVED_BPF = [6, 7, 8, 9] as const;

/** The first integer arguments of the calling convention, in order. */
export const ARGUMENTS: readonly number[] = [RDI, RSI, RDX, RCX, R8];

/** System V ABI. */
export const CONVENTION: Convention = {
  count: 16,
  arguments: ARGUMENTS,
  result: RAX,
  stack: RSP,
  callerSaved: [RCX, RDX, RSI, RDI, R8, 9, R10, R11],
  calleeSaved: [RBX, RBP, 12, R13, R14, R15],
};

const LEGACY = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'] as const;

export function registerName(register: number, widthBits: 8 | 16 | 32 | 64): string {
  const legacy = LEGACY[register];
  if (legacy === undefined) {
    return `r${register}${{ 8: 'b', 16: 'w', 32: 'd', 64: '' }[widthBits]}`;
  }
  switch (widthBits) {
    case 8:
      return register < 4 ? `${legacy[0]}l` : `${legacy}l`;
    case 16:
      return legacy;
    case 32:
      return `e${legacy}`;
    case 64:
      return `r${legacy}`;
  }
}
