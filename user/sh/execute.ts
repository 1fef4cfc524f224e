/**
 * Running parsed commands: lists, pipelines, compounds, functions, simple commands.
 *
 *   yield* execute(shell, command)      the status, which is also shell.status
 *   executor                            what expansion and builtins call back into
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { close, dup2, O_CLOEXEC, pipe, readToEnd, stat } from '../libc/files.ts';
import { isDirectory } from '../libc/directory.ts';
import { Exit } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { execve, findExecutable, signalNumber, wait4 } from '../libc/tasks.ts';
import { decodeText } from '../libc/text.ts';
import type { Command, ListItem, Redirect } from './ast.ts';
import { BUILTINS } from './builtins/table.ts';
import { evaluateConditional } from './conditional.ts';
import { BreakLoop, Interrupted, ReturnFunction } from './control.ts';
import { evaluateWord, expandPattern, expandText, expandWords } from './expand.ts';
import { parseNext } from './parser.ts';
import { matchPattern } from './pattern.ts';
import { codeOf, spawn, waitForeground } from './processes.ts';
import { quoteWord } from './quote.ts';
import type { SavedFd } from './redirect.ts';
import { applyRedirects, restoreRedirects } from './redirect.ts';
import type { Executor, Shell } from './shell.ts';
import { ShellError } from './shell.ts';

/** What interpreting one command costs in user mode, so that a busy loop takes virtual time. */
// differs: Linux has the real cost of the shell's code; dash needs some microseconds a command.
const COMMAND_NS = 2000;

export const executor: Executor = { runSource, substitute, runSimple };

export function* execute(shell: Shell, command: Command): UserFlow<number> {
  yield { kind: 'compute', ns: COMMAND_NS };
  yield* checkSignals(shell);
  const status = yield* dispatch(shell, command);
  shell.status = status;
  return status;
}

function* checkSignals(shell: Shell): UserFlow<void> {
  if (shell.interrupted) {
    shell.interrupted = false;
    if (shell.interactive) {
      shell.status = 130;
      throw new Interrupted('interrupted');
    }
  }
  yield* runTraps(shell);
}

/** Run what `trap` set for signals that came in. */
export function* runTraps(shell: Shell): UserFlow<void> {
  while (shell.pendingSignals.length > 0) {
    const signal = shell.pendingSignals.shift()!;
    const entry = [...shell.traps].find(([name]) => signalNumber(name) === signal);
    if (!entry) continue;
    const { status } = shell;
    yield* runSource(shell, entry[1]);
    shell.status = status;
  }
}

function* dispatch(shell: Shell, command: Command): UserFlow<number> {
  switch (command.kind) {
    case 'simple':
      return yield* simple(shell, command);
    case 'pipeline':
      return yield* pipeline(shell, command, undefined);
    case 'and':
    case 'or': {
      const left = yield* test(shell, command.left);
      if ((left === 0) !== (command.kind === 'and')) return left;
      return yield* execute(shell, command.right);
    }
    case 'list': {
      let status = 0;
      for (const item of command.items) {
        if (item.background) status = yield* background(shell, item);
        else status = yield* checked(shell, item.command);
        shell.status = status;
      }
      return status;
    }
    case 'subshell':
      return yield* foreground(shell, command, '(subshell)', (child) =>
        checked(child, command.body),
      );
    case 'if':
      for (const clause of command.clauses) {
        if ((yield* test(shell, clause.test)) === 0) return yield* checked(shell, clause.body);
      }
      return command.otherwise ? yield* checked(shell, command.otherwise) : 0;
    case 'loop': {
      const { until } = command;
      return yield* loop(shell, command.body, function* () {
        return ((yield* test(shell, command.test)) === 0) !== until;
      });
    }
    case 'for': {
      const words = command.words ? yield* expandWords(shell, command.words) : [...shell.args];
      return yield* loop(shell, command.body, function* () {
        const value = words.shift();
        if (value === undefined) return false;
        shell.set(command.name, value);
        return true;
      });
    }
    case 'case': {
      const subject = yield* expandText(shell, command.subject);
      for (const item of command.items) {
        for (const pattern of item.patterns) {
          if (!matchPattern(yield* expandPattern(shell, pattern), subject)) continue;
          return item.body ? yield* checked(shell, item.body) : 0;
        }
      }
      return 0;
    }
    case 'arithmetic':
      return (yield* evaluateWord(shell, command.expression)) === 0n ? 1 : 0;
    case 'conditional':
      return yield* evaluateConditional(shell, command.words);
    case 'function':
      shell.functions.set(command.name, command.body);
      return 0;
    case 'redirected':
      return yield* withRedirects(shell, command.redirects, () => execute(shell, command.command));
  }
}

