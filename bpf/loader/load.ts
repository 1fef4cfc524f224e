/**
 * Brings an object into a kernel: what libbpf's bpf_object__load does, over any caller of bpf(2).
 *
 *   const spec = readObject(bytes, 'xdp_count.o');
 *   const outcome = yield* loadObject(user, spec, { kernel, strerror });
 *   outcome.kind === 'loaded' ? outcome.programs[0].fd : outcome.messages.join('\n')
 *
 * Order: BTF, maps (created, filled, frozen, pinned), programs, prog arrays. On failure everything
 * that was opened is closed again. A refused program carries the verifier's whole log.
 */
import { errnoName } from '../../kernel/types/errno.ts';
import { CoreRelocator } from '../btf/core-relo.ts';
import type { Btf } from '../btf/btf.ts';
import type { MapDef, ObjectMap, ObjectProgram, ObjectSpec } from '../elf/object-spec.ts';
import { btfLoad } from './commands.ts';
import { fixedBtf } from './btf-fixup.ts';
import type { LoadFailure } from './failure.ts';
import { LoadError } from './failure.ts';
import type { MapContext } from './maps.ts';
import { createMaps, setPrograms } from './maps.ts';
import type { ProgramContext, ProgramKind } from './programs.ts';
import { loadProgram } from './programs.ts';
import type { KernelKnowledge } from './resolve.ts';
import { resolveExterns } from './resolve.ts';
import { type KernelStructOps, allStructOps, structOpsValue } from './struct-ops.ts';
import type { BpfFlow, BpfUser } from './user.ts';

export interface LoadOptions {
  readonly kernel?: KernelKnowledge;
  /** Which programs; by default those that are not marked with `?`. */
  readonly wanted?: (program: ObjectProgram) => boolean;
  /** Type and attach type of a program, where the caller knows better than its section. */
  readonly kindOf?: (program: ObjectProgram) => ProgramKind | undefined;
  /** Descriptors to use for maps instead of creating them, by the map's name. */
  readonly reuseMaps?: ReadonlyMap<string, number>;
  /** Where maps that ask for it are pinned. */
  readonly pinDirectory?: string;
  /** Changes what a map is created with: sizes that only the running program knows. */
  readonly mapDef?: (map: ObjectMap) => MapDef;
  /** Changes the contents of data sections before they go to the kernel. */
  readonly editData?: (section: string, bytes: Uint8Array) => void;
  /** Device to offload to. */
  readonly ifindex?: number;
  readonly logLevel?: number;
  readonly cpuCount?: number;
  readonly pageBytes?: number;
  readonly replaces?: ProgramContext['replaces'];
  readonly attachTo?: ProgramContext['attachTo'];
  /** Text of an error number; the symbol's name by default. */
  readonly strerror?: (errno: number) => string;
  /** Told of a program that cannot be loaded; the rest of the object then loads without it. */
  readonly refused?: (program: ObjectProgram, failure: LoadFailure) => void;
}

export interface LoadedProgram {
  readonly name: string;
  readonly section: string;
  readonly kind: ProgramKind;
  readonly fd: number;
  readonly program: ObjectProgram;
  readonly log: string;
}

export interface LoadedMap {
  readonly name: string;
  readonly kernelName: string;
  readonly fd: number;
  readonly map: ObjectMap;
  /** struct_ops: updating element 0 with it registers the table with the kernel. */
  readonly structOps?: Uint8Array;
}

export interface LoadedObject {
  readonly kind: 'loaded';
  readonly maps: readonly LoadedMap[];
  readonly programs: readonly LoadedProgram[];
  /** Of the object's BTF; undefined where it has none or the kernel would not take it. */
  readonly btfFd: number | undefined;
  /** What libbpf would have warned of. */
  readonly messages: readonly string[];
}

export function* loadObject<Y>(
  user: BpfUser<Y>,
  spec: ObjectSpec,
  options: LoadOptions = {},
): BpfFlow<Y, LoadedObject | LoadFailure> {
  const opened: number[] = [];
  const messages: string[] = [];
  try {
    return yield* loadSteps(user, spec, options, opened, messages);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    yield* user.release();
    for (const fd of opened.reverse()) yield* user.close(fd);
    const last = `libbpf: failed to load object '${spec.file}'`;
    return { ...error.failure, messages: [...messages, ...error.failure.messages, last] };
  }
}

