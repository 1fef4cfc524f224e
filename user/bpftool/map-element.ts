/** bpftool map lookup, update, delete, getnext, peek, push, pop, freeze: one element at a time. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import {
  command,
  mapDelete,
  mapFreeze,
  mapLookup,
  mapNextKey,
  mapUpdate,
} from '../../bpf/loader/commands.ts';
import { uapi } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import type { MapInfo } from '../bpf/objects.ts';
import { possibleCpus } from '../bpf/object-file.ts';
import { hexText } from './hex.ts';
import { hexData, nothing, object } from './json.ts';
import { isMapOfMaps, isMapOfProgs, isPerCpu, printEntry, valueBytes } from './map-values.ts';
import { mapFd, mapFdAndInfo, progFd } from './object-words.ts';
import { type Bpftool, type Command, FAILED } from './tool.ts';
import { usage } from './usage.ts';
import { parseUnsigned } from './words.ts';

interface Element {
  key?: Uint8Array;
  value?: Uint8Array;
  flags: number;
  /** Opened for a value that is a map or a program. */
  opened: number[];
}

interface Expected {
  readonly key: boolean;
  readonly value: boolean;
  readonly flags: boolean;
}

/** `key …`, `value …`, flags, in any order; undefined after a complaint. */
function* parseElement(
  t: Bpftool,
  info: MapInfo,
  expected: Expected,
): UserFlow<Element | undefined> {
  const { words } = t;
  const out: Element = { flags: uapi.BPF_ANY, opened: [] };
  const bad = function* (message: string): UserFlow<undefined> {
    yield* t.fail(message);
    return undefined;
  };
  let hasFlags = false;
  while (words.left > 0) {
    if (words.accept('key')) {
      if (!expected.key || out.key) {
        return yield* bad(info.key_size > 0 ? 'duplicate key' : 'unnecessary key');
      }
      out.key = yield* parseBytes(t, 'key', info.key_size);
      if (!out.key) return undefined;
    } else if (words.accept('value')) {
      if (!expected.value || out.value) {
        return yield* bad(expected.value ? 'duplicate value' : 'unnecessary value');
      }
      out.value = yield* parseValue(t, info, out.opened);
      if (!out.value) return undefined;
    } else if (words.is('any') || words.is('noexist') || words.is('exist')) {
      if (!expected.flags || hasFlags) {
        return yield* bad(`flags specified multiple times: ${words.peek()}`);
      }
      hasFlags = true;
      if (words.accept('any')) out.flags = uapi.BPF_ANY;
      else if (words.accept('noexist')) out.flags = uapi.BPF_NOEXIST;
      else {
        words.skip(1);
        out.flags = uapi.BPF_EXIST;
      }
    } else return yield* bad(`expected key or value, got: ${words.peek()}`);
  }
  if (expected.key && !out.key && info.key_size > 0) return yield* bad('did not find key');
  if (expected.value && !out.value && info.value_size > 0) return yield* bad('did not find value');
  return out;
}

function* parseBytes(t: Bpftool, name: string, count: number): UserFlow<Uint8Array | undefined> {
  const { words } = t;
  const base = words.is('hex') && words.peek() !== '' ? 16 : 0;
  if (base === 16) words.skip(1);
  const bytes = new Uint8Array(count);
  let got = 0;
  for (; got < count && words.left > 0; got++) {
    const text = words.next();
    const value = parseUnsigned(text, base);
    if (value === undefined) {
      yield* t.fail(`error parsing byte: ${text}`);
      return undefined;
    }
    bytes[got] = value;
  }
  if (got === count) return bytes;
  yield* t.fail(`${name} expected ${count} bytes got ${got}`);
  return undefined;
}

/** Bytes, or what names a map or a program where the map holds those. */
function* parseValue(
  t: Bpftool,
  info: MapInfo,
  opened: number[],
): UserFlow<Uint8Array | undefined> {
  const isMaps = isMapOfMaps(info);
  if (isMaps || isMapOfProgs(info)) {
    if (t.words.left < 2) {
      const what = isMaps ? 'map in map' : 'map of progs';
      yield* t.fail(`not enough value arguments for ${what}`);
      return undefined;
    }
    if (!isMaps && t.words.is('id')) {
      yield* t.info(
        'Warning: updating program array via MAP_ID, make sure this map is kept open\n' +
          '         by some process or pinned otherwise update will be lost',
      );
    }
    const fd = yield* isMaps ? mapFd(t) : progFd(t);
    if (fd === undefined) return undefined;
    opened.push(fd);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, fd, true);
    return bytes;
  }
  const one = yield* parseBytes(t, 'value', info.value_size);
  if (!one || !isPerCpu(info)) return one;
  // The same for every CPU.
  const cpus = yield* possibleCpus(t.p);
  const all = new Uint8Array(valueBytes(info, cpus));
  for (let cpu = 0; cpu < cpus; cpu++) all.set(one, (cpu * all.length) / cpus);
  return all;
}

