/** What stops a compilation: caught by the target, told to the author. */
import { errno } from '../../kernel/types/errno.ts';
import type { Diagnostic } from '../target.ts';

export class Refusal extends Error {
  override name = 'Refusal';
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

/** Something that a match-action pipeline has no part for. */
export function refuse(insn: number, reason: string, message: string, hint?: string): never {
  throw new Refusal({
    insn,
    reason,
    message: `asic: ${message}`,
    ...(hint !== undefined && { hint }),
    errno: errno.EOPNOTSUPP,
  });
}

/** Something of which there is not enough. */
export function tooMuch(reason: string, message: string, hint: string, insn?: number): never {
  throw new Refusal({
    ...(insn !== undefined && { insn }),
    reason,
    message: `asic: ${message}`,
    hint,
    errno: errno.ENOSPC,
  });
}
