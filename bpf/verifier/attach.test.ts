/** Messages as a real Linux 6.1 gave them for functions of these shapes. */
import { describe, expect, it } from 'vitest';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { errno } from '../../kernel/types/errno.ts';
import { BtfBuilder } from '../btf/builder.ts';
import { intType } from '../btf/structs.ts';
import { textProgram, type TextOptions } from '../testing/text-program.ts';
import { verify } from './verify.ts';

const builder = new BtfBuilder();
const int = builder.add(intType('int', 4, true));
const anonymous = builder.add({
  kind: 'struct',
  name: '',
  size: 8,
  members: [{ name: 'x', type: int, bitOffset: 0, bitSize: 0 }],
  kindFlag: false,
});
const pointer = builder.add({ kind: 'ptr', name: '', type: anonymous });
const func = (name: string, types: readonly number[], returnType = int): number => {
  const params = types.map((type, index) => ({ name: type === 0 ? '' : `a${index}`, type }));
  const proto = builder.add({ kind: 'func_proto', name: '', returnType, params });
  return builder.add({ kind: 'func', name, type: proto, linkage: 'static' });
};
const ids = {
  plain: func('vfs_read', [int]),
  variadic: func('sprintf', [int, 0]),
  denied: func('migrate_disable', []),
  security: func('security_file_open', [int]),
  hook: func('bpf_lsm_file_open', [int]),
  noHook: func('bpf_lsm_init', []),
  anonymous: func('set_pte_init', [pointer]),
  noName: pointer,
};
const kernelBtf = builder.build();

function attach(id: number, options: TextOptions, text = 'r0 = 0\n exit') {
  const all: TextOptions = { type: 'tracing', kernelBtf, attachBtfId: id, ...options };
  const { spec, env } = textProgram(text, all, progTypeOps);
  const verdict = verify(spec, env);
  const line = verdict.log.split('\n').findLast((one) => one && !one.startsWith('processed '));
  return verdict.kind === 'accepted' ? 'accepted' : { errno: verdict.errno, line: line ?? '' };
}
const refused = (line: string, number: number = errno.EINVAL) => ({ errno: number, line });

describe('what a program attaches to', () => {
  const fentry = { attach: 'trace_fentry' } as const;
  const fmod = { attach: 'modify_return' } as const;
  const lsm = { type: 'lsm', attach: 'lsm_mac' } as const;

  it.each([
    ['a function', ids.plain, fentry, 'accepted'],
    [
      'variable arguments',
      ids.variadic,
      fentry,
      refused('The function sprintf with variable args is unsupported.'),
    ],
    ['a function of trampolines', ids.denied, fentry, refused('')],
    ['a type without a name', ids.noName, fentry, refused('attach_btf_id 3 is not a function')],
    [
      'the same for a tracepoint',
      ids.noName,
      { attach: 'trace_raw_tp' },
      refused('attach_btf_id 3 is not a typedef'),
    ],
    ['a result to change', ids.plain, fmod, refused('vfs_read() is not modifiable')],
    ['a result of a security hook', ids.security, fmod, 'accepted'],
    ['an LSM hook', ids.hook, lsm, 'accepted'],
    [
      'an LSM hook, without the GPL',
      ids.hook,
      { ...lsm, license: 'MIT' },
      refused('LSM programs must have a GPL compatible license'),
    ],
    [
      'what is only named like a hook',
      ids.noHook,
      lsm,
      refused(`attach_btf_id ${ids.noHook} points to wrong type name bpf_lsm_init`),
    ],
  ] as const)('%s', (_, id, options, expected) => {
    expect(attach(id, options)).toEqual(expected);
  });

  it('is not looked at by its attach type before the end', () => {
    const verdict = attach(ids.plain, { attach: 'lsm_mac', logLevel: 4 });
    expect(verdict).toMatchObject({ errno: errno.ENOTSUPP });
  });

  it('gives arguments whose structs need no name', () => {
    const text = 'r2 = *(u64 *)(r1 +0)\n r0 = *(u64 *)(r2 +8)\n r0 = 0\n exit';
    expect(attach(ids.anonymous, fentry, text)).toEqual(
      refused('access beyond struct (anon) at off 8 size 8', errno.EACCES),
    );
  });
});
