/** bpftool feature probe (what the kernel takes) and list_builtins (what there is at all). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { insn } from '../../bpf/asm/build.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { helpers } from '../../bpf/helpers/table.ts';
import { mapCreate, progLoad } from '../../bpf/loader/commands.ts';
import { ATTACH_TYPES, LINK_TYPES, MAP_TYPES, PROG_TYPES, uapi } from '../../bpf/uapi.ts';
import { close, readTextFile } from '../libc/files.ts';
import { array, bool, number, object, string } from './json.ts';
import { type Bpftool, type Command } from './tool.ts';
import { help, usage } from './usage.ts';

const GROUPS: Readonly<Record<string, () => readonly string[]>> = {
  prog_types: () => PROG_TYPES,
  map_types: () => MAP_TYPES,
  attach_types: () => ATTACH_TYPES,
  link_types: () => LINK_TYPES,
  helpers: () => {
    const names = [...helpers].sort((a, b) => a.id - b.id).map((row) => row.name);
    return ['unspec', ...new Set(names)].map((name) => `bpf_${name}`);
  },
};

function* listBuiltins(t: Bpftool): UserFlow<number> {
  if (t.words.left === 0) return yield* usage(t, 'feature');
  const name = t.words.next();
  const rows = GROUPS[name];
  if (!rows)
    return yield* t.fail(
      `expected 'prog_types', 'map_types', 'attach_types', 'link_types' or 'helpers', got: ${name}`,
    );
  const names = rows();
  if (t.json) yield* t.emit(array(names.map(string)));
  else for (const row of names) yield* t.println(row);
  return 0;
}

/** One thing that was looked for, as text and as a member of the JSON section. */
interface Finding {
  readonly text: string;
  readonly member: readonly [string, JsonTree];
}

interface Section {
  readonly title: string;
  readonly key: string;
  readonly findings: readonly Finding[];
}

/** differs: `macros`, `unprivileged` and `dev` are not taken. */
function* probe(t: Bpftool): UserFlow<number> {
  let isFull = false;
  while (t.words.left > 0) {
    if (t.words.accept('kernel')) continue;
    if (t.words.accept('full')) isFull = true;
    else {
      return yield* t.fail(
        `expected no more arguments, 'kernel', 'dev', 'macros' or 'prefix', got: '${t.words.peek()}'?`,
      );
    }
  }
  const sections: Section[] = [
    { title: 'system configuration', key: 'system_config', findings: yield* systemFindings(t) },
    {
      title: 'system call availability',
      key: 'syscall_config',
      findings: [{ text: 'bpf() syscall is available', member: ['have_bpf_syscall', bool(true)] }],
    },
  ];
  const progs: Finding[] = [];
  const types: (readonly [type: number, has: boolean])[] = [];
  for (let type = 1; type < PROG_TYPES.length; type++) {
    const has = yield* takesProgram(t, type);
    types.push([type, has]);
    progs.push(availability('program_type', PROG_TYPES[type]!, 'prog', has));
  }
  sections.push({ title: 'eBPF program types', key: 'program_types', findings: progs });
  const maps: Finding[] = [];
  for (let type = 1; type < MAP_TYPES.length; type++) {
    maps.push(availability('map_type', MAP_TYPES[type]!, 'map', yield* takesMap(t, type)));
  }
  sections.push({ title: 'eBPF map types', key: 'map_types', findings: maps });
  const calls: Finding[] = [];
  for (const [type, has] of types) calls.push(yield* helpersOf(t, type, has, isFull));
  sections.push({ title: 'eBPF helper functions', key: 'helpers', findings: calls });
  const misc = { title: 'miscellaneous eBPF features', key: 'misc' };
  sections.push({ ...misc, findings: yield* miscFindings(t) });
  if (t.json) {
    const trees = sections.map(({ key, findings }) => {
      return [key, object(...findings.map(({ member }) => member))] as const;
    });
    yield* t.emit(object(...trees));
    return 0;
  }
  for (const { title, findings } of sections) {
    yield* t.println(`Scanning ${title}...`);
    for (const { text } of findings) yield* t.println(text);
    yield* t.println();
  }
  return 0;
}

