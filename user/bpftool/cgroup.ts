/**
 * bpftool cgroup: programs attached to control groups. A kernel without them answers each query
 * with the error that it has for descriptors of something else.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { decodeAttr } from '../../bpf/attr.ts';
import { command } from '../../bpf/loader/commands.ts';
import { ATTACH_TYPES, type AttachType, uapi } from '../../bpf/uapi.ts';
import { progInfo, withId } from '../bpf/objects.ts';
import { O_RDONLY } from '../../kernel/fs/fcntl.ts';
import { close, open, readTextFile } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { array, number, object, string } from './json.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { progFd } from './object-words.ts';
import { type Bpftool, type Command, FAILED } from './tool.ts';
import { help } from './usage.ts';
import { isPrefix } from './words.ts';

/** Those that a cgroup can have, in the order in which they are asked for. */
const CGROUP_TYPES: readonly AttachType[] = ATTACH_TYPES.filter(
  (name) => name.startsWith('cgroup_') || name === 'lsm_cgroup',
);
/** Programs of one type that fit the answer. */
const MOST_PROGRAMS = 64;

interface Attached {
  readonly id: number;
  readonly type: AttachType;
  readonly flags: string;
  readonly name: string;
}

function flagsText(flags: number): string {
  if (flags === uapi.BPF_F_ALLOW_MULTI) return 'multi';
  return flags === uapi.BPF_F_ALLOW_OVERRIDE ? 'override' : flags === 0 ? '' : flags.toString(16);
}

/** All programs of an open cgroup, or the error where no type can be asked for. */
function* attachedTo(t: Bpftool, fd: number, effective: boolean): UserFlow<Attached[] | number> {
  const found: Attached[] = [];
  let failed = 0;
  let answers = 0;
  for (const type of CGROUP_TYPES) {
    const ids = yield* t.user.place(new Uint8Array(4 * MOST_PROGRAMS));
    const { result, attr } = yield* command(t.user, 'prog_query', {
      target_fd: fd,
      attach_type: ATTACH_TYPES.indexOf(type),
      query_flags: effective ? uapi.BPF_F_QUERY_EFFECTIVE : 0,
      prog_ids: ids,
      prog_cnt: MOST_PROGRAMS,
    });
    const bytes = t.user.read(ids, 4 * MOST_PROGRAMS);
    yield* t.user.release();
    const answer = decodeAttr('prog_query', attr);
    if (result < 0) {
      failed = result;
      continue;
    }
    answers++;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < answer.prog_cnt; i++) {
      const id = view.getUint32(4 * i, true);
      const info = yield* withId(t.user, 'prog', id, (prog) => progInfo(t.user, prog));
      const name = typeof info === 'number' ? '' : info.name;
      found.push({ id, type, flags: flagsText(answer.attach_flags), name });
    }
  }
  return answers === 0 ? failed : found;
}

const HEADER = `${'ID'.padEnd(8)} ${'AttachType'.padEnd(15)} ${'AttachFlags'.padEnd(15)} ${'Name'.padEnd(15)}`;

function* printAttached(t: Bpftool, programs: readonly Attached[], indent: string): UserFlow<void> {
  for (const { id, type, flags, name } of programs) {
    yield* t.println(
      `${indent}${String(id).padEnd(8)} ${type.padEnd(15)} ${flags.padEnd(15)} ${name.padEnd(15)}`,
    );
  }
}

const trees = (programs: readonly Attached[]): JsonTree[] =>
  programs.map(({ id, type, flags, name }) =>
    object(
      ['id', number(id)],
      ['attach_type', string(type)],
      ['attach_flags', string(flags)],
      ['name', string(name)],
    ),
  );

/** The path, and whether inherited programs count; undefined after a complaint. */
function* parseShow(t: Bpftool): UserFlow<{ path: string; effective: boolean } | undefined> {
  const path = t.words.next();
  let effective = false;
  while (t.words.left > 0) {
    if (!t.words.accept('effective')) {
      yield* t.fail(`expected no more arguments, 'effective', got: '${t.words.peek()}'?`);
      return undefined;
    }
    effective = true;
  }
  return { path, effective };
}

function* openCgroup(t: Bpftool, path: string): UserFlow<number> {
  const fd = yield* open(t.p, path, O_RDONLY);
  if (fd < 0) yield* t.fail(`can't open cgroup ${path}`);
  return fd;
}

