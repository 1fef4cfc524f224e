/** bpftool btf show and dump. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { parseBtf, type Btf } from '../../bpf/btf/btf.ts';
import { cHeader } from '../../bpf/btf/c-header.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { BtfError } from '../../bpf/btf/types.ts';
import { readElf } from '../../bpf/elf/elf-file.ts';
import { ObjectError } from '../../bpf/elf/error.ts';
import { close, readFile } from '../libc/files.ts';
import { errno } from '../../kernel/types/errno.ts';
import { strerror } from '../libc/strerror.ts';
import {
  allIds,
  btfInfo,
  fdById,
  mapInfo,
  type NamedBtf,
  progInfo,
  withId,
} from '../bpf/objects.ts';
import { progDetails } from '../bpf/prog-details.ts';
import { kernelBtf } from '../bpf/object-file.ts';
import { rawTypeJson, rawTypeText } from './btf-raw.ts';
import { array, bool, number, object, string } from './json.ts';
import { mapFdAndInfo, progFd } from './object-words.ts';
import { btfOf } from './program-name.ts';
import { holders, type Holder, holdersJson, holdersText } from './refs.ts';
import { type Bpftool, type Command } from './tool.ts';
import { help, usage } from './usage.ts';
import { parseUnsigned } from './words.ts';

interface Users {
  readonly progs: ReadonlyMap<number, number[]>;
  readonly maps: ReadonlyMap<number, number[]>;
  readonly holders: ReadonlyMap<number, Holder[]>;
}

function* show(t: Bpftool): UserFlow<number> {
  let only: number | undefined;
  if (t.words.left > 0) {
    if (!t.words.accept('id')) return yield* t.fail(`what is '${t.words.peek()}'?`);
    const text = t.words.next();
    only = parseUnsigned(text);
    if (only === undefined) return yield* t.fail(`can't parse ${text} as ID`);
  }
  const users: Users = {
    progs: yield* usersOf(t, 'prog'),
    maps: yield* usersOf(t, 'map'),
    holders: yield* holders(t, 'btf'),
  };
  const ids = only === undefined ? yield* allIds(t.user, 'btf') : [only];
  if (typeof ids === 'number') return yield* t.fail(`can't get next BTF object: ${strerror(ids)}`);
  const trees: JsonTree[] = [];
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'btf', id);
    if (fd < 0) return yield* t.fail(`can't get BTF object by id (${id}): ${strerror(fd)}`);
    const found = yield* btfInfo(t.user, fd);
    yield* close(fd);
    if (typeof found === 'number') {
      return yield* t.fail(`can't get BTF object info: ${strerror(found)}`);
    }
    if (t.json) trees.push(objectJson(found, users));
    else yield* t.println(objectText(found, users));
  }
  if (t.json) yield* t.emit(only === undefined ? array(trees) : trees[0]!);
  return 0;
}

function objectText({ info, name }: NamedBtf, users: Users): string {
  const isKernel = info.kernel_btf !== 0;
  let text = `${info.id}: `;
  if (isKernel) text += `name [${name}]  `;
  else text += name === '' ? 'name <anon>  ' : `name ${name}  `;
  text += `size ${info.btf_size}B`;
  const progs = users.progs.get(info.id);
  const maps = users.maps.get(info.id);
  if (progs) text += `  prog_ids ${progs.join(',')}`;
  if (maps) text += `  map_ids ${maps.join(',')}`;
  return text + holdersText(users.holders.get(info.id));
}

function objectJson({ info, name }: NamedBtf, users: Users): JsonTree {
  return object(
    ['id', number(info.id)],
    ['size', number(info.btf_size)],
    ['prog_ids', array((users.progs.get(info.id) ?? []).map(number))],
    ['map_ids', array((users.maps.get(info.id) ?? []).map(number))],
    holdersJson(users.holders.get(info.id)),
    ['kernel', bool(info.kernel_btf !== 0)],
    name !== '' && ['name', string(name)],
  );
}

/** Ids of programs or maps by the BTF object that they use. */
function* usersOf(t: Bpftool, kind: 'prog' | 'map'): UserFlow<Map<number, number[]>> {
  const out = new Map<number, number[]>();
  const ids = yield* allIds(t.user, kind);
  for (const id of typeof ids === 'number' ? [] : ids) {
    const btf = yield* withId(t.user, kind, id, function* (fd) {
      const info = yield* kind === 'prog' ? progInfo(t.user, fd) : mapInfo(t.user, fd);
      return typeof info === 'number' ? 0 : info.btf_id;
    });
    if (btf > 0) out.set(btf, [...(out.get(btf) ?? []), id]);
  }
  return out;
}

interface Source {
  readonly btf: Btf;
  /** Only these types, where the source says so. */
  readonly roots: readonly number[];
}

