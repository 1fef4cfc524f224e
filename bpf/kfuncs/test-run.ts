/**
 * Functions that Linux offers to try calls with (net/bpf/test_run.c of 6.1). A machine has one object
 * that programs acquire; its count is 1 where nobody holds it.
 */
import { ProgTestRefKfunc, type ProgTestRefKfuncView } from '../../kernel/types/prog-test.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import { KF, type Kfunc, type KfuncHook } from './kfunc.ts';

const { ACQUIRE, RELEASE, RET_NULL, KPTR_GET, TRUSTED_ARGS, DESTRUCTIVE } = KF;
const hooks: readonly KfuncHook[] = ['tc', 'tracing', 'syscall'];
const NULL = 0 as RamOffset;

/** As net/bpf/test_run.c fills it. */
const OBJECT = { a: 42, b: 108, cnt: 1 };
/** Memory of the object that a program may be given: `a` and `b`. */
const LENT_BYTES = 8;

function testObject(runtime: BpfRuntime): RamOffset {
  if (runtime.kfuncTestObject === undefined) {
    const offset = runtime.ram.kzalloc(ProgTestRefKfunc.size);
    runtime.kfuncTestObject = offset;
    Object.assign(ProgTestRefKfunc.at(runtime.ram, offset), { ...OBJECT, next: offset });
  }
  return runtime.kfuncTestObject;
}

const at = ({ ram }: BpfRuntime, object: number): ProgTestRefKfuncView =>
  ProgTestRefKfunc.at(ram, (object >>> 0) as RamOffset);

const acquire = (runtime: BpfRuntime) => () => {
  const offset = testObject(runtime);
  at(runtime, offset).cnt++;
  return offset;
};

const release = (runtime: BpfRuntime) => (object: number) => {
  if (object !== NULL) at(runtime, object).cnt--;
};

const lend = () => (object: number, bytes: number) =>
  bytes >>> 0 > LENT_BYTES ? NULL : ((object >>> 0) as RamOffset);

const nothing = () => () => {};

const row = (declaration: string, flags: number, bind: NonNullable<Kfunc['bind']>): Kfunc => ({
  declaration,
  flags,
  hooks,
  bind,
});

const OBJ = 'struct prog_test_ref_kfunc *';

export const testRunKfuncs: readonly Kfunc[] = [
  row('u64 bpf_kfunc_call_test1(struct sock *sk, u32 a, u64 b, u32 c, u64 d)', 0, () => {
    return (_sk: number, a: number, b: bigint, c: number, d: bigint) =>
      BigInt(a >>> 0) + b + BigInt(c >>> 0) + d;
  }),
  row('int bpf_kfunc_call_test2(struct sock *sk, u32 a, u32 b)', 0, () => {
    return (_sk: number, a: number, b: number) => (a + b) | 0;
  }),
  row('struct sock *bpf_kfunc_call_test3(struct sock *sk)', 0, () => {
    return (sk: number) => (sk >>> 0) as RamOffset;
  }),
  row(
    `${OBJ}bpf_kfunc_call_test_acquire(long unsigned int *scalar_ptr)`,
    ACQUIRE | RET_NULL,
    acquire,
  ),
  // Linux warns in its log where one of these three is called; no test of its own does.
  row(
    'struct prog_test_member *bpf_kfunc_call_memb_acquire(void)',
    ACQUIRE | RET_NULL,
    () => () => NULL,
  ),
  row('void bpf_kfunc_call_memb_release(struct prog_test_member *p)', RELEASE, nothing),
  row('void bpf_kfunc_call_memb1_release(struct prog_test_member1 *p)', RELEASE, nothing),
  row(`void bpf_kfunc_call_test_release(${OBJ}p)`, RELEASE, release),
  row(
    `${OBJ}bpf_kfunc_call_test_kptr_get(${OBJ}*pp, int a, int b)`,
    ACQUIRE | RET_NULL | KPTR_GET,
    (runtime) => (place: number) => {
      const address = runtime.ram.readU64((place >>> 0) as RamOffset);
      if (address === 0n) return NULL;
      const object = Number(BigInt.asUintN(32, address)) as RamOffset;
      at(runtime, object).cnt++;
      return object;
    },
  ),
  row(`int *bpf_kfunc_call_test_get_rdwr_mem(${OBJ}p, const int rdwr_buf_size)`, RET_NULL, lend),
  row(
    `int *bpf_kfunc_call_test_get_rdonly_mem(${OBJ}p, const int rdonly_buf_size)`,
    RET_NULL,
    lend,
  ),
  // The verifier refuses both: what is acquired has to be a struct.
  row(
    `int *bpf_kfunc_call_test_acq_rdonly_mem(${OBJ}p, const int rdonly_buf_size)`,
    ACQUIRE | RET_NULL,
    lend,
  ),
  row('void bpf_kfunc_call_int_mem_release(int *p)', RELEASE, nothing),
  row('void bpf_kfunc_call_test_pass_ctx(struct __sk_buff *skb)', 0, nothing),
  row('void bpf_kfunc_call_test_pass1(struct prog_test_pass1 *p)', 0, nothing),
  row('void bpf_kfunc_call_test_pass2(struct prog_test_pass2 *p)', 0, nothing),
  row('void bpf_kfunc_call_test_fail1(struct prog_test_fail1 *p)', 0, nothing),
  row('void bpf_kfunc_call_test_fail2(struct prog_test_fail2 *p)', 0, nothing),
  row('void bpf_kfunc_call_test_fail3(struct prog_test_fail3 *p)', 0, nothing),
  row('void bpf_kfunc_call_test_mem_len_pass1(void *mem, int mem__sz)', 0, nothing),
  row('void bpf_kfunc_call_test_mem_len_fail1(void *mem, int len)', 0, nothing),
  row('void bpf_kfunc_call_test_mem_len_fail2(long long unsigned int *mem, int len)', 0, nothing),
  row(`void bpf_kfunc_call_test_ref(${OBJ}p)`, TRUSTED_ARGS, nothing),
  row('void bpf_kfunc_call_test_destructive(void)', DESTRUCTIVE, nothing),
];
