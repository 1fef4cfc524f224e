/** Tools that find processes by what they are: pidof(1), killall(1), pgrep(1), pkill(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { basename, type Process, type Tool } from '../libc/process.ts';
import type { Regex } from '../libc/regex/regex.ts';
import { compileRegex, RegexError } from '../libc/regex/regex.ts';
import { strerror } from '../libc/strerror.ts';
import { accounts } from '../libc/system.ts';
import * as tasks from '../libc/tasks.ts';
import { processes, type ProcInfo } from './proc.ts';

function* pidsOf(p: Process, name: string): UserFlow<number[]> {
  const self = yield* tasks.getpid();
  return (yield* processes(p))
    .filter(
      (info) => info.pid !== self && (info.comm === name || basename(info.argv[0] ?? '') === name),
    )
    .map((info) => info.pid);
}

export const pidof: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NAME...',
    about: 'Find the process IDs of running programs.',
    options: [{ short: 's', long: 'single-shot', help: 'only one PID' }],
  });
  const found: number[] = [];
  for (const name of o.operands) found.push(...(yield* pidsOf(p, name)).reverse());
  if (found.length === 0) return 1;
  yield* p.println((o.has('single-shot') ? found.slice(0, 1) : found).join(' '));
  return 0;
};

export const killall: Tool = function* (p, args) {
  let signal: number | undefined = tasks.SIGTERM;
  const rest = [...args];
  const first = rest[0] ?? '';
  if (first === '-s') signal = tasks.signalNumber(rest.splice(0, 2)[1] ?? '');
  else if (/^-[A-Z0-9]/.test(first)) signal = tasks.signalNumber(rest.shift()!.slice(1));
  if (signal === undefined) return yield* p.die(1, `unknown signal; kill -l lists signals.`);
  const o = yield* getopt(p, rest, {
    usage: '[-SIGNAL] NAME...',
    about: 'Kill processes by name, with TERM if no SIGNAL is given.',
    options: [{ short: 'q', long: 'quiet', help: "don't print complaints" }],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let status = 0;
  for (const name of o.operands) {
    const pids = yield* pidsOf(p, name);
    if (pids.length === 0) {
      status = 1;
      if (!o.has('quiet')) yield* p.stderr.write(`${name}: no process found\n`);
    }
    for (const pid of pids) {
      const failed = yield* tasks.kill(pid, signal);
      if (failed < 0) {
        yield* p.stderr.write(`${name}(${pid}): ${strerror(failed)}\n`);
        status = 1;
      }
    }
  }
  return status;
};

/** What pgrep and pkill share: which processes are meant. */
const SELECTION = [
  { short: 'd', long: 'delimiter', arg: 'STRING', help: 'specify output delimiter' },
  { short: 'l', long: 'list-name', help: 'list PID and process name' },
  { short: 'a', long: 'list-full', help: 'list PID and full command line' },
  { short: 'v', long: 'inverse', help: 'negates the matching' },
  { short: 'c', long: 'count', help: 'count of matching processes' },
  { short: 'f', long: 'full', help: 'use full process name to match' },
  { short: 'i', long: 'ignore-case', help: 'match case insensitively' },
  { short: 'x', long: 'exact', help: 'match exactly with the command name' },
  { short: 'n', long: 'newest', help: 'select most recently started' },
  { short: 'o', long: 'oldest', help: 'select least recently started' },
  {
    short: 'P',
    long: 'parent',
    arg: 'PPID,...',
    help: 'match only child processes of the given parent',
  },
  { short: 'u', long: 'euid', arg: 'ID,...', help: 'match by effective IDs' },
  { short: 'e', long: 'echo', help: 'display what is killed' },
] as const;

function* select(p: Process, o: Options): UserFlow<ProcInfo[] | number> {
  const [pattern, extra] = o.operands;
  if (extra !== undefined) return yield* usageError(p, 'only one pattern can be provided', 2);
  if (pattern === undefined && !o.has('parent') && !o.has('euid')) {
    return yield* usageError(p, 'no matching criteria specified', 2);
  }
  let regex: Regex | undefined;
  try {
    const options = { extended: true, ignoreCase: o.has('ignore-case'), line: o.has('exact') };
    if (pattern !== undefined) regex = compileRegex(pattern, options);
  } catch (caught) {
    if (!(caught instanceof RegexError)) throw caught;
    yield* p.error(`regex error: ${caught.message}`);
    return 2;
  }
  const self = yield* tasks.getpid();
  const parents = o.value('parent')?.split(',').map(Number);
  const users = yield* accounts(p);
  const uids = o
    .value('euid')
    ?.split(',')
    .map((text) => users.find(({ name }) => name === text)?.uid ?? Number(text));
  const matches = (info: ProcInfo): boolean => {
    const command = o.has('full') ? info.argv.join(' ') || info.comm : info.comm;
    if (regex && !regex.test(command)) return false;
    if (parents && !parents.includes(info.ppid)) return false;
    return !uids || uids.includes(info.uid);
  };
  let found = (yield* processes(p)).filter(
    (info) => info.pid !== self && matches(info) !== o.has('inverse'),
  );
  found.sort((x, y) => x.pid - y.pid);
  if (o.has('newest')) found = found.slice(-1);
  if (o.has('oldest')) found = found.slice(0, 1);
  return found;
}

export const pgrep: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... PATTERN',
    about: 'Look up processes by their names.',
    badUsage: 2,
    options: SELECTION,
  });
  const found = yield* select(p, o);
  if (typeof found === 'number') return found;
  if (o.has('count')) yield* p.println(String(found.length));
  else if (found.length > 0) {
    const rows = found.map((info) => {
      if (o.has('list-full')) return `${info.pid} ${info.argv.join(' ') || info.comm}`;
      return o.has('list-name') ? `${info.pid} ${info.comm}` : String(info.pid);
    });
    yield* p.println(rows.join(o.value('delimiter') ?? '\n'));
  }
  return found.length > 0 ? 0 : 1;
};

export const pkill: Tool = function* (p, args) {
  const at = args.findIndex((arg) => /^-(?:[A-Z]{3,}|SIG\w+|\d+)$/.test(arg));
  const rest = at < 0 ? args : args.toSpliced(at, 1);
  const o = yield* getopt(p, rest, {
    usage: '[-SIGNAL] [OPTION]... PATTERN',
    about: 'Signal processes by their names.',
    badUsage: 2,
    options: [
      ...SELECTION,
      { long: 'signal', arg: 'SIG', help: 'signal to send (either number or name)' },
    ],
  });
  const text = o.value('signal') ?? (at < 0 ? 'TERM' : args[at]!.slice(1));
  const signal = tasks.signalNumber(text);
  if (signal === undefined) return yield* usageError(p, `Unknown signal "${text}".`, 2);
  const found = yield* select(p, o);
  if (typeof found === 'number') return found;
  let status = found.length > 0 ? 0 : 1;
  for (const info of found) {
    const failed = yield* tasks.kill(info.pid, signal);
    if (failed < 0) {
      yield* p.error(`killing pid ${info.pid} failed: ${strerror(failed)}`);
      status = 1;
    } else if (o.has('echo')) yield* p.println(`${info.comm} killed (pid ${info.pid})`);
  }
  return status;
};
