/** Commands in processes of their own: pipelines, subshells, background jobs, substitutions. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { close, dup2, F_DUPFD, fcntl, O_CLOEXEC, pipe, readToEnd } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { wait4 } from '../libc/tasks.ts';
import { decodeText } from '../libc/text.ts';
import { CLOCK_MONOTONIC, clockGettime, times } from '../libc/time.ts';
import type { Command, ListItem } from './ast.ts';
import { codeOf, spawn, waitForeground } from './processes.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';
import { copyInput, simple } from './simple-command.ts';

type Pipeline = Extract<Command, { kind: 'pipeline' }>;

/** Descriptors of process substitutions start here, where programs do not expect to have theirs. */
const PROCESS_FD_BASE = 60;

/** `text` is given where the pipeline runs in the background. */
export function* pipeline(
  shell: Shell,
  command: Pipeline,
  text: string | undefined,
): UserFlow<number> {
  if (command.timed && text === undefined) return yield* timed(shell, command);
  const { commands, negated } = command;
  if (commands.length === 1 && text === undefined) {
    const [only] = commands;
    if (!negated) return yield* shell.executor.execute(shell, only!);
    shell.testing++;
    try {
      return (yield* shell.executor.execute(shell, only!)) === 0 ? 1 : 0;
    } finally {
      shell.testing--;
    }
  }
  const pids = yield* startMembers(shell, commands, text !== undefined);
  if (text !== undefined) return yield* announce(shell, pids[0]!, pids, text);
  const status = yield* waitForeground(shell, shell.jobs.add(pids[0]!, pids, command.text));
  return negated ? Number(status === 0) : status;
}

function* startMembers(
  shell: Shell,
  commands: readonly Command[],
  isBackground: boolean,
): UserFlow<number[]> {
  const pids: number[] = [];
  let input: number | undefined;
  for (const [index, member] of commands.entries()) {
    const isLast = index === commands.length - 1;
    const ends = isLast ? undefined : yield* openPipe(shell);
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
  return pids;
}

function* openPipe(
  shell: Shell,
  flags = O_CLOEXEC,
): UserFlow<{ readEnd: number; writeEnd: number }> {
  const ends = yield* pipe(shell.p, flags);
  if (typeof ends === 'number') throw new ShellError(`pipe error: ${strerror(ends)}`);
  return ends;
}

export function* background(shell: Shell, item: ListItem): UserFlow<number> {
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
  shell.jobs.makeCurrent(job);
  shell.lastBackground = pids.at(-1)!;
  if (shell.interactive) {
    yield* shell.p.stderr.write(`[${job.id}] ${shell.lastBackground}\n`);
  }
  return 0;
}

/** A member of a pipeline or a background command: exec in place where it is a program. */
function* inChild(shell: Shell, command: Command): UserFlow<number> {
  shell.loopDepth = 0;
  if (command.kind === 'simple') return yield* simple(shell, command, true);
  return yield* shell.executor.execute(shell, command);
}

export function* subshell(
  shell: Shell,
  command: Extract<Command, { kind: 'subshell' }>,
): UserFlow<number> {
  const pid = yield* spawn(shell, { background: false, group: 0 }, (child) =>
    child.executor.execute(child, command.body),
  );
  return yield* waitForeground(shell, shell.jobs.add(pid, [pid], command.text));
}

/** The reserved word `time`. */
function* timed(shell: Shell, command: Pipeline): UserFlow<number> {
  const { timed: style, ...plain } = command;
  const started = yield* clockGettime(shell.p, CLOCK_MONOTONIC);
  const before = yield* times(shell.p);
  const status = yield* pipeline(shell, plain, undefined);
  const after = yield* times(shell.p);
  const real = Number((yield* clockGettime(shell.p, CLOCK_MONOTONIC)) - started) / 1e9;
  const user = after.user + after.childUser - before.user - before.childUser;
  const system = after.system + after.childSystem - before.system - before.childSystem;
  const show = (seconds: number): string =>
    style === 'posix'
      ? ` ${seconds.toFixed(2)}`
      : `\t${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(3)}s`;
  yield* shell.p.stdout.flush();
  yield* shell.p.stderr.write(
    `${style === 'posix' ? '' : '\n'}real${show(real)}\nuser${show(user)}\nsys${show(system)}\n`,
  );
  return status;
}

export function* substitute(shell: Shell, source: string): UserFlow<string> {
  const ends = yield* openPipe(shell);
  const pid = yield* spawnApart(shell, function* (child) {
    yield* close(ends.readEnd);
    yield* dup2(ends.writeEnd, 1);
    yield* close(ends.writeEnd);
    child.substitutionDepth++;
    child.options.delete('errexit');
    if (yield* copyInput(child, source)) return 0;
    return yield* child.executor.runSource(child, source);
  });
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

/** Not a job of its own: it stays in the shell's process group. */
function* spawnApart(shell: Shell, body: (child: Shell) => UserFlow<number>): UserFlow<number> {
  const controls = shell.options.delete('monitor');
  try {
    return yield* spawn(shell, { background: false, group: 0 }, body);
  } finally {
    if (controls) shell.options.add('monitor');
  }
}

/** `<(source)` or `>(source)`: a process at one end of a pipe, the path of the other end. */
export function* processFile(shell: Shell, direction: '<' | '>', source: string): UserFlow<string> {
  const { readEnd, writeEnd } = yield* openPipe(shell, 0);
  const [kept, given] = direction === '<' ? [readEnd, writeEnd] : [writeEnd, readEnd];
  const pid = yield* spawnApart(shell, function* (child) {
    yield* close(kept);
    yield* dup2(given, direction === '<' ? 1 : 0);
    yield* close(given);
    for (const fd of child.processFds.splice(0)) yield* close(fd);
    return yield* child.executor.runSource(child, source);
  });
  yield* close(given);
  const fd = yield* fcntl(kept, F_DUPFD, PROCESS_FD_BASE);
  yield* close(kept);
  if (fd < 0) throw new ShellError(`process substitution: ${strerror(fd)}`);
  shell.processFds.push(fd);
  shell.processPids.push(pid);
  shell.lastBackground = pid;
  return `/dev/fd/${fd}`;
}
