/** bpftool feature probe (what the kernel takes) and list_builtins (what there is at all). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
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

function* probe(t: Bpftool): UserFlow<number> {
  t.words.accept('kernel');
  if (t.words.left > 0) {
    return yield* t.fail(
      `expected no more arguments, 'kernel', 'dev', 'macros' or 'prefix', got: '${t.words.peek()}'?`,
    );
  }
  const unprivileged = yield* readTextFile(t.p, '/proc/sys/kernel/unprivileged_bpf_disabled');
  const jit = yield* readTextFile(t.p, '/proc/sys/net/core/bpf_jit_enable');
  const progs: [string, boolean][] = [];
  for (const [type, name] of PROG_TYPES.entries()) {
    if (type > 0) progs.push([name, yield* takesProgram(t, type)]);
  }
  const maps: [string, boolean][] = [];
  for (const [type, name] of MAP_TYPES.entries()) {
    if (type > 0) maps.push([name, yield* takesMap(t, type)]);
  }
  if (t.json) {
    const known = (rows: readonly [string, boolean][], kind: string) =>
      object(...rows.map(([name, has]) => [`have_${name}_${kind}_type`, bool(has)] as const));
    yield* t.emit(
      object(
        [
          'system_config',
          object(
            typeof unprivileged === 'string' && [
              'unprivileged_bpf_disabled',
              number(Number(unprivileged)),
            ],
            typeof jit === 'string' && ['bpf_jit_enable', number(Number(jit))],
          ),
        ],
        ['syscall_config', object(['have_bpf_syscall', bool(true)])],
        ['program_types', known(progs, 'prog')],
        ['map_types', known(maps, 'map')],
      ),
    );
    return 0;
  }
  yield* t.println('Scanning system configuration...');
  yield* t.println(unprivilegedText(unprivileged));
  yield* t.println(jitText(jit));
  yield* t.println('\nScanning system call availability...\nbpf() syscall is available');
  yield* t.println('\nScanning eBPF program types...');
  for (const [name, has] of progs) {
    yield* t.println(`eBPF program_type ${name} is ${has ? 'available' : 'NOT available'}`);
  }
  yield* t.println('\nScanning eBPF map types...');
  for (const [name, has] of maps) {
    yield* t.println(`eBPF map_type ${name} is ${has ? 'available' : 'NOT available'}`);
  }
  return 0;
}

function unprivilegedText(text: string | number): string {
  const head = 'bpf() syscall ';
  switch (typeof text === 'string' ? text.trim() : '') {
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

function jitText(text: string | number): string {
  switch (typeof text === 'string' ? text.trim() : '') {
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

/** r0 = 0; exit. Refused for its type or not: only -EINVAL and -EOPNOTSUPP mean the type. */
function* takesProgram(t: Bpftool, type: number): UserFlow<boolean> {
  const insns = encodeInsns([
    { code: 0xb7, dst: 0, src: 0, off: 0, imm: 0 },
    { code: 0x95, dst: 0, src: 0, off: 0, imm: 0 },
  ]);
  const attachTypes: Readonly<Record<string, (typeof ATTACH_TYPES)[number]>> = {
    cgroup_sock_addr: 'cgroup_inet4_connect',
    cgroup_sockopt: 'cgroup_getsockopt',
    sk_lookup: 'sk_lookup',
  };
  const attach = attachTypes[PROG_TYPES[type]!];
  const values = {
    prog_type: type,
    ...(attach ? { expected_attach_type: ATTACH_TYPES.indexOf(attach) } : {}),
    // Programs of this type may sleep, and must say so.
    ...(PROG_TYPES[type] === 'syscall' ? { prog_flags: uapi.BPF_F_SLEEPABLE } : {}),
  };
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
