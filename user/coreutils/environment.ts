/** env(1), printenv(1), id(1), groups(1), logname(1), whoami(1), pwd(1), tty(1), which(1), nproc(1). */
import { errno } from '../../kernel/types/errno.ts';
import { chdir, getcwd, readlink, readTextFile, stat } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { accounts, getegid, geteuid, getgid, getuid, groups, userNames } from '../libc/system.ts';
import { execvp, findExecutable } from '../libc/tasks.ts';
import { isatty } from '../libc/terminal.ts';

export const env: Tool = function* (p, args) {
  const o = yield* getopt(p, splitStrings(args), {
    usage: '[OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]',
    about: 'Set each NAME to VALUE in the environment and run COMMAND.',
    stopAtOperand: true,
    badUsage: 125,
    options: [
      { short: 'i', long: 'ignore-environment', help: 'start with an empty environment' },
      { short: '0', long: 'null', help: 'end each output line with NUL, not newline' },
      { short: 'u', long: 'unset', arg: 'NAME', help: 'remove variable from the environment' },
      { short: 'C', long: 'chdir', arg: 'DIR', help: 'change working directory to DIR' },
      {
        short: 'S',
        long: 'split-string',
        arg: 'S',
        help: 'process and split S into separate arguments',
      },
      { short: 'v', long: 'debug', help: '(ignored)' },
    ],
  });
  const operands = [...o.operands];
  const path = p.env.get('PATH');
  const clears = o.has('ignore-environment') || operands[0] === '-';
  if (operands[0] === '-') operands.shift();
  if (clears) p.env.clear();
  for (const name of o.values('unset')) p.env.delete(name);
  let at = 0;
  for (; at < operands.length; at++) {
    const match = /^([^=]+)=([^]*)$/.exec(operands[at]!);
    if (!match) break;
    p.env.set(match[1]!, match[2]!);
  }
  const command = operands.slice(at);
  const directory = o.value('chdir');
  if (directory !== undefined) {
    if (command.length === 0) {
      return yield* usageError(p, 'must specify command with --chdir (-C)', 125);
    }
    const failed = yield* chdir(p, directory);
    if (failed < 0) {
      yield* p.error(`cannot change directory to '${directory}': ${strerror(failed)}`);
      return 125;
    }
  }
  if (command.length === 0) {
    const end = o.has('null') ? '\0' : '\n';
    for (const [name, value] of p.env) yield* p.print(`${name}=${value}${end}`);
    return 0;
  }
  if (o.has('null')) {
    return yield* usageError(p, 'cannot specify --null (-0) with command', 125);
  }
  if (!p.env.has('PATH') && path !== undefined) {
    const found = yield* findExecutable(p, command[0]!, path);
    if (found !== undefined) command[0] = found;
  }
  const failed = yield* execvp(p, command);
  yield* p.error(`'${command[0]}': ${strerror(failed)}`);
  return failed === -errno.ENOENT ? 127 : 126;
};

/** -S 'a b' stands for the words in it. */
function splitStrings(args: readonly string[]): string[] {
  const at = args.findIndex((arg) => /^(?:-S|-vS|--split-string)/.test(arg));
  const isFirst = args.slice(0, Math.max(0, at)).every((arg) => arg.startsWith('-'));
  if (at < 0 || !isFirst) return [...args];
  const joined = /^(?:-v?S|--split-string=)([^]+)$/.exec(args[at]!)?.[1];
  const text = joined ?? args[at + 1] ?? '';
  const words = Array.from(text.matchAll(/(?:'[^']*'|"[^"]*"|\\[^]|[^\s'"\\])+/g), ([word]) =>
    word.replace(
      /'([^']*)'|"([^"]*)"|\\([^])/g,
      (_, single?: string, double?: string, escaped?: string) => single ?? double ?? escaped!,
    ),
  );
  return [...args.slice(0, at), ...words, ...args.slice(at + (joined === undefined ? 2 : 1))];
}

export const printenv: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [VARIABLE]...',
    about: 'Print the values of the specified environment VARIABLE(s), or all.',
    badUsage: 2,
    options: [{ short: '0', long: 'null', help: 'end each output line with NUL, not newline' }],
  });
  const end = o.has('null') ? '\0' : '\n';
  if (o.operands.length === 0) {
    for (const [name, value] of p.env) yield* p.print(`${name}=${value}${end}`);
    return 0;
  }
  let status = 0;
  for (const name of o.operands) {
    const value = p.env.get(name);
    if (value === undefined) status = 1;
    else yield* p.print(value + end);
  }
  return status;
};

