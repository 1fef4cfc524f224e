/**
 * Programs that call kernel functions, whose answers a real Linux 6.1 gave as well (record-kfuncs.ts
 * keeps them): each function with each kind of argument, in each type of program, and what calls
 * compute.
 *
 *   kfuncCases                     the cases
 *   kfuncRequest(case, btf)        as the batch command and the oracle take it
 *   kfuncResult(answer)            what of an answer is compared
 *
 * In a body r6 is the context, r9 the value of map 0, r7 an acquired object and r8 a socket where
 * the body names them. `call kfunc NAME` is resolved in the kernel's BTF; for `save` see
 * helper-cases.ts.
 */
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import type { Btf } from '../../bpf/btf/btf.ts';
import { intType } from '../../bpf/btf/structs.ts';
import type { BatchAnswer } from '../../ui/cli/batch/answer.ts';
import type { MapJson, RequestJson } from '../oracle/request.ts';
import { requestOf } from './helper-cases.ts';

export interface KfuncCase {
  readonly id: string;
  readonly type: string;
  readonly attach?: string;
  /** The kernel's function or struct that a program of this type is made for. */
  readonly target?: readonly [kind: 'func' | 'struct', name: string];
  readonly sleepable?: true;
  readonly unpriv?: true;
  readonly license?: string;
  readonly body: string;
  readonly maps?: readonly MapJson[];
}

/** Ethernet, IPv4 and nothing more: test runs want 14 bytes. */
const PACKET = `ffffffffffff0200000000010800${'00'.repeat(50)}`;
const P = 'bpf_kfunc_call_';
const NAMES = [
  'test1',
  'test2',
  'test3',
  'test_acquire',
  'memb_acquire',
  'test_release',
  'memb_release',
  'memb1_release',
  'test_kptr_get',
  'test_get_rdwr_mem',
  'test_get_rdonly_mem',
  'test_acq_rdonly_mem',
  'int_mem_release',
  'test_pass_ctx',
  'test_pass1',
  'test_pass2',
  'test_fail1',
  'test_fail2',
  'test_fail3',
  'test_mem_len_pass1',
  'test_mem_len_fail1',
  'test_mem_len_fail2',
  'test_ref',
  'test_destructive',
].map((name) => P + name);
const OTHERS = [
  'bpf_lookup_user_key',
  'bpf_lookup_system_key',
  'bpf_key_put',
  'bpf_verify_pkcs7_signature',
  'crash_kexec',
  'tcp_reno_ssthresh',
  'tcp_slow_start',
  'tcp_cong_avoid_ai',
  'cubictcp_init',
];

/** Types of programs that a load can be asked for without more. */
const TYPES: readonly Omit<KfuncCase, 'id' | 'body'>[] = [
  { type: 'sched_cls' },
  { type: 'xdp' },
  { type: 'sched_act' },
  { type: 'socket_filter' },
  { type: 'cgroup_skb' },
  { type: 'kprobe' },
  { type: 'tracepoint' },
  { type: 'raw_tracepoint' },
  { type: 'lwt_xmit' },
  { type: 'sk_lookup', attach: 'sk_lookup' },
  { type: 'syscall', sleepable: true },
  { type: 'tracing', attach: 'trace_iter', target: ['func', 'bpf_iter_task'] },
];

