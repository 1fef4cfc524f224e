/** Directories: getdents64, and the mode string and type letters that tools show. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
} from '../../kernel/fs/vfs-types.ts';
import { close, open, O_CLOEXEC, O_DIRECTORY, O_RDONLY, syscall } from './files.ts';
import { load } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';
import { decodeCString } from './text.ts';

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: number;
  /** DT_*: the S_IFMT bits shifted down by 12. */
  readonly type: number;
}

const BUFFER_BYTES = 16384;
/** struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name. */
const RECLEN_AT = 16;
const TYPE_AT = 18;
const NAME_AT = 19;

/** All entries in the kernel's order, '.' and '..' among them; or a negative errno. */
export function* readDirectory(p: Process, path: string): UserFlow<DirectoryEntry[] | number> {
  return yield* inDirectory(p, path, function* (entries) {
    return entries;
  });
}

/** The entries, while the directory is open. */
export function* inDirectory<T>(
  p: Process,
  path: string,
  body: (entries: DirectoryEntry[]) => UserFlow<T>,
): UserFlow<T | number> {
  const fd = yield* open(p, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fd;
  const mark = p.mark();
  const buffer = yield* p.take(BUFFER_BYTES);
  const entries: DirectoryEntry[] = [];
  let got: number;
  for (;;) {
    got = yield* syscall(NR.getdents64, fd, buffer, BUFFER_BYTES);
    if (got <= 0) break;
    const bytes = p.memory.read(buffer, got).slice();
    for (let at = 0; at < got;) {
      const length = load(bytes, at + RECLEN_AT, 'u16') as number;
      entries.push({
        ino: load(bytes, at, 'n64') as number,
        type: bytes[at + TYPE_AT]!,
        name: decodeCString(bytes.subarray(at + NAME_AT, at + length)),
      });
      at += length;
    }
  }
  p.release(mark);
  const result = got < 0 ? got : yield* body(entries);
  yield* close(fd);
  return result;
}

/** Names without '.' and '..', sorted by bytes as in the C locale. */
export function* listNames(p: Process, path: string): UserFlow<string[] | number> {
  const entries = yield* readDirectory(p, path);
  if (typeof entries === 'number') return entries;
  return entries
    .map((entry) => entry.name)
    .filter((name) => name !== '.' && name !== '..')
    .sort(byBytes);
}

export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export const isDirectory = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR;
export const isSymlink = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK;

/** 'drwxr-xr-x'. */
export function modeString(mode: number): string {
  const letters: Record<number, string> = {
    [S_IFDIR]: 'd',
    [S_IFLNK]: 'l',
    [S_IFCHR]: 'c',
    [S_IFBLK]: 'b',
    [S_IFIFO]: 'p',
    [S_IFSOCK]: 's',
  };
  const triple = (bits: number, special: boolean, letter: string): string => {
    const execute = bits & 1 ? (special ? letter : 'x') : special ? letter.toUpperCase() : '-';
    return (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-') + execute;
  };
  return (
    (letters[mode & S_IFMT] ?? '-') +
    triple((mode >> 6) & 7, (mode & 0o4000) !== 0, 's') +
    triple((mode >> 3) & 7, (mode & 0o2000) !== 0, 's') +
    triple(mode & 7, (mode & 0o1000) !== 0, 't')
  );
}
