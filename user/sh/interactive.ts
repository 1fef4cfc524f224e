/**
 * The interactive loop: job control set up, lines read with the editor until they are whole,
 * run, and the jobs that have changed told before the next prompt.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { readline } from '../readline/readline.ts';
import { Exit } from '../libc/process.ts';
import * as tasks from '../libc/tasks.ts';
import { tcsetpgrp } from '../libc/terminal.ts';
import { completeLine } from './completion.ts';
import { BreakLoop, Interrupted, ReturnFunction } from './control.ts';
import { checked } from './execute.ts';
import { parseNext } from './parser.ts';
import { notifyJobs } from './processes.ts';
import { DEFAULT_PS1, expandPrompt } from './prompt.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';

/** bash's HISTSIZE. */
const HISTORY_LINES = 500;

/** Own process group, terminal, signals: what makes Ctrl-C hit jobs and not the shell. */
export function* takeTerminal(shell: Shell): UserFlow<void> {
  const { p } = shell;
  for (const signal of [tasks.SIGQUIT, tasks.SIGTERM, tasks.SIGTSTP]) {
    yield* tasks.sigaction(p, signal, tasks.SIG_IGN);
  }
  yield* tasks.sigaction(p, tasks.SIGTTIN, tasks.SIG_IGN);
  yield* tasks.sigaction(p, tasks.SIGTTOU, tasks.SIG_IGN);
  yield* tasks.sigaction(p, tasks.SIGINT, function* () {
    shell.interrupted = true;
  });
  // A session leader is its own group already and may not move.
  yield* tasks.setpgid(0, 0);
  shell.group = yield* tasks.getpgid(0);
  if ((yield* tcsetpgrp(p, 0, shell.group)) >= 0) shell.options.add('monitor');
}

export function* interact(shell: Shell): UserFlow<number> {
  let killed = '';
  for (;;) {
    yield* notifyJobs(shell);
    const line = yield* readCommand(shell, killed);
    if (line.kind !== 'line') {
      if (line.kind === 'eof') {
        yield* shell.p.stderr.write('exit\n');
        return shell.status;
      }
      shell.status = 130;
      continue;
    }
    killed = line.killed;
    remember(shell, line.text);
    yield* runLine(shell, line.text);
  }
}

type Line =
  | { readonly kind: 'line'; readonly text: string; readonly killed: string }
  | { readonly kind: 'eof' | 'interrupt' };

/** Lines until they make whole commands. */
function* readCommand(shell: Shell, killed: string): UserFlow<Line> {
  let text = '';
  for (;;) {
    const format = text === '' ? (shell.get('PS1') ?? DEFAULT_PS1) : (shell.get('PS2') ?? '> ');
    const result = yield* readline(shell.p, {
      prompt: yield* expandPrompt(shell, format),
      history: shell.history,
      complete: (line, cursor) => completeLine(shell, line, cursor),
      killed,
    });
    if (result.kind === 'eof' && text !== '') {
      yield* shell.error('syntax error: unexpected end of file');
      return { kind: 'interrupt' };
    }
    if (result.kind !== 'line') return result;
    ({ killed } = result);
    text += `${result.text}\n`;
    if (!isIncomplete(shell, text)) return { kind: 'line', text, killed };
  }
}

function isIncomplete(shell: Shell, text: string): boolean {
  for (let at = 0; ;) {
    const parsed = parseNext(text, at, (name) => shell.alias(name));
    if (parsed.kind === 'incomplete') return true;
    if (parsed.kind !== 'command') return /(^|[^\\])(\\\\)*\\\n$/.test(text);
    at = parsed.end;
  }
}

function remember(shell: Shell, text: string): void {
  const line = text.trimEnd();
  if (line.trim() === '' || line === shell.history.at(-1)) return;
  shell.history.push(line.replaceAll('\n', '; ').replaceAll(/\b(do|then|else|\{); /g, '$1 '));
  if (shell.history.length > HISTORY_LINES) shell.history.shift();
}

/** Errors and Ctrl-C end the line, not the shell; Exit passes. */
export function* runLine(shell: Shell, text: string): UserFlow<void> {
  try {
    for (let at = 0; ;) {
      const parsed = parseNext(text, at, (name) => shell.alias(name));
      if (parsed.kind === 'end') return;
      if (parsed.kind !== 'command') {
        yield* shell.error(parsed.message);
        shell.status = 2;
        return;
      }
      at = parsed.end;
      yield* checked(shell, parsed.command);
    }
  } catch (caught) {
    if (caught instanceof Exit) throw caught;
    yield* shell.p.stdout.flush();
    shell.loopDepth = 0;
    shell.testing = 0;
    if (caught instanceof ShellError) {
      yield* shell.error(caught.message);
      shell.status = caught.status;
    } else if (caught instanceof Interrupted) yield* shell.p.stderr.write('\n');
    else if (!(caught instanceof ReturnFunction) && !(caught instanceof BreakLoop)) throw caught;
  } finally {
    shell.interrupted = false;
  }
}
