/** Why a program does not become a pipeline, thrown on the way and caught by `compile`. */
import { errno } from '../../../kernel/types/errno.ts';
import type { Diagnostic } from '../../target.ts';

export type RefusalReason =
  | 'loop'
  | 'subprogram'
  | 'unsupported-instruction'
  | 'unsupported-helper'
  | 'unsupported-argument'
  | 'pointer-as-number'
  | 'mixed-pointers'
  | 'uninitialised-stack'
  | 'variable-offset'
  | 'packet-offset'
  | 'program-too-large'
  | 'map-too-large'
  | 'map-operation';

/** What would fit, by reason. */
const HINTS: Readonly<Record<RefusalReason, string>> = {
  loop: 'a pipeline has no way back: unroll the loop (#pragma unroll)',
  subprogram: 'inline them (static __always_inline)',
  'unsupported-instruction':
    'there are units for everything but signed division and compare-and-exchange',
  'unsupported-helper': 'see HELPERS in target.ts for those that there are units for',
  'unsupported-argument':
    'sizes and flags must be constants, buffers on the stack or in the packet',
  'pointer-as-number': 'pointers may be compared with pointers and added to, not stored as values',
  'mixed-pointers': 'keep pointers of different kinds in different variables',
  'uninitialised-stack': 'initialise the whole variable, padding included (= {})',
  'variable-offset': 'a variable offset may have 64 values at most, as with VLAN tags or ihl * 4',
  'packet-offset': 'the pipeline looks at the first 256 bytes of a packet and 64 in front of it',
  'program-too-large': 'take work out of the program, or split it',
  'map-too-large': 'lower max_entries',
  'map-operation': 'look a map up once, then update it once',
};

export class Refusal extends Error {
  override name = 'Refusal';
  readonly diagnostic: Diagnostic;

  constructor(
    reason: RefusalReason,
    message: string,
    insn?: number,
    code: number = errno.EOPNOTSUPP,
  ) {
    super(message);
    this.diagnostic = {
      ...(insn !== undefined && { insn }),
      reason,
      message: `pipeline: ${message}`,
      hint: HINTS[reason],
      errno: code,
    };
  }
}
