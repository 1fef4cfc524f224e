/** find's tests, by name. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, isSymlink, listNames } from '../libc/directory.ts';
import { access, lstat, R_OK, readlink, stat, type Stat, W_OK, X_OK } from '../libc/files.ts';
import { basename, type Process } from '../libc/process.ts';
import { compileRegex, RegexError } from '../libc/regex/regex.ts';
import { strerror } from '../libc/strerror.ts';
import { groups, userNames } from '../libc/system.ts';
import { CLOCK_REALTIME, clockGettime } from '../libc/time.ts';
import { parseDate } from '../libc/date.ts';
import { matchPattern } from '../sh/pattern.ts';
import type { ExpressionParser, Node, Visit } from './find-expression.ts';
import { FindError } from './find-expression.ts';
import { parseMode } from './mode.ts';

const TYPES: Readonly<Record<string, number>> = {
  b: 0o060000,
  c: 0o020000,
  d: 0o040000,
  f: 0o100000,
  l: 0o120000,
  p: 0o010000,
  s: 0o140000,
};
const SIZE_UNITS: Readonly<Record<string, number>> = {
  c: 1,
  w: 2,
  b: 512,
  '': 512,
  k: 1024,
  M: 2 ** 20,
  G: 2 ** 30,
};
const DAY_SECONDS = 86400;

export function test(holds: (visit: Visit) => boolean): Node {
  return function* (visit) {
    return holds(visit);
  };
}

/** Undefined where the name is none of a test. */
export function* testNamed(parser: ExpressionParser, name: string): UserFlow<Node | undefined> {
  const { p } = parser;
  switch (name) {
    case '-true':
      return test(() => true);
    case '-false':
      return test(() => false);
    case '-name':
    case '-iname': {
      const pattern = parser.argument(name);
      return test((visit) => matchPattern(pattern, basename(visit.path), name === '-iname'));
    }
    case '-path':
    case '-wholename':
    case '-ipath':
    case '-iwholename': {
      const pattern = parser.argument(name);
      return test((visit) => matchPattern(pattern, visit.path, name.startsWith('-i')));
    }
    case '-lname':
    case '-ilname': {
      const pattern = parser.argument(name);
      return function* (visit) {
        if (!isSymlink(visit.stat.mode)) return false;
        const target = yield* readlink(p, visit.path);
        return typeof target === 'string' && matchPattern(pattern, target, name === '-ilname');
      };
    }
    case '-regex':
    case '-iregex':
      return regexTest(parser, name);
    case '-type':
    case '-xtype':
      return typeTest(parser, name);
    case '-size':
      return sizeTest(parser.argument(name));
    case '-perm':
      return permTest(parser.argument(name));
    case '-empty':
      return function* (visit) {
        if (!isDirectory(visit.stat.mode)) {
          return (visit.stat.mode & 0o170000) === 0o100000 && visit.stat.size === 0;
        }
        const names = yield* listNames(p, visit.path);
        return typeof names !== 'number' && names.length === 0;
      };
    case '-links':
      return countTest(parser, name, (visit) => visit.stat.nlink);
    case '-inum':
      return countTest(parser, name, (visit) => visit.stat.ino);
    case '-uid':
      return countTest(parser, name, (visit) => visit.stat.uid);
    case '-gid':
      return countTest(parser, name, (visit) => visit.stat.gid);
    case '-user':
    case '-group':
      return yield* ownerTest(parser, name);
    case '-nouser': {
      const names = yield* userNames(p);
      return test((visit) => !names.has(visit.stat.uid));
    }
    case '-nogroup': {
      const names = yield* groups(p);
      return test((visit) => !names.has(visit.stat.gid));
    }
    case '-samefile': {
      const file = yield* statOperand(p, parser.argument(name));
      return test((visit) => visit.stat.ino === file.ino && visit.stat.dev === file.dev);
    }
    case '-readable':
      return accessTest(p, R_OK);
    case '-writable':
      return accessTest(p, W_OK);
    case '-executable':
      return accessTest(p, X_OK);
  }
  return yield* timeTest(parser, name);
}

function* statOperand(p: Process, path: string): UserFlow<Stat> {
  const status = yield* stat(p, path);
  if (typeof status === 'number') throw new FindError(`'${path}': ${strerror(status)}`);
  return status;
}

function accessTest(p: Process, mode: number): Node {
  return function* (visit) {
    return (yield* access(p, visit.path, mode)) >= 0;
  };
}

/** N, +N, -N. */
function countTest(parser: ExpressionParser, name: string, count: (visit: Visit) => number): Node {
  const text = parser.argument(name);
  const holds = comparison(text);
  if (!holds) throw new FindError(`invalid argument \`${text}' to \`${name}'`);
  return test((visit) => holds(count(visit)));
}

function comparison(text: string): ((value: number) => boolean) | undefined {
  const match = /^([-+]?)(\d+(?:\.\d+)?)$/.exec(text);
  if (!match) return undefined;
  const wanted = Number(match[2]);
  if (match[1] === '+') return (value) => value > wanted;
  return match[1] === '-' ? (value) => value < wanted : (value) => value === wanted;
}

