/**
 * Simple commands: words expanded, assignments made, redirections applied, and a function, a
 * builtin or a program run.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { deepCall } from '../libc/deep-call.ts';
import { isDirectory } from '../libc/directory.ts';
import { close, O_RDONLY, open, read, stat, writeAll } from '../libc/files.ts';
import { Exit } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { execve, findExecutable } from '../libc/tasks.ts';
import { decodeText } from '../libc/text.ts';
import { addDeclaration, applyAssignment, assignmentText } from './assign.ts';
import type { Assignment, Command, Redirect } from './ast.ts';
import { BUILTINS } from './builtins/table.ts';
import { ReturnFunction } from './control.ts';
import { expandText, expandWords } from './expand.ts';
import { parseNext } from './parser.ts';
import { spawn, waitForeground } from './processes.ts';
import type { SavedFd } from './redirect.ts';
import { applyRedirects, restoreRedirects } from './redirect.ts';
import type { Shell, ShellFunction } from './shell.ts';
import { ShellError } from './shell.ts';
import { traceCommand } from './trace.ts';

type Simple = Extract<Command, { kind: 'simple' }>;

/** `replace`: this process is there for the command alone, so a program is exec'ed in place. */
export function* simple(shell: Shell, command: Simple, replace = false): UserFlow<number> {
  shell.line = command.line;
  shell.substitutionStatus = undefined;
  const mark = shell.processFds.length;
  try {
    const argv = yield* expandCommand(shell, command);
    const status = yield* runExpanded(shell, command, argv, replace);
    shell.lastArgument = argv.at(-1) ?? '';
    shell.pipeStatus = [status];
    return status;
  } finally {
    for (const fd of shell.processFds.splice(mark)) yield* close(fd);
  }
}

function* expandCommand(shell: Shell, command: Simple): UserFlow<string[]> {
  const { words, declarations } = command;
  if (!declarations) return yield* expandWords(shell, words);
  shell.arrayArguments = new Map();
  const argv: string[] = [];
  for (const [index, word] of words.entries()) {
    const declaration = declarations.get(index);
    if (declaration) argv.push(yield* addDeclaration(shell, declaration));
    else argv.push(...(yield* expandWords(shell, [word])));
  }
  return argv;
}

function* runExpanded(
  shell: Shell,
  command: Simple,
  argv: readonly string[],
  replace: boolean,
): UserFlow<number> {
  const { assignments, redirects } = command;
  const name = argv[0];
  if (name === undefined) return yield* assignOnly(shell, assignments, redirects);
  const inShell = shell.functions.has(name) || BUILTINS.has(name);
  if (!inShell) {
    const start = function* (child: Shell): UserFlow<number> {
      yield* applyRedirects(child, redirects);
      yield* assignAll(child, assignments, argv, true);
      return yield* exec(child, argv);
    };
    if (replace) return yield* start(shell);
    const pid = yield* spawn(shell, { background: false, group: 0 }, start);
    return yield* waitForeground(shell, shell.jobs.add(pid, [pid], command.text));
  }
  if (name === 'exec' && !replace) return yield* execBuiltin(shell, command, argv);
  return yield* withRedirects(shell, redirects, () =>
    withAssignments(shell, assignments, argv, () => runSimple(shell, argv, false)),
  );
}

/** The status is that of the last substitution. */
function* assignOnly(
  shell: Shell,
  assignments: readonly Assignment[],
  redirects: readonly Redirect[],
): UserFlow<number> {
  yield* assignAll(shell, assignments, []);
  const status = shell.substitutionStatus ?? 0;
  if (redirects.length === 0) return status;
  return yield* withRedirects(shell, redirects, function* () {
    return status;
  });
}

/** One after the other, so that later ones see earlier ones. */
function* assignAll(
  shell: Shell,
  assignments: readonly Assignment[],
  argv: readonly string[],
  exported?: boolean,
): UserFlow<void> {
  const texts: string[] = [];
  for (const assignment of assignments) {
    const apply = function* (): UserFlow<number> {
      texts.push(assignmentText(assignment, yield* applyAssignment(shell, assignment, exported)));
      return 0;
    };
    // Before a command a variable that cannot be set is left as it is.
    if (argv.length > 0) yield* answered(shell, apply());
    else yield* apply();
  }
  yield* traceCommand(shell, texts, argv);
}

