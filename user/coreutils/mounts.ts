/** mount(1), umount(1), df(1): the mount table is /proc/self/mounts. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import {
  mount as mountSyscall,
  readTextFile,
  stat,
  statfs,
  umount as umountSyscall,
} from '../libc/files.ts';
import { humanSize, table } from '../libc/format.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

interface Mount {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

/** MS_* (UAPI linux/mount.h) by mount(8)'s names. */
const FLAGS: Readonly<Record<string, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  noatime: 1024,
  bind: 4096,
  relatime: 1 << 21,
  rw: 0,
};

function* mounts(p: Process): UserFlow<Mount[]> {
  const text = yield* readTextFile(p, '/proc/self/mounts');
  if (typeof text === 'number') return [];
  const unescape = (field: string): string =>
    field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ').map(unescape))
    .map(([source = '', target = '', type = '', options = '']) => ({
      source,
      target,
      type,
      options,
    }));
}

export const mount: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-t TYPE] [-o OPTIONS] [SOURCE TARGET]',
    about: 'Mount a file system, or list what is mounted.',
    options: [
      { short: 't', long: 'types', arg: 'TYPE', help: 'file system type' },
      { short: 'o', long: 'options', arg: 'LIST', help: 'comma-separated list of options' },
      { short: 'r', long: 'read-only', help: 'the same as -o ro' },
      { long: 'bind', help: 'mount a subtree somewhere else' },
    ],
  });
  const [source, target] = o.operands;
  const type = o.value('types');
  if (source === undefined) {
    for (const entry of yield* mounts(p)) {
      if (type !== undefined && entry.type !== type) continue;
      yield* p.println(`${entry.source} on ${entry.target} type ${entry.type} (${entry.options})`);
    }
    return 0;
  }
  if (target === undefined) {
    yield* p.error(`${source}: can't find in /etc/fstab.`);
    return 1;
  }
  let flags = (o.has('bind') ? FLAGS.bind! : 0) | (o.has('read-only') ? FLAGS.ro! : 0);
  const data: string[] = [];
  for (const option of (o.value('options') ?? '').split(',').filter((text) => text !== '')) {
    const flag = FLAGS[option];
    if (flag === undefined) data.push(option);
    else flags |= flag;
  }
  const failed = yield* mountSyscall(p, source, target, type ?? 'none', flags, data.join(','));
  if (failed >= 0) return 0;
  yield* p.error(`${target}: mount failed: ${strerror(failed)}.`);
  return 32;
};

export const umount: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'TARGET...',
    about: 'Unmount file systems.',
  });
  if (o.operands.length === 0) return yield* usageError(p, 'bad usage');
  let status = 0;
  for (const target of o.operands) {
    const failed = yield* umountSyscall(p, target);
    if (failed < 0) {
      const text =
        failed === -22 ? 'not mounted' : failed === -16 ? 'target is busy' : strerror(failed);
      yield* p.error(`${target}: ${text}.`);
      status = 32;
    }
  }
  return status;
};

export const df: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Show information about the file system on which each FILE resides, or all.',
    options: [
      { short: 'a', long: 'all', help: 'include pseudo file systems without blocks' },
      { short: 'h', long: 'human-readable', help: 'print sizes in powers of 1024' },
      { short: 'T', long: 'print-type', help: 'print file system type' },
    ],
  });
  const all = yield* mounts(p);
  let status = 0;
  let chosen = all;
  if (o.operands.length > 0) {
    chosen = [];
    for (const path of o.operands) {
      const entry = yield* mountOf(p, path, all);
      if (entry) chosen.push(entry);
      else {
        yield* p.error(`${path}: No such file or directory`);
        status = 1;
      }
    }
  }
  const human = o.has('human-readable');
  const rows = [
    [
      'Filesystem',
      human ? 'Size' : '1K-blocks',
      'Used',
      human ? 'Avail' : 'Available',
      'Use%',
      'Mounted on',
    ],
  ];
  const types = ['Type'];
  for (const entry of chosen) {
    const info = yield* statfs(p, entry.target);
    if (typeof info === 'number') continue;
    if (info.blocks === 0 && !o.has('all') && o.operands.length === 0) continue;
    const size = (blocks: number): string => {
      const bytes = blocks * (info.frsize || info.bsize);
      return human ? humanSize(bytes) : String(Math.ceil(bytes / 1024));
    };
    const used = info.blocks - info.bfree;
    const share =
      used + info.bavail === 0 ? '-' : `${Math.ceil((100 * used) / (used + info.bavail))}%`;
    rows.push([
      entry.source,
      size(info.blocks),
      size(used),
      size(info.bavail),
      share,
      entry.target,
    ]);
    types.push(entry.type);
  }
  const withType = o.has('print-type');
  const cells = rows.map((row, index) => (withType ? row.toSpliced(1, 0, types[index]!) : row));
  const shift = withType ? 1 : 0;
  for (const line of table(cells, (column) => column > shift && column < 5 + shift)) {
    yield* p.println(line);
  }
  return status;
};

/** The mount whose target is the longest prefix of the path. */
function* mountOf(p: Process, path: string, all: readonly Mount[]): UserFlow<Mount | undefined> {
  const status = yield* stat(p, path);
  if (typeof status === 'number') return undefined;
  for (const entry of [...all].sort((a, b) => b.target.length - a.target.length)) {
    const root = yield* stat(p, entry.target);
    if (typeof root !== 'number' && root.dev === status.dev) return entry;
  }
  return undefined;
}
