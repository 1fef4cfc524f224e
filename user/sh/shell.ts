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
import type { Command, Word } from './ast.ts';
import { JobTable } from './jobs.ts';
import { Random } from './random.ts';
import type { Variable } from './variables.ts';
import { Variables } from './variables.ts';

export { ShellError } from './variables.ts';

/** Set with `set -e` and so on; the value is the option's short form, in the order of `$-`. */
export const SHELL_OPTIONS = {
  allexport: 'a',
  errexit: 'e',
  noglob: 'f',
  monitor: 'm',
  noexec: 'n',
  nounset: 'u',
  verbose: 'v',
  xtrace: 'x',
  noclobber: 'C',
  errtrace: 'E',
  pipefail: '',
  posix: '',
} as const;
export type ShellOption = keyof typeof SHELL_OPTIONS;

/** Set with `shopt -s`. */
export const SHOPT_OPTIONS = [
  'dotglob',
  'expand_aliases',
  'extglob',
  'failglob',
  'globstar',
  'nocaseglob',
  'nocasematch',
  'nullglob',
] as const;
export type ShoptOption = (typeof SHOPT_OPTIONS)[number];

/** Who runs the shell and where: what prompts show. */
export interface Identity {
  readonly uid: number;
  readonly user: string;
  readonly host: string;
}

export interface ShellFunction {
  readonly body: Command;
  /** As it was written. */
  readonly text: string;
}

/** What expansion and builtins need of the executor. */
export interface Executor {
  /** Run source text in this shell; the status of its last command. */
  runSource(shell: Shell, source: string): UserFlow<number>;
  /** Output of a command substitution without its trailing newlines. */
  substitute(shell: Shell, source: string): UserFlow<string>;
  /** The path under which the other end of a process's stdin or stdout is open. */
  processFile(shell: Shell, direction: '<' | '>', source: string): UserFlow<string>;
  runSimple(shell: Shell, argv: readonly string[], plain: boolean): UserFlow<number>;
  execute(shell: Shell, command: Command): UserFlow<number>;
  isBuiltin(name: string): boolean;
  /** A word as one string: the subscript of an array. */
  expandText(shell: Shell, word: Word): UserFlow<string>;
}

export class Shell {
  readonly p: Process;
  readonly executor: Executor;
  readonly variables: Variables;
  readonly functions = new Map<string, ShellFunction>();
  readonly aliases = new Map<string, string>();
  readonly options = new Set<ShellOption>();
  readonly shopts = new Set<ShoptOption>();
  /** Commands by signal name, 'EXIT' and 'ERR' among them. */
  readonly traps = new Map<string, string>();
  readonly pendingSignals: number[] = [];
  /** Variables that running functions have made local: what to put back, innermost last. */
  readonly locals: Map<string, Variable | undefined>[] = [];
  /** Arrays among the arguments of a declaring builtin: name to what is assigned. */
  arrayArguments = new Map<
    string,
    { readonly entries: (readonly [string | undefined, string])[]; readonly append: boolean }
  >();
  readonly jobs = new JobTable();
  readonly random = new Random();
  history: string[] = [];
  /** Directories below the current one, for pushd and popd. */
  directories: string[] = [];
  /** $0 and $1… */
  name: string;
  args: string[] = [];
  pid = 0;
  status = 0;
  pipeStatus: readonly number[] = [0];
  lastBackground = 0;
  /** Last word of the last command: `$_`. */
  lastArgument = '';
  /** Started with -c or -s: these letters stand in `$-`. */
  source: '' | 'c' | 's' = '';
  interactive = false;
  /** Commands are typed: messages need no line. True in a subshell of an interactive shell too. */
  typed = false;
  /** Process group of the shell, which owns the terminal between jobs. */
  group = 0;
  line = 0;
  loopDepth = 0;
  /** Names of the functions that run, innermost first. */
  callers: readonly string[] = [];
  /** Sourced files that run. */
  sourceDepth = 0;
  /** Command substitutions around this one, which -x shows. */
  substitutionDepth = 0;
  /** Greater than 0 in the test of if, while, && and so on, where set -e does not apply. */
  testing = 0;
  /** Ctrl-C while the shell itself was running. */
  interrupted = false;
  identity: Identity | undefined;
  /** Time of CLOCK_MONOTONIC at the start, for SECONDS; undefined until it is asked for. */
  startedNs: bigint | undefined;
  /** Values that only a system call tells, fetched before arithmetic wants them. */
  readonly fetched = new Map<string, string>();
  /** Where getopts stands within the word that OPTIND names. */
  getoptsPlace = { index: 1, place: 1 };
  /** Status of the last command substitution, which a bare assignment takes on. */
  substitutionStatus: number | undefined;
  /** This shell's ends of process substitutions. */
  processFds: number[] = [];
  /** Their processes, until `wait` has seen their ends. */
  processPids: number[] = [];