/** A command on one map: its words parsed, its descriptors closed afterwards. */
function onMap(
  expected: Expected,
  act: (t: Bpftool, fd: number, info: MapInfo, element: Element) => UserFlow<number>,
): Command {
  return function* (t) {
    if (t.words.left < 2) return yield* usage(t, 'map');
    const map = yield* mapFdAndInfo(t);
    if (!map) return FAILED;
    const element = yield* parseElement(t, map.info, expected);
    const status = element ? yield* act(t, map.fd, map.info, element) : FAILED;
    yield* t.user.release();
    for (const fd of element?.opened ?? []) yield* close(fd);
    yield* close(map.fd);
    return status;
  };
}

const NO_KEY = new Uint8Array(0);

const lookup = onMap({ key: true, value: false, flags: false }, function* (t, fd, info, element) {
  const key = element.key ?? NO_KEY;
  const cpus = yield* possibleCpus(t.p);
  const value = yield* mapLookup(t.user, fd, key, valueBytes(info, cpus));
  if (typeof value !== 'number') {
    yield* printEntry(t, { info, key, value, cpus });
    return 0;
  }
  if (value !== -errno.ENOENT) return yield* t.fail(`lookup failed: ${strerror(value)}`, value);
  if (t.json) yield* t.emit(nothing);
  else yield* t.print(`key:\n${hexText(key)}\n\nNot found\n`);
  return value;
});

const update = onMap({ key: true, value: true, flags: true }, function* (t, fd, _info, element) {
  const { key = NO_KEY, value = NO_KEY, flags } = element;
  const failed = yield* mapUpdate(t.user, fd, key, value, flags);
  if (failed < 0) return yield* t.fail(`update failed: ${strerror(failed)}`, failed);
  return yield* t.done();
});

const remove = onMap({ key: true, value: false, flags: false }, function* (t, fd, _info, element) {
  const failed = yield* mapDelete(t.user, fd, element.key ?? NO_KEY);
  if (failed < 0) return yield* t.fail(`delete failed: ${strerror(failed)}`, failed);
  return yield* t.done();
});

/** Without a key: the first one. */
function* getnext(t: Bpftool): UserFlow<number> {
  if (t.words.left < 2) return yield* usage(t, 'map');
  const map = yield* mapFdAndInfo(t);
  if (!map) return FAILED;
  const { fd, info } = map;
  const expected = { key: t.words.left > 0, value: false, flags: false };
  const element = yield* parseElement(t, info, expected);
  if (!element) return FAILED;
  const { key } = element;
  const next = yield* mapNextKey(t.user, fd, key, info.key_size);
  yield* t.user.release();
  yield* close(fd);
  if (typeof next === 'number') return yield* t.fail(`can't get next key: ${strerror(next)}`, next);
  if (t.json) {
    yield* t.emit(object(['key', key ? hexData(key) : nothing], ['next_key', hexData(next)]));
    return 0;
  }
  yield* t.print(key ? `key:\n${hexText(key)}\n` : 'key: None\n');
  yield* t.print(`next key:\n${hexText(next)}\n`);
  return 0;
}

const pop = onMap({ key: false, value: false, flags: false }, function* (t, fd, info) {
  const cpus = yield* possibleCpus(t.p);
  const value = yield* t.user.place(new Uint8Array(valueBytes(info, cpus)));
  const { result } = yield* command(t.user, 'map_lookup_and_delete_elem', { map_fd: fd, value });
  if (result >= 0) {
    const bytes = t.user.read(value, info.value_size);
    yield* printEntry(t, { info, key: NO_KEY, value: bytes, cpus });
    return 0;
  }
  if (result !== -errno.ENOENT) return yield* t.fail(`pop failed: ${strerror(result)}`);
  if (t.json) yield* t.emit(nothing);
  else yield* t.println('Error: empty map');
  return FAILED;
});

function* freeze(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(2))) return FAILED;
  const fd = yield* mapFd(t);
  if (fd === undefined) return FAILED;
  if (t.words.left > 0) return yield* t.fail(`what is '${t.words.peek()}'?`);
  const failed = yield* mapFreeze(t.user, fd);
  yield* close(fd);
  if (failed < 0) return yield* t.fail(`failed to freeze map: ${strerror(failed)}`, failed);
  return yield* t.done();
}

export const elementCommands: Readonly<Record<string, Command>> = {
  update,
  lookup,
  getnext,
  delete: remove,
  peek: lookup,
  push: update,
  enqueue: update,
  pop,
  dequeue: pop,
  freeze,
};
