/** sh: the program. `sh -c COMMANDS`, `sh FILE`, commands on stdin, or a terminal to talk to. */
import type { UserFlow, UserMain } from '../../kernel/syscall/abi.ts';
import { runDeep } from '../libc/deep-call.ts';
import { decodeText } from '../libc/text.ts';
import { getcwd, readFile, stat } from '../libc/files.ts';
import { basename, Process, runTool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { getpid } from '../libc/tasks.ts';
import { isatty } from '../libc/terminal.ts';
import { CLOCK_MONOTONIC, clockGettime } from '../libc/time.ts';
import { readUpTo } from './builtins/read.ts';
import { checked, executor } from './execute.ts';
import { interact, runLine, takeTerminal } from './interactive.ts';
import { parseNext } from './parser.ts';
import type { ShellOption } from './shell.ts';
import { Shell, SHELL_OPTIONS, ShellError } from './shell.ts';
import { runTraps, withExitTrap } from './traps.ts';

const HELP = `Usage: sh [OPTION]... [FILE [ARGUMENT]...]
       sh -c COMMANDS [NAME [ARGUMENT]...]
Run commands from a file, a string, standard input or a terminal.

  -c            take the commands from the first operand
  -s            read commands from standard input
  -i            be interactive
  -l            be a login shell: read /etc/profile first
  -e -u -x -v -f -C -a   and -o NAME: as set(1) has them
      --help    display this help and exit
`;

const NEWLINE = 10;

interface Invocation {
  readonly options: ShellOption[];
  command: string | undefined;
  file: string | undefined;
  name: string | undefined;
  args: string[];
  interactive: boolean;
  login: boolean;
  fromStdin: boolean;
}

export const sh: UserMain = function* (context, argv, envp) {
  const env = new Map(
    envp.map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)] as const;
    }),
  );
  const name = basename(argv[0] ?? 'sh').replace(/^-/, '');
  const p = new Process(context.memory, name, env);
  return yield* runTool(p, () => runDeep(start(p, argv)));
};

function* start(p: Process, argv: readonly string[]): UserFlow<number> {
  const parsed = parseInvocation(argv);
  if (parsed === 'help') {
    yield* p.print(HELP);
    return 0;
  }
  if (typeof parsed === 'string') {
    yield* p.error(parsed);
    return 2;
  }
  const shell = new Shell(p, executor, parsed.name ?? parsed.file ?? argv[0] ?? 'sh');
  shell.args = parsed.args;
  shell.pid = yield* getpid();
  for (const option of parsed.options) shell.options.add(option);
  shell.importEnvironment();
  shell.random.seed(shell.pid);
  shell.startedNs = yield* clockGettime(p, CLOCK_MONOTONIC);
  shell.source = parsed.command !== undefined ? 'c' : parsed.fromStdin ? 's' : '';
  if (shell.get('PWD') === undefined) shell.set('PWD', yield* getcwd(p), true);
  shell.variables.declare('OLDPWD', { exported: true });
  const fromTerminal =
    parsed.command === undefined && parsed.file === undefined && (yield* isatty(p, 0));
  shell.interactive = parsed.interactive || fromTerminal;
  shell.typed = shell.interactive;
  if (shell.interactive) yield* takeTerminal(shell);
  if (parsed.login) yield* sourceProfile(shell);
  return yield* withExitTrap(shell, () => run(shell, parsed));
}

