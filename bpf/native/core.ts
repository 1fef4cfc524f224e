/**
 * The C core's TypeScript face.
 *
 *   instantiateCore(module, ram): NativeCore   one a machine, over that machine's RAM
 *   core.exports   the core's functions as plain wasm functions: hot paths, generated code
 *   core.napi      the same as a Node-API module through emnapi, made when first asked for
 *   core.host      what the core calls out for; the runtime fills it in
 *
 * Offsets travel as i32, so one above 2 GiB comes back negative: use `>>> 0`. Measured on Node 20:
 * a lookup through `exports` takes about 20 ns, through Node-API about 900 ns.
 */
import { createNapiModule } from '@emnapi/core';
import { createContext } from '@emnapi/runtime';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import type { Ram } from '../../kernel/ram/ram.ts';
import { OutOfMemory } from '../../kernel/ram/page-allocator.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';

/** Low part of RAM for the NULL guard, the shared words, the core's data and its stack. */
export const CORE_RESERVED_BYTES = 0x100000;
/** u32: the CPU that runs. The kernel sets it whenever it changes; per-CPU maps look at it. */
export const CURRENT_CPU = 0x10000 as RamOffset;

/** Sizes beyond which an allocation is whole pages (the largest slab class). */
const SLAB_MAX_BYTES = 8192;

type Offset = RamOffset | number;

/** Zero is NULL; an s32 result is 0 or -errno. See the C files for what each does. */
export type CoreExports = {
  map_lookup_elem(map: Offset, key: Offset): number;
  map_lookup_percpu_elem(map: Offset, key: Offset, cpu: number): number;
  map_update_elem(map: Offset, key: Offset, value: Offset, flags: bigint): number;
  map_delete_elem(map: Offset, key: Offset): number;
  map_get_next_key(map: Offset, key: Offset, next: Offset): number;
  map_push_elem(map: Offset, value: Offset, flags: bigint): number;
  map_pop_elem(map: Offset, value: Offset): number;
  map_peek_elem(map: Offset, value: Offset): number;
  map_copy_value(map: Offset, key: Offset, out: Offset): number;
  map_update_value(map: Offset, key: Offset, value: Offset, flags: bigint): number;

  array_alloc(map: Offset): number;
  array_free(map: Offset): void;
  array_lookup(map: Offset, key: Offset): number;
  percpu_array_lookup(map: Offset, key: Offset): number;
  array_of_maps_lookup(map: Offset, key: Offset): number;

  htab_alloc(map: Offset, hashrnd: number): number;
  htab_free(map: Offset): void;
  htab_lookup(map: Offset, key: Offset): number;
  htab_lru_lookup(map: Offset, key: Offset): number;
  htab_percpu_lookup(map: Offset, key: Offset): number;
  htab_lru_percpu_lookup(map: Offset, key: Offset): number;
  htab_of_maps_lookup(map: Offset, key: Offset): number;
  htab_bucket_first(map: Offset, bucket: number): number;
  htab_bucket_count(map: Offset): number;

  trie_alloc(map: Offset): number;
  trie_free(map: Offset): void;
  trie_lookup(map: Offset, key: Offset): number;
  queue_stack_alloc(map: Offset): number;
  tcam_alloc(map: Offset): number;
  bloom_alloc(map: Offset, bitsetMask: number, hashFunctions: number, seed: number): number;

  ringbuf_alloc(map: Offset): number;
  ringbuf_free(map: Offset): void;
  ringbuf_area(map: Offset): number;
  ringbuf_reserve(map: Offset, size: bigint, flags: bigint): number;
  ringbuf_submit(sample: Offset, flags: bigint): void;
  ringbuf_discard(sample: Offset, flags: bigint): void;
  ringbuf_output(map: Offset, data: Offset, size: bigint, flags: bigint): number;
  ringbuf_query(map: Offset, what: bigint): bigint;
  user_ringbuf_peek(map: Offset, length: Offset): number;
  user_ringbuf_release(map: Offset, length: number): void;

  jhash(key: Offset, bytes: number, initval: number): number;
  csum_partial(at: Offset, bytes: number, sum: number): number;
  csum_fold(sum: number): number;
  csum_diff(from: Offset, fromSize: number, to: Offset, toSize: number, seed: number): bigint;

  layout_entry(index: number): number;
};

/** What the core asks of the machine besides memory. */
export interface CoreHost {
  wakeReaders(map: RamOffset): void;
  freeSpecialFields(map: RamOffset, value: RamOffset): void;
  putInnerMap(inner: RamOffset): void;
  /** Map types that are not in the core (bpf/maps). */
  lookup(map: RamOffset, key: RamOffset): number;
  update(map: RamOffset, key: RamOffset, value: RamOffset, flags: bigint): number;
  delete(map: RamOffset, key: RamOffset): number;
  nextKey(map: RamOffset, key: RamOffset, next: RamOffset): number;
}

