/**
 * Calls of kernel functions; messages as a real Linux 6.1 gave them for its bpf_kfunc_call_test_*
 * functions, which these have the shapes of.
 */
import { describe, expect, it } from 'vitest';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { errno } from '../../kernel/types/errno.ts';
import { BtfBuilder } from '../btf/builder.ts';
import { intType } from '../btf/structs.ts';
import { KF } from '../kfuncs/kfunc.ts';
import { textProgram } from '../testing/text-program.ts';
import { verify } from './verify.ts';

const builder = new BtfBuilder();
const int = builder.add(intType('int', 4, true));
const u64 = builder.add(intType('u64', 8, false));
const member = (name: string, type: number, bytes: number) => ({
  name,
  type,
  bitOffset: bytes * 8,
  bitSize: 0,
});
const struct = (name: string, size: number, members: ReturnType<typeof member>[]): number =>
  builder.add({ kind: 'struct', name, size, members, kindFlag: false });
const pointerTo = (type: number): number => builder.add({ kind: 'ptr', name: '', type });
const next = member('next', pointerTo(u64), 8);
const object = struct('prog_test_ref_kfunc', 16, [member('a', int, 0), next]);
struct('sock_common', 8, [member('x', int, 0)]);
const withPointer = struct('prog_test_fail1', 16, [member('p', pointerTo(0), 0)]);
const func = (name: string, params: readonly (readonly [string, number])[], ret = 0): number => {
  const named = params.map(([param, type]) => ({ name: param, type }));
  const proto = builder.add({ kind: 'func_proto', name: '', returnType: ret, params: named });
  return builder.add({ kind: 'func', name, type: proto, linkage: 'static' });
};
const ids = {
  acquire: func('acquire', [['scalar_ptr', pointerTo(u64)]], pointerTo(object)),
  release: func('release', [['p', pointerTo(object)]]),
  trusted: func('trusted', [['p', pointerTo(object)]]),
  fail: func('fail', [['p', pointerTo(withPointer)]]),
  sized: func('sized', [
    ['mem', pointerTo(0)],
    ['mem__sz', int],
  ]),
  buffer: func(
    'buffer',
    [
      ['p', pointerTo(object)],
      ['rdonly_buf_size', int],
    ],
    pointerTo(int),
  ),
  sleeps: func('sleeps', [], int),
  hidden: func('hidden', [], int),
};
const kernelBtf = builder.build();
const kfuncs = {
  acquire: KF.ACQUIRE | KF.RET_NULL,
  release: KF.RELEASE,
  trusted: KF.TRUSTED_ARGS,
  fail: 0,
  sized: 0,
  buffer: KF.RET_NULL,
  sleeps: KF.SLEEPABLE,
};

const call = (name: keyof typeof ids) => `call kernel-function#${ids[name]}\n`;
const ACQUIRE = `*(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n ${call('acquire')}`;
const HELD = `${ACQUIRE} if r0 == 0 goto out\n r6 = r0\n`;
const RELEASE = `r1 = r6\n ${call('release')}`;

function outcome(text: string, license = 'GPL'): unknown {
  const options = { type: 'sched_cls', kernelBtf, kfuncs, license } as const;
  const { spec, env } = textProgram(`${text} out: r0 = 0\n exit`, options, progTypeOps);
  const verdict = verify(spec, env);
  if (verdict.kind === 'accepted') return 'accepted';
  const line = verdict.log.split('\n').findLast((one) => one && !one.startsWith('processed '));
  return [verdict.errno, line];
}

describe('calls of kernel functions', () => {
  it.each([
    ['an object, given back', `${HELD}${RELEASE}`],
    ['an object, read', `${HELD} r1 = *(u32 *)(r6 +0)\n ${RELEASE}`],
    ['memory of a size', `*(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n r2 = 8\n ${call('sized')}`],
    ['a trusted argument', `${HELD} r1 = r6\n ${call('trusted')}${RELEASE}`],
    [
      'a buffer of its object',
      `${HELD} r1 = r6\n r2 = 8\n ${call('buffer')} if r0 == 0 goto b\n r1 = *(u64 *)(r0 +0)\n b: ${RELEASE}`,
    ],
  ])('accepts %s', (_, text) => {
    expect(outcome(text)).toBe('accepted');
  });

  it.each([
    ['an object that is kept', ACQUIRE, errno.EINVAL, /^Unreleased reference id=\d+ alloc_insn=3$/],
    [
      'an object that may be NULL',
      `${ACQUIRE} r1 = r0\n ${call('release')}`,
      errno.EINVAL,
      /^arg#0 pointer type STRUCT prog_test_ref_kfunc must point to scalar, or struct with scalar$/,
    ],
    [
      'an object given back twice',
      `${HELD}${RELEASE}${RELEASE}`,
      errno.EINVAL,
      /^arg#0 pointer type STRUCT prog_test_ref_kfunc must point to scalar, or struct with scalar$/,
    ],
    [
      'a part of an object given back',
      `${HELD} r1 = r6\n r1 += 4\n ${call('release')}`,
      errno.EINVAL,
      /^R1 must have zero offset when passed to release func$/,
    ],
    [
      'memory for a struct that has pointers',
      `*(u64 *)(r10 -8) = 0\n *(u64 *)(r10 -16) = 0\n r1 = r10\n r1 += -16\n ${call('fail')}`,
      errno.EINVAL,
      /^arg#0 pointer type STRUCT prog_test_fail1 must point to scalar, or struct with scalar$/,
    ],
    [
      'memory that is too short',
      `*(u64 *)(r10 -8) = 0\n r1 = r10\n r1 += -8\n r2 = 16\n ${call('sized')}`,
      errno.EINVAL,
      /^arg#0 arg#1 memory, len pair leads to invalid memory access$/,
    ],
    [
      'a buffer of unknown size',
      `r8 = *(u32 *)(r1 +0)\n ${HELD} r1 = r6\n r2 = r8\n ${call('buffer')}`,
      errno.EINVAL,
      /^R2 is not a const$/,
    ],
    [
      'another object than is wanted',
      `r1 = *(u64 *)(r1 +168)\n if r1 == 0 goto out\n ${call('release')}`,
      errno.EINVAL,
      /^kernel function release args#0 expected pointer to STRUCT prog_test_ref_kfunc but R1 has a pointer to STRUCT sock_common$/,
    ],
    [
      'what may sleep',
      call('sleeps'),
      errno.EINVAL,
      /^kernel function sleeps is sleepable but the program is not$/,
    ],
    [
      'what is not offered',
      call('hidden'),
      errno.EACCES,
      /^calling kernel function hidden is not allowed$/,
    ],
    [
      'no argument at all',
      call('sized').replace('call', 'r1 = 0\n r2 = r10\n call'),
      errno.EINVAL,
      /^arg#0 pointer type UNKNOWN {2}must point to scalar, or struct with scalar$/,
    ],
  ])('refuses %s', (_, text, number, line) => {
    expect(outcome(text)).toEqual([number, expect.stringMatching(line)]);
  });

  it('needs a program under the GPL', () => {
    const line = 'cannot call kernel function from non-GPL compatible program';
    expect(outcome(call('sleeps'), 'MIT')).toEqual([errno.EINVAL, line]);
  });
});