function* withAssignments(
  shell: Shell,
  assignments: readonly Assignment[],
  argv: readonly string[],
  body: () => UserFlow<number>,
): UserFlow<number> {
  const before = assignments.map(({ name }) => [name, shell.variables.lookup(name)] as const);
  yield* assignAll(shell, assignments, argv, true);
  try {
    return yield* body();
  } finally {
    for (const [name, variable] of before) shell.variables.restore(name, variable);
  }
}

export function* withRedirects(
  shell: Shell,
  redirects: readonly Redirect[],
  body: () => UserFlow<number>,
): UserFlow<number> {
  if (redirects.length === 0) return yield* body();
  const saved: SavedFd[] = [];
  const mark = shell.processFds.length;
  try {
    const failed = yield* tryRedirects(shell, redirects, saved);
    return failed ?? (yield* body());
  } finally {
    yield* restoreRedirects(shell, saved);
    for (const fd of shell.processFds.splice(mark)) yield* close(fd);
  }
}

/** Undefined, or the status of a command whose redirections fail. */
function* tryRedirects(
  shell: Shell,
  redirects: readonly Redirect[],
  saved?: SavedFd[],
): UserFlow<number | undefined> {
  try {
    yield* applyRedirects(shell, redirects, saved);
    return undefined;
  } catch (caught) {
    if (!(caught instanceof ShellError)) throw caught;
    yield* shell.error(caught.message);
    return 1;
  }
}

/** exec keeps its redirections, and ends the shell where the program cannot be run. */
function* execBuiltin(shell: Shell, command: Simple, argv: readonly string[]): UserFlow<number> {
  const failed = yield* tryRedirects(shell, command.redirects);
  if (failed !== undefined) return failed;
  yield* assignAll(shell, command.assignments, argv, true);
  if (argv.length === 1) return 0;
  const status = yield* exec(shell, argv.slice(1));
  if (shell.interactive) return status;
  throw new Exit(status);
}

/** What fails inside these is a failure of another command. */
const FORWARDING = new Set(['eval', '.', 'source', 'command', 'builtin']);

/** A failure of a builtin is its status, and the line goes on. */
export function* answered(shell: Shell, flow: UserFlow<number>): UserFlow<number> {
  try {
    return yield* flow;
  } catch (caught) {
    if (!(caught instanceof ShellError) || caught.fatal) throw caught;
    yield* shell.error(caught.message);
    return caught.status;
  }
}

/** To these `--help` is an argument like any other. */
const LITERAL = new Set(['echo', 'test', '[', ':', 'true', 'false', 'eval', 'exec', 'command']);

function* builtinHelp(shell: Shell, name: string): UserFlow<number> {
  const { usage, help } = BUILTINS.get(name)!;
  yield* shell.p.print(`Usage: ${name} ${usage}\n${help}\n`);
  return 0;
}

/** A function, a builtin or, forked, a program. `plain`: functions are passed over (`command`). */
export function* runSimple(
  shell: Shell,
  argv: readonly string[],
  plain: boolean,
): UserFlow<number> {
  const [name = '', ...args] = argv;
  const called = plain ? undefined : shell.functions.get(name);
  if (called) return yield* callFunction(shell, name, called, args);
  const builtin = BUILTINS.get(name);
  if (builtin) {
    const { p } = shell;
    const caller = p.name;
    const asksHelp = args[0] === '--help' && builtin.usage !== '' && !LITERAL.has(name);
    const run = asksHelp ? builtinHelp(shell, name) : builtin.run(shell, args);
    const status = yield* FORWARDING.has(name) ? run : answered(shell, run);
    p.name = caller;
    const failed = yield* p.stdout.flush();
    if (failed < 0) {
      yield* shell.error(`${name}: write error: ${strerror(failed)}`);
      p.stdout.clearError();
      return 1;
    }
    return status;
  }
  const pid = yield* spawn(shell, { background: false, group: 0 }, (child) => exec(child, argv));
  return yield* waitForeground(shell, shell.jobs.add(pid, [pid], argv.join(' ')));
}

