/**
 * rbdump: the records of a BPF ring buffer, read as libbpf reads them. skep's own: bpftool has
 * nothing for ring buffers. Records are shown in hex, or by a BTF type of the map's own BTF.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../../bpf/btf/btf.ts';
import { formatValue, printJson } from '../../bpf/btf/format.ts';
import { objGet } from '../../bpf/loader/commands.ts';
import { MAP_TYPES } from '../../bpf/uapi.ts';
import { btfOf } from '../bpftool/program-name.ts';
import { close } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { poll } from '../libc/poll.ts';
import { strerror } from '../libc/strerror.ts';
import { SIGINT, signalFlag } from '../libc/tasks.ts';
import { hexText } from '../bpftool/hex.ts';
import { allIds, fdById, mapInfo, type MapInfo } from './objects.ts';
import { progsUsing } from './prog-users.ts';
import { mapRing } from './ring-buffer.ts';
import { bpfUser, type ProcessBpf } from './user.ts';

export const rbdump: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... { id N | name NAME | pinned PATH }',
    about: 'Print and consume the records of a BPF ring buffer map.',
    options: [
      { short: 'f', long: 'follow', help: 'wait for more records until interrupted' },
      { short: 'n', long: 'count', arg: 'N', help: 'end after N records' },
      { short: 't', long: 'type', arg: 'STRUCT', help: 'show records as this BTF type' },
      { short: 'x', long: 'hex', help: 'always show bytes' },
      { short: 'j', long: 'json', help: 'one JSON value a line' },
    ],
    more:
      'Without -t, the type is taken from the BTF of the program that uses the map, where it has\n' +
      'exactly one struct of the size of a record; else bytes are shown.',
  });
  const [how, value] = o.operands.length === 1 ? ['name', o.operands[0]] : o.operands;
  if (value === undefined) return yield* usageError(p, 'no map given');
  const user = bpfUser(p);
  const fd = yield* findMap(user, how!, value);
  if (fd < 0) {
    yield* p.error(`map ${how} ${value}: ${strerror(fd)}`);
    return 1;
  }
  const info = yield* mapInfo(user, fd);
  if (typeof info === 'number' || MAP_TYPES[info.type] !== 'ringbuf') {
    yield* p.error(`map ${how} ${value}: not a ring buffer`);
    return 1;
  }
  const ring = yield* mapRing(p, fd, info.max_entries);
  if (typeof ring === 'number') {
    yield* p.error(`mmap: ${strerror(ring)}`);
    return 1;
  }
  const types = o.has('hex') ? undefined : yield* recordTypes(user, info);
  const named = o.value('type');
  const typeId = named === undefined ? undefined : findType(types, named);
  if (named !== undefined && typeId === undefined) {
    yield* p.error(`no type '${named}' in the BTF that belongs to the map`);
    return 1;
  }
  const limit = Number(o.value('count') ?? Infinity);
  const stop = yield* signalFlag(p, SIGINT);
  let count = 0;
  const show = (record: Uint8Array): UserFlow<void> =>
    printRecord(p, record, types, typeId ?? guess(types, record.length), o.has('json'));
  for (;;) {
    count += yield* ring.drain(show);
    yield* p.stdout.flush();
    if (!o.has('follow') || stop.raised || count >= limit) break;
    yield* poll(p, [{ fd, events: 1 }], -1);
  }
  yield* ring.unmap();
  yield* close(fd);
  return 0;
};

function* findMap(user: ProcessBpf, how: string, value: string): UserFlow<number> {
  if (how === 'id') return yield* fdById(user, 'map', Number(value));
  if (how === 'pinned') {
    const fd = yield* objGet(user, value);
    yield* user.release();
    return fd;
  }
  if (how !== 'name') return -errno.EINVAL;
  const ids = yield* allIds(user, 'map');
  for (const id of typeof ids === 'number' ? [] : ids) {
    const fd = yield* fdById(user, 'map', id);
    if (fd < 0) continue;
    const info = yield* mapInfo(user, fd);
    if (typeof info !== 'number' && info.name === value) return fd;
    yield* close(fd);
  }
  return -errno.ENOENT;
}

/** A ring buffer's map has no types; its programs' BTF has. */
function* recordTypes(user: ProcessBpf, map: MapInfo): UserFlow<Btf | undefined> {
  if (map.btf_id !== 0) return yield* btfOf(user, map.btf_id);
  for (const info of yield* progsUsing(user, map.id)) {
    if (info.btf_id !== 0) return yield* btfOf(user, info.btf_id);
  }
  return undefined;
}

function findType(btf: Btf | undefined, name: string): number | undefined {
  const plain = name.replace(/^struct\s+/, '');
  return btf?.find(plain, 'struct') ?? btf?.find(plain, 'typedef');
}

/** The only struct of that size that has a name and is no type of the kernel's interface. */
function guess(btf: Btf | undefined, sizeBytes: number): number | undefined {
  if (!btf) return undefined;
  const fits = [...btf.types.keys()].filter((id) => {
    const type = btf.types[id]!;
    return type.kind === 'struct' && type.name !== '' && type.size === sizeBytes;
  });
  return fits.length === 1 ? fits[0] : undefined;
}

function* printRecord(
  p: Process,
  record: Uint8Array,
  btf: Btf | undefined,
  typeId: number | undefined,
  json: boolean,
): UserFlow<void> {
  const isTyped = btf && typeId !== undefined && (btf.sizeOf(typeId) ?? Infinity) <= record.length;
  if (isTyped) {
    const tree = formatValue(btf, typeId, record, { plain: !json });
    yield* p.println(printJson(tree, { pretty: !json }));
  } else if (json) {
    const bytes = Array.from(record, (b) => `"0x${b.toString(16).padStart(2, '0')}"`);
    yield* p.println(`[${bytes.join(',')}]`);
  } else yield* p.println(hexText(record));
}
