/**
 * `id N`, `pinned PATH`, `name NAME`, `tag TAG`: how a command names programs, maps and links.
 * Each gives descriptors, or undefined after the complaint.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { objGet } from '../../bpf/loader/commands.ts';
import { readlink, close } from '../libc/files.ts';
import { dirname } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isBpffs } from './pin.ts';
import {
  allIds,
  fdById,
  mapInfo,
  progInfo,
  type MapInfo,
  type ObjectKind,
} from '../bpf/objects.ts';
import { programName } from './program-name.ts';
import { tagText } from './hex.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { parseUnsigned } from './words.ts';

export function* progFds(t: Bpftool): UserFlow<number[] | undefined> {
  const { words } = t;
  if (words.accept('id')) return yield* byId(t, 'prog');
  if (words.accept('tag')) {
    const tag = words.next();
    if (!/^[0-9a-fA-F]{16}$/.test(tag)) return yield* none(t, "can't parse tag");
    return yield* programsWhere(t, (name, other) => other === tag.toLowerCase());
  }
  if (words.accept('name')) {
    const wanted = words.next();
    return yield* programsWhere(t, (name) => name === wanted);
  }
  if (words.accept('pinned')) return yield* pinned(t, 'prog');
  return yield* none(t, `expected 'id', 'tag', 'name' or 'pinned', got: '${words.peek()}'?`);
}

export function* mapFds(t: Bpftool): UserFlow<number[] | undefined> {
  const { words } = t;
  if (words.accept('id')) return yield* byId(t, 'map');
  if (words.accept('name')) {
    const wanted = words.next();
    if (wanted.length > 15) return yield* none(t, "can't parse name");
    return yield* mapsNamed(t, wanted);
  }
  if (words.accept('pinned')) return yield* pinned(t, 'map');
  return yield* none(t, `expected 'id', 'name' or 'pinned', got: '${words.peek()}'?`);
}

export function* linkFd(t: Bpftool): UserFlow<number | undefined> {
  const { words } = t;
  if (words.accept('id')) return (yield* byId(t, 'link'))?.[0];
  if (words.accept('pinned')) return (yield* pinned(t, 'link'))?.[0];
  return (yield* none(t, `expected 'id' or 'pinned', got: '${words.peek()}'?`))?.[0];
}

/** Exactly one program. */
export function* progFd(t: Bpftool): UserFlow<number | undefined> {
  return yield* only(t, yield* progFds(t), 'several programs match this handle');
}

/** Exactly one map. */
export function* mapFd(t: Bpftool): UserFlow<number | undefined> {
  return yield* only(t, yield* mapFds(t), 'several maps match this handle');
}

export function* mapFdAndInfo(t: Bpftool): UserFlow<{ fd: number; info: MapInfo } | undefined> {
  const fd = yield* mapFd(t);
  if (fd === undefined) return undefined;
  const info = yield* mapInfo(t.user, fd);
  if (typeof info !== 'number') return { fd, info };
  yield* close(fd);
  yield* t.fail(`can't get map info: ${strerror(info)}`);
  return undefined;
}

function* only(
  t: Bpftool,
  fds: readonly number[] | undefined,
  several: string,
): UserFlow<number | undefined> {
  if (!fds || fds.length === 0) return undefined;
  if (fds.length === 1) return fds[0];
  for (const fd of fds) yield* close(fd);
  yield* t.fail(several);
  return undefined;
}

function* none(t: Bpftool, message: string): UserFlow<undefined> {
  yield* t.fail(message);
  return undefined;
}

function* byId(t: Bpftool, kind: ObjectKind): UserFlow<number[] | undefined> {
  const text = t.words.next();
  const id = parseUnsigned(text);
  if (id === undefined) return yield* none(t, `can't parse ${text} as ID`);
  const fd = yield* fdById(t.user, kind, id);
  if (fd >= 0) return [fd];
  const what = {
    prog: `get by id (${id})`,
    map: `get map by id (${id})`,
    link: `failed to get link with ID ${id}`,
    btf: `can't get BTF object by id (${id})`,
  }[kind];
  // Of these, only links tell their users why.
  yield* t.fail(`${what}: ${strerror(fd)}`, kind === 'link' ? fd : FAILED);
  return undefined;
}

function* pinned(t: Bpftool, kind: ObjectKind): UserFlow<number[] | undefined> {
  const path = t.words.next();
  const fd = yield* objGet(t.user, path);
  yield* t.user.release();
  if (fd === -errno.EACCES) {
    const directory = dirname(path);
    const why = (yield* isBpffs(t.p, directory))
      ? strerror(fd)
      : 'directory not in bpf file system (bpffs)';
    return yield* none(t, `bpf obj get (${directory}): ${why}`);
  }
  if (fd < 0) return yield* none(t, `bpf obj get (${path}): ${strerror(fd)}`);
  const found = yield* kindOfFd(t, fd);
  if (found === kind) return [fd];
  yield* close(fd);
  return yield* none(t, `incorrect object type: ${found ?? 'unknown'}`);
}

/** What a descriptor is, by its link in /proc. */
export function* kindOfFd(t: Bpftool, fd: number): UserFlow<ObjectKind | undefined> {
  const target = yield* readlink(t.p, `/proc/self/fd/${fd}`);
  if (typeof target === 'number') return undefined;
  // bpf_link is spelled with an underscore (kernel/bpf/syscall.c).
  const match = /bpf[-_](prog|map|link)/.exec(target);
  if (match) return match[1] as ObjectKind;
  return target.includes('btf') ? 'btf' : undefined;
}

function* programsWhere(
  t: Bpftool,
  wanted: (name: string, tag: string) => boolean,
): UserFlow<number[] | undefined> {
  const ids = yield* allIds(t.user, 'prog');
  if (typeof ids === 'number') return yield* none(t, strerror(ids));
  const fds: number[] = [];
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'prog', id);
    if (fd < 0) continue;
    const info = yield* progInfo(t.user, fd);
    if (
      typeof info !== 'number' &&
      wanted(yield* programName(t.user, fd, info), tagText(info.tag))
    ) {
      fds.push(fd);
    } else yield* close(fd);
  }
  return fds;
}

function* mapsNamed(t: Bpftool, name: string): UserFlow<number[] | undefined> {
  const ids = yield* allIds(t.user, 'map');
  if (typeof ids === 'number') return yield* none(t, strerror(ids));
  const fds: number[] = [];
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'map', id);
    if (fd < 0) continue;
    const info = yield* mapInfo(t.user, fd);
    if (typeof info !== 'number' && info.name === name) fds.push(fd);
    else yield* close(fd);
  }
  return fds;
}
