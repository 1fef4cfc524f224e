/** Time, CPU, random numbers, the current task, strings and checksums. */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperFunction, HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { native, offset } from './implement.ts';
import { parseLong } from './strtol.ts';

/** CONFIG_HZ of Debian's 6.1. */
const NS_PER_JIFFY = 4_000_000;
/** Jiffies start so that they wrap 5 minutes after boot (include/linux/jiffies.h). */
const INITIAL_JIFFIES = 2n ** 32n - 300n * 250n;
/** Id of the root of the default cgroup hierarchy. */
const ROOT_CGROUP_ID = 1n;

const sendSignal = (toThread: boolean): HelperImplementation => ({
  pass: ['i32'],
  returns: 'i32',
  bind:
    ({ kernel }) =>
    (signal: number) =>
      kernel.sendSignal?.(signal, toThread) ?? -errno.EPERM,
});

/** No arguments, 64 bits back. */
const get64 = (read: (runtime: BpfRuntime) => bigint): HelperImplementation => ({
  pass: [],
  returns: 'i64',
  bind: (runtime) => () => read(runtime),
});

const now = get64(({ kernel }) => BigInt(kernel.nowNs()));

const pair = (high: number, low: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

const strto = (signed: boolean): HelperImplementation => ({
  pass: ['i32', 'i32', 'i64', 'i32'],
  returns: 'i32',
  bind: ({ ram }): HelperFunction => {
    return (text: number, sizeBytes: number, flags: bigint, result: number) => {
      ram.writeU64(offset(result), 0n);
      const bytes = ram.bytes(offset(text), sizeBytes >>> 0);
      const parsed = parseLong(bytes, BigInt.asUintN(64, flags), signed);
      if (typeof parsed === 'number') return parsed;
      ram.writeU64(offset(result), parsed.value);
      return parsed.consumedBytes;
    };
  },
});

export const coreImplementations: Implementations = {
  ktime_get_ns: now,
  ktime_get_boot_ns: now,
  // differs: TAI counts from 1970 in Linux; here there is one clock, which counts from boot.
  ktime_get_tai_ns: now,
  ktime_get_coarse_ns: get64(({ kernel }) => {
    const ns = kernel.nowNs();
    return BigInt(ns - (ns % NS_PER_JIFFY));
  }),
  jiffies64: get64(
    ({ kernel }) => INITIAL_JIFFIES + BigInt(Math.floor(kernel.nowNs() / NS_PER_JIFFY)),
  ),

  get_prandom_u32: get64(({ kernel }) => BigInt(kernel.random32() >>> 0)),
  get_smp_processor_id: {
    pass: [],
    returns: 'i32',
    bind:
      ({ kernel }) =>
      () =>
        kernel.cpu(),
  },
  get_numa_node_id: { pass: [], returns: 'i32', bind: () => () => 0 },

  get_current_pid_tgid: get64(({ kernel }) => pair(kernel.currentTgid(), kernel.currentPid())),
  get_current_uid_gid: get64(({ kernel }) => pair(kernel.currentGid(), kernel.currentUid())),
  get_current_task: get64(({ ram, kernel }) => ram.kernelAddress(kernel.currentTask())),
  get_current_task_btf: {
    pass: [],
    returns: 'pointer',
    bind:
      ({ kernel }) =>
      () =>
        kernel.currentTask(),
  },
  get_current_cgroup_id: get64(({ kernel }) => kernel.currentCgroupId?.() ?? ROOT_CGROUP_ID),
  get_current_ancestor_cgroup_id: {
    pass: ['i32'],
    returns: 'i64',
    bind:
      ({ kernel }) =>
      (level: number) =>
        kernel.currentAncestorCgroupId?.(level) ?? (level === 0 ? ROOT_CGROUP_ID : 0n),
  },
  get_current_comm: {
    pass: ['i32', 'i32'],
    returns: 'i32',
    bind:
      ({ ram, kernel }) =>
      (out: number, sizeBytes: number) => {
        const size = sizeBytes >>> 0;
        const comm = new TextEncoder().encode(kernel.currentComm()).subarray(0, size - 1);
        ram.u8.fill(0, offset(out), offset(out) + size);
        ram.u8.set(comm, offset(out));
        return 0;
      },
  },

  strncmp: {
    pass: ['i32', 'i32', 'i32'],
    returns: 'i32',
    bind:
      ({ ram: { u8 } }) =>
      (first: number, sizeBytes: number, second: number) => {
        for (let i = 0; i < sizeBytes >>> 0; i++) {
          const a = u8[offset(first) + i]!;
          const b = u8[offset(second) + i]!;
          if (a !== b) return a < b ? -1 : 1;
          if (a === 0) return 0;
        }
        return 0;
      },
  },
  strtol: strto(true),
  strtoul: strto(false),

  csum_diff: native('csum_diff', ['i32', 'i32', 'i32', 'i32', 'i32'], 'i64'),

  send_signal: sendSignal(false),
  send_signal_thread: sendSignal(true),

  copy_from_user: {
    pass: ['i32', 'i32', 'i64'],
    returns: 'i32',
    bind:
      ({ ram, kernel }) =>
      (out: number, sizeBytes: number, source: bigint) => {
        const size = sizeBytes >>> 0;
        if (kernel.copyFromUser(offset(out), BigInt.asUintN(64, source), size)) return 0;
        ram.u8.fill(0, offset(out), offset(out) + size);
        return -errno.EFAULT;
      },
  },
};
