/**
 * Calls of kernel functions. The kernel offers none to programs yet, so each is refused as one that
 * is not in the list of its program type.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { reject, type Checker } from './checker.ts';

export function callKfunc(c: Checker, insn: Insn): void {
  // An id of 0 is refused only if it is still there when dead code is gone.
  if (insn.imm === 0) return;
  const name = c.env.kernelBtf?.type(insn.imm)?.name ?? '';
  const line = `calling kernel function ${name} is not allowed`;
  reject(c, errno.EACCES, 'kfunc-not-allowed', line);
}