/** bash's limit would be its stack; a runaway recursion ends here. */
const MAX_FUNCTION_DEPTH = 4000;

function* callFunction(
  shell: Shell,
  name: string,
  { body }: ShellFunction,
  args: readonly string[],
): UserFlow<number> {
  if (shell.callers.length >= MAX_FUNCTION_DEPTH) {
    throw new ShellError(
      `${name}: maximum function nesting level exceeded (${MAX_FUNCTION_DEPTH})`,
    );
  }
  const { args: outerArgs, callers, loopDepth } = shell;
  shell.args = [...args];
  shell.callers = [name, ...callers];
  shell.loopDepth = 0;
  shell.locals.push(new Map());
  try {
    return yield* deepCall(shell.executor.execute(shell, body));
  } catch (caught) {
    if (caught instanceof ReturnFunction) return caught.status;
    throw caught;
  } finally {
    for (const [local, variable] of shell.locals.pop()!) shell.variables.restore(local, variable);
    shell.callers = callers;
    shell.args = outerArgs;
    shell.loopDepth = loopDepth;
  }
}

/** Become the program; returns the status to exit with where that fails. */
function* exec(shell: Shell, argv: readonly string[]): UserFlow<number> {
  const [name = ''] = argv;
  const path = yield* findExecutable(shell.p, name, shell.get('PATH') ?? '/bin');
  if (path === undefined) {
    yield* shell.error(`${name}: command not found`);
    return 127;
  }
  yield* shell.p.stdout.flush();
  const failed = yield* execve(shell.p, path, argv, shell.exported());
  const status = yield* stat(shell.p, path);
  if (failed === -errno.ENOEXEC) {
    const head = yield* headOf(shell, path);
    if (!head.includes('\0')) {
      return yield* execve(shell.p, '/bin/sh', ['sh', path, ...argv.slice(1)], shell.exported());
    }
    yield* shell.error(`${name}: cannot execute binary file: ${strerror(failed)}`);
    return 126;
  }
  if (failed === -errno.ENOENT && typeof status !== 'number') {
    // The interpreter that its first line names.
    yield* shell.error(`${name}: cannot execute: required file not found`);
    return 127;
  }
  const isDir = typeof status !== 'number' && isDirectory(status.mode);
  yield* shell.error(`${name}: ${isDir ? 'Is a directory' : strerror(failed)}`);
  return failed === -errno.ENOENT ? 127 : 126;
}

/** What tells a script from a binary: the start of its first line. */
const HEAD_BYTES = 80;

function* headOf(shell: Shell, path: string): UserFlow<string> {
  const fd = yield* open(shell.p, path, O_RDONLY);
  if (fd < 0) return '';
  const bytes = yield* read(shell.p, fd, HEAD_BYTES);
  yield* close(fd);
  return typeof bytes === 'number' ? '' : decodeText(bytes).split('\n')[0]!;
}

/** `$(<file)`: the file itself. False where the source is anything else. */
export function* copyInput(shell: Shell, source: string): UserFlow<boolean> {
  if (!/^\s*</.test(source)) return false;
  const parsed = parseNext(source);
  if (parsed.kind !== 'command' || parsed.command.kind !== 'simple') return false;
  const { words, assignments, redirects } = parsed.command;
  const [only] = redirects;
  const isRead = redirects.length === 1 && only!.op === '<' && only!.fd === undefined;
  if (words.length + assignments.length > 0 || !isRead) return false;
  const path = yield* expandText(shell, only!.target);
  const fd = yield* open(shell.p, path, O_RDONLY);
  if (fd < 0) throw new ShellError(`${path}: ${strerror(fd)}`);
  for (;;) {
    const bytes = yield* read(shell.p, fd, 65536);
    if (typeof bytes === 'number' || bytes.length === 0) return true;
    yield* writeAll(shell.p, 1, bytes);
  }
}
