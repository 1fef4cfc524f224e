/**
 * What kernel functions that programs call cost, by symbol: cycles of a Haswell-class core with their
 * data in L1, to which come the lines of memory that they touch. Cores that do kernel code slower or
 * faster scale them (`kernelIpc`).
 *
 * LK: Linux commit messages (a hash lookup 13.5 ns, an array lookup inlined 3.6 ns); HX: hXDP's figure
 * 15 (an additional call of the checksum helper takes 50 cycles at 2.1 and at 3.7 GHz); XPP: notes
 * of the xdp-project (call 1.27 ns; LPM trie of 10 k entries: lookup, update, delete 156, 252,
 * 383 ns); nanoseconds at 3.7 GHz.
 */
import type { MapSpec } from '../../bpf/maps/map.ts';

export interface KernelFunction {
  readonly cycles: number;
  /** From arguments to result, where that is shorter than `cycles`. */
  readonly latency?: number;
  /** It hashes a key of the map and compares it with an element's. */
  readonly hashes?: true;
  /** It walks a trie: cycles a level. */
  readonly levelCycles?: number;
  /** It writes to what CPUs share: a bucket's lock. */
  readonly locks?: true;
}

/** XPP: 1.27 ns. */
const CALL = 5;
/** LK: 13.5 ns for a key of 4 bytes. */
const HASH_LOOKUP = 50;
/** LK: 3.6 ns inlined. */
const ARRAY_LOOKUP = 13;
/** An uncontended lock: two atomic operations of 20 cycles (uops.info). */
const LOCKED = 40;
/**
 * A node whose line is in L1: bits compared, a branch. With caches, XPP's 156 ns over the 13 levels
 * that 10 k entries take, of which the last four or five lie in L3.
 */
const TRIE_LEVEL = 22;

/** By name, or by its end. */
const FUNCTIONS: readonly (readonly [name: RegExp, cost: KernelFunction])[] = [
  [/^trie_lookup_elem$/, { cycles: CALL + 15, levelCycles: TRIE_LEVEL }],
  // XPP: 252 and 383 ns.
  [/^trie_update_elem$/, { cycles: CALL + 400, levelCycles: TRIE_LEVEL, locks: true }],
  [/^trie_delete_elem$/, { cycles: CALL + 890, levelCycles: TRIE_LEVEL, locks: true }],
  [/htab.*_lookup_elem$/, { cycles: HASH_LOOKUP, hashes: true }],
  [
    /htab.*_(update|delete)_elem$/,
    { cycles: HASH_LOOKUP + LOCKED + 30, hashes: true, locks: true },
  ],
  [/_hash_redirect$/, { cycles: HASH_LOOKUP + 15, hashes: true }],
  // The lookup of a devmap, cpumap or xskmap, and bpf_redirect_info filled.
  [/map_redirect$/, { cycles: ARRAY_LOOKUP + 15 }],
  [/_lookup_elem$/, { cycles: ARRAY_LOOKUP + CALL }],
  [/_(update|delete)_elem$/, { cycles: ARRAY_LOOKUP + CALL + 20 }],
  [/_(push|pop|peek)_elem$/, { cycles: ARRAY_LOOKUP + CALL + LOCKED, locks: true }],
  [/^bpf_csum_diff$/, { cycles: 50 }],
  [/^bpf_(xdp_)?redirect$/, { cycles: CALL + 10 }],
  [/^bpf_xdp_adjust_(head|tail|meta)$/, { cycles: CALL + 12 }],
  [/^bpf_get_smp_processor_id$/, { cycles: CALL + 2 }],
  [/^bpf_(user_rnd_u32|get_prandom_u32)$/, { cycles: CALL + 15 }],
  // rdtsc takes 25 cycles (uops.info, Haswell), the rest is scaling it.
  [/^bpf_(ktime|jiffies).*$/, { cycles: CALL + 50 }],
  [/^bpf_spin_(un)?lock$/, { cycles: CALL + LOCKED / 2, locks: true }],
  [/^bpf_ringbuf_/, { cycles: CALL + LOCKED + 20, locks: true }],
  // A record in a ring of the CPU's own, a few hundred bytes copied.
  [/^bpf_(xdp_event_output|perf_event_output)$/, { cycles: 300 }],
  [/^bpf_fib_lookup|^bpf_xdp_fib_lookup/, { cycles: 400 }],
];

/** A call and some work: most helpers. */
const OTHER: KernelFunction = { cycles: CALL + 20 };

export function kernelFunction(symbol: string): KernelFunction {
  return FUNCTIONS.find(([name]) => name.test(symbol))?.[1] ?? OTHER;
}

/** Figures that depend on the kernel's version. */
export interface KernelVersion {
  readonly name: string;
  /** memcmp, cycles a byte. */
  readonly compareCycles: number;
}

export const KERNELS = {
  /** memcmp compares byte by byte (lib/string.c before 5.14): load, subtract, two branches. */
  '5.6': { name: '5.6', compareCycles: 3.5 },
  /** Eight bytes at once since then. */
  '6.1': { name: '6.1', compareCycles: 0.5 },
} as const satisfies Readonly<Record<string, KernelVersion>>;

/** Bytes that jhash takes a round, and what a round costs: six steps of subtract, xor-rotate, add. */
const HASH_ROUND_BYTES = 12;
const HASH_ROUND_CYCLES = 18;
/** Included in HASH_LOOKUP. */
const SHORT_KEY_BYTES = 4;

/** Cycles of one call on that map; what walks a trie takes `levelCycles` a level on top. */
export function callCycles(
  { cycles, hashes }: KernelFunction,
  spec: MapSpec | undefined,
  kernel: KernelVersion,
): number {
  if (spec === undefined) return cycles;
  if (hashes) {
    const more = Math.max(0, spec.keyBytes - SHORT_KEY_BYTES);
    // The last 12 bytes are part of the final mix.
    const rounds = Math.max(0, Math.ceil(spec.keyBytes / HASH_ROUND_BYTES) - 1);
    return cycles + rounds * HASH_ROUND_CYCLES + more * kernel.compareCycles;
  }
  return cycles;
}