function availability(what: string, name: string, short: string, has: boolean): Finding {
  return {
    text: `eBPF ${what} ${name} is ${has ? 'available' : 'NOT available'}`,
    member: [`have_${name}_${short}_type`, bool(has)],
  };
}

/** Options that tell what the kernel can do for BPF programs. */
const CONFIG_OPTIONS = `BPF BPF_SYSCALL HAVE_EBPF_JIT BPF_JIT BPF_JIT_ALWAYS_ON DEBUG_INFO_BTF
  DEBUG_INFO_BTF_MODULES CGROUPS CGROUP_BPF CGROUP_NET_CLASSID SOCK_CGROUP_DATA BPF_EVENTS
  KPROBE_EVENTS UPROBE_EVENTS TRACING FTRACE_SYSCALLS FUNCTION_ERROR_INJECTION BPF_KPROBE_OVERRIDE
  NET XDP_SOCKETS LWTUNNEL_BPF NET_ACT_BPF NET_CLS_BPF NET_CLS_ACT NET_SCH_INGRESS XFRM
  IP_ROUTE_CLASSID IPV6_SEG6_BPF BPF_LIRC_MODE2 BPF_STREAM_PARSER NETFILTER_XT_MATCH_BPF BPFILTER
  BPFILTER_UMH TEST_BPF HZ`
  .split(/\s+/)
  .map((name) => `CONFIG_${name}`);

function* systemFindings(t: Bpftool): UserFlow<Finding[]> {
  const findings: Finding[] = [];
  const values: Readonly<Record<string, (value: string) => string>> = {
    'kernel/unprivileged_bpf_disabled': unprivilegedText,
    'net/core/bpf_jit_enable': jitText,
    'net/core/bpf_jit_harden': hardenText,
    'net/core/bpf_jit_kallsyms': kallsymsText,
    'net/core/bpf_jit_limit': limitText,
  };
  for (const [path, tell] of Object.entries(values)) {
    const text = yield* readTextFile(t.p, `/proc/sys/${path}`);
    const value = typeof text === 'string' ? text.trim() : '';
    findings.push({
      text: tell(value),
      member: [path.split('/').at(-1)!, number(value === '' ? -1 : Number(value))],
    });
  }
  const options = yield* configLines(t.p);
  for (const name of CONFIG_OPTIONS) {
    const value = options.get(name);
    findings.push({
      text: value === undefined ? `${name} is not set` : `${name} is set to ${value}`,
      member: [name, value === undefined ? NULL : string(value)],
    });
  }
  return findings;
}

const NULL: JsonTree = { kind: 'raw', text: 'null' };

/** NAME=VALUE lines of the kernel's configuration. */
function* configLines(p: Bpftool['p']): UserFlow<ReadonlyMap<string, string>> {
  const release = yield* readTextFile(p, '/proc/sys/kernel/osrelease');
  const path = `/boot/config-${typeof release === 'string' ? release.trim() : ''}`;
  const text = yield* readTextFile(p, path);
  const lines = typeof text === 'string' ? text.matchAll(/^(CONFIG_\w+)=(.*)$/gm) : [];
  return new Map([...lines].map(([, name, value]) => [name!, value!]));
}

/** What may write where it should not, or to the log, is called only where `full` is asked for. */
const NOISY = ['trace_printk', 'trace_vprintk', 'probe_write_user'];
/** Types whose programs cannot be loaded without what they attach to. */
const NEEDS_TARGET = ['tracing', 'ext', 'lsm', 'struct_ops'];