function regexTest(parser: ExpressionParser, name: string): Node {
  const source = parser.argument(name);
  const { regexType } = parser.options;
  // Emacs's expressions have + and ? without backslash, groups and branches with one.
  const isExtended = /posix-e|egrep|awk/.test(regexType);
  const text = /emacs|findutils/.test(regexType)
    ? source.replace(/\\?[+?]/g, (mark) => (mark.length === 1 ? `\\${mark}` : mark[1]!))
    : source;
  try {
    const regex = compileRegex(text, {
      extended: isExtended,
      ignoreCase: name === '-iregex',
      line: true,
    });
    return test((visit) => regex.test(visit.path));
  } catch (caught) {
    if (!(caught instanceof RegexError)) throw caught;
    throw new FindError(`failed to compile regular expression '${source}': ${caught.message}`);
  }
}

function typeTest(parser: ExpressionParser, name: string): Node {
  const text = parser.argument(name);
  const wanted = text.split(',').map((letter) => {
    const type = TYPES[letter];
    if (type === undefined) throw new FindError(`Unknown argument to ${name}: ${text}`);
    return type;
  });
  if (name === '-type') return test((visit) => wanted.includes(visit.stat.mode & 0o170000));
  const { p } = parser;
  return function* (visit) {
    const other = yield* isSymlink(visit.stat.mode) ? stat(p, visit.path) : lstat(p, visit.path);
    const mode = typeof other === 'number' ? visit.stat.mode : other.mode;
    return wanted.includes(mode & 0o170000);
  };
}

function sizeTest(text: string): Node {
  const match = /^([-+]?\d+)([cwbkMG]?)$/.exec(text);
  const holds = match && comparison(match[1]!);
  if (!match || !holds) throw new FindError(`Invalid argument \`${text}' to -size`);
  const unit = SIZE_UNITS[match[2]!]!;
  return test((visit) => holds(Math.ceil(visit.stat.size / unit)));
}

function permTest(text: string): Node {
  const mark = /^[-/]/.exec(text)?.[0] ?? '';
  const bits = parseMode(text.slice(mark.length), 0);
  if (bits === undefined) throw new FindError(`invalid mode '${text}'`);
  return test((visit) => {
    const mode = visit.stat.mode & 0o7777;
    if (mark === '-') return (mode & bits) === bits;
    return mark === '/' ? (mode & bits) !== 0 || bits === 0 : mode === bits;
  });
}

function* ownerTest(parser: ExpressionParser, name: string): UserFlow<Node> {
  const text = parser.argument(name);
  const ofUser = name === '-user';
  const names = yield* ofUser ? userNames(parser.p) : groups(parser.p);
  const id = /^\d+$/.test(text)
    ? Number(text)
    : [...names].find(([, candidate]) => candidate === text)?.[0];
  if (id === undefined) {
    const what = ofUser
      ? 'is not the name of a known user'
      : 'is not the name of an existing group';
    throw new FindError(`'${text}' ${what}`);
  }
  return test((visit) => (ofUser ? visit.stat.uid : visit.stat.gid) === id);
}

const timeOf = (status: Stat, which: string): number => {
  if (which === 'a') return status.atimeSec + status.atimeNsec / 1e9;
  if (which === 'c') return status.ctimeSec + status.ctimeNsec / 1e9;
  return status.mtimeSec + status.mtimeNsec / 1e9;
};

/** -mtime, -mmin, -newer and their relatives. */
function* timeTest(parser: ExpressionParser, name: string): UserFlow<Node | undefined> {
  const { p } = parser;
  const ages = /^-([acm])(time|min)$/.exec(name);
  if (ages) {
    const text = parser.argument(name);
    const holds = comparison(text);
    if (!holds) throw new FindError(`invalid argument \`${text}' to \`${name}'`);
    const now = Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000n) / 1000;
    const unit = ages[2] === 'time' ? DAY_SECONDS : 60;
    const whole = (age: number): number =>
      ages[2] === 'time' ? Math.floor(age / unit) : Math.ceil(age / unit);
    return test((visit) => holds(whole(now - timeOf(visit.stat, ages[1]!))));
  }
  const newer = /^-(?:newer(?:([acm])([acmt]))?|([ac])newer)$/.exec(name);
  if (!newer) return undefined;
  const mine = newer[1] ?? newer[3] ?? 'm';
  const other = newer[2] ?? 'm';
  const text = parser.argument(name);
  let limit: number | undefined;
  if (other === 't') {
    const now = Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n);
    limit = parseDate(text, now)?.seconds;
    if (limit === undefined) {
      throw new FindError(`I cannot figure out how to interpret '${text}' as a date or time`);
    }
  } else limit = timeOf(yield* statOperand(p, text), other);
  return test((visit) => timeOf(visit.stat, mine) > limit);
}
