/**
 * Helpers that need no call out of the module, as far as the verifier's facts allow:
 *
 *   map_lookup_elem        on a known array or per-CPU array: an address computed, or a constant;
 *                          on another known map: that type's own lookup in the C core
 *   loop                   with the callback's address in plain sight: a WASM loop of direct calls
 *   get_smp_processor_id   one load
 *   ktime_get_ns, get_current_pid_tgid, …   calls that return f64 or two i32, since an i64 from
 *                          JavaScript is a BigInt
 */
import { errno } from '../../kernel/types/errno.ts';
import { BPF_ARRAY_VALUE, BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import { callbackOfImm64 } from '../calls.ts';
import { rowOf } from '../isa/table.ts';
import type { BpfMap } from '../maps/map.ts';
import { CURRENT_CPU } from '../native/core.ts';
import type { BpfKernel } from '../runtime.ts';
import type { MapType } from '../uapi.ts';
import type { Expr } from './binaryen.ts';
import { functionName, setPointer, type CodeContext } from './calls.ts';
import { LOCALS, type FrameExpressions } from './frame.ts';
import { writes } from './writes.ts';

interface CallSite {
  readonly slot: number;
  /** Slots of the block up to the call. */
  readonly before: readonly number[];
}

type Inline = (c: CodeContext, f: FrameExpressions, site: CallSite) => Expr[] | undefined;

const INLINES: Readonly<Record<string, Inline>> = {
  map_lookup_elem: inlineLookup,
  loop: inlineLoop,
  get_smp_processor_id: (_, f) => [f.set(0, f.m.i64.load32_u(CURRENT_CPU, 4, f.m.i32.const(0)))],
  ktime_get_ns: inlineClock,
  ktime_get_boot_ns: inlineClock,
  ktime_get_tai_ns: inlineClock,
  get_prandom_u32: (c, f) => [
    f.set32(
      0,
      importedWord(c, f, 'random32', (k) => k.random32()),
    ),
  ],
  get_current_task: (c, f) =>
    setPointer(
      f,
      importedWord(c, f, 'current_task', (k) => k.currentTask()),
    ),
  get_current_pid_tgid: (c, f) => [
    pair(
      f,
      importedWord(c, f, 'current_tgid', (k) => k.currentTgid()),
      importedWord(c, f, 'current_pid', (k) => k.currentPid()),
    ),
  ],
  get_current_uid_gid: (c, f) => [
    pair(
      f,
      importedWord(c, f, 'current_gid', (k) => k.currentGid()),
      importedWord(c, f, 'current_uid', (k) => k.currentUid()),
    ),
  ],
};

/** The i32 that the kernel says when called. */
function importedWord(
  { binaryen, imports, runtime }: CodeContext,
  f: FrameExpressions,
  name: string,
  read: (kernel: BpfKernel) => number,
): Expr {
  const { kernel } = runtime;
  imports.func(name, [], binaryen.i32, () => read(kernel));
  return f.m.call(name, [], binaryen.i32);
}

/** r0 = high << 32 | low */
function pair(f: FrameExpressions, high: Expr, low: Expr): Expr {
  const { i64 } = f.m;
  const shifted = i64.shl(i64.extend_u(high), i64.const(32n));
  return f.set(0, i64.or(shifted, i64.extend_u(low)));
}

/** Undefined where the helper has to be called. */
export function inlinedHelper(
  c: CodeContext,
  f: FrameExpressions,
  name: string | undefined,
  site: CallSite,
): Expr[] | undefined {
  return name === undefined ? undefined : INLINES[name]?.(c, f, site);
}

/** Lookups of the C core that a known type is looked up with directly. */
const LOOKUPS: Partial<Record<MapType, string>> = {
  hash: 'htab_lookup',
  percpu_hash: 'htab_percpu_lookup',
  lru_hash: 'htab_lru_lookup',
  lru_percpu_hash: 'htab_lru_percpu_lookup',
  lpm_trie: 'trie_lookup',
  array_of_maps: 'array_of_maps_lookup',
  hash_of_maps: 'htab_of_maps_lookup',
};

function inlineLookup(c: CodeContext, f: FrameExpressions, { slot }: CallSite): Expr[] | undefined {
  const { map, constKey } = c.program.facts[slot] ?? {};
  if (map === undefined) return undefined;
  const { type } = map.spec;
  if (type === 'array' || type === 'percpu_array') {
    const key = constKey === undefined ? undefined : Number(BigInt.asUintN(32, constKey));
    if (key !== undefined && key >= map.spec.maxEntries) return [f.set(0, f.m.i64.const(0n))];
    return type === 'array' ? arrayLookup(f, map, key) : perCpuArrayLookup(c, f, map, key);
  }
  const lookup = LOOKUPS[type];
  if (lookup === undefined) return undefined;
  const { i32 } = c.binaryen;
  c.imports.func(lookup, [i32, i32], i32, c.runtime.core.exports[lookup]);
  return setPointer(f, f.m.call(lookup, [f.m.i32.const(map.offset), f.get32(2)], i32));
}

function arrayLookup(f: FrameExpressions, map: BpfMap, key: number | undefined): Expr[] {
  const { i32 } = f.m;
  const values = map.directValue!;
  if (key !== undefined) {
    return [f.set(0, f.kernelAddress(i32.const(values + key * map.elementBytes)))];
  }
  const at = i32.add(i32.mul(f.i32('i32'), i32.const(map.elementBytes)), i32.const(values));
  return ifInRange(f, map, f.kernelAddress(at));
}

/** Each slot of the array points at the copies of all CPUs, `cpu_stride` apart. */
function perCpuArrayLookup(
  { runtime }: CodeContext,
  f: FrameExpressions,
  map: BpfMap,
  key: number | undefined,
): Expr[] {
  const { i32 } = f.m;
  const stride = BpfMapStruct.at(runtime.ram, map.offset).cpu_stride;
  const slots = map.offset + BPF_ARRAY_VALUE;
  const copies =
    key === undefined
      ? i32.load(slots, 1, i32.shl(f.i32('i32'), i32.const(3)))
      : i32.load(slots + 8 * key, 1, i32.const(0));
  const cpu = i32.load(CURRENT_CPU, 4, i32.const(0));
  const address = f.kernelAddress(i32.add(copies, i32.mul(cpu, i32.const(stride))));
  return key === undefined ? ifInRange(f, map, address) : [f.set(0, address)];
}

/** r0 = `address`, which uses the key in the i32 temporary, or NULL beyond the last element. */
function ifInRange(f: FrameExpressions, map: BpfMap, address: Expr): Expr[] {
  const { m } = f;
  const inRange = m.i32.lt_u(f.i32('i32'), m.i32.const(map.spec.maxEntries));
  return [
    m.local.set(LOCALS.i32, m.i32.load(0, 1, f.get32(2))),
    f.set(0, m.if(inRange, address, m.i64.const(0n))),
  ];
}

function inlineClock({ binaryen, imports, runtime }: CodeContext, f: FrameExpressions): Expr[] {
  const { kernel } = runtime;
  imports.func('now_ns', [], binaryen.f64, () => kernel.nowNs());
  return [f.set(0, f.m.i64.trunc_u.f64(f.m.call('now_ns', [], binaryen.f64)))];
}

/** BPF_MAX_LOOPS, include/linux/bpf.h. */
const MAX_LOOPS = 8 * 1024 * 1024;

/** r1 rounds, r2 callback, r3 its context, r4 flags. Stack as EngineState.callback takes it. */
function inlineLoop(
  c: CodeContext,
  f: FrameExpressions,
  { slot, before }: CallSite,
): Expr[] | undefined {
  const callback = callbackIn(c, 2, before);
  if (callback === undefined) return undefined;
  const { m } = f;
  const { state, binaryen } = c;
  const zero = (): Expr => m.i64.const(0n);
  const rounds = (): Expr => f.get32(1);
  const top = (): Expr => f.i32('i32');
  const setTop = (value: Expr): Expr => m.i32.store(state.topAt, 4, m.i32.const(0), value);
  const done = `loop_${slot}_done`;
  const again = `loop_${slot}`;
  const args = [f.i64Temp(), f.get(3), zero(), zero(), zero(), top(), m.i32.const(0)];
  const loop = m.loop(
    again,
    m.block(null, [
      m.br_if(done, m.i64.ge_u(f.i64Temp(), m.i64.extend_u(rounds()))),
      f.set(0, m.call(functionName(callback), args, binaryen.i64)),
      m.local.set(LOCALS.i64, m.i64.add(f.i64Temp(), m.i64.const(1n))),
      m.br_if(again, m.i64.eqz(f.get(0))),
    ]),
  );
  const isExhausted = m.i32.lt_u(top(), m.i32.const(state.bottom + state.runBytes));
  const run = m.block(null, [
    m.local.set(LOCALS.i32, m.i32.load(state.topAt, 4, m.i32.const(0))),
    m.if(isExhausted, m.unreachable()),
    setTop(m.i32.sub(top(), m.i32.const(state.runBytes))),
    m.local.set(LOCALS.i64, zero()),
    m.block(done, [loop]),
    setTop(top()),
    f.set(0, f.i64Temp()),
  ]);
  const fail = (error: number): Expr => f.set(0, m.i64.const(BigInt(-error)));
  const tooMany = m.i32.gt_u(rounds(), m.i32.const(MAX_LOOPS));
  return [
    m.if(m.i64.ne(f.get(4), zero()), fail(errno.EINVAL), m.if(tooMany, fail(errno.E2BIG), run)),
  ];
}

/** The subprogram whose address `register` holds, if a ld_imm64 in the same block put it there. */
function callbackIn(
  { program }: CodeContext,
  register: number,
  before: readonly number[],
): number | undefined {
  for (let i = before.length - 1; i >= 0; i--) {
    const slot = before[i]!;
    const row = rowOf(program.insns[slot]!)!;
    if (!writes(program.insns[slot]!, row, register)) continue;
    return row.kind === 'ld_imm64' ? callbackOfImm64(program, slot) : undefined;
  }
  return undefined;
}
