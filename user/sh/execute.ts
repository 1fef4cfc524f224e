/**
 * Running parsed commands: lists, compounds, functions' definitions. Simple commands are run by
 * `simple-command.ts`, pipelines and substitutions by `pipelines.ts`.
 *
 *   yield* execute(shell, command)      the status, which is also shell.status
 *   executor                            what expansion and builtins call back into
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { Exit } from '../libc/process.ts';
import type { Command } from './ast.ts';
import { BUILTINS } from './builtins/table.ts';
import { evaluateCondition } from './conditional.ts';
import { BreakLoop, Interrupted } from './control.ts';
import { evaluateWord, expandPattern, expandText, expandWords } from './expand.ts';
import { parseNext } from './parser.ts';
import { matchPattern } from './pattern.ts';
import { background, pipeline, processFile, subshell, substitute } from './pipelines.ts';
import type { Executor, Shell } from './shell.ts';
import { answered, runSimple, simple, withRedirects } from './simple-command.ts';
import { runTraps } from './traps.ts';
import { traceText } from './trace.ts';

/** What interpreting one command costs in user mode, so that a busy loop takes virtual time. */
// differs: Linux has the real cost of the shell's code; dash needs some microseconds a command.
const COMMAND_NS = 2000;

export const executor: Executor = {
  runSource,
  substitute,
  processFile,
  runSimple,
  execute,
  isBuiltin: (name) => BUILTINS.has(name),
  expandText,
};

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
      return yield* subshell(shell, command);
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
      if (shell.variables.lookup(command.name)?.readonly) {
        yield* shell.error(`${command.name}: readonly variable`);
        return 1;
      }
      const words = command.words ? yield* expandWords(shell, command.words) : [...shell.args];
      let next = 0;
      return yield* loop(shell, command.body, function* () {
        const value = words[next++];
        if (value === undefined) return false;
        yield* traceText(shell, command.text);
        shell.set(command.name, value);
        return true;
      });
    }
    case 'for-arithmetic':
      return yield* forArithmetic(shell, command);
    case 'case':
      return yield* caseOf(shell, command);
    case 'arithmetic':
      return yield* answered(shell, arithmetic(shell, command));
    case 'conditional':
      yield* traceText(shell, command.text);
      return yield* answered(shell, conditional(shell, command));
    case 'function':
      shell.functions.set(command.name, { body: command.body, text: command.text });
      return 0;
    case 'redirected':
      return yield* withRedirects(shell, command.redirects, () => execute(shell, command.command));
  }
}

function* arithmetic(
  shell: Shell,
  command: Extract<Command, { kind: 'arithmetic' }>,
): UserFlow<number> {
  return (yield* evaluateWord(shell, command.expression)) === 0n ? 1 : 0;
}

function* conditional(
  shell: Shell,
  command: Extract<Command, { kind: 'conditional' }>,
): UserFlow<number> {
  return (yield* evaluateCondition(shell, command.condition)) ? 0 : 1;
}

/** A command whose failure sets off the trap for ERR, and ends the shell under `set -e`. */
export function* checked(shell: Shell, command: Command): UserFlow<number> {
  const status = yield* execute(shell, command);
  const mayFail =
    command.kind === 'and' ||
    command.kind === 'or' ||
    (command.kind === 'pipeline' && command.negated);
  if (status === 0 || shell.testing > 0 || mayFail) return status;
  const trap = shell.traps.get('ERR');
  const isOwn = shell.callers.length === 0 || shell.options.has('errtrace');
  if (trap && isOwn && ENDS.has(command.kind === 'redirected' ? 'simple' : command.kind)) {
    shell.status = status;
    yield* runSource(shell, trap);
    shell.status = status;
  }
  if (shell.options.has('errexit')) throw new Exit(status);
  return status;
}

/** What sets off the trap itself; of other commands, what is inside has done so. */
const ENDS = new Set(['simple', 'pipeline', 'subshell', 'arithmetic', 'conditional']);

/** A command whose failure is only an answer. */
export function* test(shell: Shell, command: Command): UserFlow<number> {
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

function* forArithmetic(
  shell: Shell,
  command: Extract<Command, { kind: 'for-arithmetic' }>,
): UserFlow<number> {
  const [before, condition, after] = command.expressions;
  yield* evaluateWord(shell, before);
  let isFirst = true;
  return yield* loop(shell, command.body, function* () {
    if (!isFirst) yield* evaluateWord(shell, after);
    isFirst = false;
    const text = (yield* expandText(shell, condition)).trim();
    return text === '' || (yield* evaluateWord(shell, condition)) !== 0n;
  });
}

function* caseOf(shell: Shell, command: Extract<Command, { kind: 'case' }>): UserFlow<number> {
  yield* traceText(shell, `${command.text} in`);
  const subject = yield* expandText(shell, command.subject);
  const ignoreCase = shell.shopts.has('nocasematch');
  let status = 0;
  let falls = false;
  for (const item of command.items) {
    if (!falls && !(yield* anyMatches(shell, item.patterns, subject, ignoreCase))) continue;
    status = item.body ? yield* checked(shell, item.body) : 0;
    if (item.end === ';;') return status;
    falls = item.end === ';&';
  }
  return status;
}

function* anyMatches(
  shell: Shell,
  patterns: Extract<Command, { kind: 'case' }>['items'][number]['patterns'],
  subject: string,
  ignoreCase: boolean,
): UserFlow<boolean> {
  for (const pattern of patterns) {
    if (matchPattern(yield* expandPattern(shell, pattern), subject, ignoreCase)) return true;
  }
  return false;
}

/** Command after command; a syntax error ends it with status 2. */
export function* runSource(shell: Shell, source: string): UserFlow<number> {
  const firstLine = Math.max(1, shell.line);
  let at = 0;
  let status = 0;
  for (;;) {
    const parsed = parseNext(source, at, (name) => shell.alias(name), firstLine);
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
