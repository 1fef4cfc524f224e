/** Builtins that steer the shell: loops, functions, eval, exec, exit, set, trap. */
import { deepCall } from '../../libc/deep-call.ts';
import { isDirectory } from '../../libc/directory.ts';
import { readTextFile, stat } from '../../libc/files.ts';
import { Exit } from '../../libc/process.ts';
import { strerror } from '../../libc/strerror.ts';
import * as tasks from '../../libc/tasks.ts';
import { evaluateText } from '../expand.ts';
import { BreakLoop, ReturnFunction } from '../control.ts';
import { listSignals } from '../../coreutils/kill.ts';
import { quoteDouble, quoteSingle, quoteWord } from '../quote.ts';
import type { Shell, ShellOption } from '../shell.ts';
import { SHELL_OPTIONS } from '../shell.ts';
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import type { Builtin, BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';
import { describe, meaningsOf, terse } from './describe.ts';

/** A file that sources itself would never end. */
const MAX_SOURCE_DEPTH = 200;

const source: Builtin = {
  usage: 'FILE [ARGUMENT]...',
  help: 'Run the commands of FILE in this shell.',
  *run(shell, args) {
    const [name, ...rest] = args[0] === '--' ? args.slice(1) : args;
    if (name === undefined) return yield* complain(shell, '.', 'filename argument required', 2);
    const path = yield* findSource(shell, name);
    const text = yield* readTextFile(shell.p, path);
    if (typeof text === 'number') return yield* complain(shell, name, strerror(text));
    if (shell.sourceDepth >= MAX_SOURCE_DEPTH) {
      return yield* complain(shell, name, 'maximum source nesting level exceeded');
    }
    const { args: outer, line } = shell;
    if (rest.length > 0) shell.args = rest;
    shell.sourceDepth++;
    shell.line = 1;
    try {
      return yield* deepCall(shell.executor.runSource(shell, text));
    } catch (caught) {
      if (caught instanceof ReturnFunction) return caught.status;
      throw caught;
    } finally {
      shell.sourceDepth--;
      shell.args = outer;
      shell.line = line;
    }
  },
};

/** A name without a slash is looked for along PATH, then here; it need not be executable. */
function* findSource(shell: Shell, name: string): UserFlow<string> {
  if (name.includes('/')) return name;
  for (const directory of (shell.get('PATH') ?? '').split(':')) {
    const path = `${directory || '.'}/${name}`;
    const status = yield* stat(shell.p, path);
    if (typeof status !== 'number' && !isDirectory(status.mode)) return path;
  }
  return name;
}

function leaveLoop(name: 'break' | 'continue'): Builtin {
  return {
    usage: '[N]',
    help:
      name === 'break'
        ? 'Leave the innermost loop, or N loops.'
        : 'Start the next round of the innermost loop, or of the Nth.',
    *run(shell, args) {
      if (shell.loopDepth === 0) {
        const text = "only meaningful in a `for', `while', or `until' loop";
        return yield* complain(shell, name, text, 0);
      }
      const levels = Number(args[0] ?? 1);
      if (!Number.isInteger(levels) || levels < 1) {
        return yield* complain(shell, name, `${args[0]}: loop count out of range`);
      }
      throw new BreakLoop(Math.min(levels, shell.loopDepth), name === 'continue');
    },
  };
}

/** `set -e`, `set +e`, `set -o pipefail`, `set -- a b`. */
function* set(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args.length === 0) {
    yield* showVariables(shell);
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
          yield* showOptions(shell, on);
          return 0;
        }
        if (!(name in SHELL_OPTIONS)) {
          return yield* complain(shell, 'set', `${name}: invalid option name`, 2);
        }
        toggle(shell, name as ShellOption, on);
        continue;
      }
      // Hashing and brace expansion are always on.
      if ('hBHPbktT'.includes(letter)) continue;
      const row = Object.entries(SHELL_OPTIONS).find(([, short]) => short === letter);
      if (!row) return yield* complain(shell, 'set', `${arg[0]}${letter}: invalid option`, 2);
      toggle(shell, row[0] as ShellOption, on);
    }
  }
  if (at < args.length) shell.args = args.slice(at);
  return 0;
}

function* showVariables(shell: Shell): UserFlow<void> {
  for (const name of shell.variables.names()) {
    const variable = shell.variables.lookup(name)!;
    if (!variable.elements) {
      if (variable.value === undefined) continue;
      const text = variable.value === '' ? '' : quoteWord(variable.value);
      yield* shell.p.println(`${name}=${text}`);
      continue;
    }
    const elements = shell.variables
      .entries(name)
      .map(([key, value]) => `[${key}]=${quoteDouble(value)}`);
    yield* shell.p.println(`${name}=(${elements.join(' ')})`);
  }
  for (const name of [...shell.functions.keys()].sort()) {
    yield* shell.p.println(shell.functions.get(name)!.text);
  }
}

