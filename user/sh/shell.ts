/**
 * The state of one shell: variables, functions, options, jobs. A subshell is a copy.
 *
 *   shell.get(name), shell.set(name, value)    variables; special parameters through `parameter`
 *   shell.fork(p)                              the child's shell after fork
 *
 * What runs commands is `execute.ts`; the shell holds a reference to it, so that expansion can
 * substitute commands without importing it.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Process } from '../libc/process.ts';
import type { Command } from './ast.ts';
import { JobTable } from './jobs.ts';

export interface Variable {
  readonly value: string;
  readonly exported: boolean;
  readonly readonly: boolean;
}

/** Set with `set -e` and so on; `letter` is the option's short form. */
export const SHELL_OPTIONS = {
  errexit: 'e',
  nounset: 'u',
  xtrace: 'x',
  noglob: 'f',
  verbose: 'v',
  noclobber: 'C',
  allexport: 'a',
  monitor: 'm',
  pipefail: '',
} as const;
export type ShellOption = keyof typeof SHELL_OPTIONS;

/** Who runs the shell and where: what prompts show. */
export interface Identity {
  readonly uid: number;
  readonly user: string;
  readonly host: string;
}

/** A command failed in a way that ends a non-interactive shell and aborts an interactive line. */
export class ShellError extends Error {
  override name = 'ShellError';
  readonly status: number;
  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** What expansion and builtins need of the executor. */
export interface Executor {
  /** Run source text in this shell; the status of its last command. */
  runSource(shell: Shell, source: string): UserFlow<number>;
  /** Output of a command substitution without its trailing newlines. */
  substitute(shell: Shell, source: string): UserFlow<string>;
  runSimple(shell: Shell, argv: readonly string[], plain: boolean): UserFlow<number>;
}

/** A process of this machine would have no room for more. */
const MAX_VALUE_CHARS = 1 << 24;

export class Shell {
  readonly p: Process;
  readonly executor: Executor;
  readonly variables = new Map<string, Variable>();
  readonly functions = new Map<string, Command>();
  readonly aliases = new Map<string, string>();
  readonly options = new Set<ShellOption>();
  /** Commands by signal name, 'EXIT' among them. */
  readonly traps = new Map<string, string>();
  readonly pendingSignals: number[] = [];
  /** Variables that running functions have made local: what to put back, innermost last. */
  readonly locals: Map<string, Variable | undefined>[] = [];
  readonly jobs = new JobTable();
  history: string[] = [];
  /** $0 and $1… */
  name: string;
  args: string[] = [];
  pid = 0;
  status = 0;
  lastBackground = 0;
  interactive = false;
  /** Process group of the shell, which owns the terminal between jobs. */
  group = 0;
  loopDepth = 0;
  functionDepth = 0;
  /** Greater than 0 in the test of if, while, && and so on, where set -e does not apply. */
  testing = 0;
  /** Ctrl-C while the shell itself was running. */
  interrupted = false;
  identity: Identity | undefined;
  /** Where getopts stands within the word that OPTIND names. */
  getoptsPlace = { index: 1, place: 1 };
  /** Status of the last command substitution, which a bare assignment takes on. */
  substitutionStatus: number | undefined;

  constructor(p: Process, executor: Executor, name: string) {
    this.p = p;
    this.executor = executor;
    this.name = name;
    for (const [key, value] of p.env) {
      this.variables.set(key, { value, exported: true, readonly: false });
    }
  }

  fork(p: Process): Shell {
    const child = new Shell(p, this.executor, this.name);
    child.variables.clear();
    for (const [name, variable] of this.variables) child.variables.set(name, variable);
    for (const [name, body] of this.functions) child.functions.set(name, body);
    for (const [name, text] of this.aliases) child.aliases.set(name, text);
    for (const option of this.options) if (option !== 'monitor') child.options.add(option);
    child.args = [...this.args];
    child.pid = this.pid;
    child.status = this.status;
    child.lastBackground = this.lastBackground;
    child.loopDepth = this.loopDepth;
    child.functionDepth = this.functionDepth;
    child.testing = this.testing;
    child.locals.push(...this.locals.map((saved) => new Map(saved)));
    child.history = this.history;
    return child;
  }

  get(name: string): string | undefined {
    return this.variables.get(name)?.value;
  }

  set(name: string, value: string, exported?: boolean): void {
    if (value.length > MAX_VALUE_CHARS) throw new ShellError(`${name}: cannot allocate memory`);
    const old = this.variables.get(name);
    if (old?.readonly) throw new ShellError(`${name}: readonly variable`);
    this.variables.set(name, {
      value,
      exported: exported ?? old?.exported ?? this.options.has('allexport'),
      readonly: false,
    });
  }

  unset(name: string): void {
    if (this.variables.get(name)?.readonly) {
      throw new ShellError(`${name}: cannot unset: readonly variable`);
    }
    this.variables.delete(name);
  }

  /** The value of `$name`, special and positional ones included, except `@` and `*`. */
  parameter(name: string): string | undefined {
    switch (name) {
      case '?':
        return String(this.status);
      case '$':
        return String(this.pid);
      case '!':
        return this.lastBackground === 0 ? undefined : String(this.lastBackground);
      case '#':
        return String(this.args.length);
      case '-':
        return this.optionLetters();
      case '0':
        return this.name;
      case '@':
      case '*':
        return this.args.length === 0 ? undefined : this.args.join(' ');
    }
    if (/^\d+$/.test(name)) return this.args[Number(name) - 1];
    return this.get(name);
  }

  optionLetters(): string {
    let letters = '';
    for (const option of this.options) letters += SHELL_OPTIONS[option];
    return letters + (this.interactive ? 'i' : '');
  }

  /** The environment of a command started now. */
  exported(): Map<string, string> {
    const env = new Map<string, string>();
    for (const [name, variable] of this.variables) {
      if (variable.exported) env.set(name, variable.value);
    }
    return env;
  }

  /** How messages call the shell: `sh: ` or, in a script, its name and line are left out. */
  error(text: string): UserFlow<void> {
    return this.p.error(text);
  }
}
