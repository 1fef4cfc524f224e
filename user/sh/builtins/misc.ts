/** The other builtins: type, hash, umask, times, history, help, and tools that need no process. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { umask } from '../../libc/files.ts';
import { columns } from '../../libc/format.ts';
import { decodeText, encodeText } from '../../libc/text.ts';
import { times } from '../../libc/time.ts';
import { parseMode } from '../../coreutils/mode.ts';
import { echoTool } from '../../coreutils/echo.ts';
import { falseTool, trueTool } from '../../coreutils/true.ts';
import { printFormatted, printfTool } from '../../coreutils/printf.ts';
import { bracketTool, testTool } from '../../coreutils/test.ts';
import type { Shell } from '../shell.ts';
import type { Builtin, BuiltinRows } from './builtin.ts';
import { complain, fromTool } from './builtin.ts';
import { describe, meaningsOf } from './describe.ts';

function* type(shell: Shell, args: readonly string[], rows: BuiltinRows): UserFlow<number> {
  const flags = args.filter((arg) => /^-./.test(arg)).join('');
  let status = 0;
  for (const name of args.filter((arg) => !/^-./.test(arg))) {
    const isBuiltin = (other: string): boolean => Object.hasOwn(rows, other);
    const found = yield* meaningsOf(shell, name, isBuiltin, flags.includes('a'));
    if (found.length === 0) {
      status = 1;
      if (!/[tpP]/.test(flags)) yield* complain(shell, 'type', `${name}: not found`);
    }
    for (const meaning of found) {
      if (flags.includes('t')) yield* shell.p.println(meaning.kind);
      else if (!/[pP]/.test(flags)) yield* shell.p.println(describe(name, meaning));
      else if (meaning.kind === 'file') yield* shell.p.println(meaning.text);
    }
  }
  return status;
}

function* printfBuiltin(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args[0] !== '-v' || args[1] === undefined) {
    return yield* fromTool('printf', '', '', printfTool).run(shell, args);
  }
  const target = /^([A-Za-z_]\w*)(?:\[(.*)\])?$/s.exec(args[1]);
  if (!target) return yield* complain(shell, 'printf', `\`${args[1]}': not a valid identifier`, 2);
  const printed = yield* printFormatted(shell.p, args.slice(args[2] === '--' ? 3 : 2));
  const text = decodeText(encodeText(printed.text));
  const [, name = '', subscript] = target;
  if (subscript === undefined) shell.set(name, text);
  else shell.variables.assignElement(name, subscript, text);
  for (const error of printed.errors) yield* complain(shell, 'printf', error);
  return printed.status;
}

/** u=rwx,g=rx,o= */
function symbolicMask(mask: number): string {
  const allowed = ~mask & 0o777;
  const letters = (bits: number): string =>
    (bits & 4 ? 'r' : '') + (bits & 2 ? 'w' : '') + (bits & 1 ? 'x' : '');
  return `u=${letters(allowed >> 6)},g=${letters((allowed >> 3) & 7)},o=${letters(allowed & 7)}`;
}

function* umaskBuiltin(shell: Shell, args: readonly string[]): UserFlow<number> {
  const symbolic = args.includes('-S');
  const [text] = args.filter((arg) => !/^-[Sp]+$/.test(arg));
  const mask = yield* umask(0);
  yield* umask(mask);
  if (text === undefined) {
    const octal = mask.toString(8).padStart(4, '0');
    yield* shell.p.println(symbolic ? symbolicMask(mask) : octal);
    return 0;
  }
  if (/^[0-7]+$/.test(text)) {
    yield* umask(parseInt(text, 8) & 0o777);
    return 0;
  }
  const allowed = /^\d/.test(text) ? undefined : parseMode(text, ~mask & 0o777);
  if (allowed === undefined) {
    const reason = /^\d/.test(text)
      ? 'octal number out of range'
      : 'invalid symbolic mode operator';
    return yield* complain(shell, 'umask', `${text}: ${reason}`);
  }
  yield* umask(~allowed & 0o777);
  return 0;
}

function* timesBuiltin(shell: Shell): UserFlow<number> {
  const used = yield* times(shell.p);
  const show = (seconds: number): string =>
    `${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(3)}s`;
  yield* shell.p.println(`${show(used.user)} ${show(used.system)}`);
  yield* shell.p.println(`${show(used.childUser)} ${show(used.childSystem)}`);
  return 0;
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
    type: {
      usage: '[-afptP] NAME...',
      help: 'Say what a command name means: all meanings with -a, a word with -t, the path with -p.',
      run: (shell, args) => type(shell, args, rows()),
    },
    hash: {
      usage: '[-r] [NAME]...',
      help: 'Accepted for compatibility: paths are looked up anew each time.',
      *run(shell, args) {
        let status = 0;
        for (const name of args.filter((arg) => !arg.startsWith('-'))) {
          const found = yield* meaningsOf(shell, name, (other) => Object.hasOwn(rows(), other));
          if (found.length === 0) status = yield* complain(shell, 'hash', `${name}: not found`);
        }
        return status;
      },
    },
    builtin: {
      usage: 'NAME [ARGUMENT]...',
      help: 'Run a builtin, passing over functions of its name.',
      *run(shell, args) {
        const [name, ...rest] = args;
        if (name === undefined) return 0;
        const row = Object.hasOwn(rows(), name) ? rows()[name] : undefined;
        if (!row) return yield* complain(shell, 'builtin', `${name}: not a shell builtin`);
        return yield* row.run(shell, rest);
      },
    },
    umask: {
      usage: '[-S] [MODE]',
      help: 'Print or set the bits that new files do not get.',
      run: umaskBuiltin,
    },
    times: {
      usage: '',
      help: 'Print the CPU time that the shell and its children have used.',
      run: timesBuiltin,
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
    printf: {
      usage: '[-v NAME] FORMAT [ARGUMENT]...',
      help: 'Print formatted, or into a variable with -v.',
      run: printfBuiltin,
    },
    true: fromTool('true', '', 'Succeed.', trueTool),
    false: fromTool('false', '', 'Fail.', falseTool),
    test: fromTool('test', 'EXPRESSION', 'Tell by the status whether it holds.', testTool),
    '[': bracket,
  };
}
