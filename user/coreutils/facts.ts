/** Tools that state facts: arch(1), getconf(1), tput(1), mountpoint(1), lscpu(1), file(1), install(1), sum(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { EXECUTABLE_MAGIC } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { isDirectory } from '../libc/directory.ts';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readlink,
  readTextFile,
  stat,
} from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { basename, dirname, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { accounts, groups, uname } from '../libc/system.ts';
import { windowSize } from '../libc/terminal.ts';
import { decodeText } from '../libc/text.ts';
import { copy } from './copy.ts';
import { eachInput } from './input.ts';
import { parseMode } from './mode.ts';

export const arch: Tool = function* (p, args) {
  yield* getopt(p, args, { usage: '', about: 'Print machine architecture.' });
  yield* p.println((yield* uname(p)).machine);
  return 0;
};

/** sysconf(3) and limits, as glibc answers on x86-64. */
const CONFIGURATION: Readonly<Record<string, string>> = {
  PAGE_SIZE: '4096',
  PAGESIZE: '4096',
  CLK_TCK: '100',
  ARG_MAX: '2097152',
  OPEN_MAX: '1024',
  NAME_MAX: '255',
  PATH_MAX: '4096',
  PIPE_BUF: '4096',
  LONG_BIT: '64',
  INT_MAX: '2147483647',
  CHILD_MAX: '1024',
  HOST_NAME_MAX: '64',
  LINE_MAX: '2048',
  IOV_MAX: '1024',
  _POSIX_VERSION: '200809',
};

export const getconf: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-a] NAME [PATH]',
    about: 'Query system configuration variables.',
    options: [{ short: 'a', help: 'print all of them' }],
  });
  const text = yield* readTextFile(p, '/proc/cpuinfo');
  const cpus = String(typeof text === 'number' ? 1 : (text.match(/^processor/gm)?.length ?? 1));
  const all = { ...CONFIGURATION, _NPROCESSORS_ONLN: cpus, _NPROCESSORS_CONF: cpus };
  if (o.has('a')) {
    for (const [name, value] of Object.entries(all)) yield* p.println(`${name.padEnd(35)}${value}`);
    return 0;
  }
  const [name] = o.operands;
  if (name === undefined) return yield* usageError(p, 'missing operand', 2);
  const value = (all as Record<string, string>)[name];
  if (value === undefined) {
    yield* p.error(`Unrecognized variable \`${name}'`);
    return 2;
  }
  yield* p.println(value);
  return 0;
};

/** terminfo's capabilities of xterm-256color, as far as scripts use them. */
const CAPABILITIES: Readonly<Record<string, string>> = {
  bel: '\x07',
  blink: '\x1b[5m',
  bold: '\x1b[1m',
  civis: '\x1b[?25l',
  clear: '\x1b[H\x1b[2J',
  cnorm: '\x1b[?25h',
  cr: '\r',
  cub1: '\b',
  cud1: '\n',
  cuf1: '\x1b[C',
  cuu1: '\x1b[A',
  dim: '\x1b[2m',
  ed: '\x1b[J',
  el: '\x1b[K',
  home: '\x1b[H',
  op: '\x1b[39;49m',
  rc: '\x1b8',
  rev: '\x1b[7m',
  ritm: '\x1b[23m',
  rmcup: '\x1b[?1049l',
  rmul: '\x1b[24m',
  sc: '\x1b7',
  sgr0: '\x1b(B\x1b[m',
  sitm: '\x1b[3m',
  smcup: '\x1b[?1049h',
  smso: '\x1b[7m',
  smul: '\x1b[4m',
};

