/** Elements of arrays and hash tables, one by one, also while programs change the map. */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { BpfMap } from '../maps/map.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { IterCursor } from './iterator.ts';

/** Members of struct htab_elem; bpf/native/layout.test.ts compares the latter with C. */
const ELEM_NEXT = 0;
const ELEM_KEY = 48;

const ARRAYS: ReadonlySet<string> = new Set(['array', 'percpu_array']);
const HASHES: ReadonlySet<string> = new Set(['hash', 'lru_hash', 'percpu_hash', 'lru_percpu_hash']);

/** What a program may see of an element; undefined for maps that are not iterated over. */
export function mapElementBytes(map: BpfMap): { key: number; value: number } | undefined {
  if (!ARRAYS.has(map.spec.type) && !HASHES.has(map.spec.type)) return undefined;
  return { key: map.spec.keyBytes, value: map.userValueBytes };
}

export function mapElementCursor(runtime: BpfRuntime, map: BpfMap): IterCursor {
  return ARRAYS.has(map.spec.type) ? arrayCursor(runtime, map) : hashCursor(runtime, map);
}

/** All CPUs' values side by side, as bpf(2) has them; none for maps that are not per CPU. */
function percpuBuffer({ ram }: BpfRuntime, map: BpfMap): RamOffset {
  const isPercpu = map.spec.type.includes('percpu');
  return isPercpu ? ram.kzalloc(map.userValueBytes) : (0 as RamOffset);
}

function arrayCursor(runtime: BpfRuntime, map: BpfMap): IterCursor {
  const { ram } = runtime;
  const key = ram.kzalloc(8);
  const percpu = percpuBuffer(runtime, map);
  let index = 0;
  return {
    current() {
      if (index >= map.spec.maxEntries) return undefined;
      ram.view.setUint32(key, index, true);
      return element(runtime, map, key, percpu === 0 ? map.lookup(key) : percpu, percpu);
    },
    advance() {
      index++;
    },
    free() {
      ram.kfree(key);
      ram.kfree(percpu);
    },
  };
}

function hashCursor(runtime: BpfRuntime, map: BpfMap): IterCursor {
  const { ram, core } = runtime;
  const percpu = percpuBuffer(runtime, map);
  const valueAt = ELEM_KEY + Math.ceil(map.spec.keyBytes / 8) * 8;
  const buckets = core.exports.htab_bucket_count(map.offset) >>> 0;
  const nextOf = (elem: number) => ram.view.getUint32(elem + ELEM_NEXT, true);
  let bucket = 0;
  /** Elements of the bucket that have been seen, and the one that came next when last looked at. */
  let seen = 0;
  let following = 0;

  const chain = (): number[] => {
    const elems: number[] = [];
    let elem = core.exports.htab_bucket_first(map.offset, bucket) >>> 0;
    for (; elem !== 0; elem = nextOf(elem)) elems.push(elem);
    return elems;
  };
  const here = (): number => {
    for (; bucket < buckets; bucket++, seen = 0) {
      const elem = chain()[seen];
      if (elem !== undefined) return elem;
    }
    return 0;
  };
  return {
    current() {
      const elem = here();
      if (elem === 0) return undefined;
      following = nextOf(elem);
      const key = (elem + ELEM_KEY) as RamOffset;
      const value = percpu === 0 ? ((elem + valueAt) as RamOffset) : percpu;
      return element(runtime, map, key, value, percpu);
    },
    advance() {
      // The program may have taken elements away before the next one.
      const at = following === 0 ? -1 : chain().indexOf(following);
      seen = at >= 0 ? at : seen + 1;
    },
    free: () => ram.kfree(percpu),
  };
}

function element(
  { ram }: BpfRuntime,
  map: BpfMap,
  key: RamOffset,
  value: RamOffset,
  percpu: RamOffset,
): readonly bigint[] {
  if (percpu !== 0) {
    const copied = map.copyValue(key, percpu, 0);
    if (copied < 0 && copied !== -errno.ENOENT) throw new Bug(`copy of an element: ${copied}`);
  }
  return [map.offset, key, value].map((at) => ram.kernelAddress(at));
}