const cannotQuery = (path: string, failed: number) =>
  `can't query bpf programs attached to ${path}: ${strerror(failed)}`;

function* show(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(1))) return FAILED;
  const asked = yield* parseShow(t);
  if (!asked) return FAILED;
  const fd = yield* openCgroup(t, asked.path);
  if (fd < 0) return FAILED;
  const programs = yield* attachedTo(t, fd, asked.effective);
  yield* close(fd);
  if (typeof programs === 'number') return yield* t.fail(cannotQuery(asked.path, programs));
  if (t.json) yield* t.emit(array(trees(programs)));
  else if (programs.length > 0) {
    yield* t.println(HEADER);
    yield* printAttached(t, programs, '');
  }
  return 0;
}

/** Where cgroup2 is mounted, by /proc/mounts. */
function* cgroupRoot(t: Bpftool): UserFlow<string | undefined> {
  const mounts = yield* readTextFile(t.p, '/proc/mounts');
  if (typeof mounts === 'number') return undefined;
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , type]) => type === 'cgroup2')?.[1];
}

function* tree(t: Bpftool): UserFlow<number> {
  const given = t.words.left > 0 && !t.words.is('effective') ? t.words.peek() : undefined;
  const path = given ?? (yield* cgroupRoot(t));
  if (path === undefined) return yield* t.fail("cgroup v2 isn't mounted");
  if (given !== undefined) t.words.skip(1);
  const effective = t.words.accept('effective');
  if (!t.json) yield* t.print(`CgroupPath\n${HEADER}\n`);
  const fd = yield* openCgroup(t, path);
  if (fd < 0) return FAILED;
  const programs = yield* attachedTo(t, fd, effective);
  yield* close(fd);
  if (typeof programs === 'number') return yield* t.fail(cannotQuery(path, programs));
  if (programs.length === 0) return t.json ? yield* emitNone(t) : 0;
  if (t.json) {
    const one = object(['cgroup', string(path)], ['programs', array(trees(programs))]);
    yield* t.emit(array([one]));
  } else {
    yield* t.println(path);
    yield* printAttached(t, programs, '    ');
  }
  return 0;
}

function* emitNone(t: Bpftool): UserFlow<number> {
  yield* t.emit(array([]));
  return 0;
}

function change(which: 'attach' | 'detach'): Command {
  return function* (t) {
    const { words } = t;
    if (words.left < 4) return yield* t.fail(`too few parameters for cgroup ${which}`);
    const fd = yield* openCgroup(t, words.next());
    if (fd < 0) return FAILED;
    const status = yield* changeOn(t, fd, which);
    yield* close(fd);
    return status;
  };
}

function* changeOn(t: Bpftool, fd: number, which: 'attach' | 'detach'): UserFlow<number> {
  const { words } = t;
  const word = words.next();
  const type = CGROUP_TYPES.find((name) => isPrefix(word, name) || word === shortName(name));
  if (type === undefined) return yield* t.fail('invalid attach type');
  const prog = yield* progFd(t);
  if (prog === undefined) return FAILED;
  let flags = 0;
  while (which === 'attach' && words.left > 0) {
    if (words.accept('multi')) flags |= uapi.BPF_F_ALLOW_MULTI;
    else if (words.accept('override')) flags |= uapi.BPF_F_ALLOW_OVERRIDE;
    else return yield* t.fail(`unknown option: ${words.peek()}`);
  }
  const target = { target_fd: fd, attach_bpf_fd: prog, attach_type: ATTACH_TYPES.indexOf(type) };
  const { result } =
    which === 'attach'
      ? yield* command(t.user, 'prog_attach', { ...target, attach_flags: flags })
      : yield* command(t.user, 'prog_detach', target);
  yield* close(prog);
  if (result < 0) return yield* t.fail(`failed to ${which} program`);
  return yield* t.done();
}

/** Names of the time before libbpf had its own: ingress, egress, sock_create … */
function shortName(name: AttachType): string {
  return name
    .replace(/^cgroup_(inet_)?/, '')
    .replace(/^inet([46])_(.*)$/, '$2$1')
    .replace(/^udp([46])_(.*)$/, '$2$1');
}

export const cgroupCommands: Readonly<Record<string, Command>> = {
  '': function* (t) {
    yield* t.needs(1);
    return FAILED;
  },
  show,
  list: show,
  tree,
  attach: change('attach'),
  detach: change('detach'),
  help: (t) => help(t, 'cgroup'),
};