export const tput: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-T TYPE] CAPABILITY [PARAMETER]...',
    about: 'Query the terminfo database: cols, lines, colors, bold, setaf N, cup ROW COLUMN ...',
    badUsage: 2,
    options: [{ short: 'T', arg: 'TYPE', help: '(ignored)' }],
  });
  const [name, ...parameters] = o.operands;
  if (name === undefined) return yield* usageError(p, 'missing operand', 2);
  const size = (yield* windowSize(p, 1)) ?? (yield* windowSize(p, 2));
  const [first = 0, second = 0] = parameters.map(Number);
  const color = (base: number): string =>
    first < 8
      ? `\x1b[${base}${first}m`
      : first < 16
        ? `\x1b[${base === 3 ? 9 : 10}${first - 8}m`
        : `\x1b[${base}8;5;${first}m`;
  switch (name) {
    case 'cols':
      yield* p.println(String(size?.columns ?? 80));
      return 0;
    case 'lines':
      yield* p.println(String(size?.rows ?? 24));
      return 0;
    case 'colors':
      yield* p.println('256');
      return 0;
    case 'longname':
      yield* p.print('xterm with 256 colors');
      return 0;
    case 'setaf':
      yield* p.print(color(3));
      return 0;
    case 'setab':
      yield* p.print(color(4));
      return 0;
    case 'cup':
      yield* p.print(`\x1b[${first + 1};${second + 1}H`);
      return 0;
    case 'init':
    case 'reset':
      yield* p.print('\x1b[!p\x1b[?3;4l\x1b[4l\x1b>');
      return 0;
  }
  const text = CAPABILITIES[name];
  if (text === undefined) {
    yield* p.error(`unknown terminfo capability '${name}'`);
    return 4;
  }
  yield* p.print(text);
  return 0;
};

export const mountpoint: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-qd] PATH',
    about: 'Check whether a directory or file is a mountpoint.',
    options: [
      { short: 'q', long: 'quiet', help: "quiet mode - don't print anything" },
      { short: 'd', long: 'fs-devno', help: 'print maj:min device number of the filesystem' },
    ],
  });
  const [path] = o.operands;
  if (path === undefined) return yield* usageError(p, 'bad usage');
  const info = yield* stat(p, path);
  if (typeof info === 'number') {
    if (!o.has('quiet')) yield* p.error(`${path}: ${strerror(info)}`);
    return 1;
  }
  const parent = yield* stat(p, `${path}/..`);
  const isMount =
    typeof parent !== 'number' && (parent.dev !== info.dev || parent.ino === info.ino);
  if (o.has('fs-devno') && isMount)
    yield* p.println(`${Math.floor(info.dev / 256)}:${info.dev % 256}`);
  else if (!o.has('quiet')) yield* p.println(`${path} is ${isMount ? '' : 'not '}a mountpoint`);
  return isMount ? 0 : 32;
};

export const lscpu: Tool = function* (p, args) {
  yield* getopt(p, args, {
    usage: '[OPTION]',
    about: 'Display information about the CPU architecture.',
  });
  const text = yield* readTextFile(p, '/proc/cpuinfo');
  const info = typeof text === 'number' ? '' : text;
  const field = (name: string): string =>
    new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(info)?.[1] ?? '';
  const cpus = info.match(/^processor/gm)?.length ?? 1;
  const { machine } = yield* uname(p);
  const rows: [string, string][] = [
    ['Architecture', machine],
    ['CPU op-mode(s)', '32-bit, 64-bit'],
    ['Byte Order', 'Little Endian'],
    ['CPU(s)', String(cpus)],
    ['On-line CPU(s) list', cpus > 1 ? `0-${cpus - 1}` : '0'],
    ['Vendor ID', field('vendor_id')],
    ['Model name', field('model name')],
    ['CPU family', field('cpu family')],
    ['Model', field('model')],
    ['Thread(s) per core', '1'],
    ['Core(s) per socket', String(cpus)],
    ['Socket(s)', '1'],
    ['Stepping', field('stepping')],
    ['BogoMIPS', field('bogomips')],
  ];
  for (const [name, value] of rows)
    if (value !== '') yield* p.println(`${`${name}:`.padEnd(25)}${value}`);
  return 0;
};

