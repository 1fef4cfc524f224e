/** bpftool prog load and loadall. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { ObjectSpec } from '../../bpf/elf/object-spec.ts';
import { sectionDef } from '../../bpf/elf/section-defs.ts';
import { objPin } from '../../bpf/loader/commands.ts';
import type { LoadedObject, LoadedProgram } from '../../bpf/loader/load.ts';
import type { ProgramKind } from '../../bpf/loader/programs.ts';
import { close, mkdir, stat, unlink } from '../libc/files.ts';
import { errno } from '../../kernel/types/errno.ts';
import { strerror } from '../libc/strerror.ts';
import { attachProgram } from '../bpf/attach.ts';
import { isFailure, loadSpec, openObject } from '../bpf/object-file.ts';
import { interfaceIndex } from './device.ts';
import { mapFd } from './object-words.ts';
import { mountForPin } from './pin.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { parseUnsigned } from './words.ts';

interface Request {
  readonly file: string;
  readonly path: string;
  kind: ProgramKind | undefined;
  /** Maps to use instead of the object's own, by name or by place. */
  readonly maps: {
    readonly name: string | undefined;
    readonly index: number;
    readonly fd: number;
  }[];
  ifindex: number;
  pinMaps: string | undefined;
  autoAttach: boolean;
}

export const progLoad = (t: Bpftool): UserFlow<number> => load(t, true);
export const progLoadAll = (t: Bpftool): UserFlow<number> => load(t, false);

function* load(t: Bpftool, firstOnly: boolean): UserFlow<number> {
  if (!(yield* t.needs(2))) return FAILED;
  const request = yield* parse(t);
  if (!request) return FAILED;
  const status = yield* loadAndPin(t, request, firstOnly);
  for (const { fd } of request.maps) yield* close(fd);
  return status < 0 ? status : yield* t.done();
}

function* parse(t: Bpftool): UserFlow<Request | undefined> {
  const { words } = t;
  const request: Request = {
    file: words.next(),
    path: words.next(),
    kind: undefined,
    maps: [],
    ifindex: 0,
    pinMaps: undefined,
    autoAttach: false,
  };
  const bad = function* (message: string): UserFlow<undefined> {
    yield* t.fail(message);
    return undefined;
  };
  while (words.left > 0) {
    if (words.accept('type')) {
      if (request.kind) return yield* bad('program type already specified');
      if (!(yield* t.needs(1))) return undefined;
      const name = words.next();
      request.kind = kindByName(name);
      if (!request.kind) {
        yield* t.info(`libbpf: failed to guess program type from ELF section '${name}/'`);
        return undefined;
      }
    } else if (words.accept('map')) {
      if (!(yield* t.needs(4))) return undefined;
      const byIndex = words.is('idx');
      if (!byIndex && !words.is('name')) {
        return yield* bad(`expected 'idx' or 'name', got: '${words.peek()}'?`);
      }
      words.skip(1);
      const text = words.next();
      const index = byIndex ? parseUnsigned(text) : -1;
      if (index === undefined) return yield* bad(`can't parse ${text} as IDX`);
      const fd = yield* mapFd(t);
      if (fd === undefined) return undefined;
      request.maps.push({ name: byIndex ? undefined : text, index, fd });
    } else if (words.accept('dev')) {
      if (request.ifindex !== 0) return yield* bad('offload device already specified');
      if (!(yield* t.needs(1))) return undefined;
      const name = words.next();
      request.ifindex = yield* interfaceIndex(t.p, name);
      if (request.ifindex === 0) {
        return yield* bad(`unrecognized netdevice '${name}': ${strerror(errno.ENODEV)}`);
      }
    } else if (words.accept('pinmaps')) {
      if (!(yield* t.needs(1))) return undefined;
      request.pinMaps = words.next();
    } else if (words.accept('autoattach')) request.autoAttach = true;
    else
      return yield* bad(
        `expected no more arguments, 'type', 'map' or 'dev', got: '${words.peek()}'?`,
      );
  }
  return request;
}

function kindByName(name: string): ProgramKind | undefined {
  const match = sectionDef(name) ?? sectionDef(`${name}/`);
  return match && { type: match.def.type, attachType: match.def.attachType };
}

