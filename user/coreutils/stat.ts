/** stat(1): the default text, and -c formats. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { modeString } from '../libc/directory.ts';
import { lstat, readlink, stat as statFile, type Stat } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { groups, userNames } from '../libc/system.ts';
import { strftime } from '../libc/time.ts';

export const stat: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Display file status.',
    options: [
      { short: 'L', long: 'dereference', help: 'follow links' },
      { short: 'c', long: 'format', arg: 'FORMAT', help: 'use FORMAT instead of the default' },
    ],
    more: 'FORMAT takes %a %A %b %B %d %D %f %F %g %G %h %i %n %N %s %u %U %X %x %Y %y %Z %z %t %T.',
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const names = { users: yield* userNames(p), groups: yield* groups(p) };
  let status = 0;
  for (const path of o.operands) {
    const info = yield* (o.has('dereference') ? statFile : lstat)(p, path);
    if (typeof info === 'number') {
      yield* p.error(`cannot statx '${path}': ${strerror(info)}`);
      status = 1;
      continue;
    }
    const values = yield* directives(p, path, info, names);
    const format = o.value('format');
    if (format !== undefined) {
      yield* p.println(
        format.replace(/%([a-zA-Z%])/g, (whole, letter: string) => values[letter] ?? whole),
      );
      continue;
    }
    const line = (text: string): UserFlow<void> =>
      p.println(text.replace(/%([a-zA-Z])/g, (whole, letter: string) => values[letter] ?? whole));
    const isDevice = [0o020000, 0o060000].includes(info.mode & 0o170000);
    yield* line('  File: %N');
    yield* line(
      `  Size: ${values.s!.padEnd(10)}\tBlocks: ${values.b!.padEnd(10)} IO Block: ${String(info.blksize).padEnd(6)} %F`,
    );
    yield* line(
      `Device: ${values.d}\tInode: ${values.i!.padEnd(11)} Links: ${isDevice ? `${values.h!.padEnd(5)} Device type: %t,%T` : values.h}`,
    );
    yield* line(
      `Access: (${values.a!.padStart(4, '0')}/%A)  Uid: (${values.u!.padStart(5)}/${values.U!.padStart(8)})   Gid: (${values.g!.padStart(5)}/${values.G!.padStart(8)})`,
    );
    yield* line('Access: %x\nModify: %y\nChange: %z\n Birth: -');
  }
  return status;
};

function* directives(
  p: Process,
  path: string,
  info: Stat,
  names: { users: Map<number, string>; groups: Map<number, string> },
): UserFlow<Record<string, string>> {
  const isLink = (info.mode & 0o170000) === 0o120000;
  const target = isLink ? yield* readlink(p, path) : '';
  const time = (seconds: number, ns: number): string =>
    strftime('%Y-%m-%d %H:%M:%S.%N %z', seconds, ns);
  const major = (device: number): number => Math.floor(device / 256) % 4096;
  const minor = (device: number): number => (device % 256) + Math.floor(device / 2 ** 20) * 256;
  return {
    a: (info.mode & 0o7777).toString(8),
    A: modeString(info.mode),
    b: String(info.blocks),
    B: '512',
    d: `${major(info.dev)},${minor(info.dev)}`,
    D: info.dev.toString(16),
    f: info.mode.toString(16),
    F: typeName(info),
    g: String(info.gid),
    G: names.groups.get(info.gid) ?? 'UNKNOWN',
    h: String(info.nlink),
    i: String(info.ino),
    n: path,
    N: isLink ? `${path} -> ${target}` : path,
    s: String(info.size),
    t: major(info.rdev).toString(16),
    T: minor(info.rdev).toString(16),
    u: String(info.uid),
    U: names.users.get(info.uid) ?? 'UNKNOWN',
    x: time(info.atimeSec, info.atimeNsec),
    y: time(info.mtimeSec, info.mtimeNsec),
    z: time(info.ctimeSec, info.ctimeNsec),
    X: String(info.atimeSec),
    Y: String(info.mtimeSec),
    Z: String(info.ctimeSec),
    '%': '%',
  };
}

function typeName(info: Stat): string {
  switch (info.mode & 0o170000) {
    case 0o040000:
      return 'directory';
    case 0o120000:
      return 'symbolic link';
    case 0o020000:
      return 'character special file';
    case 0o060000:
      return 'block special file';
    case 0o010000:
      return 'fifo';
    case 0o140000:
      return 'socket';
    default:
      return info.size === 0 ? 'regular empty file' : 'regular file';
  }
}