export const file: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION...] FILE...',
    about: 'Determine type of FILEs.',
    options: [
      { short: 'b', long: 'brief', help: 'do not prepend filenames to output lines' },
      { short: 'L', long: 'dereference', help: 'follow symlinks' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const width = Math.max(...o.operands.map((name) => name.length)) + 2;
  for (const path of o.operands) {
    const kind = yield* kindOf(p, path, o.has('dereference'));
    yield* p.println(o.has('brief') ? kind : `${`${path}:`.padEnd(width)}${kind}`);
  }
  return 0;
};

const MAGIC: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [new RegExp(`^${EXECUTABLE_MAGIC}`), 'skep executable, x86-64'],
  [/^\x7fELF\x02\x01[^]{10}\x01\x00\xf7\x00/, 'ELF 64-bit LSB relocatable, eBPF, version 1 (SYSV)'],
  [/^\x7fELF\x02\x01/, 'ELF 64-bit LSB'],
  [/^\xd4\xc3\xb2\xa1|^\x4d\x3c\xb2\xa1/, 'pcap capture file, microsecond ts (little-endian)'],
  [/^\x0a\x0d\x0d\x0a/, 'pcapng capture file'],
  [/^\x1f\x8b/, 'gzip compressed data'],
  [/^#! ?\/bin\/(?:ba|da)?sh/, 'POSIX shell script, ASCII text executable'],
  [/^#!/, 'script, ASCII text executable'],
];

function* kindOf(p: Process, path: string, follows: boolean): UserFlow<string> {
  const info = yield* (follows ? stat : lstat)(p, path);
  if (typeof info === 'number') return `cannot open \`${path}' (${strerror(info)})`;
  switch (info.mode & 0o170000) {
    case 0o040000:
      return info.mode & 0o1000 ? 'sticky, directory' : 'directory';
    case 0o120000: {
      const target = yield* readlink(p, path);
      const broken = typeof (yield* stat(p, path)) === 'number';
      return `${broken ? 'broken ' : ''}symbolic link to ${target}`;
    }
    case 0o020000:
      return `character special (${Math.floor(info.rdev / 256)}/${info.rdev % 256})`;
    case 0o060000:
      return `block special (${Math.floor(info.rdev / 256)}/${info.rdev % 256})`;
    case 0o010000:
      return 'fifo (named pipe)';
    case 0o140000:
      return 'socket';
  }
  const bytes = yield* readFile(p, path);
  if (typeof bytes === 'number') return `cannot open \`${path}' (${strerror(bytes)})`;
  if (bytes.length === 0) return 'empty';
  const head = String.fromCharCode(...bytes.subarray(0, 256));
  const known = MAGIC.find(([pattern]) => pattern.test(head));
  if (known) return known[1];
  const text = decodeText(bytes.subarray(0, 65536));
  if (/[\x00-\x06\x0e-\x1a\x1c-\x1f\udc80-\udcff]/u.test(text)) return 'data';
  const lacksEnd = text.includes('\n') ? '' : ', with no line terminators';
  return (/[^\x00-\x7f]/.test(text) ? 'Unicode text, UTF-8 text' : 'ASCII text') + lacksEnd;
}

export const install: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... SOURCE... DEST\n   or: install [OPTION]... -d DIRECTORY...',
    about: 'Copy files and set attributes.',
    options: [
      {
        short: 'd',
        long: 'directory',
        help: 'treat all arguments as directory names; create all components',
      },
      { short: 'D', help: 'create all leading components of DEST' },
      { short: 'g', long: 'group', arg: 'GROUP', help: 'set group ownership' },
      { short: 'm', long: 'mode', arg: 'MODE', help: 'set permission mode, instead of rwxr-xr-x' },
      { short: 'o', long: 'owner', arg: 'OWNER', help: 'set ownership' },
      {
        short: 't',
        long: 'target-directory',
        arg: 'DIRECTORY',
        help: 'copy all SOURCE arguments into DIRECTORY',
      },
      { short: 'v', long: 'verbose', help: 'print the name of each created file or directory' },
      {
        short: 'p',
        long: 'preserve-timestamps',
        help: 'apply times of SOURCE files to destination files',
      },
    ],
  });
  const mode = parseMode(o.value('mode') ?? '755', 0);
  if (mode === undefined) {
    yield* p.error(`invalid mode '${o.value('mode')}'`);
    return 1;
  }
  if (o.operands.length === 0) return yield* usageError(p, 'missing file operand');
  const uid = (yield* accounts(p)).find(({ name }) => name === o.value('owner'))?.uid ?? 0xffffffff;
  const gid =
    [...(yield* groups(p))].find(([, name]) => name === o.value('group'))?.[0] ?? 0xffffffff;
  const finish = function* (path: string): UserFlow<void> {
    yield* chmod(p, path, mode);
    if (o.has('owner') || o.has('group')) yield* chown(p, path, uid, gid);
  };
  let status = 0;
  if (o.has('directory')) {
    for (const path of o.operands) {
      const failed = yield* makeDirectories(p, path);
      if (failed < 0) {
        yield* p.error(`cannot create directory '${path}': ${strerror(failed)}`);
        status = 1;
      } else yield* finish(path);
    }
    return status;
  }
  const directory = o.value('target-directory');
  const sources = directory === undefined ? o.operands.slice(0, -1) : o.operands;
  const last = directory ?? o.operands.at(-1)!;
  if (sources.length === 0)
    return yield* usageError(p, `missing destination file operand after '${last}'`);
  if (o.has('D')) yield* makeDirectories(p, directory === undefined ? dirname(last) : last);
  const info = yield* stat(p, last);
  const isDir = typeof info !== 'number' && isDirectory(info.mode);
  for (const from of sources) {
    const to = isDir ? `${last.replace(/\/+$/, '')}/${basename(from)}` : last;
    const failed = yield* copy(p, from, to, {
      recursive: false,
      verbose: o.has('verbose'),
      force: true,
      links: 'follow',
      preserve: o.has('preserve-timestamps'),
      clobber: 'always',
    });
    if (failed === 0) yield* finish(to);
    status = failed || status;
  }
  return status;
};

