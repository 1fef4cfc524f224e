/**
 * How words of map values are used. Atomic operations count in network order, everything else does
 * not, so a word is for one of the two; the driver swaps what bpf(2) reads and writes of counters.
 */
import type { BpfMap } from '../../bpf/maps/map.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { Refused } from './check.ts';
import type { State, Value } from './values.ts';

type Use = 'read' | 'atomic';
/** DRV: the names in its messages. */
const NAMES: Readonly<Record<Use, string>> = { read: 'read', atomic: 'atomic' };

const refused = (reason: string, message: string, hint: string): Refused => ({
  reason,
  message: `[nfp] ${message}`,
  hint,
  errno: errno.EOPNOTSUPP,
});

export class MapUse {
  readonly #uses = new Map<BpfMap, Map<number, Use>>();
  /** Words that an update may set to other than 0. */
  readonly #set = new Map<BpfMap, Set<number>>();

  access(base: Value, off: number, bytes: number, use: Use): Refused | undefined {
    if (base.kind !== 'map value' || base.at === undefined) {
      return refused('variable-map-offset', 'map value offset is variable', 'use constant offsets');
    }
    const uses = this.#uses.get(base.map) ?? new Map<number, Use>();
    this.#uses.set(base.map, uses);
    const from = base.at + off;
    for (let word = from >> 2; word * 4 < from + bytes; word++) {
      const before = uses.get(word);
      if (before !== undefined && before !== use) {
        return refused(
          'map-use-conflict',
          `map value use type conflict ${NAMES[before]} vs ${NAMES[use]} off: ${word * 4}`,
          'what is counted atomically is read by user space only',
        );
      }
      if (use === 'atomic' && this.#set.get(base.map)?.has(word)) {
        return refused(
          'map-use-conflict',
          `atomic counter in map value may already be initialized to non-zero value off: ${word * 4}`,
          'counters begin at 0',
        );
      }
      uses.set(word, use);
    }
    return undefined;
  }

  /** r3 is known to be on the stack. */
  update(map: BpfMap | undefined, state: State): Refused | undefined {
    const value = state.registers[3]!;
    if (!map || value.kind !== 'stack') return undefined;
    const set = this.#set.get(map) ?? new Set<number>();
    this.#set.set(map, set);
    for (let i = 0; i < map.spec.valueBytes; i++) {
      if (isZero(state, value.at + i)) continue;
      if (this.#uses.get(map)?.get(i >> 2) === 'atomic') {
        return refused(
          'map-use-conflict',
          `value at offset ${i}/${-value.at - i - 1} may be non-zero, bpf_map_update_elem() is required to initialize atomic counters to zero to avoid offload endian issues`,
          'counters begin at 0',
        );
      }
      set.add(i >> 2);
    }
    return undefined;
  }
}

function isZero({ stack }: State, at: number): boolean {
  for (const [from, { bytes, value }] of stack) {
    if (from <= at && at < from + bytes) return value.kind === 'number' && value.max === 0n;
  }
  return false;
}