export const id: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [USER]...',
    about: 'Print user and group information for each specified USER, or for the current process.',
    options: [
      { short: 'a', help: '(ignored)' },
      { short: 'g', long: 'group', help: 'print only the effective group ID' },
      { short: 'G', long: 'groups', help: 'print all group IDs' },
      { short: 'n', long: 'name', help: 'print a name instead of a number, for -ugG' },
      { short: 'r', long: 'real', help: 'print the real ID instead of the effective ID' },
      { short: 'u', long: 'user', help: 'print only the effective user ID' },
      { short: 'z', long: 'zero', help: 'delimit entries with NUL characters' },
      { short: 'Z', long: 'context', help: 'print only the security context of the process' },
    ],
  });
  if (o.has('context')) {
    yield* p.error('--context (-Z) works only on an SELinux-enabled kernel');
    return 1;
  }
  const users = yield* userNames(p);
  const named = yield* groups(p);
  const all = yield* accounts(p);
  const end = o.has('zero') ? '\0' : '\n';
  const real = o.has('real');
  let status = 0;
  const wanted: (string | undefined)[] = o.operands.length === 0 ? [undefined] : [...o.operands];
  for (const name of wanted) {
    const account = all.find((entry) => entry.name === name || String(entry.uid) === name);
    if (name !== undefined && !account) {
      yield* p.error(`'${name}': no such user`);
      status = 1;
      continue;
    }
    const uid = account?.uid ?? (yield* real ? getuid() : geteuid());
    const gid = account?.gid ?? (yield* real ? getgid() : getegid());
    const show = (number: number, names: ReadonlyMap<number, string>): string =>
      o.has('name') ? (names.get(number) ?? String(number)) : String(number);
    const both = (number: number, names: ReadonlyMap<number, string>): string => {
      const text = names.get(number);
      return text === undefined ? String(number) : `${number}(${text})`;
    };
    if (o.has('user')) yield* p.print(show(uid, users) + end);
    else if (o.has('group') || o.has('groups')) yield* p.print(show(gid, named) + end);
    else {
      yield* p.print(
        `uid=${both(uid, users)} gid=${both(gid, named)} groups=${both(gid, named)}${end}`,
      );
    }
  }
  return status;
};

export const groupsTool: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [USERNAME]...',
    about: 'Print group memberships for each USERNAME, or for the current process.',
  });
  const named = yield* groups(p);
  const all = yield* accounts(p);
  if (o.operands.length === 0) {
    const gid = yield* getegid();
    yield* p.println(named.get(gid) ?? String(gid));
    return 0;
  }
  let status = 0;
  for (const name of o.operands) {
    const account = all.find((entry) => entry.name === name);
    if (!account) {
      yield* p.error(`'${name}': no such user`);
      status = 1;
    } else yield* p.println(`${name} : ${named.get(account.gid) ?? account.gid}`);
  }
  return status;
};

export const logname: Tool = function* (p, args) {
  yield* getopt(p, args, { usage: '[OPTION]', about: "Print the user's login name." });
  const name = p.env.get('LOGNAME');
  if (name === undefined || !(yield* isatty(p, 0))) return yield* p.die(1, 'no login name');
  yield* p.println(name);
  return 0;
};

export const whoami: Tool = function* (p, args) {
  yield* getopt(p, args, { usage: '', about: 'Print the user name of the effective user ID.' });
  const uid = yield* getuid();
  const name = (yield* userNames(p)).get(uid);
  if (name === undefined) return yield* p.die(1, `cannot find name for user ID ${uid}`);
  yield* p.println(name);
  return 0;
};

export const pwd: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Print the full filename of the working directory.',
    options: [
      {
        short: 'L',
        long: 'logical',
        help: 'use PWD from environment, even if it contains symlinks',
      },
      { short: 'P', long: 'physical', help: 'avoid all symlinks (default)' },
    ],
  });
  const logical = o.has('logical') ? p.env.get('PWD') : undefined;
  yield* p.println(logical ?? (yield* getcwd(p)));
  return 0;
};

export const tty: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Print the file name of the terminal connected to standard input.',
    badUsage: 2,
    options: [
      { short: 's', long: 'silent', help: 'print nothing, only return an exit status' },
      { long: 'quiet', help: 'the same as --silent' },
    ],
  });
  const isTerminal = yield* isatty(p, 0);
  if (o.has('silent') || o.has('quiet')) return isTerminal ? 0 : 1;
  if (!isTerminal) {
    yield* p.println('not a tty');
    return 1;
  }
  const path = yield* readlink(p, '/proc/self/fd/0');
  yield* p.println(typeof path === 'string' ? path : '/dev/tty');
  return 0;
};

export const which: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-as] NAME...',
    about: 'Locate a command.',
    badUsage: 2,
    options: [
      { short: 'a', help: 'print all matching pathnames of each argument' },
      { short: 's', help: 'no output, only an exit status' },
    ],
  });
  if (o.operands.length === 0) return 1;
  let status = 0;
  for (const name of o.operands) {
    const directories = name.includes('/') ? [''] : (p.env.get('PATH') ?? '').split(':');
    let found = false;
    for (const directory of directories) {
      const path = yield* findExecutable(p, name, directory);
      const info = path === undefined ? -1 : yield* stat(p, path);
      if (typeof info === 'number' || (info.mode & 0o111) === 0) continue;
      if (!o.has('s')) yield* p.println(path);
      found = true;
      if (!o.has('a')) break;
    }
    if (!found) status = 1;
  }
  return status;
};

export const nproc: Tool = function* (p, args) {
  yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Print the number of processing units.',
    options: [{ long: 'all', help: 'print the number of installed processors' }],
  });
  const text = yield* readTextFile(p, '/proc/cpuinfo');
  const count =
    typeof text === 'number' ? 1 : text.split('\n').filter((l) => /^processor\s*:/.test(l)).length;
  yield* p.println(String(Math.max(1, count)));
  return 0;
};
