/** The other builtins: cd, pwd, type, umask, history, help, and tools that need no process. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { chdir, getcwd, umask } from '../../libc/files.ts';
import { columns } from '../../libc/format.ts';
import { strerror } from '../../libc/strerror.ts';
import { findExecutable } from '../../libc/tasks.ts';
import { echoTool } from '../../coreutils/echo.ts';
import { falseTool, trueTool } from '../../coreutils/true.ts';
import { printfTool } from '../../coreutils/printf.ts';
import { bracketTool, testTool } from '../../coreutils/test.ts';
import type { Shell } from '../shell.ts';
import type { Builtin, BuiltinRows } from './builtin.ts';
import { complain, fromTool } from './builtin.ts';

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
  const operands = args.filter((arg) => !/^-[LP]+$/.test(arg) && arg !== '--');
  if (operands.length > 1) return yield* complain(shell, 'cd', 'too many arguments');
  let [target] = operands;
  if (target === undefined) {
    target = shell.get('HOME');
    if (!target) return yield* complain(shell, 'cd', 'HOME not set');
  }
  const back = target === '-';
  if (back) {
    target = shell.get('OLDPWD');
    if (!target) return yield* complain(shell, 'cd', 'OLDPWD not set');
  }
  const before = shell.get('PWD') ?? (yield* getcwd(shell.p));
  const logical = normalizePath(before, target);
  const failed = yield* chdir(shell.p, logical);
  if (failed < 0) return yield* complain(shell, 'cd', `${target}: ${strerror(failed)}`);
  const after = args.includes('-P') ? yield* getcwd(shell.p) : logical;
  shell.set('OLDPWD', before);
  shell.set('PWD', after);
  if (back) yield* shell.p.println(after);
  return 0;
}

function* type(shell: Shell, args: readonly string[], rows: BuiltinRows): UserFlow<number> {
  let status = 0;
  for (const name of args) {
    const alias = shell.aliases.get(name);
    const path = yield* findExecutable(shell.p, name, shell.get('PATH'));
    if (alias !== undefined) yield* shell.p.println(`${name} is aliased to \`${alias}'`);
    else if (shell.functions.has(name)) yield* shell.p.println(`${name} is a function`);
    else if (name in rows) yield* shell.p.println(`${name} is a shell builtin`);
    else if (path !== undefined) yield* shell.p.println(`${name} is ${path}`);
    else status = yield* complain(shell, 'type', `${name}: not found`);
  }
  return status;
}

function* help(shell: Shell, args: readonly string[], rows: BuiltinRows): UserFlow<number> {
  const [name] = args;
  if (name !== undefined) {
    const row = rows[name];
    if (!row) {
      return yield* complain(shell, 'help', `no help topics match \`${name}'; try ${name} --help`);
    }
    yield* shell.p.println(`${name}: ${name} ${row.usage}`.trimEnd());
    yield* shell.p.println(`    ${row.help}`);
    return 0;
  }
  yield* shell.p.println('Commands of the shell itself (help NAME tells more):');
  for (const line of columns(Object.keys(rows).sort(), 78)) yield* shell.p.println(`  ${line}`);
  yield* shell.p.println('Programs are in /bin and /sbin; each answers to --help.');
  return 0;
}

export function miscBuiltins(rows: () => BuiltinRows): BuiltinRows {
  const bracket: Builtin = fromTool(
    '[',
    'EXPRESSION ]',
    'The same as test, with a closing bracket.',
    bracketTool,
  );
  return {
    cd: {
      usage: '[-LP] [DIRECTORY | -]',
      help: 'Change the working directory; to $HOME without argument, back with -.',
      run: cd,
    },
    pwd: {
      usage: '[-P]',
      help: 'Print the working directory; -P without symbolic links.',
      *run(shell, args) {
        const path = args.includes('-P') ? undefined : shell.get('PWD');
        yield* shell.p.println(path ?? (yield* getcwd(shell.p)));
        return 0;
      },
    },
    type: {
      usage: 'NAME...',
      help: 'Say what a command name means.',
      run: (shell, args) => type(shell, args, rows()),
    },
    hash: {
      usage: '',
      help: 'Accepted for compatibility: paths are looked up anew each time.',
      *run() {
        return 0;
      },
    },
    umask: {
      usage: '[MODE]',
      help: 'Print or set the bits that new files do not get.',
      *run(shell, args) {
        if (args[0] !== undefined) {
          if (!/^[0-7]+$/.test(args[0])) {
            return yield* complain(shell, 'umask', `${args[0]}: octal number out of range`);
          }
          yield* umask(parseInt(args[0], 8));
          return 0;
        }
        const mask = yield* umask(0);
        yield* umask(mask);
        yield* shell.p.println(mask.toString(8).padStart(4, '0'));
        return 0;
      },
    },
    history: {
      usage: '[-c] [N]',
      help: 'List the command lines entered, or the last N; -c forgets them.',
      *run(shell, args) {
        if (args[0] === '-c') {
          shell.history.length = 0;
          return 0;
        }
        const count = args[0] === undefined ? shell.history.length : Number(args[0]);
        const start = Math.max(0, shell.history.length - count);
        for (const [index, line] of shell.history.slice(start).entries()) {
          yield* shell.p.println(`${String(start + index + 1).padStart(5)}  ${line}`);
        }
        return 0;
      },
    },
    help: {
      usage: '[NAME]',
      help: 'Tell about the commands of the shell.',
      run: (shell, args) => help(shell, args, rows()),
    },
    echo: fromTool('echo', '[-neE] [TEXT]...', 'Print the arguments.', echoTool),
    printf: fromTool('printf', 'FORMAT [ARGUMENT]...', 'Print formatted.', printfTool),
    true: fromTool('true', '', 'Succeed.', trueTool),
    false: fromTool('false', '', 'Fail.', falseTool),
    test: fromTool('test', 'EXPRESSION', 'Tell by the status whether it holds.', testTool),
    '[': bracket,
  };
}
