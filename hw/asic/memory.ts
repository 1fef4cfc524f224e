/** What a table takes of a stage's memories. */
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { MapType } from '../../bpf/uapi.ts';
import { SRAM_BITS, SRAM_WORDS, TCAM_BITS, TCAM_WORDS } from './params.ts';

/** How each type of map is matched; what is not here has no counterpart. */
export const MATCHES: Readonly<Partial<Record<MapType, 'index' | 'exact' | 'prefix' | 'ternary'>>> = {
  array: 'index', percpu_array: 'index', devmap: 'index',
  hash: 'exact', percpu_hash: 'exact', lru_hash: 'exact', lru_percpu_hash: 'exact', devmap_hash: 'exact',
  lpm_trie: 'prefix', tcam: 'ternary',
}; // prettier-ignore

export interface TableSize {
  readonly sram: number;
  readonly tcam: number;
  readonly exactKeyBytes: number;
  readonly ternaryKeyBytes: number;
}

/** struct bpf_lpm_trie_key begins with the prefix length. */
const PREFIX_LENGTH_BYTES = 4;

export function tableSize({ spec }: Pick<BpfMap, 'spec'>): TableSize {
  const { type, keyBytes, valueBytes, maxEntries } = spec;
  const valueBits = valueBytes * 8;
  switch (MATCHES[type]) {
    case 'exact':
      return {
        sram: sramBlocks(maxEntries, keyBytes * 8 + valueBits),
        tcam: 0,
        exactKeyBytes: keyBytes,
        ternaryKeyBytes: 0,
      };
    case 'prefix':
    case 'ternary': {
      const bytes = MATCHES[type] === 'prefix' ? keyBytes - PREFIX_LENGTH_BYTES : keyBytes;
      return {
        sram: sramBlocks(maxEntries, valueBits),
        tcam: Math.ceil(maxEntries / TCAM_WORDS) * Math.ceil((bytes * 8) / TCAM_BITS),
        exactKeyBytes: 0,
        ternaryKeyBytes: bytes,
      };
    }
    default:
      return {
        sram: sramBlocks(maxEntries, valueBits),
        tcam: 0,
        exactKeyBytes: 0,
        ternaryKeyBytes: 0,
      };
  }
}

/** Entries narrower than a word share one, wider ones take several. */
function sramBlocks(entries: number, bits: number): number {
  const words = bits <= SRAM_BITS ? entries / Math.floor(SRAM_BITS / bits) : entries * Math.ceil(bits / SRAM_BITS);
  return Math.max(1, Math.ceil(words / SRAM_WORDS));
} // prettier-ignore
