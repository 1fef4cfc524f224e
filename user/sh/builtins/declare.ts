/** Builtins that give variables values and attributes: declare, local, export, readonly, unset. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { quoteDouble } from '../quote.ts';
import type { Shell } from '../shell.ts';
import type { Attributes, Variable } from '../variables.ts';
import { isName } from '../words.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

type Command = 'declare' | 'typeset' | 'local' | 'export' | 'readonly';

interface Request {
  /** Letters after - and after +. */
  readonly on: ReadonlySet<string>;
  readonly off: ReadonlySet<string>;
  readonly operands: readonly string[];
}

/** NAME, NAME=VALUE, NAME+=VALUE, NAME[SUBSCRIPT]=VALUE. */
const OPERAND = /^([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]]*)\])?(?:(\+?)=([^]*))?$/;
/** What `declare` may be asked for, in the order in which -p shows attributes. */
const LETTERS = 'aAfFgilprux';

function parse(args: readonly string[]): Request | string {
  const on = new Set<string>();
  const off = new Set<string>();
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === '--') {
      at++;
      break;
    }
    if (!/^[-+]./.test(arg)) break;
    for (const letter of arg.slice(1)) {
      if (!LETTERS.includes(letter) && letter !== 'n') return `${arg[0]}${letter}`;
      (arg.startsWith('-') ? on : off).add(letter);
    }
  }
  return { on, off, operands: args.slice(at) };
}

function* run(shell: Shell, command: Command, args: readonly string[]): UserFlow<number> {
  const request = parse(args);
  if (typeof request === 'string') {
    return yield* complain(shell, command, `${request}: invalid option`, 2);
  }
  const { on, operands } = request;
  if (command === 'local' && shell.locals.length === 0) {
    return yield* complain(shell, command, 'can only be used in a function');
  }
  if (on.has('f') || on.has('F')) return yield* showFunctions(shell, on.has('F'), operands);
  if (operands.length === 0) {
    yield* showAll(shell, command, request);
    return 0;
  }
  if (on.has('p') && command !== 'export' && command !== 'readonly') {
    return yield* showNamed(shell, command, operands);
  }
  let status = 0;
  for (const operand of operands) {
    status = (yield* declareOne(shell, command, request, operand)) || status;
  }
  return status;
}

function* declareOne(
  shell: Shell,
  command: Command,
  { on, off }: Request,
  operand: string,
): UserFlow<number> {
  const [, name, subscript, plus, value] = OPERAND.exec(operand) ?? [];
  if (name === undefined) {
    return yield* complain(shell, command, `\`${operand}': not a valid identifier`);
  }
  const { variables } = shell;
  const isLocal = command === 'local' || (/^(declare|typeset)$/.test(command) && !on.has('g'));
  const scope = isLocal ? shell.locals.at(-1) : undefined;
  if (scope && !scope.has(name)) {
    scope.set(name, variables.lookup(name));
    variables.restore(name, undefined);
  }
  const pending = shell.arrayArguments.get(name);
  const isArray = on.has('a') || on.has('A') || pending || subscript !== undefined;
  const array = on.has('A') ? 'associative' : 'indexed';
  const unexports = command === 'export' && on.has('n');
  const attributes: Partial<Attributes> = {
    ...(on.has('i') || off.has('i') ? { integer: on.has('i') } : {}),
    ...(on.has('u') ? { fold: 'upper' as const } : on.has('l') ? { fold: 'lower' as const } : {}),
    ...(on.has('x') || (command === 'export' && !unexports) ? { exported: true } : {}),
    ...(off.has('x') || unexports ? { exported: false } : {}),
  };
  if (!variables.lookup(name)?.readonly) {
    variables.declare(name, { ...attributes, ...(isArray ? { array } : {}) });
  }
  if (pending) variables.assignArray(name, pending.entries, pending.append);
  else if (value !== undefined && subscript !== undefined) {
    variables.assignElement(name, subscript, value, plus === '+');
  } else if (value !== undefined) {
    if (plus === '+') variables.assign(name, value, { append: true });
    else shell.set(name, value);
  }
  if (on.has('r') || command === 'readonly') variables.declare(name, { readonly: true });
  return 0;
}