function* helpersOf(
  t: Bpftool,
  type: number,
  isTaken: boolean,
  isFull: boolean,
): UserFlow<Finding> {
  const name = PROG_TYPES[type]!;
  const names: string[] = [];
  const isOpen = !NEEDS_TARGET.includes(name);
  if (isTaken && isOpen) {
    const rows = new Map(helpers.map((row) => [row.id, row.name]));
    for (const [id, helper] of [...rows].sort(([a], [b]) => a - b)) {
      if (!isFull && NOISY.includes(helper)) continue;
      if (yield* takesHelper(t, type, id)) names.push(`bpf_${helper}`);
    }
  }
  const rows = names.map((helper) => `\n\t- ${helper}`).join('');
  let nothing = '';
  if (!isTaken) nothing = '\n\tProgram type not supported';
  else if (!isOpen) nothing = '\n\tCould not determine which helpers are available';
  return {
    text: `eBPF helpers supported for program type ${name}:${rows}${nothing}`,
    member: [`${name}_available_helpers`, array(names.map(string))],
  };
}

/** The verifier knows the function for this type, whatever it says of its arguments. */
function* takesHelper(t: Bpftool, type: number, id: number): UserFlow<boolean> {
  const insns = encodeInsns([insn('call_helper', { imm: id }), insn('exit')]);
  const values = probeValues(type);
  const log = { level: 1, sizeBytes: 4096 };
  const outcome = yield* progLoad(t.user, { values, insns, license: 'GPL' }, log);
  yield* t.user.release();
  if (outcome.result >= 0) yield* close(outcome.result);
  return outcome.result >= 0 || !/(invalid|unknown) func /.test(outcome.log);
}

/** The largest program before 5.2. */
const OLD_MAX_INSNS = 4096;

function* miscFindings(t: Bpftool): UserFlow<Finding[]> {
  const zero = insn('mov64_imm', { dst: 0, imm: 1 });
  const exit = insn('exit');
  const findings: Finding[] = [];
  const programs: readonly (readonly [key: string, text: string, program: Insn[]])[] = [
    [
      'have_large_insn_limit',
      'Large program size limit',
      [...Array.from({ length: OLD_MAX_INSNS }, () => zero), exit],
    ],
    [
      'have_bounded_loops',
      'Bounded loop support',
      [
        insn('mov64_imm', { dst: 0, imm: 10 }),
        insn('sub64_imm', { dst: 0, imm: 1 }),
        insn('jne64_imm', { dst: 0, imm: 0, off: -2 }),
        exit,
      ],
    ],
    [
      'have_v2_isa_extension',
      'ISA extension v2',
      [insn('mov64_imm'), insn('jlt64_imm', { imm: 0, off: 1 }), zero, exit],
    ],
    [
      'have_v3_isa_extension',
      'ISA extension v3',
      [insn('mov64_imm'), insn('jlt32_imm', { imm: 0, off: 1 }), zero, exit],
    ],
  ];
  for (const [key, text, program] of programs) {
    const values = { prog_type: PROG_TYPES.indexOf('socket_filter') };
    const insns = encodeInsns(program);
    const { result } = yield* progLoad(t.user, { values, insns, license: 'GPL' });
    yield* t.user.release();
    if (result >= 0) yield* close(result);
    const has = result >= 0;
    findings.push({
      text: `${text} is ${has ? 'available' : 'NOT available'}`,
      member: [key, bool(has)],
    });
  }
  return findings;
}

function unprivilegedText(value: string): string {
  const head = 'bpf() syscall ';
  switch (value) {
    case '0':
      return `${head}for unprivileged users is enabled`;
    case '1':
      return `${head}restricted to privileged users (without recovery)`;
    case '2':
      return `${head}restricted to privileged users (admin can change)`;
    default:
      return 'Unable to retrieve required privileges for bpf() syscall';
  }
}

function jitText(value: string): string {
  switch (value) {
    case '0':
      return 'JIT compiler is disabled';
    case '1':
      return 'JIT compiler is enabled';
    case '2':
      return 'JIT compiler is enabled with debugging traces in kernel logs';
    default:
      return 'Unable to retrieve JIT-compiler status';
  }
}

