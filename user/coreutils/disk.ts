/** chown(1), cmp(1), du(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { lstat, readFile, stat, syscall } from '../libc/files.ts';
import { humanSize } from '../libc/format.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { NR } from '../libc/nr.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { accounts, groups } from '../libc/system.ts';

/** -1: leave it as it is (chown(2)). */
const UNCHANGED = 0xffffffff;

export const chown: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [OWNER][:[GROUP]] FILE...',
    about: 'Change the owner and/or group of each FILE to OWNER and/or GROUP.',
    options: [
      { short: 'R', long: 'recursive', help: 'operate on files and directories recursively' },
    ],
  });
  const [who, ...paths] = o.operands;
  if (who === undefined) return yield* usageError(p, 'missing operand');
  if (paths.length === 0) return yield* usageError(p, `missing operand after '${who}'`);
  const [userText = '', groupText] = who.split(':');
  const users = yield* accounts(p);
  const named = yield* groups(p);
  const idOf = (text: string | undefined, ids: readonly (readonly [string, number])[]): number => {
    if (text === undefined || text === '') return UNCHANGED;
    if (/^\d+$/.test(text)) return Number(text);
    return ids.find(([name]) => name === text)?.[1] ?? -1;
  };
  const uid = idOf(
    userText,
    users.map(({ name, uid: id }) => [name, id]),
  );
  const gid = idOf(
    groupText,
    [...named].map(([id, name]) => [name, id]),
  );
  if (uid < 0 || gid < 0)
    return yield* usageError(p, `invalid ${uid < 0 ? 'user' : 'group'}: '${who}'`);
  let status = 0;
  for (const path of paths) {
    status = (yield* changeOwner(p, path, uid, gid, o.has('recursive'))) || status;
  }
  return status;
};

function* changeOwner(
  p: Process,
  path: string,
  uid: number,
  gid: number,
  recursive: boolean,
): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeString(path);
  const failed = yield* syscall(recursive ? NR.lchown : NR.chown, address, uid, gid);
  p.release(mark);
  if (failed < 0) {
    yield* p.error(`cannot access '${path}': ${strerror(failed)}`);
    return 1;
  }
  const info = recursive ? yield* lstat(p, path) : 0;
  if (typeof info === 'number' || !isDirectory(info.mode)) return 0;
  const names = yield* listNames(p, path);
  let status = 0;
  for (const name of typeof names === 'number' ? [] : names) {
    status = (yield* changeOwner(p, `${path}/${name}`, uid, gid, true)) || status;
  }
  return status;
}

export const cmp: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE1 FILE2',
    about: 'Compare two files byte by byte.',
    badUsage: 2,
    options: [{ short: 's', long: 'quiet', help: 'suppress all normal output' }],
  });
  const [first, second] = o.operands;
  if (first === undefined || second === undefined) {
    return yield* usageError(p, 'missing operand', 2);
  }
  const contents: Uint8Array[] = [];
  for (const path of [first, second]) {
    const bytes = path === '-' ? yield* p.stdin.readAll() : yield* readFile(p, path);
    if (typeof bytes === 'number') {
      yield* p.error(`${path}: ${strerror(bytes)}`);
      return 2;
    }
    contents.push(bytes);
  }
  const [a, b] = contents as [Uint8Array, Uint8Array];
  const shared = Math.min(a.length, b.length);
  let line = 1;
  for (let at = 0; at < shared; at++) {
    if (a[at] !== b[at]) {
      if (!o.has('quiet')) {
        yield* p.println(`${first} ${second} differ: byte ${at + 1}, line ${line}`);
      }
      return 1;
    }
    if (a[at] === 10) line++;
  }
  if (a.length === b.length) return 0;
  const shorter = a.length < b.length ? first : second;
  if (!o.has('quiet')) yield* p.error(`EOF on ${shorter} after byte ${shared}`);
  return 1;
};

export const du: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [FILE]...',
    about: 'Summarize device usage of the set of FILEs, recursively for directories.',
    options: [
      { short: 'a', long: 'all', help: 'write counts for all files, not just directories' },
      { short: 's', long: 'summarize', help: 'display only a total for each argument' },
      { short: 'h', long: 'human-readable', help: 'print sizes in human readable format' },
    ],
  });
  let status = 0;
  for (const path of o.operands.length === 0 ? ['.'] : o.operands) {
    const blocks = yield* usage(p, path, o, true);
    if (blocks === undefined) status = 1;
  }
  return status;
};

/** Blocks of 512 bytes below `path`; undefined where it cannot be seen. */
function* usage(
  p: Process,
  path: string,
  o: Options,
  isTop: boolean,
): UserFlow<number | undefined> {
  const info = yield* (isTop ? stat : lstat)(p, path);
  if (typeof info === 'number') {
    yield* p.error(`cannot access '${path}': ${strerror(info)}`);
    return undefined;
  }
  let blocks = info.blocks;
  const isDir = isDirectory(info.mode);
  if (isDir) {
    const names = yield* listNames(p, path);
    for (const name of typeof names === 'number' ? [] : names) {
      blocks += (yield* usage(p, `${path.replace(/\/$/, '')}/${name}`, o, false)) ?? 0;
    }
  }
  const isShown = isTop || (!o.has('summarize') && (isDir || o.has('all')));
  if (isShown) {
    const size = o.has('human-readable') ? humanSize(blocks * 512) : String(Math.ceil(blocks / 2));
    yield* p.println(`${size}\t${path}`);
  }
  return blocks;
}