/** A command whose failure ends the shell under `set -e`. */
export function* checked(shell: Shell, command: Command): UserFlow<number> {
  const status = yield* execute(shell, command);
  const mayFail =
    command.kind === 'and' ||
    command.kind === 'or' ||
    (command.kind === 'pipeline' && command.negated);
  if (status !== 0 && shell.options.has('errexit') && shell.testing === 0 && !mayFail) {
    throw new Exit(status);
  }
  return status;
}

/** A command whose failure is only an answer. */
function* test(shell: Shell, command: Command): UserFlow<number> {
  shell.testing++;
  try {
    return yield* execute(shell, command);
  } finally {
    shell.testing--;
  }
}

function* loop(shell: Shell, body: Command, proceed: () => UserFlow<boolean>): UserFlow<number> {
  let status = 0;
  shell.loopDepth++;
  try {
    while (yield* proceed()) {
      try {
        status = yield* checked(shell, body);
      } catch (caught) {
        if (!(caught instanceof BreakLoop)) throw caught;
        status = 0;
        if (caught.levels > 1) throw new BreakLoop(caught.levels - 1, caught.continues);
        if (!caught.continues) break;
      }
    }
  } finally {
    shell.loopDepth--;
  }
  return status;
}

function* background(shell: Shell, item: ListItem): UserFlow<number> {
  if (item.command.kind === 'pipeline') {
    return yield* pipeline(shell, item.command, item.text);
  }
  const pid = yield* spawn(shell, { background: true, group: 0 }, (child) =>
    inChild(child, item.command),
  );
  return yield* announce(shell, pid, [pid], item.text);
}

function* announce(
  shell: Shell,
  group: number,
  pids: readonly number[],
  text: string,
): UserFlow<number> {
  const job = shell.jobs.add(group, pids, text.replace(/\s*\n\s*/g, '; '));
  shell.lastBackground = pids.at(-1)!;
  if (shell.interactive) {
    yield* shell.p.stderr.write(`[${job.id}] ${shell.lastBackground}\n`);
  }
  return 0;
}

/** `text` is given where the pipeline runs in the background. */
function* pipeline(
  shell: Shell,
  command: Extract<Command, { kind: 'pipeline' }>,
  text: string | undefined,
): UserFlow<number> {
  const { commands, negated } = command;
  const isBackground = text !== undefined;
  if (commands.length === 1 && !isBackground) {
    const status = yield* test(shell, commands[0]!);
    return status === 0 ? 1 : 0;
  }
  const pids: number[] = [];
  let input: number | undefined;
  for (const [index, member] of commands.entries()) {
    const isLast = index === commands.length - 1;
    const ends = isLast ? undefined : yield* pipe(shell.p, O_CLOEXEC);
    if (typeof ends === 'number') throw new ShellError(`pipe error: ${strerror(ends)}`);
    const source = input;
    const placement = { background: isBackground, group: pids[0] ?? 0 };
    const pid = yield* spawn(shell, placement, function* (child) {
      if (source !== undefined) yield* dup2(source, 0);
      if (ends) yield* dup2(ends.writeEnd, 1);
      for (const fd of [source, ends?.readEnd, ends?.writeEnd]) {
        if (fd !== undefined) yield* close(fd);
      }
      return yield* inChild(child, member);
    });
    pids.push(pid);
    if (source !== undefined) yield* close(source);
    if (ends) yield* close(ends.writeEnd);
    input = ends?.readEnd;
  }
  if (isBackground) return yield* announce(shell, pids[0]!, pids, text);
  const words = commands.map(commandText).join(' | ');
  const status = yield* waitForeground(shell, shell.jobs.add(pids[0]!, pids, words));
  return negated ? Number(status === 0) : status;
}