function hardenText(value: string): string {
  switch (value) {
    case '0':
      return 'JIT compiler hardening is disabled';
    case '1':
      return 'JIT compiler hardening is enabled for unprivileged users';
    case '2':
      return 'JIT compiler hardening is enabled for all users';
    default:
      return 'Unable to retrieve JIT hardening status';
  }
}

function kallsymsText(value: string): string {
  switch (value) {
    case '0':
      return 'JIT compiler kallsyms exports are disabled';
    case '1':
      return 'JIT compiler kallsyms exports are enabled for root';
    default:
      return 'Unable to retrieve JIT kallsyms export status';
  }
}

const limitText = (value: string): string =>
  value === ''
    ? 'Unable to retrieve global memory limit for JIT compiler for unprivileged users'
    : `Global memory limit for JIT compiler for unprivileged users is ${value} bytes`;

function probeValues(type: number) {
  const attachTypes: Readonly<Record<string, (typeof ATTACH_TYPES)[number]>> = {
    cgroup_sock_addr: 'cgroup_inet4_connect',
    cgroup_sockopt: 'cgroup_getsockopt',
    sk_lookup: 'sk_lookup',
  };
  const attach = attachTypes[PROG_TYPES[type]!];
  return {
    prog_type: type,
    ...(attach ? { expected_attach_type: ATTACH_TYPES.indexOf(attach) } : {}),
    // Programs of this type may sleep, and must say so.
    ...(PROG_TYPES[type] === 'syscall' ? { prog_flags: uapi.BPF_F_SLEEPABLE } : {}),
  };
}

/** r0 = 0; exit. Refused for its type or not: only -EINVAL and -EOPNOTSUPP mean the type. */
function* takesProgram(t: Bpftool, type: number): UserFlow<boolean> {
  const insns = encodeInsns([
    { code: 0xb7, dst: 0, src: 0, off: 0, imm: 0 },
    { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 },
  ]);
  const values = probeValues(type);
  const { result } = yield* progLoad(t.user, { values, insns, license: 'GPL' });
  yield* t.user.release();
  if (result >= 0) {
    yield* close(result);
    return true;
  }
  // Types that need a BTF target are refused for the lack of it, after their type was taken.
  const needsTarget = ['tracing', 'lsm', 'ext', 'struct_ops'].includes(PROG_TYPES[type]!);
  return needsTarget && result !== -errno.EOPNOTSUPP;
}

function* takesMap(t: Bpftool, type: number): UserFlow<boolean> {
  const name = MAP_TYPES[type]!;
  const attr = { map_type: type, key_size: 4, value_size: 4, max_entries: 1, map_flags: 0 };
  switch (name) {
    case 'stack_trace':
      attr.value_size = 8;
      break;
    case 'lpm_trie':
      attr.key_size = 8;
      attr.map_flags = 1;
      break;
    case 'queue':
    case 'stack':
    case 'bloom_filter':
      attr.key_size = 0;
      break;
    case 'ringbuf':
    case 'user_ringbuf':
      Object.assign(attr, { key_size: 0, value_size: 0, max_entries: 4096 });
      break;
    case 'cgroup_storage':
    case 'percpu_cgroup_storage':
      Object.assign(attr, { key_size: 16, value_size: 8, max_entries: 0 });
      break;
  }
  let inner = 0;
  if (name.endsWith('_of_maps')) {
    inner = yield* mapCreate(t.user, { ...attr, map_type: MAP_TYPES.indexOf('hash') });
  }
  const fd = yield* mapCreate(t.user, { ...attr, inner_map_fd: Math.max(0, inner) });
  yield* t.user.release();
  if (inner > 0) yield* close(inner);
  if (fd >= 0) yield* close(fd);
  // Storage maps are refused for the lack of BTF.
  return fd >= 0 || (/(sk|inode|task)_storage|struct_ops/.test(name) && fd !== -errno.EOPNOTSUPP);
}

export const featureCommands: Readonly<Record<string, Command>> = {
  probe,
  list_builtins: listBuiltins,
  help: (t) => help(t, 'feature'),
};
