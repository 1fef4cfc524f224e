/** bpf_get_stackid and bpf_get_stack, over the kernel's walk of the stack. */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { MAX_STACK_DEPTH, StackTraceMap } from '../maps/stack-trace.ts';
import type { BpfRuntime } from '../runtime.ts';
import { uapi } from '../uapi.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

const ADDRESS_BYTES = 8;
const { BPF_F_SKIP_FIELD_MASK, BPF_F_USER_STACK } = uapi;
const STACKID_FLAGS =
  BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | uapi.BPF_F_FAST_STACK_CMP | uapi.BPF_F_REUSE_STACKID;

/** Frames to walk for `depth` of them after those that are skipped. */
function depthFor(depth: number, flags: number): number {
  return Math.min(depth + (flags & BPF_F_SKIP_FIELD_MASK), MAX_STACK_DEPTH);
}

const getStackId: HelperImplementation = {
  pass: ['i32', 'i32', 'i64'],
  returns: 'i32',
  bind: (runtime) => (ctx: number, mapAt: number, flags64: bigint) => {
    const map = runtime.mapAt(offset(mapAt));
    if ((flags64 & ~BigInt(STACKID_FLAGS)) !== 0n) return -errno.EINVAL;
    if (!(map instanceof StackTraceMap)) return -errno.EINVAL;
    const flags = Number(flags64);
    const skip = flags & BPF_F_SKIP_FIELD_MASK;
    const isUser = (flags & BPF_F_USER_STACK) !== 0;
    const stack = runtime.kernel.callchain?.(offset(ctx), isUser, depthFor(map.depth, flags));
    if (!stack || stack.length <= skip) return -errno.EFAULT;
    return map.put(stack.slice(skip), flags);
  },
};

/** How many bytes were written; on failure the buffer is zeroed. */
function getStack(
  runtime: BpfRuntime,
  ctx: number,
  out: number,
  sizeBytes: number,
  flags64: bigint,
  walkFrom = (user: boolean, depth: number) => runtime.kernel.callchain?.(offset(ctx), user, depth),
): number {
  const { ram } = runtime;
  const [to, size] = [offset(out), sizeBytes >>> 0];
  const fail = (error: number) => {
    ram.u8.fill(0, to, to + size);
    return error;
  };
  // differs: build ids (BPF_F_USER_BUILD_ID) are not there.
  if ((flags64 & ~BigInt(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK)) !== 0n) {
    return fail(-errno.EINVAL);
  }
  if (size % ADDRESS_BYTES !== 0) return fail(-errno.EINVAL);
  const flags = Number(flags64);
  const skip = flags & BPF_F_SKIP_FIELD_MASK;
  const isUser = (flags & BPF_F_USER_STACK) !== 0;
  const stack = walkFrom(isUser, depthFor(size / ADDRESS_BYTES, flags));
  if (!stack || stack.length < skip) return fail(-errno.EFAULT);
  const addresses = stack.slice(skip, skip + size / ADDRESS_BYTES);
  ram.u8.fill(0, to, to + size);
  addresses.forEach((address, i) => ram.writeU64((to + i * ADDRESS_BYTES) as RamOffset, address));
  return addresses.length * ADDRESS_BYTES;
}

/** bpf_get_task_stack: of a task, not of the context. */
const getTaskStack: HelperImplementation = {
  pass: ['i32', 'i32', 'i32', 'i64'],
  returns: 'i32',
  bind: (runtime) => (task: number, out: number, sizeBytes: number, flags: bigint) => {
    if (task === 0) return -errno.EINVAL;
    return getStack(runtime, task, out, sizeBytes, flags, (user, depth) => {
      // Another task's user stack may be anywhere but in memory.
      const isCurrent = offset(task) === runtime.kernel.currentTask();
      if (user && !isCurrent) return undefined;
      return runtime.kernel.taskCallchain?.(offset(task), user, depth);
    });
  },
};

const getStackOfCtx: HelperImplementation = {
  pass: ['i32', 'i32', 'i32', 'i64'],
  returns: 'i32',
  bind: (runtime) => (ctx: number, out: number, sizeBytes: number, flags: bigint) =>
    getStack(runtime, ctx, out, sizeBytes, flags),
};

export const stackImplementations: Implementations = {
  get_stackid: getStackId,
  get_stackid_tp: getStackId,
  get_stackid_raw_tp: getStackId,
  get_stackid_pe: getStackId,
  get_stack: getStackOfCtx,
  get_stack_tp: getStackOfCtx,
  get_stack_raw_tp: getStackOfCtx,
  get_stack_pe: getStackOfCtx,
  get_task_stack: getTaskStack,
};
