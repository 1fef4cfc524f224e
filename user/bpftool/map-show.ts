/** bpftool map show. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { PROG_TYPES, mapTypeOf } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { allIds, fdById, fdinfo, mapInfo, type MapInfo } from '../bpf/objects.ts';
import { deviceJson, deviceText } from './device.ts';
import { array, bool, number, object, string } from './json.ts';
import { mapFds } from './object-words.ts';
import { holdersJson, holdersText, pinnedJson, pinnedText, type Refs, refsOf } from './refs.ts';
import { type Bpftool, FAILED } from './tool.ts';

export function* mapShow(t: Bpftool): UserFlow<number> {
  const refs = yield* refsOf(t, 'map');
  if (t.words.left === 2) return yield* showNamed(t, refs);
  if (t.words.left > 0) return yield* t.fail(`what is '${t.words.peek()}'?`);
  const ids = yield* allIds(t.user, 'map');
  if (typeof ids === 'number') return yield* t.fail(`can't get next map: ${strerror(ids)}`);
  const trees: JsonTree[] = [];
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'map', id);
    if (fd === -2) continue;
    if (fd < 0) return yield* t.fail(`can't get map by id (${id}): ${strerror(fd)}`);
    const tree = yield* showOne(t, fd, refs);
    if (tree) trees.push(tree);
    yield* close(fd);
  }
  if (t.json) yield* t.emit(array(trees));
  return 0;
}

function* showNamed(t: Bpftool, refs: Refs): UserFlow<number> {
  const fds = yield* mapFds(t);
  if (!fds || fds.length === 0) return FAILED;
  const trees: JsonTree[] = [];
  for (const fd of fds) {
    const tree = yield* showOne(t, fd, refs);
    if (tree) trees.push(tree);
    yield* close(fd);
  }
  if (t.json) yield* t.emit(trees.length === 1 ? trees[0]! : array(trees));
  return 0;
}

/** The JSON of one map; undefined where text was printed instead. */
function* showOne(t: Bpftool, fd: number, refs: Refs): UserFlow<JsonTree | undefined> {
  const info = yield* mapInfo(t.user, fd);
  if (typeof info === 'number') {
    yield* t.fail(`can't get map info: ${strerror(info)}`);
    return undefined;
  }
  if (t.json) return yield* mapJson(t, fd, info, refs);
  yield* t.print(yield* mapText(t, fd, info, refs));
  return undefined;
}

export function* headerText(t: Bpftool, info: MapInfo): UserFlow<string> {
  const type = mapTypeOf(info.type) ?? `type ${info.type}`;
  const name = info.name === '' ? '' : `name ${info.name}  `;
  const flags = `flags 0x${info.map_flags.toString(16)}`;
  return `${info.id}: ${type}  ${name}${flags}${yield* deviceText(t.p, info)}\n`;
}

export function headerJson(info: MapInfo): (readonly [string, JsonTree] | false)[] {
  const type = mapTypeOf(info.type);
  return [
    ['id', number(info.id)],
    ['type', type === undefined ? number(info.type) : string(type)],
    info.name !== '' && ['name', string(info.name)],
    ['flags', number(info.map_flags)],
  ];
}

function* mapText(t: Bpftool, fd: number, info: MapInfo, refs: Refs): UserFlow<string> {
  let text = yield* headerText(t, info);
  text += `\tkey ${info.key_size}B  value ${info.value_size}B  max_entries ${info.max_entries}`;
  const memlock = yield* fdinfo(t.p, fd, 'memlock');
  if (memlock !== undefined) text += `  memlock ${memlock}B`;
  const owner = yield* ownerOf(t, fd, info);
  if (owner.type !== undefined || owner.jited !== undefined) text += '\n\t';
  if (owner.type !== undefined) text += `owner_prog_type ${owner.type}  `;
  if (owner.jited !== undefined) text += `owner${owner.jited ? '' : ' not'} jited`;
  text += pinnedText(refs.pinned.get(info.id));
  const isFrozen = Number((yield* fdinfo(t.p, fd, 'frozen')) ?? 0) !== 0;
  if (info.btf_id !== 0 || isFrozen) text += '\n\t';
  if (info.btf_id !== 0) text += `btf_id ${info.btf_id}`;
  if (isFrozen) text += `${info.btf_id !== 0 ? '  ' : ''}frozen`;
  return `${text}${holdersText(refs.holders.get(info.id))}\n`;
}

function* mapJson(t: Bpftool, fd: number, info: MapInfo, refs: Refs): UserFlow<JsonTree> {
  const memlock = yield* fdinfo(t.p, fd, 'memlock');
  const owner = yield* ownerOf(t, fd, info);
  const frozen = Number((yield* fdinfo(t.p, fd, 'frozen')) ?? 0);
  return object(
    ...headerJson(info),
    yield* deviceJson(t.p, info),
    ['bytes_key', number(info.key_size)],
    ['bytes_value', number(info.value_size)],
    ['max_entries', number(info.max_entries)],
    memlock !== undefined && ['bytes_memlock', number(Number(memlock))],
    owner.type !== undefined && ['owner_prog_type', string(owner.type)],
    owner.jited !== undefined && ['owner_jited', bool(owner.jited)],
    ['frozen', number(frozen)],
    info.btf_id !== 0 && ['btf_id', number(info.btf_id)],
    pinnedJson(refs.pinned, info.id),
    holdersJson(refs.holders.get(info.id)),
  );
}

/** Of a program array: what kind of programs it takes since the first one was put in. */
function* ownerOf(
  t: Bpftool,
  fd: number,
  info: MapInfo,
): UserFlow<{ type?: string; jited?: boolean }> {
  if (mapTypeOf(info.type) !== 'prog_array') return {};
  const type = yield* fdinfo(t.p, fd, 'owner_prog_type');
  const jited = yield* fdinfo(t.p, fd, 'owner_jited');
  return {
    ...(type === undefined ? {} : { type: PROG_TYPES[Number(type)] ?? type }),
    ...(jited === undefined ? {} : { jited: Number(jited) !== 0 }),
  };
}
