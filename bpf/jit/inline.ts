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
import type { CodeContext } from './calls.ts';
import { I32, I64 } from './code-writer.ts';
import type { FunctionCode } from './frame.ts';
import { writeMask } from './registers.ts';

interface CallSite {
  readonly slot: number;
  /** Slots of the block up to the call. */
  readonly before: readonly number[];
}

/** Writes the code; false where the helper has to be called. */
type Inline = (c: CodeContext, f: FunctionCode, site: CallSite) => boolean;

const INLINES: Readonly<Record<string, Inline>> = {
  map_lookup_elem: inlineLookup,
  loop: inlineLoop,
  get_smp_processor_id: (_, f) => {
    pushCpu(f);
    return (f.set32(0), true);
  },
  ktime_get_ns: inlineClock,
  ktime_get_boot_ns: inlineClock,
  ktime_get_tai_ns: inlineClock,
  get_prandom_u32: (c, f) => {
    pushWord(c, f, 'random32', (kernel) => kernel.random32());
    return (f.set32(0), true);
  },
  get_current_task: (c, f) => {
    pushWord(c, f, 'current_task', (kernel) => kernel.currentTask());
    return (f.setPointer(), true);
  },
  get_current_pid_tgid: (c, f) =>
    setPair(f, {
      high: () => pushWord(c, f, 'current_tgid', (kernel) => kernel.currentTgid()),
      low: () => pushWord(c, f, 'current_pid', (kernel) => kernel.currentPid()),
    }),
  get_current_uid_gid: (c, f) =>
    setPair(f, {
      high: () => pushWord(c, f, 'current_gid', (kernel) => kernel.currentGid()),
      low: () => pushWord(c, f, 'current_uid', (kernel) => kernel.currentUid()),
    }),
};

export function inlinedHelper(
  c: CodeContext,
  f: FunctionCode,
  name: string | undefined,
  site: CallSite,
): boolean {
  return name !== undefined && (INLINES[name]?.(c, f, site) ?? false);
}

/** The i32 that the kernel says when called. */
function pushWord(
  { module, runtime }: CodeContext,
  f: FunctionCode,
  name: string,
  read: (kernel: BpfKernel) => number,
): void {
  const { kernel } = runtime;
  f.callImport(
    module.importFunction(name, { params: [], results: ['i32'] }, () => () => read(kernel)),
  );
}

/** r0 = high << 32 | low */
function setPair(f: FunctionCode, { high, low }: { high: () => void; low: () => void }): true {
  high();
  f.op(I64.extend_u);
  f.i64(32n);
  f.op(I64.shl);
  low();
  f.op(I64.extend_u);
  f.op(I64.or);
  return (f.set(0), true);
}