function* showOptions(shell: Shell, asTable: boolean): UserFlow<void> {
  for (const option of (Object.keys(SHELL_OPTIONS) as ShellOption[]).sort()) {
    const isOn = shell.options.has(option);
    const line = asTable
      ? `${option.padEnd(15)}\t${isOn ? 'on' : 'off'}`
      : `set ${isOn ? '-' : '+'}o ${option}`;
    yield* shell.p.println(line);
  }
}

function toggle(shell: Shell, option: ShellOption, on: boolean): void {
  if (on) shell.options.add(option);
  else shell.options.delete(option);
}

/** Conditions besides signals; what `trap` calls them and where they stand in its list. */
const CONDITIONS = ['ERR', 'DEBUG', 'RETURN'];

function trapName(text: string): string | undefined {
  const upper = text.toUpperCase();
  if (CONDITIONS.includes(upper)) return upper;
  const signal = tasks.signalNumber(text);
  if (signal === undefined) return undefined;
  return tasks.SIGNALS[signal] ?? String(signal);
}

function* showTraps(shell: Shell, names: readonly string[]): UserFlow<void> {
  const order = (name: string): number => tasks.signalNumber(name) ?? 1000;
  const shown = [...shell.traps].filter(([name]) => names.length === 0 || names.includes(name));
  for (const [name, command] of shown.sort(([a], [b]) => order(a) - order(b))) {
    const text = name === 'EXIT' || CONDITIONS.includes(name) ? name : `SIG${name}`;
    yield* shell.p.println(`trap -- ${quoteSingle(command)} ${text}`);
  }
}

function* trap(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args[0] === '-l') {
    yield* listSignals(shell.p);
    return 0;
  }
  const words = args[0] === '--' ? args.slice(1) : args;
  if (words.length === 0 || words[0] === '-p') {
    yield* showTraps(
      shell,
      words.slice(1).map((text) => trapName(text) ?? text),
    );
    return 0;
  }
  const [command = '', ...names] = words;
  const onlyNames = names.length === 0 || /^\d+$/.test(command);
  let status = 0;
  for (const text of onlyNames ? words : names) {
    const name = trapName(text);
    if (name === undefined) {
      status = yield* complain(shell, 'trap', `${text}: invalid signal specification`);
      continue;
    }
    const reset = onlyNames || command === '-';
    if (reset) shell.traps.delete(name);
    else shell.traps.set(name, command);
    const signal = tasks.signalNumber(name) ?? 0;
    if (signal === 0 || CONDITIONS.includes(name)) continue;
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
      if (shell.callers.length === 0 && shell.sourceDepth === 0) {
        const text = "can only `return' from a function or sourced script";
        return yield* complain(shell, 'return', text, 2);
      }
      const [text] = args;
      if (text !== undefined && !/^[-+]?\d+$/.test(text)) {
        yield* complain(shell, 'return', `${text}: numeric argument required`);
        throw new ReturnFunction(2);
      }
      throw new ReturnFunction(text === undefined ? shell.status : Number(text) & 0xff);
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
    usage: '[-vV] COMMAND [ARGUMENT]...',
    help: 'Run COMMAND, passing over functions; -v and -V say what it is.',
    *run(shell, args) {
      const flags = /^-[pvV]+$/.test(args[0] ?? '') ? args[0]! : '';
      const words = flags === '' ? args : args.slice(1);
      if (!/[vV]/.test(flags)) {
        return words.length === 0 ? 0 : yield* shell.executor.runSimple(shell, words, true);
      }
      let status = words.length === 0 ? 0 : 1;
      for (const name of words) {
        const [meaning] = yield* meaningsOf(shell, name, shell.executor.isBuiltin);
        if (meaning) {
          status = 0;
          const verbose = flags.includes('V');
          yield* shell.p.println(verbose ? describe(name, meaning) : terse(name, meaning));
        } else if (flags.includes('V')) yield* complain(shell, 'command', `${name}: not found`);
      }
      return status;
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
      const [text = '1'] = args;
      if (!/^-?\d+$/.test(text)) {
        return yield* complain(shell, 'shift', `${text}: numeric argument required`);
      }
      const count = Number(text);
      if (count < 0) return yield* complain(shell, 'shift', `${text}: shift count out of range`);
      if (count > shell.args.length) return 1;
      shell.args.splice(0, count);
      return 0;
    },
  },
  let: {
    usage: 'EXPRESSION...',
    help: 'Evaluate arithmetic; the status is 1 where the last value is 0.',
    *run(shell, args) {
      let value = 0n;
      if (args.length === 0) return yield* complain(shell, 'let', 'expression expected');
      for (const arg of args) value = yield* evaluateText(shell, arg);
      return value === 0n ? 1 : 0;
    },
  },
  trap: {
    usage: '[COMMAND SIGNAL...]',
    help: "Run COMMAND on a signal or on EXIT; '' ignores it, - restores the default.",
    run: trap,
  },
};
