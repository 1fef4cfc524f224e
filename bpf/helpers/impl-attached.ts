/**
 * What an attached program may ask about its attachment: cookie, function, arguments, result; and
 * the branches that the CPU has recorded, where it does that.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** BPF_F_GET_BRANCH_RECORDS_SIZE */
const GET_SIZE = 1n;
/** A trampoline puts these in front of a traced function's arguments (arch/x86/net/bpf_jit_comp.c). */
const ARG_COUNT = -8;
const FUNCTION_IP = -16;

const cookie: HelperImplementation = {
  pass: ['i32'],
  returns: 'i64',
  bind: (runtime) => () => runtime.hook?.cookie ?? 0n,
};

const probedAddress: HelperImplementation = {
  pass: ['i32'],
  returns: 'i64',
  bind: (runtime) => () => runtime.hook?.address ?? 0n,
};

/** 8 bytes of the trampoline's frame, relative to the context. */
const word = ({ ram }: BpfRuntime, ctx: number, at: number) =>
  ram.readU64((offset(ctx) + at) as RamOffset);

export const attachedImplementations: Implementations = {
  get_attach_cookie: cookie,
  get_attach_cookie_kmulti: cookie,
  get_attach_cookie_pe: cookie,
  get_attach_cookie_trace: cookie,
  get_attach_cookie_tracing: cookie,
  get_func_ip_kprobe: probedAddress,
  get_func_ip_kprobe_multi: probedAddress,
  get_func_ip_tracing: {
    pass: ['i32'],
    returns: 'i64',
    bind: (runtime) => (ctx: number) => word(runtime, ctx, FUNCTION_IP),
  },
  get_func_arg_cnt: {
    pass: ['i32'],
    returns: 'i64',
    bind: (runtime) => (ctx: number) => word(runtime, ctx, ARG_COUNT),
  },
  get_func_arg: {
    pass: ['i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (ctx: number, index: number, value: number) => {
      if (BigInt(index >>> 0) >= word(runtime, ctx, ARG_COUNT)) return -errno.EINVAL;
      runtime.ram.writeU64(offset(value), word(runtime, ctx, (index >>> 0) * 8));
      return 0;
    },
  },
  /** The result stands behind the arguments; before the function has run there is none. */
  get_func_ret: {
    pass: ['i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (ctx: number, value: number) => {
      if (!runtime.hook?.hasResult) return -errno.EOPNOTSUPP;
      const behind = Number(word(runtime, ctx, ARG_COUNT)) * 8;
      runtime.ram.writeU64(offset(value), word(runtime, ctx, behind));
      return 0;
    },
  },
  get_retval: {
    pass: [],
    returns: 'i32',
    bind: (runtime) => () => runtime.hook?.retval ?? 0,
  },
  set_retval: {
    pass: ['i32'],
    returns: 'i32',
    bind: (runtime) => (retval: number) => {
      if (runtime.hook) runtime.hook.retval = retval;
      return 0;
    },
  },
  read_branch_records: {
    pass: ['i32', 'i32', 'i32', 'i64'],
    returns: 'i32',
    bind: () => (_ctx: number, _out: number, _size: number, flags: bigint) =>
      (flags & ~GET_SIZE) !== 0n ? -errno.EINVAL : -errno.ENOENT,
  },
  get_branch_snapshot: {
    pass: ['i32', 'i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (out: number, sizeBytes: number, flags: bigint) =>
      flags !== 0n ? -errno.EINVAL : branchSnapshot(runtime, out, sizeBytes),
  },
};

/** sizeof(struct perf_branch_entry); where its `cycles` begin in the word behind `from` and `to`. */
const BRANCH_ENTRY_BYTES = 24;
const BRANCH_CYCLES_SHIFT = 4n;
const MAX_BRANCH_CYCLES = 0xffff;

/** differs: cores that record branches always do; on Linux an event has to ask for it. */
function branchSnapshot({ ram, kernel }: BpfRuntime, out: number, sizeBytes: number): number {
  const room = Math.floor((sizeBytes >>> 0) / BRANCH_ENTRY_BYTES);
  const branches = (kernel.lastBranches?.() ?? []).slice(0, room);
  branches.forEach(({ from, to, mispredicted, cycles }, i) => {
    const at = (out >>> 0) + i * BRANCH_ENTRY_BYTES;
    ram.writeU64(at as RamOffset, BigInt.asUintN(64, from));
    ram.writeU64((at + 8) as RamOffset, BigInt.asUintN(64, to));
    const counted = BigInt(Math.min(cycles, MAX_BRANCH_CYCLES)) << BRANCH_CYCLES_SHIFT;
    ram.writeU64((at + 16) as RamOffset, counted | (mispredicted ? 1n : 2n));
  });
  return branches.length === 0 ? -errno.ENOENT : branches.length * BRANCH_ENTRY_BYTES;
}
