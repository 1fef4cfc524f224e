/**
 * Which kernel function a helper call calls. A helper is `bpf_<prototype>`; operations of a map that
 * is known become calls of the map type's own function, as do_misc_fixups makes them.
 */
import type { Helper } from '../../../bpf/helpers/helper.ts';
import type { BpfMap } from '../../../bpf/maps/map.ts';
import { packetLoad } from '../../../bpf/packet-load.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import type { MapType } from '../../../bpf/uapi.ts';
import { errno } from '../../../kernel/types/errno.ts';
import type { RamOffset } from '../../../kernel/types/units.ts';
import type { HostFunction, KernelSymbol, SymbolTable } from './symbols.ts';

export interface SymbolContext {
  readonly runtime: BpfRuntime;
  readonly symbols: SymbolTable;
}

/** Prefix of the functions in each type's struct bpf_map_ops (kernel/bpf/*.c, 6.1). */
const OPS_PREFIX: Partial<Record<MapType, string>> = {
  array: 'array_map',
  percpu_array: 'percpu_array_map',
  hash: 'htab_map',
  lru_hash: 'htab_lru_map',
  percpu_hash: 'htab_percpu_map',
  lru_percpu_hash: 'htab_lru_percpu_map',
  lpm_trie: 'trie',
  queue: 'queue_map',
  stack: 'stack_map',
  array_of_maps: 'array_of_map',
  hash_of_maps: 'htab_of_map',
  devmap: 'dev_map',
  devmap_hash: 'dev_map_hash',
  cpumap: 'cpu_map',
  xskmap: 'xsk_map',
};

/** Helpers that are a map's own operation, and what that is called behind the prefix. */
const OPERATIONS: Readonly<Record<string, string>> = {
  map_lookup_elem: 'lookup_elem',
  map_update_elem: 'update_elem',
  map_delete_elem: 'delete_elem',
  map_push_elem: 'push_elem',
  map_pop_elem: 'pop_elem',
  map_peek_elem: 'peek_elem',
  map_lookup_percpu_elem: 'lookup_percpu_elem',
  redirect_map: 'redirect',
};

/** Lookups of the C core that a known type is looked up with directly. */
const CORE_LOOKUPS: Partial<Record<MapType, string>> = {
  array: 'array_lookup',
  percpu_array: 'percpu_array_lookup',
  hash: 'htab_lookup',
  percpu_hash: 'htab_percpu_lookup',
  lru_hash: 'htab_lru_lookup',
  lru_percpu_hash: 'htab_lru_percpu_lookup',
  lpm_trie: 'trie_lookup',
  array_of_maps: 'array_of_maps_lookup',
  hash_of_maps: 'htab_of_maps_lookup',
};

const UNSUPPORTED: HostFunction = {
  pass: [],
  returns: 'i32',
  value: () => () => -errno.EOPNOTSUPP,
};

export function symbolOfHelper(
  c: SymbolContext,
  helper: Helper | undefined,
  map: BpfMap | undefined,
  returnsInt: boolean,
): KernelSymbol {
  const implementation = helper?.implementation;
  if (implementation === undefined) return c.symbols.define('bpf_unsupported', UNSUPPORTED);
  const { pass, returns, native } = implementation;
  const operation = map && OPERATIONS[helper!.name];
  const prefix = map && OPS_PREFIX[map.spec.type];
  const name =
    operation && prefix ? `${opsPrefix(prefix, operation)}_${operation}` : `bpf_${helper!.proto}`;
  const lookup = operation === 'lookup_elem' ? CORE_LOOKUPS[map!.spec.type] : undefined;
  const exported = lookup ?? native;
  const host: HostFunction = {
    pass,
    returns: returnsInt && returns === 'i32' ? 'u32' : returns,
    value: () =>
      exported === undefined ? implementation.bind(c.runtime) : c.runtime.core.exports[exported],
  };
  // One function of Linux's may be several of ours: told apart by the prototype that is meant.
  return c.symbols.define(name, host, helper!.proto);
}

/** Queues and stacks share push, and the LRU variants of a lookup are named for what they are. */
function opsPrefix(prefix: string, operation: string): string {
  return prefix === 'queue_map' || prefix === 'stack_map'
    ? operation === 'push_elem'
      ? 'queue_stack_map'
      : prefix
    : prefix;
}

/** __htab_map_lookup_elem: the element rather than its value, which stands `valueAt` behind. */
export function elementLookup(c: SymbolContext, valueAt: number): KernelSymbol {
  const value = (): ((map: number, key: number) => RamOffset) => {
    const lookup = c.runtime.core.exports.htab_lookup;
    return (map, key) => {
      const at = lookup(map, key) >>> 0;
      return (at === 0 ? 0 : at - valueAt) as RamOffset;
    };
  };
  const host: HostFunction = { pass: ['i32', 'i32'], returns: 'pointer', value };
  return c.symbols.define('__htab_map_lookup_elem', host, `${valueAt}`);
}

/** bpf_skb_load_helper_N_no_cache(skb, offset): the word in host order, or -EFAULT. */
export function packetLoadSymbol(c: SymbolContext, bytes: 1 | 2 | 4): KernelSymbol {
  const value = (): ((skb: number, offset: number) => bigint) => {
    const load = packetLoad(c.runtime);
    return (skb, offset) => {
      const word = load((skb >>> 0) as RamOffset, offset, bytes);
      return word === undefined ? BigInt(-errno.EFAULT) : BigInt(word);
    };
  };
  const host: HostFunction = { pass: ['i32', 'i32'], returns: 'i64', value };
  return c.symbols.define(`bpf_skb_load_helper_${8 * bytes}_no_cache`, host);
}
