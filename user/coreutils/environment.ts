/** env(1), printenv(1), id(1), whoami(1), pwd(1), tty(1), which(1), nproc(1), sync. */
import { errno } from '../../kernel/types/errno.ts';
import { getcwd, readlink, readTextFile } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { getgid, getuid, groups, userNames } from '../libc/system.ts';
import { execvp, findExecutable } from '../libc/tasks.ts';
import { isatty } from '../libc/terminal.ts';

export const env: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [NAME=VALUE]... [COMMAND [ARG]...]',
    about: 'Set each NAME to VALUE in the environment and run COMMAND.',
    stopAtOperand: true,
    badUsage: 125,
    options: [
      { short: 'i', long: 'ignore-environment', help: 'start with an empty environment' },
      { short: 'u', long: 'unset', arg: 'NAME', help: 'remove variable from the environment' },
    ],
  });
  const path = p.env.get('PATH');
  if (o.has('ignore-environment')) p.env.clear();
  for (const name of o.values('unset')) p.env.delete(name);
  let at = 0;
  for (; at < o.operands.length; at++) {
    const match = /^([^=]+)=([^]*)$/.exec(o.operands[at]!);
    if (!match) break;
    p.env.set(match[1]!, match[2]!);
  }
  const command = o.operands.slice(at);
  if (command.length === 0) {
    for (const [name, value] of p.env) yield* p.println(`${name}=${value}`);
    return 0;
  }
  if (!p.env.has('PATH') && path !== undefined) {
    const found = yield* findExecutable(p, command[0]!, path);
    if (found !== undefined) command[0] = found;
  }
  const failed = yield* execvp(p, command);
  yield* p.error(`'${command[0]}': ${strerror(failed)}`);
  return failed === -errno.ENOENT ? 127 : 126;
};

export const printenv: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[VARIABLE]...',
    about: 'Print the values of the specified environment VARIABLE(s), or all.',
    badUsage: 2,
  });
  if (o.operands.length === 0) {
    for (const [name, value] of p.env) yield* p.println(`${name}=${value}`);
    return 0;
  }
  let status = 0;
  for (const name of o.operands) {
    const value = p.env.get(name);
    if (value === undefined) status = 1;
    else yield* p.println(value);
  }
  return status;
};

export const id: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Print user and group information for the current process.',
    options: [
      { short: 'u', long: 'user', help: 'print only the effective user ID' },
      { short: 'g', long: 'group', help: 'print only the effective group ID' },
      { short: 'n', long: 'name', help: 'print a name instead of a number, for -ug' },
    ],
  });
  const uid = yield* getuid();
  const gid = yield* getgid();
  const user = (yield* userNames(p)).get(uid);
  const group = (yield* groups(p)).get(gid);
  if (o.has('user')) yield* p.println(o.has('name') ? (user ?? String(uid)) : String(uid));
  else if (o.has('group')) yield* p.println(o.has('name') ? (group ?? String(gid)) : String(gid));
  else {
    const named = (number: number, name: string | undefined): string =>
      name === undefined ? String(number) : `${number}(${name})`;
    yield* p.println(
      `uid=${named(uid, user)} gid=${named(gid, group)} groups=${named(gid, group)}`,
    );
  }
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
  yield* getopt(p, args, { usage: '', about: 'Print the full filename of the working directory.' });
  yield* p.println(yield* getcwd(p));
  return 0;
};

export const tty: Tool = function* (p, args) {
  yield* getopt(p, args, {
    usage: '',
    about: 'Print the file name of the terminal connected to standard input.',
  });
  if (!(yield* isatty(p, 0))) {
    yield* p.println('not a tty');
    return 1;
  }
  const path = yield* readlink(p, '/proc/self/fd/0');
  yield* p.println(typeof path === 'string' ? path : '/dev/tty');
  return 0;
};

export const which: Tool = function* (p, args) {
  const o = yield* getopt(p, args, { usage: 'NAME...', about: 'Locate a command.' });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let status = 0;
  for (const name of o.operands) {
    const path = yield* findExecutable(p, name);
    if (path === undefined) status = 1;
    else yield* p.println(path);
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
