/** Builtins that steer the shell: loops, functions, eval, exec, exit, set, trap. */
import { readTextFile } from '../../libc/files.ts';
import { Exit } from '../../libc/process.ts';
import { strerror } from '../../libc/strerror.ts';
import * as tasks from '../../libc/tasks.ts';
import { evaluateText } from '../expand.ts';
import { BreakLoop, ReturnFunction } from '../control.ts';
import { quoteWord } from '../quote.ts';
import type { Shell, ShellOption } from '../shell.ts';
import { SHELL_OPTIONS } from '../shell.ts';
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import type { Builtin, BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

const source: Builtin = {
  usage: 'FILE [ARGUMENT]...',
  help: 'Run the commands of FILE in this shell.',
  *run(shell, args) {
    const [path, ...rest] = args;
    if (path === undefined) return yield* complain(shell, '.', 'filename argument required', 2);
    const text = yield* readTextFile(shell.p, path);
    if (typeof text === 'number') return yield* complain(shell, path, strerror(text));
    const outer = shell.args;
    if (rest.length > 0) shell.args = rest;
    try {
      return yield* shell.executor.runSource(shell, text);
    } catch (caught) {
      if (caught instanceof ReturnFunction) return caught.status;
      throw caught;
    } finally {
      shell.args = outer;
    }
  },
};

function leaveLoop(name: 'break' | 'continue'): Builtin {
  return {
    usage: '[N]',
    help:
      name === 'break'
        ? 'Leave the innermost loop, or N loops.'
        : 'Start the next round of the innermost loop, or of the Nth.',
    *run(shell, args) {
      const levels = Number(args[0] ?? 1);
      if (!Number.isInteger(levels) || levels < 1) {
        return yield* complain(shell, name, `${args[0]}: loop count out of range`);
      }
      if (shell.loopDepth === 0) return 0;
      throw new BreakLoop(Math.min(levels, shell.loopDepth), name === 'continue');
    },
  };
}

/** `set -e`, `set +e`, `set -o pipefail`, `set -- a b`. */
function* set(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args.length === 0) {
    for (const [name, { value }] of [...shell.variables].sort()) {
      yield* shell.p.println(`${name}=${quoteWord(value)}`);
    }
    return 0;
  }
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === '--' || arg === '-') {
      at++;
      shell.args = args.slice(at);
      return 0;
    }
    if (!/^[-+]./.test(arg)) break;
    const on = arg[0] === '-';
    for (const letter of arg.slice(1)) {
      if (letter === 'o') {
        const name = args[++at];
        if (name === undefined) {
          for (const option of Object.keys(SHELL_OPTIONS) as ShellOption[]) {
            const state = shell.options.has(option) ? 'on' : 'off';
            yield* shell.p.println(`${option.padEnd(16)}${state}`);
          }
          return 0;
        }
        if (!(name in SHELL_OPTIONS)) {
          return yield* complain(shell, 'set', `${name}: invalid option name`);
        }
        toggle(shell, name as ShellOption, on);
        continue;
      }
      const row = Object.entries(SHELL_OPTIONS).find(([, short]) => short === letter);
      if (!row) return yield* complain(shell, 'set', `${arg[0]}${letter}: invalid option`, 2);
      toggle(shell, row[0] as ShellOption, on);
    }
  }
  if (at < args.length) shell.args = args.slice(at);
  return 0;
}

function toggle(shell: Shell, option: ShellOption, on: boolean): void {
  if (on) shell.options.add(option);
  else shell.options.delete(option);
}