/** How to put each kind of argument into register R. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  zero: 'R = 0',
  eight: 'R = 8',
  twelve: 'R = 12',
  minus: 'R = -1',
  unknown: 'R = *(u32 *)(r6 +0)',
  nothing: '',
  stack: 'R = r10\n R += -104',
  short: 'R = r10\n R += -4',
  unwritten: 'R = r10\n R += -400',
  ctx: 'R = r6',
  value: 'R = r9',
  valueEnd: 'R = r9\n R += 1020',
  packet: 'R = *(u32 *)(r6 +76)',
  object: 'R = r7',
  objectPart: 'R = r7\n R += 4',
  objectNext: 'R = *(u64 *)(r7 +16)',
  sock: 'R = r8',
};

const OBJECT = `
  *(u64 *)(r10 -16) = 0
  r1 = r10
  r1 += -16
  call kfunc ${P}test_acquire
  if r0 == 0 goto out
  r7 = r0`;
const SOCK = `
  r1 = *(u64 *)(r6 +168)
  if r1 == 0 goto out
  call sk_fullsock#95
  if r0 == 0 goto out
  r8 = r0`;
const STACK = Array.from({ length: 12 }, (_, i) => `*(u64 *)(r10 ${-104 + i * 8}) = ${i + 1}`);

/** `first` and then `call`, with what they name; an object that is held is given back. */
function body(text: string, keeps = false): string {
  const lines = [
    ...(text.includes('-104') ? STACK : []),
    ...(text.includes('r8') ? [SOCK] : []),
    ...(text.includes('r7') ? [OBJECT] : []),
    text,
    ...(text.includes('r7') && !keeps ? [`r1 = r7\n call kfunc ${P}test_release`] : []),
    'out:',
  ];
  return lines.join('\n');
}

/** What fits each parameter of a function. */
const FITTING: Readonly<Record<string, readonly string[]>> = {
  test1: ['sock', 'eight', 'minus', 'eight', 'unknown'],
  test2: ['sock', 'eight', 'minus'],
  test3: ['sock'],
  test_acquire: ['stack'],
  memb_acquire: [],
  test_release: ['object'],
  memb_release: ['object'],
  memb1_release: ['object'],
  test_kptr_get: ['value', 'zero', 'zero'],
  test_get_rdwr_mem: ['object', 'eight'],
  test_get_rdonly_mem: ['object', 'eight'],
  test_acq_rdonly_mem: ['object', 'eight'],
  int_mem_release: ['object'],
  test_pass_ctx: ['ctx'],
  test_pass1: ['stack'],
  test_pass2: ['stack'],
  test_fail1: ['stack'],
  test_fail2: ['stack'],
  test_fail3: ['stack'],
  test_mem_len_pass1: ['stack', 'eight'],
  test_mem_len_fail1: ['stack', 'eight'],
  test_mem_len_fail2: ['stack', 'eight'],
  test_ref: ['object'],
  test_destructive: [],
};

function callWith(name: string, args: readonly string[]): string {
  // Registers that others are made from come last.
  const sets = args.map((kind, i) => ARGUMENTS[kind]!.replaceAll('R', `r${i + 1}`));
  return body(`${sets.join('\n')}\n call kfunc ${P}${name}`, name.endsWith('release'));
}

const byArgument: readonly KfuncCase[] = Object.entries(FITTING).flatMap(([name, fitting]) => [
  { id: `${name}/as it should be`, type: 'sched_cls', body: callWith(name, fitting) },
  ...fitting.flatMap((_, index) =>
    Object.keys(ARGUMENTS).map((kind) => ({
      id: `${name}/arg ${index}: ${kind}`,
      type: 'sched_cls',
      body: callWith(name, fitting.with(index, kind)),
    })),
  ),
]);

const zeros = (name: string): string =>
  `${[1, 2, 3, 4, 5].map((r) => `r${r} = 0`).join('\n')}\n call kfunc ${name}\n`;

const byType: readonly KfuncCase[] = TYPES.flatMap((type) =>
  [...NAMES, ...OTHERS].map((name) => ({
    ...type,
    id: `${type.type}/${name}`,
    body: zeros(name),
  })),
);

const inIterator = {
  type: 'tracing',
  attach: 'trace_iter',
  target: ['func', 'bpf_iter_task'],
} as const;
const KEY = 'r1 = 1\n call kfunc bpf_lookup_system_key\n if r0 == 0 goto out\n r7 = r0\n';
const keyCases: readonly KfuncCase[] = [
  ['got and put', `${KEY} r1 = r7\n call kfunc bpf_key_put\n out:`],
  ['kept', `${KEY} out:`],
  [
    'put twice',
    `${KEY} r1 = r7\n call kfunc bpf_key_put\n r1 = r7\n call kfunc bpf_key_put\n out:`,
  ],
  [
    'put though it may be NULL',
    'r1 = 1\n call kfunc bpf_lookup_system_key\n r1 = r0\n call kfunc bpf_key_put\n',
  ],
  ['written', `${KEY} *(u64 *)(r7 +0) = 0\n r1 = r7\n call kfunc bpf_key_put\n out:`],
  ['another object put', `${OBJECT}\n r1 = r7\n call kfunc bpf_key_put\n out:`],
  ['looked up by serial', 'r1 = 1\n r2 = 0\n call kfunc bpf_lookup_user_key\n'],
].map(([id, text]) => ({ ...inIterator, id: `key/${id}`, body: text! }));

