/** bpftool struct_ops: maps of callbacks that the kernel calls. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { MAP_TYPES } from '../../bpf/uapi.ts';
import { allIds, fdById, mapInfo, type MapInfo } from '../bpf/objects.ts';
import { isFailure, openObject } from '../bpf/object-file.ts';
import { mapDelete } from '../../bpf/loader/commands.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { array, number, object, string } from './json.ts';
import { type Bpftool, type Command, FAILED } from './tool.ts';
import { help, usage } from './usage.ts';
import { parseUnsigned } from './words.ts';

const STRUCT_OPS = MAP_TYPES.indexOf('struct_ops');

interface Found {
  readonly fd: number;
  readonly info: MapInfo;
}

/** Maps of this kind, by id or name where one is given; undefined after a complaint. */
function* find(t: Bpftool): UserFlow<{ found: Found[]; wanted: string | undefined } | undefined> {
  const { words } = t;
  let wanted: string | undefined;
  let matches = (_info: MapInfo) => true;
  if (words.left > 0) {
    const byId = words.is('id');
    if (!byId && !words.is('name')) {
      yield* t.fail(`expected 'id' or 'name', got: '${words.peek()}'?`);
      return undefined;
    }
    words.skip(1);
    const text = words.next();
    wanted = text;
    const id = byId ? parseUnsigned(text) : undefined;
    if (byId && id === undefined) {
      yield* t.fail(`invalid id ${text}`);
      return undefined;
    }
    matches = (info) => (byId ? info.id === id : info.name === text);
  }
  const found: Found[] = [];
  const ids = yield* allIds(t.user, 'map');
  if (typeof ids === 'number') {
    yield* t.fail(strerror(ids));
    return undefined;
  }
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'map', id);
    if (fd < 0) continue;
    const info = yield* mapInfo(t.user, fd);
    if (typeof info !== 'number' && info.type === STRUCT_OPS && matches(info)) {
      found.push({ fd, info });
    } else yield* close(fd);
  }
  return { found, wanted };
}

function* show(t: Bpftool): UserFlow<number> {
  const result = yield* find(t);
  if (!result) return FAILED;
  const { found, wanted } = result;
  for (const { fd } of found) yield* close(fd);
  if (t.json) {
    yield* t.emit(
      array(
        found.map(({ info: { id, name } }) => object(['id', number(id)], ['name', string(name)])),
      ),
    );
  } else {
    for (const { info } of found) yield* t.println(`${info.id}: ${info.name.padEnd(15)}`);
  }
  return found.length === 0 && wanted !== undefined ? FAILED : 0;
}

function* dump(t: Bpftool): UserFlow<number> {
  const result = yield* find(t);
  if (!result) return FAILED;
  const { found, wanted } = result;
  for (const { fd } of found) yield* close(fd);
  // differs: of a registered struct only what `map show` knows is told.
  const maps = found.map(({ info: { id, name } }) =>
    object(['bpf_map_info', object(['id', number(id)], ['name', string(name)])]),
  );
  if (t.json || found.length > 0) yield* t.emit(array(maps));
  else yield* t.println('[]');
  return found.length === 0 && wanted !== undefined ? FAILED : 0;
}

function* register(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(1))) return yield* usage(t, 'struct_ops');
  const file = t.words.next();
  const spec = yield* openObject(t.p, file);
  if (isFailure(spec)) {
    yield* t.info(spec.message);
    return FAILED;
  }
  // differs: no subsystem of this kernel takes callbacks.
  return yield* t.fail(`no struct_ops found in ${file}`);
}

function* unregister(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(2))) return yield* usage(t, 'struct_ops');
  const result = yield* find(t);
  if (!result) return FAILED;
  const { found, wanted } = result;
  if (found.length === 0) return yield* t.fail(`no struct_ops found for ${wanted ?? ''}`);
  let status = 0;
  for (const { fd, info } of found) {
    const failed = yield* mapDelete(t.user, fd, new Uint8Array(4));
    yield* close(fd);
    if (failed < 0) status = yield* t.fail(`can't unload ${info.name}: ${strerror(failed)}`);
    else yield* t.info(`Unregistered ${info.name} id ${info.id}`);
  }
  return status;
}

export const structOpsCommands: Readonly<Record<string, Command>> = {
  show,
  list: show,
  register,
  unregister,
  dump,
  help: (t) => help(t, 'struct_ops'),
};