/** The functions of module.c; flags are numbers here. */
export type NapiFace = Readonly<Record<string, (...args: number[]) => number>>;

export interface NativeCore {
  readonly exports: CoreExports & Readonly<Record<string, unknown>>;
  readonly napi: NapiFace;
  host: CoreHost | undefined;
  /** Zeroed memory; 0 where there is none. Give it back with the same size. */
  areaAlloc(sizeBytes: number): RamOffset;
  areaFree(area: RamOffset, sizeBytes: number): void;
  /** Zeroed whole pages; 0 where there are none. Give them back with ram.pages.freeExact. */
  pageAlloc(count: number): RamOffset;
}

export function instantiateCore(module: WebAssembly.Module, ram: Ram): NativeCore {
  let napiModule: ReturnType<typeof createNapiModule> | undefined;
  const node = () => (napiModule ??= createNapiModule({ context: createContext() }));
  const host = () => {
    if (!core.host) throw new Bug('the C core calls out, but no runtime is there to answer');
    return core.host;
  };
  const areaAlloc = (sizeBytes: number) => allocate(ram, sizeBytes >>> 0);
  const areaFree = (area: number, sizeBytes: number) =>
    release(ram, (area >>> 0) as RamOffset, sizeBytes >>> 0);
  const instance = new WebAssembly.Instance(module, {
    env: {
      memory: ram.memory,
      area_alloc: areaAlloc,
      area_free: areaFree,
      wake_readers: (map: number) => host().wakeReaders(at(map)),
      free_special_fields: (map: number, value: number) =>
        host().freeSpecialFields(at(map), at(value)),
      put_inner_map: (inner: number) => host().putInnerMap(at(inner)),
      other_lookup: (map: number, key: number) => host().lookup(at(map), at(key)),
      other_update: (map: number, key: number, value: number, flags: bigint) =>
        host().update(at(map), at(key), at(value), BigInt.asUintN(64, flags)),
      other_delete: (map: number, key: number) => host().delete(at(map), at(key)),
      other_next_key: (map: number, key: number, next: number) =>
        host().nextKey(at(map), at(key), at(next)),
    },
    napi: lateNapiImports(module, node),
  });
  const exports = instance.exports as NativeCore['exports'];
  const core: NativeCore = {
    exports,
    get napi() {
      const napi = node();
      if (!napi.loaded) {
        const table = exports.__indirect_function_table as WebAssembly.Table;
        napi.init({ instance, module, memory: ram.memory, table } as never);
      }
      return napi.exports as NapiFace;
    },
    host: undefined,
    areaAlloc,
    areaFree,
    pageAlloc: (count) => allocatePages(ram, count),
  };
  return core;
}

const at = (offset: number) => (offset >>> 0) as RamOffset;

/**
 * Node-API's functions, fetched from emnapi only when one is called: a machine that needs no
 * Node-API face does not make an environment, which emnapi would hold until the process ends.
 */
function lateNapiImports(
  module: WebAssembly.Module,
  node: () => ReturnType<typeof createNapiModule>,
): Record<string, unknown> {
  const imports: Record<string, unknown> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from !== 'napi') continue;
    imports[name] = (...args: unknown[]) => {
      const functions = node().imports.napi as Record<string, (...args: unknown[]) => unknown>;
      return functions[name]!(...args);
    };
  }
  return imports;
}

function allocate(ram: Ram, sizeBytes: number): RamOffset {
  if (sizeBytes > SLAB_MAX_BYTES) return allocatePages(ram, Math.ceil(sizeBytes / PAGE_SIZE));
  return orNull(() => ram.kzalloc(sizeBytes));
}

function allocatePages(ram: Ram, count: number): RamOffset {
  return orNull(() => {
    const area = ram.pages.allocExact(count);
    ram.u8.fill(0, area, area + count * PAGE_SIZE);
    return area;
  });
}

function orNull(allocation: () => RamOffset): RamOffset {
  try {
    return allocation();
  } catch (error) {
    if (error instanceof OutOfMemory) return 0 as RamOffset;
    throw error;
  }
}

function release(ram: Ram, area: RamOffset, sizeBytes: number): void {
  if (sizeBytes <= SLAB_MAX_BYTES) ram.kfree(area);
  else ram.pages.freeExact(area, Math.ceil(sizeBytes / PAGE_SIZE));
}