  constructor(p: Process, executor: Executor, name: string, variables = new Variables()) {
    this.p = p;
    this.executor = executor;
    this.name = name;
    this.variables = variables;
  }

  /** Take the environment over as exported variables. */
  importEnvironment(): void {
    for (const [name, value] of this.p.env) this.variables.assign(name, value, { exported: true });
  }

  fork(p: Process): Shell {
    const child = new Shell(p, this.executor, this.name, this.variables.fork());
    for (const [name, body] of this.functions) child.functions.set(name, body);
    for (const [name, text] of this.aliases) child.aliases.set(name, text);
    for (const option of this.options) if (option !== 'monitor') child.options.add(option);
    for (const option of this.shopts) child.shopts.add(option);
    child.args = [...this.args];
    child.pid = this.pid;
    child.status = this.status;
    child.pipeStatus = this.pipeStatus;
    child.lastBackground = this.lastBackground;
    child.lastArgument = this.lastArgument;
    child.source = this.source;
    child.line = this.line;
    child.typed = this.typed;
    child.loopDepth = this.loopDepth;
    child.callers = this.callers;
    child.sourceDepth = this.sourceDepth;
    child.substitutionDepth = this.substitutionDepth;
    child.testing = this.testing;
    child.locals.push(...this.locals.map((saved) => new Map(saved)));
    child.history = this.history;
    child.directories = [...this.directories];
    child.jobs.inherit(this.jobs);
    child.startedNs = this.startedNs;
    child.getoptsPlace = { ...this.getoptsPlace };
    return child;
  }

  get(name: string): string | undefined {
    return this.variables.get(name);
  }

  set(name: string, value: string, exported?: boolean): void {
    const all = this.options.has('allexport') ? true : undefined;
    const shown = exported ?? all;
    this.variables.assign(name, value, shown === undefined ? {} : { exported: shown });
    if (name === 'RANDOM') this.random.seed(Number(value) || 0);
    if (name === 'OPTIND') this.getoptsPlace = { index: Number(value) || 1, place: 1 };
  }

  setArray(name: string, values: readonly string[]): void {
    this.variables.assignArray(
      name,
      values.map((value) => [undefined, value] as const),
    );
  }

  unset(name: string): void {
    this.variables.unset(name);
  }

  /** Scripts do not expand aliases unless they ask for it. */
  alias(name: string): string | undefined {
    const expands = this.interactive || this.shopts.has('expand_aliases');
    return expands ? this.aliases.get(name) : undefined;
  }

  /** `name` or `name[subscript]`, as -v asks. */
  isSet(text: string): boolean {
    const match = /^([A-Za-z_]\w*)\[(.*)\]$/s.exec(text);
    if (!match) return this.parameter(text) !== undefined;
    return this.variables.element(match[1]!, match[2]!) !== undefined;
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
      case '_':
        return this.lastArgument;
      case 'LINENO':
        return String(this.line);
      case 'RANDOM':
        return String(this.random.next());
      case 'FUNCNAME':
        return this.callers[0];
      case '@':
      case '*':
        return this.args.length === 0 ? undefined : this.args.join(' ');
    }
    if (/^\d+$/.test(name)) return this.args[Number(name) - 1];
    return this.get(name) ?? this.fetched.get(name);
  }

  /** Elements of an array, the shell's own among them. */
  entries(name: string): (readonly [key: string, value: string])[] {
    const numbered = (values: readonly string[]): [string, string][] =>
      values.map((value, index) => [String(index), value]);
    switch (name) {
      case 'PIPESTATUS':
        return numbered(this.pipeStatus.map(String));
      case 'FUNCNAME':
        return numbered(this.callers);
      case 'DIRSTACK':
        return numbered([this.get('PWD') ?? '/', ...this.directories]);
    }
    return this.variables.entries(name);
  }

  optionLetters(): string {
    let letters = '';
    for (const [option, letter] of Object.entries(SHELL_OPTIONS)) {
      if (this.options.has(option as ShellOption)) letters += letter;
      // Hashing and brace expansion are always on.
      if (option === 'noglob') letters += this.interactive ? 'hi' : 'h';
      if (option === 'xtrace') letters += 'B';
    }
    return letters + this.source;
  }

  /** The environment of a command started now. */
  exported(): Map<string, string> {
    const env = new Map<string, string>();
    for (const name of this.variables.names()) {
      const variable = this.variables.lookup(name)!;
      if (variable.exported && variable.value !== undefined) env.set(name, variable.value);
    }
    return env;
  }

  /** `sh: text`, with the line where commands come from a script. */
  error(text: string): UserFlow<void> {
    return this.p.error(this.typed || this.line === 0 ? text : `line ${this.line}: ${text}`);
  }
}