function* trap(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args.length === 0) {
    for (const [name, command] of shell.traps) {
      const text = name === 'EXIT' ? name : `SIG${name}`;
      yield* shell.p.println(`trap -- ${quoteWord(command) || "''"} ${text}`);
    }
    return 0;
  }
  const [command = '', ...names] = args[0] === '--' ? args.slice(1) : args;
  const onlyNames = names.length === 0 || /^\d+$/.test(command);
  let status = 0;
  for (const text of onlyNames ? [command, ...names] : names) {
    const signal = tasks.signalNumber(text);
    if (signal === undefined) {
      status = yield* complain(shell, 'trap', `${text}: invalid signal specification`);
      continue;
    }
    const name = tasks.SIGNALS[signal] ?? String(signal);
    const reset = onlyNames || command === '-';
    if (reset) shell.traps.delete(name);
    else shell.traps.set(name, command);
    if (signal === 0) continue;
    if (reset) yield* tasks.sigaction(shell.p, signal, tasks.SIG_DFL);
    else if (command === '') yield* tasks.sigaction(shell.p, signal, tasks.SIG_IGN);
    else {
      yield* tasks.sigaction(shell.p, signal, function* () {
        shell.pendingSignals.push(signal);
      });
    }
  }
  return status;
}

export const controlBuiltins: BuiltinRows = {
  ':': {
    usage: '[ARGUMENT]...',
    help: 'Do nothing, successfully.',
    *run() {
      return 0;
    },
  },
  '.': source,
  source,
  break: leaveLoop('break'),
  continue: leaveLoop('continue'),
  return: {
    usage: '[N]',
    help: 'Leave a function or a sourced file with status N.',
    *run(shell, args) {
      throw new ReturnFunction(args[0] === undefined ? shell.status : Number(args[0]) & 0xff);
    },
  },
  exit: {
    usage: '[N]',
    help: 'Leave the shell with status N.',
    *run(shell, args) {
      const [text] = args;
      if (text !== undefined && !/^-?\d+$/.test(text)) {
        yield* complain(shell, 'exit', `${text}: numeric argument required`);
        throw new Exit(2);
      }
      throw new Exit(text === undefined ? shell.status : Number(text) & 0xff);
    },
  },
  eval: {
    usage: '[ARGUMENT]...',
    help: 'Run the arguments as a command line.',
    *run(shell, args) {
      return yield* shell.executor.runSource(shell, args.join(' '));
    },
  },
  exec: {
    usage: '[COMMAND [ARGUMENT]...]',
    help: 'Replace the shell by COMMAND, or apply redirections for good.',
    // Reached only in a child made for it; execute.ts handles the shell's own.
    *run(shell, args) {
      if (args.length === 0) return 0;
      throw new Exit(yield* shell.executor.runSimple(shell, args, true));
    },
  },
  command: {
    usage: '[-v] COMMAND [ARGUMENT]...',
    help: 'Run COMMAND, passing over functions; -v says what it is.',
    *run(shell, args) {
      if (args[0] === '-v' || args[0] === '-V') {
        const [option, name = ''] = args;
        const kind = shell.functions.has(name)
          ? 'function'
          : yield* tasks.findExecutable(shell.p, name, shell.get('PATH'));
        if (kind === undefined) return 1;
        yield* shell.p.println(option === '-v' && kind === 'function' ? name : kind);
        return 0;
      }
      return args.length === 0 ? 0 : yield* shell.executor.runSimple(shell, args, true);
    },
  },
  set: {
    usage: '[-aefuvxC] [-o OPTION] [--] [ARGUMENT]...',
    help: 'Set options and positional parameters; without arguments list the variables.',
    run: set,
  },
  shift: {
    usage: '[N]',
    help: 'Drop the first N positional parameters.',
    *run(shell, args) {
      const count = Number(args[0] ?? 1);
      if (!(count >= 0 && count <= shell.args.length)) return 1;
      shell.args.splice(0, count);
      return 0;
    },
  },
  let: {
    usage: 'EXPRESSION...',
    help: 'Evaluate arithmetic; the status is 1 where the last value is 0.',
    *run(shell, args) {
      let value = 0n;
      for (const arg of args) value = evaluateText(shell, arg);
      return value === 0n ? 1 : 0;
    },
  },
  trap: {
    usage: '[COMMAND SIGNAL...]',
    help: "Run COMMAND on a signal or on EXIT; '' ignores it, - restores the default.",
    run: trap,
  },
};