function* makeDirectories(p: Process, path: string): UserFlow<number> {
  const parts = path.replace(/\/+$/, '').split('/');
  for (let at = 1; at <= parts.length; at++) {
    const part = parts.slice(0, at).join('/');
    if (part === '') continue;
    const failed = yield* mkdir(p, part, 0o755);
    if (failed < 0 && failed !== -errno.EEXIST) return failed;
  }
  return 0;
}

export const sum: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Print BSD checksum and block counts for each FILE.',
    options: [
      { short: 'r', help: 'use BSD sum algorithm, use 1K blocks (default)' },
      { short: 's', long: 'sysv', help: 'use System V sum algorithm, use 512 bytes blocks' },
    ],
  });
  return yield* eachInput(p, o.operands, function* (stream, name) {
    const bytes = yield* stream.readAll();
    const shown = o.operands.length === 0 ? '' : ` ${name}`;
    if (o.has('sysv')) {
      const total = bytes.reduce((sumSoFar, byte) => sumSoFar + byte, 0);
      const folded = (total & 0xffff) + Math.floor(total / 65536);
      const value = (folded & 0xffff) + (folded >> 16);
      yield* p.println(`${value} ${Math.ceil(bytes.length / 512)}${shown}`);
      return;
    }
    let value = 0;
    for (const byte of bytes) value = (((value >> 1) | ((value & 1) << 15)) + byte) & 0xffff;
    const blocks = String(Math.ceil(bytes.length / 1024)).padStart(5);
    yield* p.println(`${String(value).padStart(5, '0')} ${blocks}${shown}`);
  });
};
