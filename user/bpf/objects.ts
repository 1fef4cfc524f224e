/**
 * BPF objects by id: walking ids, descriptors, info records. Negative errnos as everywhere.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { decodeAttr } from '../../bpf/attr.ts';
import {
  BPF_BTF_INFO,
  BPF_LINK_INFO,
  BPF_LINK_INFO_BYTES,
  BPF_MAP_INFO,
  BPF_PROG_INFO,
} from '../../bpf/info.ts';
import { command, objInfo } from '../../bpf/loader/commands.ts';
import type { ValuesOf } from '../../bpf/record.ts';
import { errno } from '../../kernel/types/errno.ts';
import { close, readTextFile } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import type { ProcessBpf } from './user.ts';

export type ProgInfo = ValuesOf<typeof BPF_PROG_INFO>;
export type MapInfo = ValuesOf<typeof BPF_MAP_INFO>;
export type LinkInfo = ValuesOf<typeof BPF_LINK_INFO>;
export type BtfInfo = ValuesOf<typeof BPF_BTF_INFO>;
export type ObjectKind = 'prog' | 'map' | 'link' | 'btf';

const NEXT = {
  prog: 'prog_get_next_id',
  map: 'map_get_next_id',
  link: 'link_get_next_id',
  btf: 'btf_get_next_id',
} as const;

/** The id after `id`; -ENOENT at the end. */
export function* nextId(user: ProcessBpf, kind: ObjectKind, id: number): UserFlow<number> {
  const { result, attr } = yield* command(user, NEXT[kind], { start_id: id });
  return result < 0 ? result : decodeAttr(NEXT[kind], attr).next_id;
}

export function* fdById(user: ProcessBpf, kind: ObjectKind, id: number): UserFlow<number> {
  switch (kind) {
    case 'prog':
      return (yield* command(user, 'prog_get_fd_by_id', { prog_id: id })).result;
    case 'map':
      return (yield* command(user, 'map_get_fd_by_id', { map_id: id })).result;
    case 'link':
      return (yield* command(user, 'link_get_fd_by_id', { link_id: id })).result;
    case 'btf':
      return (yield* command(user, 'btf_get_fd_by_id', { btf_id: id })).result;
  }
}

/** All ids of a kind at this moment, or the errno that ended the walk. */
export function* allIds(user: ProcessBpf, kind: ObjectKind): UserFlow<number[] | number> {
  const ids: number[] = [];
  for (let id = 0; ;) {
    id = yield* nextId(user, kind, id);
    if (id === -errno.ENOENT) return ids;
    if (id < 0) return id;
    ids.push(id);
  }
}

export function* progInfo(user: ProcessBpf, fd: number): UserFlow<ProgInfo | number> {
  const bytes = yield* objInfo(user, fd, BPF_PROG_INFO.sizeBytes);
  yield* user.release();
  return typeof bytes === 'number' ? bytes : BPF_PROG_INFO.decode(bytes);
}

export function* mapInfo(user: ProcessBpf, fd: number): UserFlow<MapInfo | number> {
  const bytes = yield* objInfo(user, fd, BPF_MAP_INFO.sizeBytes);
  yield* user.release();
  return typeof bytes === 'number' ? bytes : BPF_MAP_INFO.decode(bytes);
}

export interface NamedLink {
  readonly info: LinkInfo;
  /** Of a raw tracepoint, or the target of an iterator. */
  readonly name: string;
}

const NAME_BYTES = 256;

export function* linkInfo(user: ProcessBpf, fd: number): UserFlow<NamedLink | number> {
  const name = yield* user.place(new Uint8Array(NAME_BYTES));
  // Both unions keep address and size of the buffer for the name in the same places.
  const ask = new Uint8Array(BPF_LINK_INFO_BYTES);
  ask.set(BPF_LINK_INFO.encode({ tp_name: name, tp_name_len: NAME_BYTES }));
  const info = yield* user.place(ask);
  const values = { bpf_fd: fd, info_len: BPF_LINK_INFO_BYTES, info };
  const { result } = yield* command(user, 'obj_get_info_by_fd', values);
  const bytes = user.read(info, BPF_LINK_INFO_BYTES);
  const text = user.read(name, NAME_BYTES);
  yield* user.release();
  if (result < 0) return result;
  const end = text.indexOf(0);
  return {
    info: BPF_LINK_INFO.decode(bytes),
    name: new TextDecoder().decode(text.subarray(0, end < 0 ? NAME_BYTES : end)),
  };
}

export interface NamedBtf {
  readonly info: BtfInfo;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** With its data, in two steps: first the size, then the bytes. */
export function* btfInfo(user: ProcessBpf, fd: number): UserFlow<NamedBtf | number> {
  let size = 0;
  for (;;) {
    const data = yield* user.place(new Uint8Array(size));
    const name = yield* user.place(new Uint8Array(NAME_BYTES));
    const info = yield* user.place(
      BPF_BTF_INFO.encode({ btf: data, btf_size: size, name, name_len: NAME_BYTES }),
    );
    const values = { bpf_fd: fd, info_len: BPF_BTF_INFO.sizeBytes, info };
    const { result } = yield* command(user, 'obj_get_info_by_fd', values);
    const decoded = BPF_BTF_INFO.decode(user.read(info, BPF_BTF_INFO.sizeBytes));
    const bytes = user.read(data, size);
    const text = user.read(name, NAME_BYTES);
    yield* user.release();
    if (result < 0) return result;
    if (decoded.btf_size <= size) {
      const end = text.indexOf(0);
      return { info: decoded, bytes, name: new TextDecoder().decode(text.subarray(0, end)) };
    }
    size = decoded.btf_size;
  }
}

/** A field of /proc/self/fdinfo/FD; undefined where it is not there. */
export function* fdinfo(p: Process, fd: number, key: string): UserFlow<string | undefined> {
  const text = yield* readTextFile(p, `/proc/self/fdinfo/${fd}`);
  if (typeof text === 'number') return undefined;
  const line = text.split('\n').find((row) => row.startsWith(`${key}:`));
  return line?.slice(key.length + 1).trim();
}

/** Open by id, look, close. */
export function* withId<T>(
  user: ProcessBpf,
  kind: ObjectKind,
  id: number,
  look: (fd: number) => UserFlow<T>,
): UserFlow<T | number> {
  const fd = yield* fdById(user, kind, id);
  if (fd < 0) return fd;
  const result = yield* look(fd);
  yield* close(fd);
  return result;
}