function pushCpu(f: FunctionCode): void {
  f.i32(0);
  f.memory(I32.load, CURRENT_CPU);
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

function inlineLookup(c: CodeContext, f: FunctionCode, { slot }: CallSite): boolean {
  const { map, constKey } = c.program.facts[slot] ?? {};
  if (map === undefined) return false;
  const { type } = map.spec;
  if (type === 'array' || type === 'percpu_array') {
    const key = constKey === undefined ? undefined : Number(BigInt.asUintN(32, constKey));
    const pushElement = type === 'array' ? arrayElement(f, map) : perCpuArrayElement(c, f, map);
    if (key === undefined) lookupIndex(f, map, pushElement);
    else lookupConstant(f, map, key, pushElement);
    return true;
  }
  const lookup = LOOKUPS[type];
  if (lookup === undefined) return false;
  const { module, runtime } = c;
  f.i32(map.offset);
  f.get32(2);
  const signature = { params: ['i32', 'i32'], results: ['i32'] } as const;
  f.callImport(module.importFunction(lookup, signature, () => runtime.core.exports[lookup]));
  f.setPointer();
  return true;
}

/** Pushes the RAM offset of the element with that index, which is a constant or in a local. */
type PushElement = (index: { readonly constant: number } | { readonly local: number }) => void;

function arrayElement(f: FunctionCode, map: BpfMap): PushElement {
  const values = map.directValue!;
  return (index) => {
    if ('constant' in index) {
      f.i32(values + index.constant * map.elementBytes);
      return;
    }
    f.localGet(index.local);
    f.i32(map.elementBytes);
    f.op(I32.mul);
    f.i32(values);
    f.op(I32.add);
  };
}

/** Each slot of the array points at the copies of all CPUs, `cpu_stride` apart. */
function perCpuArrayElement({ runtime }: CodeContext, f: FunctionCode, map: BpfMap): PushElement {
  const stride = BpfMapStruct.at(runtime.ram, map.offset).cpu_stride;
  const slots = map.offset + BPF_ARRAY_VALUE;
  return (index) => {
    if ('constant' in index) {
      f.i32(0);
      f.memory(I32.load, slots + 8 * index.constant);
    } else {
      f.localGet(index.local);
      f.i32(3);
      f.op(I32.shl);
      f.memory(I32.load, slots);
    }
    pushCpu(f);
    f.i32(stride);
    f.op(I32.mul);
    f.op(I32.add);
  };
}

function lookupConstant(f: FunctionCode, map: BpfMap, key: number, pushElement: PushElement): void {
  if (key >= map.spec.maxEntries) {
    f.i64(0n);
  } else {
    pushElement({ constant: key });
    f.toKernelAddress();
  }
  f.set(0);
}

/** r0 = the element, or NULL beyond the last one. */
function lookupIndex(f: FunctionCode, map: BpfMap, pushElement: PushElement): void {
  const local = f.temporary('i32');
  f.get32(2);
  f.memory(I32.load, 0);
  f.localTee(local);
  f.i32(map.spec.maxEntries);
  f.op(I32.lt_u);
  f.if('i64');
  pushElement({ local });
  f.toKernelAddress();
  f.else();
  f.i64(0n);
  f.end();
  f.set(0);
}

function inlineClock({ module, runtime }: CodeContext, f: FunctionCode): true {
  const { kernel } = runtime;
  const signature = { params: [], results: ['f64'] } as const;
  f.callImport(module.importFunction('now_ns', signature, () => () => kernel.nowNs()));
  f.op(I64.trunc_f64_u);
  return (f.set(0), true);
}

/** BPF_MAX_LOOPS, include/linux/bpf.h. */
const MAX_LOOPS = 8 * 1024 * 1024;

/** r1 rounds, r2 callback, r3 its context, r4 flags. Stack as EngineState.callback takes it. */
function inlineLoop(c: CodeContext, f: FunctionCode, { before }: CallSite): boolean {
  const callback = callbackIn(c, 2, before);
  if (callback === undefined) return false;
  c.callsOut = true;
  const out = f.block();
  const fail = (error: number): void => {
    f.if();
    f.setConstant(0, BigInt(-error));
    f.br(out);
    f.end();
  };
  f.get(4);
  f.i64(0n);
  f.op(I64.ne);
  fail(errno.EINVAL);
  f.get32(1);
  f.i32(MAX_LOOPS);
  f.op(I32.gt_u);
  fail(errno.E2BIG);
  emitRounds(c, f, callback);
  f.end();
  return true;
}

function emitRounds(c: CodeContext, f: FunctionCode, callback: number): void {
  const { state } = c;
  const round = f.local('i64');
  const rounds = f.local('i64');
  const top = f.local('i32');
  f.i32(0);
  f.memory(I32.load, state.topAt);
  f.localTee(top);
  f.i32(state.bottom + state.runBytes);
  f.op(I32.lt_u);
  f.if();
  f.unreachable();
  f.end();
  // The callback's own calls back find their stack below.
  f.i32(0);
  f.localGet(top);
  f.i32(state.runBytes);
  f.op(I32.sub);
  f.memory(I32.store, state.topAt);
  f.get32(1);
  f.op(I64.extend_u);
  f.localSet(rounds);
  f.i64(0n);
  f.localSet(round);
  const done = f.block();
  const again = f.loop();
  f.localGet(round);
  f.localGet(rounds);
  f.op(I64.ge_u);
  f.brIf(done);
  emitCallback(c, f, callback, { 1: () => f.localGet(round), 2: () => f.get(3) }, top);
  f.localGet(round);
  f.i64(1n);
  f.op(I64.add);
  f.localSet(round);
  f.op(I64.eqz);
  f.brIf(again);
  f.end();
  f.end();
  f.i32(0);
  f.localGet(top);
  f.memory(I32.store, state.topAt);
  f.localGet(round);
  f.set(0);
}

/** Push what the callback returns. Arguments that are not given are 0. */
function emitCallback(
  { shapes }: CodeContext,
  f: FunctionCode,
  callback: number,
  given: Readonly<Record<number, () => void>>,
  top: number,
): void {
  const { args, takesStack, takesTailCalls } = shapes[callback]!;
  for (const register of args) {
    const push = given[register] ?? (() => f.i64(0n));
    push();
  }
  if (takesStack) f.localGet(top);
  if (takesTailCalls) f.i32(0);
  f.callOwn(callback);
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
    if (((writeMask(program, slot, row) >> register) & 1) === 0) continue;
    return row.kind === 'ld_imm64' ? callbackOfImm64(program, slot) : undefined;
  }
  return undefined;
}