function parseInvocation(argv: readonly string[]): Invocation | string {
  const out: Invocation = {
    options: [],
    command: undefined,
    file: undefined,
    name: undefined,
    args: [],
    interactive: false,
    login: (argv[0] ?? '').startsWith('-'),
    fromStdin: false,
  };
  let fromString = false;
  let at = 1;
  for (; at < argv.length; at++) {
    const arg = argv[at]!;
    if (arg === '--help') return 'help';
    if (arg === '--') {
      at++;
      break;
    }
    if (arg === '--login') {
      out.login = true;
      continue;
    }
    if (!/^[-+]./.test(arg)) break;
    for (const letter of arg.slice(1)) {
      if (letter === 'c') fromString = true;
      else if (letter === 's') out.fromStdin = true;
      else if (letter === 'i') out.interactive = true;
      else if (letter === 'l') out.login = true;
      else if (!'hBHPbktTp'.includes(letter)) {
        const row = Object.entries(SHELL_OPTIONS).find(([long, short]) =>
          letter === 'o' ? long === argv[at + 1] : short === letter,
        );
        if (!row) return `-${letter}: invalid option`;
        if (letter === 'o') at++;
        if (arg[0] === '-') out.options.push(row[0] as ShellOption);
      }
    }
  }
  const rest = argv.slice(at);
  if (fromString) {
    if (rest.length === 0) return '-c: option requires an argument';
    [out.command, out.name] = rest;
    out.args = rest.slice(2);
  } else if (out.fromStdin || rest.length === 0) out.args = rest;
  else {
    [out.file] = rest;
    out.args = rest.slice(1);
  }
  return out;
}

function* run(shell: Shell, invocation: Invocation): UserFlow<number> {
  const { p } = shell;
  if (invocation.command !== undefined) return yield* runText(shell, invocation.command);
  if (invocation.file !== undefined) {
    const bytes = yield* readFile(p, invocation.file);
    if (typeof bytes === 'number') {
      yield* p.error(`${invocation.file}: ${strerror(bytes)}`);
      return 127;
    }
    p.name = invocation.file;
    return yield* runText(shell, decodeText(bytes));
  }
  if (shell.interactive) return yield* interact(shell);
  return yield* runInput(shell);
}

/** Commands on standard input; what a command reads of it is not the shell's. */
function* runInput(shell: Shell): UserFlow<number> {
  let text = '';
  let line = 1;
  for (;;) {
    const options = { fd: 0, delimiter: NEWLINE, limit: Infinity, exact: false, raw: true };
    const got = yield* readUpTo(shell.p, { ...options, timeoutNs: undefined });
    text += decodeText(got.bytes) + (got.ended ? '' : '\n');
    const isWhole = parseNext(text, 0, (name) => shell.alias(name)).kind !== 'incomplete';
    if (isWhole || got.ended) {
      yield* runText(shell, text, line);
      line += text.split('\n').length - 1;
      text = '';
    }
    if (got.ended) return shell.status;
  }
}

function* runText(shell: Shell, text: string, firstLine = 1): UserFlow<number> {
  if (shell.interactive) {
    yield* runLine(shell, text);
    return shell.status;
  }
  shell.line = firstLine;
  for (let at = 0; ;) {
    const parsed = parseNext(text, at, (name) => shell.alias(name), firstLine);
    if (parsed.kind === 'end') return shell.status;
    if (parsed.kind !== 'command') {
      if (parsed.kind === 'error') shell.line = parsed.line;
      yield* shell.error(parsed.message);
      return 2;
    }
    if (shell.options.has('verbose')) {
      yield* shell.p.stderr.write(`${text.slice(at, parsed.end).replace(/^\n+|\n+$/g, '')}\n`);
    }
    at = parsed.end;
    if (shell.options.has('noexec')) continue;
    try {
      shell.status = yield* checked(shell, parsed.command);
    } catch (caught) {
      // What is left of this command is given up; the next one is run.
      if (!(caught instanceof ShellError) || caught.fatal) throw caught;
      yield* shell.error(caught.message);
      shell.status = caught.status;
      shell.loopDepth = 0;
      shell.testing = 0;
    }
    yield* runTraps(shell);
  }
}

function* sourceProfile(shell: Shell): UserFlow<void> {
  const home = shell.get('HOME');
  for (const path of ['/etc/profile', ...(home ? [`${home}/.profile`] : [])]) {
    if (typeof (yield* stat(shell.p, path)) === 'number') continue;
    const bytes = yield* readFile(shell.p, path);
    if (typeof bytes !== 'number') yield* runLine(shell, decodeText(bytes));
  }
}
