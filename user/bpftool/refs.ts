/**
 * Who holds an object, and where it is pinned: for the `pids` and `pinned` lines of show.
 *
 * bpftool asks a BPF iterator for the holders; here they come from /proc/PID/fdinfo.
 */
// differs: /proc/PID/fdinfo instead of an iterator program; the answer is the same.
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { objGet } from '../../bpf/loader/commands.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { close, lstat, readTextFile } from '../libc/files.ts';
import type { ObjectKind } from '../bpf/objects.ts';
import { fdinfo, linkInfo, mapInfo, progInfo } from '../bpf/objects.ts';
import { array, number, object, string } from './json.ts';
import { kindOfFd } from './object-words.ts';
import type { Bpftool } from './tool.ts';

export interface Holder {
  readonly pid: number;
  readonly comm: string;
}

const KEYS: Readonly<Record<ObjectKind, string>> = {
  prog: 'prog_id',
  map: 'map_id',
  link: 'link_id',
  btf: 'btf_id',
};

/** Who holds and where is pinned what, by object id. */
export interface Refs {
  readonly pinned: ReadonlyMap<number, string[]>;
  readonly holders: ReadonlyMap<number, Holder[]>;
}

export function* refsOf(t: Bpftool, kind: ObjectKind): UserFlow<Refs> {
  return {
    pinned: t.options.bpffs ? yield* pinnedPaths(t, kind) : new Map(),
    holders: yield* holders(t, kind),
  };
}

/** Holders by object id. */
export function* holders(t: Bpftool, kind: ObjectKind): UserFlow<Map<number, Holder[]>> {
  const out = new Map<number, Holder[]>();
  const names = yield* listNames(t.p, '/proc');
  const pattern = new RegExp(`^${KEYS[kind]}:\\s*(\\d+)`, 'm');
  for (const name of typeof names === 'number' ? [] : names) {
    if (!/^\d+$/.test(name)) continue;
    const fds = yield* listNames(t.p, `/proc/${name}/fdinfo`);
    let comm: string | undefined;
    const seen = new Set<number>();
    for (const fd of typeof fds === 'number' ? [] : fds) {
      const text = yield* readTextFile(t.p, `/proc/${name}/fdinfo/${fd}`);
      const id = typeof text === 'string' ? pattern.exec(text)?.[1] : undefined;
      // A link's fdinfo names its program too; only the link itself is meant.
      const isOther = kind === 'prog' && typeof text === 'string' && /^link_type:/m.test(text);
      if (id === undefined || isOther || seen.has(Number(id))) continue;
      seen.add(Number(id));
      comm ??= yield* commOf(t, name);
      const list = out.get(Number(id)) ?? [];
      list.push({ pid: Number(name), comm });
      out.set(Number(id), list);
    }
  }
  return out;
}

function* commOf(t: Bpftool, pid: string): UserFlow<string> {
  const text = yield* readTextFile(t.p, `/proc/${pid}/comm`);
  return typeof text === 'string' ? text.trimEnd() : '?';
}

export function holdersText(list: readonly Holder[] | undefined): string {
  if (!list) return '';
  return `\n\tpids ${list.map(({ pid, comm }) => `${comm}(${pid})`).join(', ')}`;
}

export function holdersJson(
  list: readonly Holder[] | undefined,
): readonly [string, JsonTree] | undefined {
  if (!list) return undefined;
  const items = list.map(({ pid, comm }) => object(['pid', number(pid)], ['comm', string(comm)]));
  return ['pids', array(items)];
}

/** Paths below mounted bpf file systems, by object id. */
export function* pinnedPaths(t: Bpftool, kind: ObjectKind): UserFlow<Map<number, string[]>> {
  const out = new Map<number, string[]>();
  const table = yield* readTextFile(t.p, '/proc/mounts');
  for (const line of typeof table === 'number' ? [] : table.split('\n')) {
    const [, target, type] = line.split(' ');
    if (type === 'bpf') yield* walk(t, target!, kind, out);
  }
  return out;
}

function* walk(
  t: Bpftool,
  path: string,
  kind: ObjectKind,
  out: Map<number, string[]>,
): UserFlow<void> {
  const names = yield* listNames(t.p, path);
  for (const name of typeof names === 'number' ? [] : names) {
    const child = `${path}/${name}`;
    const status = yield* lstat(t.p, child);
    if (typeof status === 'number') continue;
    if (isDirectory(status.mode)) {
      yield* walk(t, child, kind, out);
      continue;
    }
    if ((status.mode & 0o170000) !== 0o100000) continue;
    const fd = yield* objGet(t.user, child);
    yield* t.user.release();
    if (fd < 0) continue;
    const id = (yield* kindOfFd(t, fd)) === kind ? yield* idOf(t, kind, fd) : undefined;
    yield* close(fd);
    if (id !== undefined) out.set(id, [...(out.get(id) ?? []), child]);
  }
}

function* idOf(t: Bpftool, kind: ObjectKind, fd: number): UserFlow<number | undefined> {
  if (kind === 'link') {
    const link = yield* linkInfo(t.user, fd);
    return typeof link === 'number' ? undefined : link.info.id;
  }
  if (kind === 'btf') return Number(yield* fdinfo(t.p, fd, 'btf_id')) || undefined;
  const info = yield* kind === 'prog' ? progInfo(t.user, fd) : mapInfo(t.user, fd);
  return typeof info === 'number' ? undefined : info.id;
}

export function pinnedText(paths: readonly string[] | undefined): string {
  return (paths ?? []).map((path) => `\n\tpinned ${path}`).join('');
}

/** With -f the member is there even where nothing is pinned, once anything is. */
export function pinnedJson(
  table: ReadonlyMap<number, readonly string[]>,
  id: number,
): readonly [string, JsonTree] | undefined {
  if (table.size === 0) return undefined;
  return ['pinned', array((table.get(id) ?? []).map(string))];
}
