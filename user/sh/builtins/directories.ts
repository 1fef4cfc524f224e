/** Builtins about the working directory: cd, pwd, pushd, popd, dirs. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { chdir, getcwd } from '../../libc/files.ts';
import { strerror } from '../../libc/strerror.ts';
import type { Shell } from '../shell.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

/** `path` seen from `base`, with . and .. taken out by their text. */
export function normalizePath(base: string, path: string): string {
  const out: string[] = [];
  for (const component of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
    if (component === '..') out.pop();
    else if (component !== '' && component !== '.') out.push(component);
  }
  return `/${out.join('/')}`;
}

function* cd(shell: Shell, args: readonly string[]): UserFlow<number> {
  let physical = false;
  let at = 0;
  for (; /^-[LPe@]+$/.test(args[at] ?? ''); at++) physical = args[at]!.includes('P');
  if (args[at] === '--') at++;
  const operands = args.slice(at);
  if (operands.length > 1) return yield* complain(shell, 'cd', 'too many arguments');
  let [target] = operands;
  if (target !== undefined && /^-./.test(target)) {
    return yield* complain(shell, 'cd', `${target.slice(0, 2)}: invalid option`, 2);
  }
  if (target === undefined) {
    target = shell.get('HOME');
    if (!target) return yield* complain(shell, 'cd', 'HOME not set');
  }
  const back = target === '-';
  if (back) {
    target = shell.get('OLDPWD');
    if (!target) return yield* complain(shell, 'cd', 'OLDPWD not set');
  }
  if (target === '') return 0;
  const searched = yield* alongCdPath(shell, target, physical);
  if (searched) return 0;
  const failed = yield* enter(shell, target, physical);
  if (failed < 0) return yield* complain(shell, 'cd', `${target}: ${strerror(failed)}`);
  if (back) yield* shell.p.println(shell.get('PWD'));
  return 0;
}

/** A name without a dot or slash at its start is looked for in the directories of CDPATH. */
function* alongCdPath(shell: Shell, target: string, physical: boolean): UserFlow<boolean> {
  const list = shell.get('CDPATH');
  if (!list || /^(\/|\.\.?(\/|$))/.test(target)) return false;
  for (const directory of list.split(':')) {
    if ((yield* enter(shell, `${directory || '.'}/${target}`, physical)) < 0) continue;
    if (directory !== '' && directory !== '.') yield* shell.p.println(shell.get('PWD'));
    return true;
  }
  return false;
}

function* enter(shell: Shell, target: string, physical: boolean): UserFlow<number> {
  const before = shell.get('PWD') ?? (yield* getcwd(shell.p));
  const logical = normalizePath(before, target);
  const failed = yield* chdir(shell.p, physical ? target : logical);
  if (failed < 0) return failed;
  shell.set('OLDPWD', before);
  shell.set('PWD', physical ? yield* getcwd(shell.p) : logical);
  return 0;
}

function* showStack(shell: Shell, style: '' | 'p' | 'v'): UserFlow<void> {
  const home = shell.get('HOME');
  const list = [shell.get('PWD') ?? '/', ...shell.directories].map((path) => {
    const isHome = home && (path === home || path.startsWith(`${home}/`));
    return isHome ? `~${path.slice(home.length)}` : path;
  });
  if (style === '') return yield* shell.p.println(list.join(' '));
  for (const [index, path] of list.entries()) {
    yield* shell.p.println(style === 'v' ? `${String(index).padStart(2)}  ${path}` : path);
  }
}

function* pushd(shell: Shell, args: readonly string[]): UserFlow<number> {
  const [target] = args;
  const stack = [shell.get('PWD') ?? '/', ...shell.directories];
  let next: string[];
  const turn = /^([+-])(\d+)$/.exec(target ?? '');
  if (target === undefined || turn) {
    const count = turn ? Number(turn[2]) : 1;
    if (stack.length < 2 && !turn) return yield* complain(shell, 'pushd', 'no other directory');
    if (count >= stack.length) {
      return yield* complain(shell, 'pushd', `${target}: directory stack index out of range`);
    }
    const at = turn?.[1] === '-' ? stack.length - 1 - count : count;
    next = turn
      ? [...stack.slice(at), ...stack.slice(0, at)]
      : [stack[1]!, stack[0]!, ...stack.slice(2)];
  } else next = [target, ...stack];
  const failed = yield* enter(shell, next[0]!, false);
  if (failed < 0) return yield* complain(shell, 'pushd', `${next[0]}: ${strerror(failed)}`);
  shell.directories = next.slice(1);
  yield* showStack(shell, '');
  return 0;
}

function* popd(shell: Shell): UserFlow<number> {
  const [target, ...rest] = shell.directories;
  if (target === undefined) return yield* complain(shell, 'popd', 'directory stack empty');
  const failed = yield* enter(shell, target, false);
  if (failed < 0) return yield* complain(shell, 'popd', `${target}: ${strerror(failed)}`);
  shell.directories = rest;
  yield* showStack(shell, '');
  return 0;
}

export const directoryBuiltins: BuiltinRows = {
  cd: {
    usage: '[-L | -P] [DIRECTORY | -]',
    help: 'Change the working directory; to $HOME without argument, back with -.',
    run: cd,
  },
  pwd: {
    usage: '[-L | -P]',
    help: 'Print the working directory; -P without symbolic links.',
    *run(shell, args) {
      const path = args.includes('-P') ? undefined : shell.get('PWD');
      yield* shell.p.println(path ?? (yield* getcwd(shell.p)));
      return 0;
    },
  },
  pushd: {
    usage: '[DIRECTORY | +N | -N]',
    help: 'Change the working directory and remember the old one, or turn the stack of them.',
    run: pushd,
  },
  popd: {
    usage: '',
    help: 'Go back to the directory that was pushed last.',
    run: popd,
  },
  dirs: {
    usage: '[-c] [-p] [-v]',
    help: 'Show the remembered directories, one a line with -p and -v; -c forgets them.',
    *run(shell, args) {
      if (args.includes('-c')) shell.directories = [];
      else yield* showStack(shell, args.includes('-v') ? 'v' : args.includes('-p') ? 'p' : '');
      return 0;
    },
  },
};