function* loadAndPin(t: Bpftool, request: Request, firstOnly: boolean): UserFlow<number> {
  const spec = yield* openObject(t.p, request.file);
  if (isFailure(spec)) {
    yield* t.info(spec.message);
    return yield* t.fail('failed to open object file');
  }
  const unknown = spec.programs.find((program) => program.type === 'unspec');
  if (unknown && !request.kind) {
    yield* t.info(`libbpf: failed to guess program type from ELF section '${unknown.section}'`);
    return FAILED;
  }
  const reuse = yield* replacedMaps(t, request, spec);
  if (!reuse) return FAILED;
  const { kind } = request;
  const outcome = yield* loadSpec(t.p, t.user, spec, {
    ...(kind ? { kindOf: (): ProgramKind => kind } : {}),
    reuseMaps: reuse,
    ifindex: request.ifindex,
    // log_level1 + log_level2 + stats, as bpftool -d asks for.
    logLevel: t.options.debug ? 7 : 0,
  });
  for (const message of outcome.messages) yield* t.info(message);
  if (outcome.kind === 'failed') return yield* t.fail('failed to load object file');
  if (t.options.debug) {
    for (const { name, log } of outcome.programs) {
      if (log !== '') {
        yield* t.info(
          `libbpf: prog '${name}': -- BEGIN PROG LOAD LOG --\n${log}-- END PROG LOAD LOG --`,
        );
      }
    }
  }
  const status = yield* pinAll(t, request, outcome, firstOnly);
  for (const { fd } of [...outcome.programs, ...outcome.maps]) yield* close(fd);
  if (outcome.btfFd !== undefined) yield* close(outcome.btfFd);
  return status;
}

/** Descriptors by the object's map names; undefined after a complaint. */
function* replacedMaps(
  t: Bpftool,
  request: Request,
  spec: ObjectSpec,
): UserFlow<Map<string, number> | undefined> {
  const out = new Map<string, number>();
  for (const { name, index, fd } of request.maps) {
    const at = name === undefined ? index : spec.maps.findIndex((map) => map.name === name);
    const map = spec.maps[at];
    if (!map) {
      yield* t.fail(
        name === undefined ? `map idx '${index}' not used` : `unable to find map '${name}'`,
      );
      return undefined;
    }
    if (out.has(map.name)) {
      yield* t.fail(`replacement for map idx ${at} specified more than once`);
      return undefined;
    }
    out.set(map.name, fd);
  }
  return out;
}

function* pinAll(
  t: Bpftool,
  request: Request,
  loaded: LoadedObject,
  firstOnly: boolean,
): UserFlow<number> {
  const mounted = yield* mountForPin(t, request.path);
  if (mounted < 0) return mounted;
  const pinned: string[] = [];
  const undo = function* (message: string): UserFlow<number> {
    for (const path of pinned) yield* unlink(t.p, path);
    return yield* t.fail(message);
  };
  const [first] = loaded.programs;
  if (firstOnly && !first) {
    return yield* t.fail("object file doesn't contain any bpf program");
  }
  if (!firstOnly) {
    const made = yield* makeDirectory(t, request.path);
    if (made < 0) return yield* t.fail('failed to pin all programs');
  }
  const targets = firstOnly
    ? [{ program: first!, path: request.path }]
    : loaded.programs.map((program) => ({ program, path: `${request.path}/${program.name}` }));
  for (const { program, path } of targets) {
    const failed = yield* pinProgram(t, program, path, request.autoAttach);
    if (failed < 0) {
      return yield* undo(
        firstOnly ? `failed to pin program ${program.section}` : 'failed to pin all programs',
      );
    }
    pinned.push(path);
  }
  if (request.pinMaps === undefined) return 0;
  const made = yield* makeDirectory(t, request.pinMaps);
  if (made < 0) return yield* undo('failed to pin all maps');
  for (const map of loaded.maps) {
    // Names of sections start with a dot, which a bpf file system does not take.
    const path = `${request.pinMaps}/${map.name.replaceAll('.', '_')}`;
    const failed = yield* objPin(t.user, map.fd, path);
    yield* t.user.release();
    if (failed < 0) {
      yield* t.info(`libbpf: failed to pin map: ${strerror(failed)}`);
      return yield* undo('failed to pin all maps');
    }
    pinned.push(path);
  }
  return 0;
}

function* makeDirectory(t: Bpftool, path: string): UserFlow<number> {
  const made = yield* mkdir(t.p, path, 0o700);
  if (made >= 0 || made === -errno.EEXIST) return 0;
  yield* t.info(`libbpf: failed to mkdir ${path}: ${strerror(made)}`);
  return made;
}

function* pinProgram(
  t: Bpftool,
  program: LoadedProgram,
  path: string,
  autoAttach: boolean,
): UserFlow<number> {
  let fd = program.fd;
  if (autoAttach) {
    const attached = yield* attachProgram(t.p, t.user, program);
    if (attached.kind === 'failed') yield* t.info(attached.message);
    if (attached.kind === 'link') ({ fd } = attached);
    else {
      yield* t.info(`Program ${program.name} does not support autoattach, falling back to pinning`);
    }
  }
  const exists = typeof (yield* stat(t.p, path)) !== 'number';
  const failed = exists ? -errno.EEXIST : yield* objPin(t.user, fd, path);
  yield* t.user.release();
  if (fd !== program.fd) yield* close(fd);
  return failed;
}