/** A rough text of a command for the job table. */
function commandText(command: Command): string {
  if (command.kind !== 'simple') return command.kind === 'subshell' ? '( … )' : command.kind;
  return command.words
    .map((word) => word.map((part) => (part.kind === 'literal' ? part.text : '$…')).join(''))
    .join(' ');
}

/** A member of a pipeline or a background command: exec in place where it is a program. */
function* inChild(shell: Shell, command: Command): UserFlow<number> {
  shell.loopDepth = 0;
  if (command.kind === 'simple') return yield* simple(shell, command, true);
  return yield* execute(shell, command);
}

/** Fork, run, wait. */
function* foreground(
  shell: Shell,
  _command: Command,
  text: string,
  body: (child: Shell) => UserFlow<number>,
): UserFlow<number> {
  const pid = yield* spawn(shell, { background: false, group: 0 }, body);
  return yield* waitForeground(shell, shell.jobs.add(pid, [pid], text));
}

function* withRedirects(
  shell: Shell,
  redirects: readonly Redirect[],
  body: () => UserFlow<number>,
): UserFlow<number> {
  const saved: SavedFd[] = [];
  try {
    yield* applyRedirects(shell, redirects, saved);
    return yield* body();
  } catch (caught) {
    if (!(caught instanceof ShellError)) throw caught;
    yield* shell.error(caught.message);
    return 1;
  } finally {
    yield* restoreRedirects(shell, saved);
  }
}

type Simple = Extract<Command, { kind: 'simple' }>;

/** `replace`: this process is there for the command alone, so a program is exec'ed in place. */
function* simple(shell: Shell, command: Simple, replace = false): UserFlow<number> {
  shell.substitutionStatus = undefined;
  const argv = yield* expandWords(shell, command.words);
  const assignments: [string, string][] = [];
  for (const { name, append, value } of command.assignments) {
    const text = yield* expandText(shell, value, true);
    assignments.push([name, append ? (shell.get(name) ?? '') + text : text]);
    // Later assignments see earlier ones where no command follows.
    if (argv.length === 0) shell.set(name, assignments.at(-1)![1]);
  }
  if (shell.options.has('xtrace')) yield* trace(shell, assignments, argv);
  if (argv.length === 0) {
    const status = shell.substitutionStatus ?? 0;
    if (command.redirects.length === 0) return status;
    return yield* withRedirects(shell, command.redirects, function* () {
      return status;
    });
  }
  const name = argv[0]!;
  const inShell = shell.functions.has(name) || BUILTINS.has(name);
  if (!inShell) {
    const start = function* (child: Shell): UserFlow<number> {
      yield* applyRedirects(child, command.redirects);
      for (const [key, value] of assignments) child.set(key, value, true);
      return yield* exec(child, argv);
    };
    if (replace) return yield* start(shell);
    return yield* foreground(shell, command, argv.join(' '), start);
  }
  if (name === 'exec' && !replace) return yield* execBuiltin(shell, command, argv, assignments);
  return yield* withRedirects(shell, command.redirects, () =>
    withAssignments(shell, assignments, () => runSimple(shell, argv, false)),
  );
}

/** exec keeps its redirections, and ends the shell where the program cannot be run. */
function* execBuiltin(
  shell: Shell,
  command: Simple,
  argv: readonly string[],
  assignments: readonly [string, string][],
): UserFlow<number> {
  yield* applyRedirects(shell, command.redirects);
  if (argv.length === 1) return 0;
  for (const [key, value] of assignments) shell.set(key, value, true);
  const status = yield* exec(shell, argv.slice(1));
  if (shell.interactive) return status;
  throw new Exit(status);
}

function* trace(
  shell: Shell,
  assignments: readonly [string, string][],
  argv: readonly string[],
): UserFlow<void> {
  const words = [...assignments.map(([name, value]) => `${name}=${quoteWord(value)}`)];
  words.push(...argv.map(quoteWord));
  yield* shell.p.stderr.write(`${shell.get('PS4') ?? '+ '}${words.join(' ')}\n`);
}