function* loadSteps<Y>(
  user: BpfUser<Y>,
  spec: ObjectSpec,
  options: LoadOptions,
  opened: number[],
  messages: string[],
): BpfFlow<Y, LoadedObject> {
  const strerror = options.strerror ?? ((code: number) => errnoName(code) ?? `error ${code}`);
  const externs = resolveExterns(spec, options.kernel ?? {});
  const structOps = allStructOps(spec, options.kernel?.btf);
  const ready = withData(spec, options, externs.kconfig, structOps);
  const btf = fixedBtf(spec);
  const btfFd = yield* loadBtf(user, spec, btf, opened, messages, strerror);
  const mapContext: MapContext = {
    spec: ready,
    btf,
    btfFd,
    cpuCount: options.cpuCount ?? 1,
    pageBytes: options.pageBytes ?? 4096,
    ifindex: options.ifindex ?? 0,
    pinDirectory: options.pinDirectory ?? '/sys/fs/bpf',
    strerror,
    say: (message) => messages.push(message),
    opened,
  };
  const maps = yield* createMaps(user, mapContext, options.reuseMaps ?? new Map());
  const kernelBtf = options.kernel?.btf;
  const relocates = spec.btf !== undefined && kernelBtf !== undefined;
  const context: ProgramContext = {
    spec: ready,
    btfFd,
    kernelBtf,
    relocator: relocates ? new CoreRelocator(spec.btf, kernelBtf) : undefined,
    maps,
    externs: externs.byName,
    ifindex: options.ifindex ?? 0,
    logLevel: options.logLevel ?? 0,
    strerror,
    say: (message) => messages.push(message),
    replaces: options.replaces,
    attachTo: options.attachTo,
    structOps: membersOf(structOps),
  };
  const wanted = options.wanted ?? ((program) => program.autoload);
  const programs: LoadedProgram[] = [];
  for (const program of spec.programs.filter(wanted)) {
    const loaded = yield* loadOne(user, program, options, context);
    if (loaded === undefined) continue;
    opened.push(loaded.fd);
    programs.push(loaded);
  }
  const fds = new Map(programs.map(({ name, fd }) => [name, fd]));
  yield* setPrograms(user, maps, fds, mapContext);
  return {
    kind: 'loaded',
    maps: [...maps.values()].map(({ map, kernelName, fd }) => {
      const table = structOps.get(map.name);
      const value = table && { structOps: structOpsValue(table, fds) };
      return { name: map.name, kernelName, fd, map, ...value };
    }),
    programs,
    btfFd: btfFd > 0 ? btfFd : undefined,
    messages,
  };
}

function* loadOne<Y>(
  user: BpfUser<Y>,
  program: ObjectProgram,
  options: LoadOptions,
  context: ProgramContext,
): BpfFlow<Y, LoadedProgram | undefined> {
  const { name, section } = program;
  const { type, attachType } = options.kindOf?.(program) ?? program;
  const kind = { type, attachType };
  try {
    const { fd, log } = yield* loadProgram(user, program, kind, context);
    return { name, section, kind, fd, program, log };
  } catch (error) {
    if (!(error instanceof LoadError) || options.refused === undefined) throw error;
    options.refused(program, error.failure);
    return undefined;
  }
}

/** The maps as they are made: with configuration values and the caller's changes. */
function withData(
  spec: ObjectSpec,
  options: LoadOptions,
  kconfig: Uint8Array | undefined,
  structOps: ReadonlyMap<string, KernelStructOps>,
): ObjectSpec {
  const maps = spec.maps.map((given) => {
    const table = structOps.get(given.name);
    if (table !== undefined) {
      const { value, valueTypeId } = table;
      const def = { ...given.def, valueBytes: value.length, kernelValueTypeId: valueTypeId };
      return { ...given, def, data: value };
    }
    const map = options.mapDef ? { ...given, def: options.mapDef(given) } : given;
    if (map.data === undefined) return map;
    const data = map.name === '.kconfig' && kconfig !== undefined ? kconfig : map.data.slice();
    options.editData?.(map.name, data);
    return { ...map, data };
  });
  return { ...spec, maps };
}

/** Which struct and member each program of a table of functions is for. */
function membersOf(tables: ReadonlyMap<string, KernelStructOps>): ProgramContext['structOps'] {
  return new Map(
    [...tables.values()].flatMap(({ structTypeId, functions }) =>
      functions.map(({ program, memberIndex }) => [program, { structTypeId, memberIndex }]),
    ),
  );
}

/** BTF is a help, not a need: without externs of functions an object loads without it. */
function* loadBtf<Y>(
  user: BpfUser<Y>,
  spec: ObjectSpec,
  btf: Btf | undefined,
  opened: number[],
  messages: string[],
  strerror: (errno: number) => string,
): BpfFlow<Y, number> {
  if (btf === undefined) return 0;
  const quiet = yield* btfLoad(user, btf.bytes);
  yield* user.release();
  if (quiet.result >= 0) {
    opened.push(quiet.result);
    return quiet.result;
  }
  const { result, log } = yield* btfLoad(user, btf.bytes, { level: 1, sizeBytes: 64 * 1024 });
  yield* user.release();
  const why = `libbpf: Error loading BTF: ${strerror(-quiet.result)}(${-quiet.result})`;
  messages.push(log === '' ? why : `${why}\n${log}`);
  const needed = spec.externs.some(({ kind }) => kind === 'kfunc');
  if (needed || result >= 0) {
    throw new LoadError(-quiet.result, [
      `libbpf: Error loading .BTF into kernel: ${quiet.result}. BTF is mandatory, can't proceed.`,
    ]);
  }
  messages.push(
    `libbpf: Error loading .BTF into kernel: ${quiet.result}. BTF is optional, ignoring.`,
  );
  return 0;
}
