/** Functions for tracing and LSM programs: keys, crash kernels, statistics of cgroups (6.1). */
import { errno } from '../../kernel/types/errno.ts';
import { BpfKey } from '../../kernel/types/prog-test.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { KF, type Kfunc, type KfuncHook } from './kfunc.ts';

const { ACQUIRE, RELEASE, RET_NULL, SLEEPABLE, DESTRUCTIVE } = KF;
const hooks: readonly KfuncHook[] = ['tracing'];
const KEYS = 'keys (keyctl(2)): no key is found, no signature is good';
const NULL = 0 as RamOffset;
/** VERIFY_USE_PLATFORM_KEYRING, the last of the keyrings that have a number for an address. */
const LAST_SYSTEM_KEYRING = 2n;

export const tracingKfuncs: readonly Kfunc[] = [
  {
    declaration: 'struct bpf_key *bpf_lookup_user_key(u32 serial, u64 flags)',
    flags: ACQUIRE | RET_NULL | SLEEPABLE,
    hooks,
    needs: KEYS,
    bind: () => () => NULL,
  },
  {
    declaration: 'struct bpf_key *bpf_lookup_system_key(u64 id)',
    flags: ACQUIRE | RET_NULL,
    hooks,
    bind:
      ({ ram }) =>
      (id: bigint) => {
        if (BigInt.asUintN(64, id) > LAST_SYSTEM_KEYRING) return NULL;
        const key = ram.kzalloc(BpfKey.size);
        ram.writeU64((key + BpfKey.offsets.key) as RamOffset, id);
        return key;
      },
  },
  {
    declaration: 'void bpf_key_put(struct bpf_key *bkey)',
    flags: RELEASE,
    hooks,
    bind:
      ({ ram }) =>
      (key: number) =>
        ram.kfree((key >>> 0) as RamOffset),
  },
  {
    declaration:
      'int bpf_verify_pkcs7_signature(struct bpf_dynptr_kern *data_ptr, ' +
      'struct bpf_dynptr_kern *sig_ptr, struct bpf_key *trusted_keyring)',
    flags: SLEEPABLE,
    hooks,
    needs: KEYS,
    bind: () => () => -errno.ENOKEY,
  },
  {
    // Without a kernel that kexec_load(2) put aside there is nothing to do, here as there.
    declaration: 'void crash_kexec(struct pt_regs *regs)',
    flags: DESTRUCTIVE,
    hooks,
    bind: () => () => {},
  },
  ...[
    'cgroup_rstat_updated(struct cgroup *cgrp, int cpu)',
    'cgroup_rstat_flush(struct cgroup *cgrp)',
  ].map((call, i): Kfunc => ({
    declaration: `void ${call}`,
    flags: i === 0 ? 0 : SLEEPABLE,
    hooks,
    needs: 'cgroups',
    bind: () => () => {},
  })),
];
