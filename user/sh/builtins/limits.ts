/** ulimit, over prlimit(2), and getopts. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { syscall } from '../../libc/files.ts';
import { layout } from '../../libc/layout.ts';
import { NR } from '../../libc/nr.ts';
import { strerror } from '../../libc/strerror.ts';
import type { Shell } from '../shell.ts';
import { isName } from '../words.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

const Rlimit = layout({ soft: 'u64', hard: 'u64' });
const INFINITY = 0xffff_ffff_ffff_ffffn;

/** Option, RLIMIT_* (UAPI asm-generic/resource.h), what it limits, and the unit bash shows. */
const LIMITS: readonly (readonly [string, number, string, string, bigint])[] = [
  ['c', 4, 'core file size', 'blocks', 512n],
  ['d', 2, 'data seg size', 'kbytes', 1024n],
  ['e', 13, 'scheduling priority', '', 1n],
  ['f', 1, 'file size', 'blocks', 512n],
  ['i', 11, 'pending signals', '', 1n],
  ['l', 8, 'max locked memory', 'kbytes', 1024n],
  ['m', 5, 'max memory size', 'kbytes', 1024n],
  ['n', 7, 'open files', '', 1n],
  ['q', 12, 'POSIX message queues', 'bytes', 1n],
  ['r', 14, 'real-time priority', '', 1n],
  ['s', 3, 'stack size', 'kbytes', 1024n],
  ['t', 0, 'cpu time', 'seconds', 1n],
  ['u', 6, 'max user processes', '', 1n],
  ['v', 9, 'virtual memory', 'kbytes', 1024n],
  ['x', 10, 'file locks', '', 1n],
];

interface Limit {
  readonly soft: bigint;
  readonly hard: bigint;
}

function* prlimit(shell: Shell, resource: number, set?: Limit): UserFlow<Limit | number> {
  const { p } = shell;
  const mark = p.mark();
  const old = yield* p.take(Rlimit.size);
  const wanted = set ? yield* p.takeBytes(Rlimit.encode(set)) : 0;
  const result = yield* syscall(NR.prlimit64, 0, resource, wanted, old);
  const limit = result < 0 ? result : Rlimit.decode(p.memory.read(old, Rlimit.size));
  p.release(mark);
  return limit;
}

function* ulimit(shell: Shell, args: readonly string[]): UserFlow<number> {
  let hard = false;
  let soft = false;
  let all = false;
  let letter = 'f';
  let value: string | undefined;
  for (const arg of args) {
    if (!arg.startsWith('-')) {
      value = arg;
      continue;
    }
    for (const option of arg.slice(1)) {
      if (option === 'H') hard = true;
      else if (option === 'S') soft = true;
      else if (option === 'a') all = true;
      else if (LIMITS.some(([known]) => known === option)) letter = option;
      else return yield* complain(shell, 'ulimit', `-${option}: invalid option`, 2);
    }
  }
  const shown = (limit: Limit, unit: bigint): string => {
    const number = hard && !soft ? limit.hard : limit.soft;
    return number === INFINITY ? 'unlimited' : String(number / unit);
  };
  if (all) {
    for (const [option, resource, what, unitName, unit] of LIMITS) {
      const limit = yield* prlimit(shell, resource);
      if (typeof limit === 'number') continue;
      const units = `(${unitName === '' ? '' : `${unitName}, `}-${option})`;
      const gap = ' '.repeat(Math.max(1, 40 - what.length - units.length));
      yield* shell.p.println(`${what}${gap}${units} ${shown(limit, unit)}`);
    }
    return 0;
  }
  const [, resource, what, , unit] = LIMITS.find(([option]) => option === letter)!;
  const limit = yield* prlimit(shell, resource);
  if (typeof limit === 'number') {
    return yield* complain(shell, 'ulimit', `${what}: cannot get limit: ${strerror(limit)}`);
  }
  if (value === undefined) {
    yield* shell.p.println(shown(limit, unit));
    return 0;
  }
  if (value !== 'unlimited' && !/^\d+$/.test(value)) {
    return yield* complain(shell, 'ulimit', `${value}: invalid number`);
  }
  const wanted = value === 'unlimited' ? INFINITY : BigInt(value) * unit;
  const both = hard === soft;
  const failed = yield* prlimit(shell, resource, {
    soft: soft || both ? wanted : limit.soft,
    hard: hard || both ? wanted : limit.hard,
  });
  if (typeof failed !== 'number') return 0;
  return yield* complain(shell, 'ulimit', `${what}: cannot modify limit: ${strerror(failed)}`);
}

/** POSIX getopts: OPTIND counts words; the place within a word of several letters is OPTPOS's. */
function* getopts(shell: Shell, args: readonly string[]): UserFlow<number> {
  const [letters, name, ...given] = args;
  if (letters === undefined || name === undefined || !isName(name)) {
    return yield* complain(shell, 'getopts', 'usage: getopts optstring name [arg ...]', 2);
  }
  const words = given.length > 0 ? given : shell.args;
  const silent = letters.startsWith(':');
  let index = Number(shell.get('OPTIND') ?? 1);
  // A fresh OPTIND starts a fresh word.
  let place = shell.getoptsPlace.index === index ? shell.getoptsPlace.place : 1;
  const word = words[index - 1];
  if (place === 1 && (word === undefined || !/^-./.test(word) || word === '--')) {
    if (word === '--') index++;
    shell.set('OPTIND', String(index));
    shell.set(name, '?');
    return 1;
  }
  const letter = word![place]!;
  const isLast = place + 1 >= word!.length;
  place = isLast ? 1 : place + 1;
  if (isLast) index++;
  const at = letters.indexOf(letter);
  let result = letter;
  shell.unset('OPTARG');
  if (letter === ':' || at < 0) {
    result = '?';
    if (silent) shell.set('OPTARG', letter);
    else yield* shell.error(`illegal option -- ${letter}`);
  } else if (letters[at + 1] === ':') {
    const rest = isLast ? words[index - 1] : word!.slice(place);
    if (!isLast || rest !== undefined) index++;
    place = 1;
    if (rest !== undefined) shell.set('OPTARG', rest);
    else {
      result = silent ? ':' : '?';
      if (silent) shell.set('OPTARG', letter);
      else yield* shell.error(`option requires an argument -- ${letter}`);
    }
  }
  shell.set(name, result);
  shell.set('OPTIND', String(index));
  shell.getoptsPlace = { index, place };
  return 0;
}

export const limitBuiltins: BuiltinRows = {
  ulimit: {
    usage: '[-HS] [-a | -cdefilmnqrstuvx] [LIMIT]',
    help: 'Show or set what processes may use.',
    run: ulimit,
  },
  getopts: {
    usage: 'OPTSTRING NAME [ARGUMENT]...',
    help: 'Take the next option from the positional parameters.',
    run: getopts,
  },
};
