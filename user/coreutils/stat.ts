/** stat(1): the default text, and -c formats. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { modeString } from '../libc/directory.ts';
import { lstat, readlink, stat as statFile, statfs, type Stat } from '../libc/files.ts';
import { unescape } from '../libc/format.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { groups, userNames } from '../libc/system.ts';
import { padLeft, padRight } from '../libc/text.ts';
import { strftime } from '../libc/time.ts';

export const stat: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Display file or file system status.',
    options: [
      { short: 'L', long: 'dereference', help: 'follow links' },
      {
        short: 'f',
        long: 'file-system',
        help: 'display file system status instead of file status',
      },
      {
        short: 'c',
        long: 'format',
        arg: 'FORMAT',
        help: 'use FORMAT instead of the default;\noutput a newline after each use',
      },
      {
        long: 'printf',
        arg: 'FORMAT',
        help: 'like --format, but interpret backslash escapes,\nand do not output a trailing newline',
      },
      { short: 't', long: 'terse', help: 'print the information in terse form' },
    ],
    more:
      'FORMAT takes %a %A %b %B %C %d %D %f %F %g %G %h %i %m %n %N %o %s %t %T %u %U %w %W %x %X %y\n' +
      '%Y %z %Z, and with -f %a %b %c %d %f %i %l %n %s %S %t %T.',
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const names = { users: yield* userNames(p), groups: yield* groups(p) };
  let status = 0;
  for (const path of o.operands) {
    const values = o.has('file-system')
      ? yield* systemValues(p, path)
      : yield* fileValues(p, path, o.has('dereference'), names);
    if (!values) {
      status = 1;
      continue;
    }
    const escaped = o.value('printf');
    const format = o.value('format');
    // In a format the name is quoted in any case.
    const isQuoted = values.N?.startsWith("'") ?? true;
    if (!isQuoted && (escaped !== undefined || format !== undefined)) {
      values.N = values.N!.replace(/^(.*?)( -> (.*))?$/s, (_, name: string, __, target?: string) =>
        target === undefined
          ? `'${name}'`
          : `'${name}' -> ${target.startsWith("'") ? target : `'${target}'`}`,
      );
    }
    if (escaped !== undefined) yield* p.print(fill(unescape(escaped, 'format').text, values));
    else if (format !== undefined) yield* p.println(fill(format, values));
    else {
      const isDevice = /special/.test(values.F ?? '');
      const text = o.has('file-system')
        ? o.has('terse')
          ? TERSE_SYSTEM
          : LONG_SYSTEM
        : o.has('terse')
          ? TERSE
          : isDevice
            ? LONG.replace('%h', '%-5h Device type: %t,%T')
            : LONG;
      yield* p.println(fill(text, values));
    }
  }
  return status;
};

const LONG = [
  '  File: %N',
  '  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F',
  'Device: %d\tInode: %-11i Links: %h',
  'Access: (%04a/%10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)',
  'Access: %x',
  'Modify: %y',
  'Change: %z',
  ' Birth: %w',
].join('\n');
const TERSE = '%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o';
const LONG_SYSTEM = [
  '  File: "%n"',
  '    ID: %-8i Namelen: %-7l Type: %T',
  'Block size: %-10s Fundamental block size: %S',
  'Blocks: Total: %-10b Free: %-10f Available: %a',
  'Inodes: Total: %-10c Free: %d',
].join('\n');
const TERSE_SYSTEM = '%n %i %l %t %s %S %b %f %a %c %d';

type Values = Record<string, string>;

/** Directives with flags and width. */
function fill(format: string, values: Values): string {
  return format.replace(
    /%([-0#+ ']*)(\d*)(?:\.\d+)?([HL]?[a-zA-Z%])/g,
    (whole, flags: string, widthText: string, letter: string) => {
      const value = letter === '%' ? '%' : values[letter];
      if (value === undefined) return '?';
      const width = Math.min(65536, Number(widthText));
      if (flags.includes('-')) return padRight(value, width);
      return flags.includes('0') && /^[0-9a-f]*$/.test(value)
        ? value.padStart(width, '0')
        : padLeft(value, width);
    },
  );
}

function* fileValues(
  p: Process,
  path: string,
  follows: boolean,
  names: { users: Map<number, string>; groups: Map<number, string> },
): UserFlow<Values | undefined> {
  const info = yield* (follows ? statFile : lstat)(p, path);
  if (typeof info !== 'number') return yield* directives(p, path, info, names);
  yield* p.error(`cannot statx '${path}': ${strerror(info)}`);
  return undefined;
}

/** Magic numbers of file systems (UAPI linux/magic.h) by the names that stat gives them. */
const SYSTEM_TYPES: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0x9fa0: 'proc',
  0x62656572: 'sysfs',
  0x74726163: 'tracefs',
  0x64626720: 'debugfs',
  0x1cd1: 'devpts',
  0xcafe4a11: 'bpf_fs',
  0x858458f6: 'ramfs',
};

function* systemValues(p: Process, path: string): UserFlow<Values | undefined> {
  const info = yield* statfs(p, path);
  if (typeof info === 'number') {
    yield* p.error(`cannot read file system information for '${path}': ${strerror(info)}`);
    return undefined;
  }
  const hex = info.type.toString(16);
  return {
    a: String(info.bavail),
    b: String(info.blocks),
    c: String(info.files),
    d: String(info.ffree),
    f: String(info.bfree),
    i: '0',
    l: String(info.namelen),
    n: path,
    s: String(info.bsize),
    S: String(info.frsize),
    t: hex,
    T: SYSTEM_TYPES[info.type] ?? `UNKNOWN (0x${hex})`,
  };
}

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
    m: '/',
    N: isLink ? `${quoteName(path)} -> ${quoteName(String(target))}` : quoteName(path),
    o: String(info.blksize),
    r: String(info.rdev),
    R: info.rdev.toString(16),
    C: '?',
    w: '-',
    W: '0',
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

/** Names that a shell would split or expand are shown in quotes. */
function quoteName(name: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