/** A value with one pointer that it owns, and one that it does not. */
function kptrMap(type: string, struct = 'prog_test_ref_kfunc'): MapJson {
  const builder = new BtfBuilder();
  const int = builder.add(intType('int', 4, true));
  const object = builder.add({
    kind: 'struct',
    name: struct,
    size: 0,
    members: [],
    kindFlag: false,
  });
  const tagged = (name: string): number => {
    const tag = builder.add({ kind: 'type_tag', name, type: object });
    return builder.add({ kind: 'ptr', name: '', type: tag });
  };
  const member = (name: string, tag: string, bytes: number) => ({
    name,
    type: tagged(tag),
    bitOffset: bytes * 8,
    bitSize: 0,
  });
  const members = [member('owned', 'kptr_ref', 0), member('seen', 'kptr', 8)];
  const value = builder.add({ kind: 'struct', name: 'value', size: 16, members, kindFlag: false });
  return {
    type,
    key_size: 4,
    value_size: 16,
    max_entries: 4,
    btf: Buffer.from(builder.build().bytes).toString('hex'),
    btf_key_type_id: int,
    btf_value_type_id: value,
    ...(type === 'hash' && { init: [{ key: '00000000', value: '00'.repeat(16) }] }),
  };
}

const LOOKUP = `
  *(u32 *)(r10 -20) = 0
  r2 = r10
  r2 += -20
  r1 = map_fd(1)
  call map_lookup_elem#1
  if r0 == 0 goto out
  r8 = r0`;
/** The object's count: machines have different ones, so what is saved is how it changed. */
const NOTE = (register: string): string => `
  r1 = *(u32 *)(${register} +24)
  *(u64 *)(r9 +512) = r1`;
const COUNT = (register: string): string => `
  r0 = *(u32 *)(${register} +24)
  r1 = *(u64 *)(r9 +512)
  r0 -= r1
  save`;
const RELEASE = `call kfunc ${P}test_release`;
const XCHG = 'r1 = r8\n call kptr_xchg#194';
const FORGET = '*(u64 *)(r9 +512) = 0';

function kptrCase(id: string, text: string, maps: readonly MapJson[]): KfuncCase {
  return { id: `kptr/${id}`, type: 'sched_cls', maps, body: `${LOOKUP}\n${text}\n out:` };
}

const STORE = `${OBJECT}\n${NOTE('r7')}\n r2 = r7\n ${XCHG}
  if r0 == 0 goto stored
  r1 = r0
  ${RELEASE}
  stored:`;

const kptrCases: readonly KfuncCase[] = ['array', 'hash'].flatMap((type) => [
  kptrCase(
    `${type}: stored, got and taken out`,
    `${STORE}
     r1 = r8\n r2 = 5\n r3 = 6\n call kfunc ${P}test_kptr_get
     if r0 == 0 goto out
     r7 = r0
     ${COUNT('r7')}
     r1 = r7\n ${RELEASE}
     r2 = 0\n ${XCHG}
     if r0 == 0 goto out
     r7 = r0
     ${COUNT('r7')}
     ${FORGET}
     r1 = r7\n ${RELEASE}`,
    [kptrMap(type)],
  ),
  kptrCase(
    `${type}: nothing to get`,
    `r1 = r8\n r2 = 0\n r3 = 0\n call kfunc ${P}test_kptr_get
     if r0 == 0 goto none
     r1 = r0\n ${RELEASE}\n goto out
     none: r0 = 77\n save`,
    [kptrMap(type)],
  ),
  kptrCase(`${type}: kept in the map`, `${STORE}\n ${FORGET}`, [kptrMap(type)]),
  kptrCase(`${type}: a struct without a destructor`, `r2 = 0\n ${XCHG}`, [
    kptrMap(type, 'task_struct'),
  ]),
  kptrCase(
    `${type}: got from the pointer that is not owned`,
    `r1 = r8\n r1 += 8\n r2 = 0\n r3 = 0
     call kfunc ${P}test_kptr_get`,
    [kptrMap(type)],
  ),
  kptrCase(`${type}: exchanged but not given back`, `r2 = 0\n ${XCHG}`, [kptrMap(type)]),
]);

