/**
 * Kernel functions that Linux 6.1 offers to programs, with their flags and who may call them
 * (BTF_ID_FLAGS and register_btf_kfunc_id_set). A host says which of them it has (`VerifierEnv.kfuncs`).
 */
import type { ProgType } from '../uapi.ts';

/** KF_* of include/linux/btf.h, 6.1. */
export const KF = {
  ACQUIRE: 1,
  RELEASE: 2,
  RET_NULL: 4,
  /** The first argument is the place of a kptr in a map's value. */
  KPTR_GET: 8,
  TRUSTED_ARGS: 16,
  SLEEPABLE: 32,
  DESTRUCTIVE: 64,
} as const;

const { ACQUIRE, RELEASE, RET_NULL, KPTR_GET, TRUSTED_ARGS, SLEEPABLE, DESTRUCTIVE } = KF;

/** net/bpf/test_run.c: for trying the verifier. */
const TEST: Readonly<Record<string, number>> = {
  bpf_kfunc_call_test1: 0,
  bpf_kfunc_call_test2: 0,
  bpf_kfunc_call_test3: 0,
  bpf_kfunc_call_test_acquire: ACQUIRE | RET_NULL,
  bpf_kfunc_call_memb_acquire: ACQUIRE | RET_NULL,
  bpf_kfunc_call_test_release: RELEASE,
  bpf_kfunc_call_memb_release: RELEASE,
  bpf_kfunc_call_memb1_release: RELEASE,
  bpf_kfunc_call_test_kptr_get: ACQUIRE | RET_NULL | KPTR_GET,
  bpf_kfunc_call_test_get_rdwr_mem: RET_NULL,
  bpf_kfunc_call_test_get_rdonly_mem: RET_NULL,
  bpf_kfunc_call_test_acq_rdonly_mem: ACQUIRE | RET_NULL,
  bpf_kfunc_call_int_mem_release: RELEASE,
  bpf_kfunc_call_test_pass_ctx: 0,
  bpf_kfunc_call_test_pass1: 0,
  bpf_kfunc_call_test_pass2: 0,
  bpf_kfunc_call_test_fail1: 0,
  bpf_kfunc_call_test_fail2: 0,
  bpf_kfunc_call_test_fail3: 0,
  bpf_kfunc_call_test_mem_len_pass1: 0,
  bpf_kfunc_call_test_mem_len_fail1: 0,
  bpf_kfunc_call_test_mem_len_fail2: 0,
  bpf_kfunc_call_test_ref: TRUSTED_ARGS,
  bpf_kfunc_call_test_destructive: DESTRUCTIVE,
};

/** kernel/trace/bpf_trace.c, kernel/bpf/helpers.c, kernel/cgroup/rstat.c */
const TRACING: Readonly<Record<string, number>> = {
  bpf_lookup_user_key: ACQUIRE | RET_NULL | SLEEPABLE,
  bpf_lookup_system_key: ACQUIRE | RET_NULL,
  bpf_key_put: RELEASE,
  bpf_verify_pkcs7_signature: SLEEPABLE,
  crash_kexec: DESTRUCTIVE,
  cgroup_rstat_updated: 0,
  cgroup_rstat_flush: SLEEPABLE,
};

/** net/ipv4/bpf_tcp_ca.c */
const STRUCT_OPS: Readonly<Record<string, number>> = {
  tcp_reno_ssthresh: 0,
  tcp_reno_cong_avoid: 0,
  tcp_reno_undo_cwnd: 0,
  tcp_slow_start: 0,
  tcp_cong_avoid_ai: 0,
};

/** The function's flags; undefined: programs of this type must not call it. */
export function kfuncFlags(type: ProgType, name: string): number | undefined {
  switch (type) {
    case 'sched_cls':
    case 'syscall':
      return TEST[name];
    case 'tracing':
    case 'lsm':
      return TRACING[name] ?? TEST[name];
    case 'struct_ops':
      return STRUCT_OPS[name];
    default:
      return undefined;
  }
}
