/** bpftool prog show. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { PROG_TYPES } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { CLOCK_BOOTTIME, CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import { allIds, fdById, fdinfo, type ProgInfo } from '../bpf/objects.ts';
import { progDetails, type ProgDetails } from '../bpf/prog-details.ts';
import { deviceJson, deviceText } from './device.ts';
import { tagText } from './hex.ts';
import { array, bool, number, object, string } from './json.ts';
import { progFds } from './object-words.ts';
import { programName } from './program-name.ts';
import { holdersJson, holdersText, pinnedJson, pinnedText, type Refs, refsOf } from './refs.ts';
import { type Bpftool, FAILED } from './tool.ts';

interface Tables extends Refs {
  /** CLOCK_REALTIME at boot, ns. */
  readonly bootNs: bigint;
}

type Member = readonly [string, JsonTree];

export function* progShow(t: Bpftool): UserFlow<number> {
  const tables: Tables = {
    ...(yield* refsOf(t, 'prog')),
    bootNs: (yield* clockGettime(t.p, CLOCK_REALTIME)) - (yield* clockGettime(t.p, CLOCK_BOOTTIME)),
  };
  if (t.words.left === 2) return yield* showNamed(t, tables);
  if (t.words.left > 0) return yield* t.fail(`what is '${t.words.peek()}'?`);
  const ids = yield* allIds(t.user, 'prog');
  if (typeof ids === 'number') return yield* t.fail(`can't get next program: ${strerror(ids)}`);
  const trees: JsonTree[] = [];
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'prog', id);
    if (fd === -2) continue;
    if (fd < 0) return yield* t.fail(`can't get prog by id (${id}): ${strerror(fd)}`);
    const tree = yield* showOne(t, fd, tables);
    yield* close(fd);
    if (tree) trees.push(tree);
  }
  if (t.json) yield* t.emit(array(trees));
  return 0;
}

function* showNamed(t: Bpftool, tables: Tables): UserFlow<number> {
  const fds = yield* progFds(t);
  if (!fds || fds.length === 0) return FAILED;
  const trees: JsonTree[] = [];
  for (const fd of fds) {
    const tree = yield* showOne(t, fd, tables);
    yield* close(fd);
    if (tree) trees.push(tree);
  }
  if (t.json) yield* t.emit(trees.length === 1 ? trees[0]! : array(trees));
  return 0;
}

/** The JSON of one program; undefined where text was printed instead. */
function* showOne(t: Bpftool, fd: number, tables: Tables): UserFlow<JsonTree | undefined> {
  const details = yield* progDetails(t.user, fd, { mapIds: true });
  if (typeof details === 'number') {
    yield* t.fail(`can't get prog info: ${strerror(details)}`);
    return undefined;
  }
  if (t.json) return yield* progJson(t, fd, details, tables);
  yield* t.print(yield* progText(t, fd, details, tables));
  return undefined;
}

export function* headerText(t: Bpftool, fd: number, info: ProgInfo): UserFlow<string> {
  const type = PROG_TYPES[info.type];
  const name = yield* programName(t.user, fd, info);
  let text = `${info.id}: ${type ?? `type ${info.type}`}  `;
  if (name !== '') text += `name ${name}  `;
  text += `tag ${tagText(info.tag)}`;
  text += yield* deviceText(t.p, info);
  if ((info.gpl_compatible & 1) !== 0) text += '  gpl';
  if (info.run_time_ns !== 0n) text += ` run_time_ns ${info.run_time_ns} run_cnt ${info.run_cnt}`;
  if (info.recursion_misses !== 0n) text += ` recursion_misses ${info.recursion_misses}`;
  return `${text}\n`;
}

export function* headerJson(t: Bpftool, fd: number, info: ProgInfo): UserFlow<(Member | false)[]> {
  const type = PROG_TYPES[info.type];
  const name = yield* programName(t.user, fd, info);
  return [
    ['id', number(info.id)],
    ['type', type === undefined ? number(info.type) : string(type)],
    name !== '' && ['name', string(name)],
    ['tag', string(tagText(info.tag))],
    ['gpl_compatible', bool((info.gpl_compatible & 1) !== 0)],
    info.run_time_ns !== 0n && ['run_time_ns', number(info.run_time_ns)],
    info.run_time_ns !== 0n && ['run_cnt', number(info.run_cnt)],
    info.recursion_misses !== 0n && ['recursion_misses', number(info.recursion_misses)],
  ];
}

function loadedAt(info: ProgInfo, tables: Tables): number {
  return Number((tables.bootNs + info.load_time) / 1_000_000_000n);
}

function* progText(
  t: Bpftool,
  fd: number,
  { info, mapIds }: ProgDetails,
  tables: Tables,
): UserFlow<string> {
  let text = yield* headerText(t, fd, info);
  if (info.load_time !== 0n) {
    const when = strftime('%FT%T%z', loadedAt(info, tables));
    text += `\tloaded_at ${when}  uid ${info.created_by_uid}\n`;
  }
  text += `\txlated ${info.xlated_prog_len}B`;
  text += info.jited_prog_len > 0 ? `  jited ${info.jited_prog_len}B` : '  not jited';
  const memlock = yield* fdinfo(t.p, fd, 'memlock');
  if (memlock !== undefined) text += `  memlock ${memlock}B`;
  if (mapIds.length > 0) text += `  map_ids ${mapIds.join(',')}`;
  text += pinnedText(tables.pinned.get(info.id));
  if (info.btf_id !== 0) text += `\n\tbtf_id ${info.btf_id}`;
  return `${text}${holdersText(tables.holders.get(info.id))}\n`;
}

function* progJson(
  t: Bpftool,
  fd: number,
  { info, mapIds }: ProgDetails,
  tables: Tables,
): UserFlow<JsonTree> {
  const memlock = yield* fdinfo(t.p, fd, 'memlock');
  const jited = info.jited_prog_len > 0;
  return object(
    ...(yield* headerJson(t, fd, info)),
    yield* deviceJson(t.p, info),
    info.load_time !== 0n && ['loaded_at', number(loadedAt(info, tables))],
    info.load_time !== 0n && ['uid', number(info.created_by_uid)],
    ['bytes_xlated', number(info.xlated_prog_len)],
    ['jited', bool(jited)],
    jited && ['bytes_jited', number(info.jited_prog_len)],
    memlock !== undefined && ['bytes_memlock', number(Number(memlock))],
    mapIds.length > 0 && ['map_ids', array(mapIds.map(number))],
    pinnedJson(tables.pinned, info.id),
    info.btf_id !== 0 && ['btf_id', number(info.btf_id)],
    holdersJson(tables.holders.get(info.id)),
  );
}