/** r1 to r5 of test1 and test2: what a call makes of bits above an argument, and of its result. */
function sums(): KfuncCase[] {
  const wide = (register: string, value: string): string => `${register} = ${value} ll`;
  const values = [
    '0x1',
    '0x7fffffff',
    '0x80000000',
    '0xffffffff',
    '0x100000001',
    '0xffffffff80000000',
    '0xffffffffffffffff',
  ];
  return values.flatMap((a) =>
    values.map((b): KfuncCase => {
      const two = `r1 = r8\n ${wide('r2', a)}\n ${wide('r3', b)}\n call kfunc ${P}test2\n save`;
      const four = `r1 = r8\n ${wide('r2', a)}\n ${wide('r3', b)}\n ${wide('r4', b)}\n ${wide('r5', a)}
        call kfunc ${P}test1\n save`;
      return { id: `sum/${a} ${b}`, type: 'sched_cls', body: body(`${two}\n ${four}`) };
    }),
  );
}

const effects: readonly KfuncCase[] = [
  {
    id: 'effect/an object’s contents',
    type: 'sched_cls',
    body: body(
      'r0 = *(u32 *)(r7 +0)\n save\n r0 = *(u32 *)(r7 +4)\n save\n r0 = *(u64 *)(r7 +8)\n save',
    ),
  },
  {
    id: 'effect/its next is itself',
    type: 'sched_cls',
    body: body(
      'r1 = *(u64 *)(r7 +16)\n r0 = *(u32 *)(r1 +4)\n save\n r0 = r7\n r1 = *(u64 *)(r1 +16)\n r0 -= r1\n save',
    ),
  },
  {
    id: 'effect/counts',
    type: 'sched_cls',
    body: body(`${NOTE('r7')}
      *(u64 *)(r10 -16) = 0\n r1 = r10\n r1 += -16\n call kfunc ${P}test_acquire
      if r0 == 0 goto none
      r8 = r0\n ${COUNT('r7')}\n r1 = r8\n ${RELEASE}
      none: ${COUNT('r7')}\n ${FORGET}`).replace(SOCK, ''),
  },
  ...['rdwr', 'rdonly'].flatMap((kind) =>
    [0, 1, 4, 8, 9, 12, -1].map((bytes): KfuncCase => ({
      id: `effect/${kind} memory of ${bytes}`,
      type: 'sched_cls',
      body: body(`r1 = r7\n r2 = ${bytes}\n call kfunc ${P}test_get_${kind}_mem
        if r0 == 0 goto none
        ${bytes >= 8 ? 'r0 = *(u64 *)(r0 +0)' : bytes >= 4 ? 'r0 = *(u32 *)(r0 +0)' : 'r0 = 1'}\n save\n goto done
        none: r0 = 2\n *(u64 *)(r9 +0) = r0
 done:`),
    })),
  ),
  {
    id: 'effect/rdwr memory written',
    type: 'sched_cls',
    body: body(`r1 = r7\n r2 = 8\n call kfunc ${P}test_get_rdwr_mem\n if r0 == 0 goto none
      r8 = *(u32 *)(r0 +4)\n *(u32 *)(r0 +4) = 7\n r1 = *(u32 *)(r7 +4)\n *(u32 *)(r0 +4) = 108\n r0 = r1\n save
      none: r0 = 0`).replace(SOCK, ''),
  },
  {
    id: 'effect/rdonly memory written',
    type: 'sched_cls',
    body: body(`r1 = r7\n r2 = 8\n call kfunc ${P}test_get_rdonly_mem\n if r0 == 0 goto none
      *(u32 *)(r0 +4) = 7\n none: r0 = 0`),
  },
  {
    id: 'effect/memory read behind its end',
    type: 'sched_cls',
    body: body(`r1 = r7\n r2 = 8\n call kfunc ${P}test_get_rdwr_mem\n if r0 == 0 goto none
      r0 = *(u32 *)(r0 +8)\n none: r0 = 0`),
  },
  {
    id: 'effect/memory read after its object is gone',
    type: 'sched_cls',
    body: body(
      `r1 = r7\n r2 = 8\n call kfunc ${P}test_get_rdwr_mem\n r8 = r0\n r1 = r7\n ${RELEASE}
      if r8 == 0 goto none\n r0 = *(u32 *)(r8 +0)\n none: r0 = 0`,
      true,
    ).replace(SOCK, ''),
  },
  {
    id: 'effect/a socket and back',
    type: 'sched_cls',
    body: body(`r1 = r8\n call kfunc ${P}test3\n r0 = *(u16 *)(r0 +16)\n save`),
  },
  {
    id: 'effect/in a subprogram',
    type: 'sched_cls',
    body: body(`r1 = r8\n r2 = 3\n r3 = 4\n call sub\n save\n r0 = 0\n exit
      sub: call kfunc ${P}test2\n r0 += 100\n exit`),
  },
  { id: 'effect/nothing to free', type: 'sched_cls', body: zeros(`${P}test_destructive`) },
  { id: 'refused/MIT', type: 'sched_cls', license: 'MIT', body: zeros(`${P}test_pass1`) },
  {
    id: 'refused/unprivileged',
    type: 'socket_filter',
    unpriv: true,
    body: zeros(`${P}test_pass1`),
  },
  { id: 'refused/no function', type: 'sched_cls', body: 'call kernel-function#1\n' },
  { id: 'refused/id 0', type: 'sched_cls', body: 'call kernel-function#0\n' },
  {
    id: 'accepted/id 0, never reached',
    type: 'sched_cls',
    body: 'r1 = 1\n if r1 == 1 goto out\n call kernel-function#0\n out:',
  },
];

