/** bpftool iter pin: an iterator's link at a path, which then reads like a file. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { command } from '../../bpf/loader/commands.ts';
import type { LoadedObject } from '../../bpf/loader/load.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import { isFailure, loadSpec, openObject } from '../bpf/object-file.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { errno } from '../../kernel/types/errno.ts';
import { mapFd } from './object-words.ts';
import { pinFd } from './pin.ts';
import { type Bpftool, type Command } from './tool.ts';
import { help, usage } from './usage.ts';

/** sizeof(union bpf_iter_link_info); the map's descriptor stands first. */
const LINK_INFO_BYTES = 16;

function* pin(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(2))) return yield* usage(t, 'iter');
  const { words } = t;
  const [file, path] = [words.next(), words.next()];
  let map: number | undefined;
  if (words.accept('map')) {
    map = (yield* t.needs(2)) ? yield* mapFd(t) : undefined;
    if (map === undefined) return yield* t.fail('incorrect map spec');
  }
  const status = yield* pinFirst(t, file, path, map);
  if (map !== undefined) yield* close(map);
  return status;
}

function* pinFirst(
  t: Bpftool,
  file: string,
  path: string,
  map: number | undefined,
): UserFlow<number> {
  const spec = yield* openObject(t.p, file);
  if (isFailure(spec)) {
    yield* t.info(spec.message);
    return yield* t.fail(`can't open objfile ${file}`, -errno.ENOENT);
  }
  const loaded = yield* loadSpec(t.p, t.user, spec);
  for (const message of loaded.messages) yield* t.info(message);
  if (loaded.kind === 'failed') return yield* t.fail(`can't load objfile ${file}`);
  const status = yield* pinLink(t, loaded, file, path, map);
  for (const { fd } of [...loaded.programs, ...loaded.maps]) yield* close(fd);
  if (loaded.btfFd !== undefined) yield* close(loaded.btfFd);
  return status;
}

function* pinLink(
  t: Bpftool,
  { programs: [program] }: LoadedObject,
  file: string,
  path: string,
  map: number | undefined,
): UserFlow<number> {
  if (!program) return yield* t.fail(`can't find bpf program in objfile ${file}`);
  const info = new Uint8Array(LINK_INFO_BYTES);
  new DataView(info.buffer).setInt32(0, map ?? 0, true);
  const { result: link } = yield* command(t.user, 'link_create', {
    prog_fd: program.fd,
    attach_type: ATTACH_TYPES.indexOf('trace_iter'),
    ...(map !== undefined && { iter_info: yield* t.user.place(info), iter_info_len: info.length }),
  });
  yield* t.user.release();
  if (link < 0) {
    const why = `libbpf: prog '${program.name}': failed to attach to iterator: ${strerror(link)}`;
    yield* t.info(why);
    return yield* t.fail(`attach_iter failed for program ${program.name}`, link);
  }
  const refused = `pin_iter failed for program ${program.name} to path ${path}`;
  const status = yield* pinFd(t, link, path, refused);
  yield* close(link);
  return status;
}

export const iterCommands: Readonly<Record<string, Command>> = {
  help: (t) => help(t, 'iter'),
  pin,
};
