/** bpftool map dump. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../../bpf/btf/btf.ts';
import { type JsonTree, printJson } from '../../bpf/btf/format.ts';
import { mapLookup, mapNextKey } from '../../bpf/loader/commands.ts';
import { MAP_TYPES } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { mapInfo, type MapInfo } from '../bpf/objects.ts';
import { possibleCpus } from '../bpf/object-file.ts';
import { array, hexData, object, string } from './json.ts';
import { headerJson, headerText } from './map-show.ts';
import {
  type Entry,
  entryErrorText,
  entryJson,
  entryText,
  isMapOfMaps,
  isMapOfProgs,
  mapBtf,
  typedEntry,
  valueBytes,
} from './map-values.ts';
import { mapFds } from './object-words.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { usage } from './usage.ts';

export function* mapDump(t: Bpftool): UserFlow<number> {
  if (t.words.left !== 2) return yield* usage(t, 'map');
  const fds = yield* mapFds(t);
  if (!fds || fds.length === 0) return FAILED;
  const cpus = yield* possibleCpus(t.p);
  const maps: { fd: number; info: MapInfo }[] = [];
  for (const fd of fds) {
    const info = yield* mapInfo(t.user, fd);
    if (typeof info === 'number') return yield* t.fail(`can't get map info: ${strerror(info)}`);
    maps.push({ fd, info });
  }
  // Text by types only where every map has them.
  const typed = t.json || maps.every(({ info }) => info.btf_id !== 0);
  const several = maps.length > 1;
  const trees: JsonTree[] = [];
  let status = 0;
  for (const [index, { fd, info }] of maps.entries()) {
    if (typed) {
      const btf = yield* mapBtf(t, info);
      const { elements, failed } = yield* typedElements(t, fd, info, btf, cpus);
      trees.push(several ? object(...headerJson(info), ['elements', elements]) : elements);
      status = failed;
    } else {
      if (several) yield* t.print(yield* headerText(t, info));
      status = yield* plainElements(t, fd, info, cpus);
      if (several && index < maps.length - 1) yield* t.println();
    }
    yield* close(fd);
    if (status !== 0) break;
  }
  if (typed) {
    const answer = several ? array(trees) : trees[0]!;
    if (t.json) yield* t.emit(answer);
    else yield* t.println(printJson(answer, { pretty: true }));
  }
  return status;
}

/** Keys one by one; a number is the errno that ended the walk. */
function* keys(
  t: Bpftool,
  fd: number,
  info: MapInfo,
  use: (key: Uint8Array) => UserFlow<void>,
): UserFlow<number> {
  let key: Uint8Array | undefined;
  for (;;) {
    const next: Uint8Array | number = yield* mapNextKey(t.user, fd, key, info.key_size);
    yield* t.user.release();
    if (next === -errno.ENOENT) return 0;
    if (typeof next === 'number') return FAILED;
    key = next;
    yield* use(key);
  }
}

function* lookup(
  t: Bpftool,
  fd: number,
  info: MapInfo,
  key: Uint8Array,
  cpus: number,
): UserFlow<Entry | number> {
  const value = yield* mapLookup(t.user, fd, key, valueBytes(info, cpus));
  yield* t.user.release();
  return typeof value === 'number' ? value : { info, key, value, cpus };
}

function isSilent(info: MapInfo, error: number): boolean {
  return error === -errno.ENOENT && (isMapOfMaps(info) || isMapOfProgs(info));
}

function* typedElements(
  t: Bpftool,
  fd: number,
  info: MapInfo,
  btf: Btf | undefined,
  cpus: number,
): UserFlow<{ elements: JsonTree; failed: number }> {
  const items: JsonTree[] = [];
  const failed = yield* keys(t, fd, info, function* (key) {
    const entry = yield* lookup(t, fd, info, key, cpus);
    if (typeof entry !== 'number') {
      items.push(t.json || !btf ? entryJson(entry, btf) : typedEntry(entry, btf, true));
    } else if (!isSilent(info, entry)) {
      const error = object(['error', string(strerror(entry))]);
      items.push(object(['key', hexData(key)], ['value', error]));
    }
  });
  return { elements: array(items), failed };
}

function* plainElements(t: Bpftool, fd: number, info: MapInfo, cpus: number): UserFlow<number> {
  let count = 0;
  const failed = yield* keys(t, fd, info, function* (key) {
    const entry = yield* lookup(t, fd, info, key, cpus);
    if (typeof entry !== 'number') {
      count++;
      yield* t.print(entryText(entry));
    } else if (!isSilent(info, entry)) {
      const isUnreadable =
        entry === -errno.ENOSPC && MAP_TYPES[info.type] === 'reuseport_sockarray';
      const message =
        entry === -errno.ENOENT ? '<no entry>' : isUnreadable ? '<cannot read>' : strerror(entry);
      yield* t.print(entryErrorText(info, key, message));
    }
  });
  yield* t.println(`Found ${count} element${count === 1 ? '' : 's'}`);
  return failed;
}
