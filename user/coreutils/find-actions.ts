/** find's actions, by name. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, isSymlink, modeString } from '../libc/directory.ts';
import { chdir, O_CREAT, O_TRUNC, O_WRONLY, open, readlink, rmdir, unlink } from '../libc/files.ts';
import { unescape } from '../libc/format.ts';
import { basename, dirname, Exit, type Process } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';
import { groups, userNames } from '../libc/system.ts';
import { exited, exitStatus, fork, run, wait4 } from '../libc/tasks.ts';
import { padLeft, padRight } from '../libc/text.ts';
import { strftime } from '../libc/time.ts';
import type { ExpressionParser, Node, Visit } from './find-expression.ts';
import { FindError } from './find-expression.ts';

interface Names {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

/** Undefined where the name is none of an action. */
export function* actionNamed(parser: ExpressionParser, name: string): UserFlow<Node | undefined> {
  const { p } = parser;
  switch (name) {
    case '-prune':
      return function* (visit) {
        visit.pruned = true;
        return true;
      };
    case '-print':
      return printer(p.stdout, (visit) => `${visit.path}\n`);
    case '-print0':
      return printer(p.stdout, (visit) => `${visit.path}\0`);
    case '-fprint': {
      const stream = yield* outputFile(parser, name);
      return printer(stream, (visit) => `${visit.path}\n`);
    }
    case '-printf': {
      const format = parser.argument(name);
      const names = { users: yield* userNames(p), groups: yield* groups(p) };
      return function* (visit) {
        yield* p.print(yield* formatted(p, format, visit, names));
        return true;
      };
    }
    case '-ls': {
      const names = { users: yield* userNames(p), groups: yield* groups(p) };
      return function* (visit) {
        const format = '%9i %6k %M %3n %-8u %-8g %8s %Tb %Td %TH:%TM %p';
        const target = isSymlink(visit.stat.mode) ? yield* readlink(p, visit.path) : '';
        const text = yield* formatted(p, format, visit, names);
        yield* p.println(
          typeof target === 'string' && target !== '' ? `${text} -> ${target}` : text,
        );
        return true;
      };
    }
    case '-delete':
      parser.options.depthFirst = true;
      return function* (visit) {
        if (visit.path === '.') return true;
        const failed = yield* (isDirectory(visit.stat.mode) ? rmdir : unlink)(p, visit.path);
        if (failed >= 0) return true;
        yield* p.error(`cannot delete '${visit.path}': ${strerror(failed)}`);
        parser.status = 1;
        return false;
      };
    case '-quit':
      return function* () {
        throw new Exit(0);
      };
    case '-exec':
    case '-execdir':
    case '-ok':
    case '-okdir':
      return execAction(parser, name);
  }
  return undefined;
}

function printer(stream: Stream, text: (visit: Visit) => string): Node {
  return function* (visit) {
    yield* stream.write(text(visit));
    return true;
  };
}

function* outputFile(parser: ExpressionParser, name: string): UserFlow<Stream> {
  const path = parser.argument(name);
  const fd = yield* open(parser.p, path, O_WRONLY | O_CREAT | O_TRUNC);
  if (fd < 0) throw new FindError(`'${path}': ${strerror(fd)}`);
  // Nobody closes it, so nothing may stay in its buffer.
  return new Stream(parser.p, fd, 'none');
}

function execAction(parser: ExpressionParser, name: string): Node {
  const { p } = parser;
  const command: string[] = [];
  for (;;) {
    const word = parser.argument(name);
    if (word === ';') break;
    if (word === '+' && command.at(-1) === '{}') {
      const batch = { command: command.slice(0, -1), paths: [] as string[] };
      parser.batches.push(batch);
      return function* (visit) {
        batch.paths.push(visit.path);
        return true;
      };
    }
    command.push(word);
  }
  if (command.length === 0) throw new FindError(`missing argument to \`${name}'`);
  const inDirectory = name.endsWith('dir');
  return function* (visit) {
    const path = inDirectory ? `./${basename(visit.path)}` : visit.path;
    const argv = command.map((word) => word.replaceAll('{}', path));
    if (name.startsWith('-ok')) {
      yield* p.stdout.flush();
      yield* p.stderr.write(`< ${argv[0]} ... ${visit.path} > ? `);
      if (!/^[yY]/.test((yield* p.stdin.readLine()) ?? '')) return false;
    }
    const status = inDirectory ? yield* runIn(p, dirname(visit.path), argv) : yield* run(p, argv);
    return status === 0;
  };
}

