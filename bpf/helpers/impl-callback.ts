/** Helpers that call back into the program: bpf_loop, bpf_for_each_map_elem, user_ringbuf_drain. */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { BpfMap } from '../maps/map.ts';
import type { BpfRuntime } from '../runtime.ts';
import { uapi } from '../uapi.ts';
import { DYNPTR_BYTES, DYNPTR_LOCAL, initDynptr } from './impl-map.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** BPF_MAX_LOOPS (include/linux/bpf.h) */
const MAX_LOOPS = 8 * 1024 * 1024;
/** BPF_MAX_USER_RINGBUF_SAMPLES (include/linux/bpf.h) */
const MAX_USER_RINGBUF_SAMPLES = 128 * 1024;
/** Members of struct htab_elem; layout.test.ts compares the latter with C. */
const ELEM_NEXT = 0;
const ELEM_KEY = 48;

function runningProgram({ running }: BpfRuntime) {
  if (!running) throw new Bug('a helper with a callback was called outside a program');
  return running;
}

/** Elements of a map in Linux's order; `visit` gets key and value and returns whether to stop. */
type Walk = (
  runtime: BpfRuntime,
  map: BpfMap,
  visit: (key: RamOffset, value: RamOffset) => boolean,
) => number;

const walkArray: Walk = ({ ram }, map, visit) => {
  const key = ram.kzalloc(8);
  let visited = 0;
  try {
    for (let i = 0; i < map.spec.maxEntries; i++) {
      ram.view.setUint32(key, i, true);
      const value = map.lookup(key);
      visited++;
      if (visit(key, value)) break;
    }
  } finally {
    ram.kfree(key);
  }
  return visited;
};

const walkHash: Walk = ({ ram, core }, map, visit) => {
  const valueAt = ELEM_KEY + Math.ceil(map.spec.keyBytes / 8) * 8;
  const percpu = map.spec.type.includes('percpu');
  const buckets = core.exports.htab_bucket_count(map.offset) >>> 0;
  let visited = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    let elem = core.exports.htab_bucket_first(map.offset, bucket) >>> 0;
    while (elem !== 0) {
      // Read before the callback, which may delete the element.
      const next = ram.view.getUint32(elem + ELEM_NEXT, true);
      const key = (elem + ELEM_KEY) as RamOffset;
      const value = percpu ? map.lookup(key) : ((elem + valueAt) as RamOffset);
      visited++;
      if (visit(key, value)) return visited;
      elem = next;
    }
  }
  return visited;
};

function walkOf(map: BpfMap): Walk | undefined {
  switch (map.spec.type) {
    case 'array':
    case 'percpu_array':
      return walkArray;
    case 'hash':
    case 'percpu_hash':
    case 'lru_hash':
    case 'lru_percpu_hash':
      return walkHash;
    default:
      return undefined;
  }
}

export const callbackImplementations: Implementations = {
  loop: {
    pass: ['i32', 'i64', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => (loops: number, func: bigint, context: bigint, flags: bigint) => {
      if (flags !== 0n) return -errno.EINVAL;
      const count = loops >>> 0;
      if (count > MAX_LOOPS) return -errno.E2BIG;
      const program = runningProgram(runtime);
      for (let i = 0; i < count; i++) {
        if (program.callback(func, BigInt(i), context, 0n, 0n, 0n) !== 0n) return i + 1;
      }
      return count;
    },
  },
  for_each_map_elem: {
    pass: ['i32', 'i64', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => (mapAt: number, func: bigint, context: bigint, flags: bigint) => {
      const map = runtime.mapAt(offset(mapAt));
      const walk = map && walkOf(map);
      if (!walk || flags !== 0n) return -errno.EINVAL;
      const program = runningProgram(runtime);
      const { ram } = runtime;
      const mapAddress = ram.kernelAddress(map.offset);
      return walk(runtime, map, (key, value) => {
        const [k, v] = [ram.kernelAddress(key), ram.kernelAddress(value)];
        return program.callback(func, mapAddress, k, v, context, 0n) !== 0n;
      });
    },
  },
  user_ringbuf_drain: {
    pass: ['i32', 'i64', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => (mapAt: number, func: bigint, context: bigint, flags: bigint) => {
      const wakeup = BigInt(uapi.BPF_RB_NO_WAKEUP | uapi.BPF_RB_FORCE_WAKEUP);
      if ((flags & ~wakeup) !== 0n) return -errno.EINVAL;
      const map = runtime.mapAt(offset(mapAt))!;
      const result = drain(runtime, map, func, context);
      const force = (flags & BigInt(uapi.BPF_RB_FORCE_WAKEUP)) !== 0n;
      const quiet = (flags & BigInt(uapi.BPF_RB_NO_WAKEUP)) !== 0n;
      if (force || (!quiet && result.samples > 0)) runtime.kernel.wakeMapReaders(map);
      return result.result;
    },
  },
};

/** Hands the records over one by one until the callback returns 1 or there are no more. */
function drain(
  runtime: BpfRuntime,
  map: BpfMap,
  func: bigint,
  context: bigint,
): { readonly samples: number; readonly result: number } {
  const { ram, core } = runtime;
  const program = runningProgram(runtime);
  const dynptr = ram.kzalloc(DYNPTR_BYTES + 8);
  const length = dynptr + DYNPTR_BYTES;
  let samples = 0;
  let discarded = 0;
  let stop = false;
  try {
    for (; samples < MAX_USER_RINGBUF_SAMPLES && !stop; samples++) {
      const sample = core.exports.user_ringbuf_peek(map.offset, length);
      if (sample === -errno.ENODATA) break;
      if (sample === -errno.EAGAIN) {
        discarded++;
        continue;
      }
      if (sample === -errno.EINVAL || sample === -errno.E2BIG) return { samples, result: sample };
      const sizeBytes = ram.view.getUint32(length, true);
      initDynptr(ram, dynptr, offset(sample), DYNPTR_LOCAL, sizeBytes);
      stop = program.callback(func, ram.kernelAddress(dynptr), context, 0n, 0n, 0n) !== 0n;
      core.exports.user_ringbuf_release(map.offset, sizeBytes);
    }
  } finally {
    ram.kfree(dynptr);
  }
  return { samples, result: samples - discarded };
}