function* dump(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(2))) return yield* usage(t, 'btf');
  const source = yield* sourceOf(t);
  if (!source) return t.failure;
  let asC = false;
  while (t.words.left > 0) {
    if (!t.words.accept('format')) {
      return yield* t.fail(`unrecognized option: '${t.words.peek()}'`);
    }
    if (t.words.left === 0) return yield* t.fail(`expecting value for 'format' option\n`);
    const format = t.words.next();
    if (format !== 'c' && format !== 'raw') {
      return yield* t.fail(
        `unrecognized format specifier: '${format}', possible values: raw, c`,
        -errno.EINVAL,
      );
    }
    asC = format === 'c';
  }
  const { btf, roots } = source;
  if (asC) {
    if (t.json) return yield* t.fail('JSON output for C-syntax dump is not supported');
    const { text, failure } = cHeader(btf, roots);
    yield* t.print(text);
    if (!failure) return 0;
    yield* t.info(`libbpf: ${failure.message}`);
    return -failure.errno;
  }
  const all = [...btf.types.keys()].filter((id) => id >= btf.firstId);
  const ids = roots.length > 0 ? roots : all;
  const trees: JsonTree[] = [];
  for (const id of ids) {
    if (t.json) trees.push(rawTypeJson(btf, id));
    else yield* t.println(rawTypeText(btf, id));
  }
  if (t.json) yield* t.emit(object(['types', array(trees)]));
  return 0;
}

function* sourceOf(t: Bpftool): UserFlow<Source | undefined> {
  const { words } = t;
  if (words.accept('map')) {
    const map = yield* mapFdAndInfo(t);
    if (!map) return undefined;
    yield* close(map.fd);
    const { info } = map;
    let roots = [info.btf_key_type_id, info.btf_value_type_id];
    if (words.accept('key')) roots = roots.slice(0, 1);
    else if (words.accept('value')) roots = roots.slice(1);
    else if (words.accept('all')) roots = [];
    else words.accept('kv');
    return yield* byId(t, info.btf_id, roots);
  }
  if (words.accept('prog')) {
    const fd = yield* progFd(t);
    if (fd === undefined) return undefined;
    const details = yield* progDetails(t.user, fd, {});
    yield* close(fd);
    return yield* byId(t, typeof details === 'number' ? 0 : details.info.btf_id, []);
  }
  if (words.accept('id')) {
    const text = words.next();
    const id = parseUnsigned(text);
    if (id === undefined) {
      yield* t.fail(`can't parse ${text} as ID`);
      return undefined;
    }
    return yield* byId(t, id, []);
  }
  if (words.accept('file')) return yield* fromFile(t, words.next());
  yield* t.fail(`unrecognized BTF source specifier: '${words.peek()}'`);
  return undefined;
}

function* byId(t: Bpftool, id: number, roots: readonly number[]): UserFlow<Source | undefined> {
  if (id === 0) {
    yield* t.fail("can't find btf with ID (0)");
    return undefined;
  }
  const found = yield* withId(t.user, 'btf', id, (fd) => btfInfo(t.user, fd));
  if (typeof found === 'number') {
    yield* t.fail(`can't get BTF object by id (${id}): ${strerror(found)}`);
    yield* t.fail(`get btf by id (${id}): ${strerror(found)}`, found);
    return undefined;
  }
  const isModule = found.info.kernel_btf !== 0 && found.name !== 'vmlinux';
  const btf = yield* btfOf(t.user, id, isModule ? yield* kernelBtf(t.p) : undefined);
  if (btf) return { btf, roots: roots.filter((root) => root !== 0) };
  yield* t.fail(`get btf by id (${id}): ${strerror(22)}`);
  return undefined;
}

/** An ELF file with a .BTF section, or raw BTF. */
function* fromFile(t: Bpftool, path: string): UserFlow<Source | undefined> {
  const bytes = yield* readFile(t.p, path);
  if (typeof bytes === 'number') {
    yield* t.fail(`failed to load BTF from ${path}: ${strerror(bytes)}`, bytes);
    return undefined;
  }
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45;
  try {
    const data = isElf ? readElf(bytes, path).sectionNamed('.BTF')?.data : bytes;
    if (data) return { btf: parseBtf(data), roots: [] };
    yield* t.fail(`failed to load BTF from ${path}: ${strerror(61)}`);
  } catch (caught) {
    if (!(caught instanceof BtfError) && !(caught instanceof ObjectError)) throw caught;
    yield* t.fail(`failed to load BTF from ${path}: ${caught.message}`);
  }
  return undefined;
}

export const btfCommands: Readonly<Record<string, Command>> = {
  show,
  list: show,
  help: (t) => help(t, 'btf'),
  dump,
};