/** run(), in another directory. */
function* runIn(p: Process, directory: string, argv: readonly string[]): UserFlow<number> {
  const pid = yield* fork(p, function* (child) {
    if ((yield* chdir(child, directory)) < 0) return 1;
    return yield* run(child, argv);
  });
  const { status } = yield* wait4(p, pid);
  return exited(status) ? exitStatus(status) : 1;
}

const TYPE_LETTERS: Readonly<Record<number, string>> = {
  0o040000: 'd',
  0o120000: 'l',
  0o020000: 'c',
  0o060000: 'b',
  0o010000: 'p',
  0o140000: 's',
};

/** -printf: escapes, and directives with flags and width. */
function* formatted(p: Process, format: string, visit: Visit, names: Names): UserFlow<string> {
  const { path, root, stat, depth } = visit;
  const link = isSymlink(stat.mode) ? yield* readlink(p, path) : '';
  const below = path === root ? '' : path.slice(root.endsWith('/') ? root.length : root.length + 1);
  const time = (seconds: number, ns: number, letter: string): string => {
    if (letter === '@') return `${seconds}.${String(ns).padStart(9, '0')}0`;
    if (letter === '+') return strftime('%Y-%m-%d+%H:%M:%S.%N0', seconds, ns);
    if (letter === 'S') return strftime('%S.%N0', seconds, ns);
    if (letter === 'T') return strftime('%H:%M:%S.%N0', seconds, ns);
    return strftime(`%${letter}`, seconds, ns);
  };
  const whole = (seconds: number, ns: number): string =>
    strftime('%a %b %e %H:%M:%S.%N0 %Y', seconds, ns);
  const values: Readonly<Record<string, () => string | number>> = {
    a: () => whole(stat.atimeSec, stat.atimeNsec),
    b: () => stat.blocks,
    c: () => whole(stat.ctimeSec, stat.ctimeNsec),
    d: () => depth,
    D: () => stat.dev,
    f: () => basename(path),
    F: () => 'tmpfs',
    g: () => names.groups.get(stat.gid) ?? stat.gid,
    G: () => stat.gid,
    h: () => dirname(path),
    H: () => root,
    i: () => stat.ino,
    k: () => Math.ceil(stat.blocks / 2),
    l: () => (typeof link === 'string' ? link : ''),
    m: () => (stat.mode & 0o7777).toString(8),
    M: () => modeString(stat.mode),
    n: () => stat.nlink,
    p: () => path,
    P: () => below,
    s: () => stat.size,
    t: () => whole(stat.mtimeSec, stat.mtimeNsec),
    u: () => names.users.get(stat.uid) ?? stat.uid,
    U: () => stat.uid,
    y: () => TYPE_LETTERS[stat.mode & 0o170000] ?? 'f',
  };
  let out = '';
  let done = 0;
  for (const match of format.matchAll(/%([-0#+ ]*)(\d*)(?:\.\d+)?(?:([ACT])([^])|([^]))/g)) {
    out += unescape(format.slice(done, match.index), '%b').text;
    done = match.index + match[0].length;
    const [, flags = '', width = '', which, part, letter] = match;
    let text: string;
    if (which === 'A') text = time(stat.atimeSec, stat.atimeNsec, part!);
    else if (which === 'C') text = time(stat.ctimeSec, stat.ctimeNsec, part!);
    else if (which === 'T') text = time(stat.mtimeSec, stat.mtimeNsec, part!);
    else if (letter === '%') text = '%';
    else text = String(values[letter!]?.() ?? `%${letter}`);
    out += flags.includes('-') ? padRight(text, Number(width)) : padLeft(text, Number(width));
  }
  return out + unescape(format.slice(done), '%b').text;
}