function* withAssignments(
  shell: Shell,
  assignments: readonly [string, string][],
  body: () => UserFlow<number>,
): UserFlow<number> {
  const before = assignments.map(([name]) => [name, shell.variables.get(name)] as const);
  for (const [name, value] of assignments) shell.set(name, value, true);
  try {
    return yield* body();
  } finally {
    for (const [name, variable] of before) {
      if (variable) shell.variables.set(name, variable);
      else shell.variables.delete(name);
    }
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
function* runSimple(shell: Shell, argv: readonly string[], plain: boolean): UserFlow<number> {
  const [name = '', ...args] = argv;
  const body = plain ? undefined : shell.functions.get(name);
  if (body) return yield* callFunction(shell, body, args);
  const builtin = BUILTINS.get(name);
  if (builtin) {
    const { p } = shell;
    const caller = p.name;
    const asksHelp = args[0] === '--help' && builtin.usage !== '' && !LITERAL.has(name);
    const status = asksHelp ? yield* builtinHelp(shell, name) : yield* builtin.run(shell, args);
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

/** bash's limit would be the stack; this one keeps a runaway recursion from the host's. */
const MAX_FUNCTION_DEPTH = 200;

function* callFunction(shell: Shell, body: Command, args: readonly string[]): UserFlow<number> {
  if (shell.functionDepth >= MAX_FUNCTION_DEPTH) {
    throw new ShellError('maximum function nesting level exceeded');
  }
  const outer = shell.args;
  shell.args = [...args];
  shell.functionDepth++;
  shell.locals.push(new Map());
  try {
    return yield* execute(shell, body);
  } catch (caught) {
    if (caught instanceof ReturnFunction) return caught.status;
    throw caught;
  } finally {
    for (const [name, variable] of shell.locals.pop()!) {
      if (variable) shell.variables.set(name, variable);
      else shell.variables.delete(name);
    }
    shell.functionDepth--;
    shell.args = outer;
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
  if (failed === -errno.ENOEXEC) {
    return yield* execve(shell.p, '/bin/sh', ['sh', path, ...argv.slice(1)], shell.exported());
  }
  const status = yield* stat(shell.p, path);
  const isDir = typeof status !== 'number' && isDirectory(status.mode);
  yield* shell.error(`${name}: ${isDir ? 'Is a directory' : strerror(failed)}`);
  return failed === -errno.ENOENT ? 127 : 126;
}

/** Command after command; a syntax error ends it with status 2. */
function* runSource(shell: Shell, source: string): UserFlow<number> {
  let at = 0;
  let status = 0;
  for (;;) {
    const parsed = parseNext(source, at, (name) => shell.aliases.get(name));
    switch (parsed.kind) {
      case 'end':
        return status;
      case 'incomplete':
      case 'error':
        yield* shell.error(parsed.message);
        shell.status = 2;
        return 2;
    }
    at = parsed.end;
    status = yield* checked(shell, parsed.command);
  }
}

function* substitute(shell: Shell, source: string): UserFlow<string> {
  const ends = yield* pipe(shell.p, O_CLOEXEC);
  if (typeof ends === 'number') throw new ShellError(`pipe error: ${strerror(ends)}`);
  // Not a job of its own: it stays in the shell's process group.
  const controls = shell.options.delete('monitor');
  let pid: number;
  try {
    pid = yield* spawn(shell, { background: false, group: 0 }, function* (child) {
      yield* close(ends.readEnd);
      yield* dup2(ends.writeEnd, 1);
      yield* close(ends.writeEnd);
      return yield* runSource(child, source);
    });
  } finally {
    if (controls) shell.options.add('monitor');
  }
  yield* close(ends.writeEnd);
  const bytes = yield* readToEnd(shell.p, ends.readEnd);
  yield* close(ends.readEnd);
  let waited = yield* wait4(shell.p, pid);
  while (waited.pid === -errno.EINTR) waited = yield* wait4(shell.p, pid);
  shell.status = shell.substitutionStatus = waited.pid < 0 ? 127 : codeOf(waited.status);
  return typeof bytes === 'number'
    ? ''
    : decodeText(bytes).replace(/\n+$/, '').replaceAll('\0', '');
}