/** As input that would declare it again. */
function declaration(shell: Shell, name: string, variable: Variable): string {
  const letters =
    (variable.elements ? (variable.associative ? 'A' : 'a') : '') +
    (variable.integer ? 'i' : '') +
    (variable.fold === 'lower' ? 'l' : '') +
    (variable.readonly ? 'r' : '') +
    (variable.fold === 'upper' ? 'u' : '') +
    (variable.exported ? 'x' : '');
  const head = `declare -${letters || '-'} ${name}`;
  if (!variable.elements) {
    return variable.value === undefined ? head : `${head}=${quoteDouble(variable.value)}`;
  }
  const elements = shell.variables
    .entries(name)
    .map(([key, value]) => `[${key}]=${quoteDouble(value)}`);
  if (!variable.associative) return `${head}=(${elements.join(' ')})`;
  return `${head}=(${elements.map((element) => `${element} `).join('')})`;
}

function* showAll(shell: Shell, command: Command, { on }: Request): UserFlow<void> {
  for (const name of shell.variables.names()) {
    const variable = shell.variables.lookup(name)!;
    if ((command === 'export' || on.has('x')) && !variable.exported) continue;
    if ((command === 'readonly' || on.has('r')) && !variable.readonly) continue;
    if (on.has('a') && (!variable.elements || variable.associative)) continue;
    if (on.has('A') && !variable.associative) continue;
    if (on.has('i') && !variable.integer) continue;
    if (command === 'local' && !shell.locals.at(-1)!.has(name)) continue;
    yield* shell.p.println(declaration(shell, name, variable));
  }
}

function* showNamed(shell: Shell, command: Command, names: readonly string[]): UserFlow<number> {
  let status = 0;
  for (const name of names) {
    const variable = shell.variables.lookup(name);
    if (variable) yield* shell.p.println(declaration(shell, name, variable));
    else status = yield* complain(shell, command, `${name}: not found`);
  }
  return status;
}

function* showFunctions(
  shell: Shell,
  onlyNames: boolean,
  names: readonly string[],
): UserFlow<number> {
  let status = 0;
  const wanted = names.length > 0 ? names : [...shell.functions.keys()].sort();
  for (const name of wanted) {
    const found = shell.functions.get(name);
    if (!found) status = 1;
    else if (!onlyNames) yield* shell.p.println(found.text);
    else yield* shell.p.println(names.length > 0 ? name : `declare -f ${name}`);
  }
  return status;
}

function* unset(shell: Shell, args: readonly string[]): UserFlow<number> {
  let status = 0;
  const functions = args.includes('-f');
  const onlyVariables = args.includes('-v');
  for (const arg of args) {
    if (arg === '-f' || arg === '-v') continue;
    const [, name = arg, subscript] = OPERAND.exec(arg) ?? [];
    if (!functions && !isName(name)) {
      status = yield* complain(shell, 'unset', `\`${arg}': not a valid identifier`);
      continue;
    }
    const isVariable = shell.variables.lookup(name) !== undefined;
    if (functions || (!isVariable && !onlyVariables)) shell.functions.delete(name);
    else if (shell.variables.lookup(name)?.readonly) {
      status = yield* complain(shell, 'unset', `${name}: cannot unset: readonly variable`);
    } else if (subscript !== undefined && subscript !== '@' && subscript !== '*') {
      shell.variables.unsetElement(name, subscript);
    } else shell.unset(name);
  }
  return status;
}

export const declareBuiltins: BuiltinRows = {
  declare: {
    usage: '[-aAfFgilrux] [-p] [NAME[=VALUE]]...',
    help: 'Give variables values and attributes; in a function they are local.',
    run: (shell, args) => run(shell, 'declare', args),
  },
  typeset: {
    usage: '[-aAfFgilrux] [-p] [NAME[=VALUE]]...',
    help: 'The same as declare.',
    run: (shell, args) => run(shell, 'typeset', args),
  },
  local: {
    usage: '[OPTION] NAME[=VALUE]...',
    help: 'Variables of the running function.',
    run: (shell, args) => run(shell, 'local', args),
  },
  export: {
    usage: '[-n] [-p] [NAME[=VALUE]]...',
    help: 'Give variables to the commands that run from here on.',
    run: (shell, args) => run(shell, 'export', args),
  },
  readonly: {
    usage: '[-a] [-p] [NAME[=VALUE]]...',
    help: 'Make variables unchangeable.',
    run: (shell, args) => run(shell, 'readonly', args),
  },
  unset: {
    usage: '[-f] [-v] NAME...',
    help: 'Forget variables, or functions with -f.',
    run: unset,
  },
};