export const kfuncCases: readonly KfuncCase[] = [
  ...byArgument,
  ...byType,
  ...keyCases,
  ...kptrCases,
  ...sums(),
  ...effects,
];

/** @param btf of the kernel that is asked; undefined where it lacks what the case names */
export function kfuncRequest(one: KfuncCase, btf: Btf): RequestJson {
  const text = one.body.replace(/call kfunc (\w+)/g, (_, name: string) => {
    const id = btf.find(name, 'func');
    if (id === undefined) throw new Error(`the kernel has no ${name}`);
    return `call kernel-function#${id}`;
  });
  const runs = one.type === 'sched_cls';
  const request = requestOf({ ...one, body: text, ...(runs && { data: PACKET }) });
  const { run, ...rest } = request;
  const target = one.target && btf.find(one.target[1], one.target[0]);
  return {
    ...rest,
    ...(runs && run && { run }),
    ...(one.license !== undefined && { license: one.license }),
    ...(one.unpriv && { unpriv: true }),
    ...(target !== undefined && { attach_btf_id: target }),
  };
}

/** Verdict, last line of the log without ids, result and what the map holds. */
export function kfuncResult({ ok, errno, log, run, maps }: BatchAnswer): unknown {
  if (!ok) {
    const lines = log.trim().split('\n');
    const last = lines.findLast((line) => !line.startsWith('processed ')) ?? '';
    return { errno, line: last.replace(/#\d+/g, '#N') };
  }
  const value = maps?.[0]?.[0]?.value ?? '';
  const ran = run?.map(({ retval, errno: code }) => code ?? retval) ?? [];
  return { run: ran, result: value.replace(/(00)*$/, '') };
}
