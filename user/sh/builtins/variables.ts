/** Builtins about variables, aliases and input. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { read as readBytes } from '../../libc/files.ts';
import { decodeText } from '../../libc/text.ts';
import { quoteWord } from '../quote.ts';
import type { Shell } from '../shell.ts';
import { isName } from '../words.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

/** export and readonly: `NAME`, `NAME=VALUE`, -p. */
function* declare(
  shell: Shell,
  args: readonly string[],
  command: 'export' | 'readonly',
): UserFlow<number> {
  const names = args.filter((arg) => arg !== '-p' && arg !== '-n');
  const flag = command === 'export' ? 'exported' : 'readonly';
  if (names.length === 0) {
    for (const [name, variable] of [...shell.variables].sort()) {
      if (variable[flag]) yield* shell.p.println(`${command} ${name}=${quoteWord(variable.value)}`);
    }
    return 0;
  }
  let status = 0;
  for (const arg of names) {
    const { name, value } = splitAssignment(arg);
    if (!isName(name)) {
      status = yield* complain(shell, command, `\`${arg}': not a valid identifier`);
      continue;
    }
    if (value !== undefined) shell.set(name, value);
    const old = shell.variables.get(name) ?? { value: '', exported: false, readonly: false };
    shell.variables.set(name, { ...old, [flag]: !args.includes('-n') });
  }
  return status;
}

function splitAssignment(text: string): { name: string; value: string | undefined } {
  const at = text.indexOf('=');
  if (at < 0) return { name: text, value: undefined };
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

function* local(shell: Shell, args: readonly string[]): UserFlow<number> {
  const scope = shell.locals.at(-1);
  if (!scope) return yield* complain(shell, 'local', 'can only be used in a function');
  for (const arg of args) {
    const { name, value } = splitAssignment(arg);
    if (!isName(name)) return yield* complain(shell, 'local', `\`${arg}': not a valid identifier`);
    if (!scope.has(name)) scope.set(name, shell.variables.get(name));
    shell.set(name, value ?? '');
  }
  return 0;
}

/** One line from stdin, byte by byte: what follows it belongs to the next reader. */
function* readLine(
  shell: Shell,
  raw: boolean,
  limit: number,
): UserFlow<{ text: string; ended: boolean }> {
  const bytes: number[] = [];
  /** Positions of characters that a backslash protects from splitting. */
  let escaped = false;
  while (bytes.length < limit) {
    const got = yield* readBytes(shell.p, 0, 1);
    if (typeof got === 'number' || got.length === 0) {
      return { text: decodeText(Uint8Array.from(bytes)), ended: true };
    }
    const byte = got[0]!;
    if (escaped) {
      escaped = false;
      if (byte !== 10) bytes.push(byte);
      continue;
    }
    if (byte === 92 && !raw) {
      escaped = true;
      continue;
    }
    if (byte === 10) break;
    bytes.push(byte);
  }
  return { text: decodeText(Uint8Array.from(bytes)), ended: false };
}

function* read(shell: Shell, args: readonly string[]): UserFlow<number> {
  let raw = false;
  let limit = Infinity;
  let at = 0;
  for (; at < args.length && /^-./.test(args[at]!); at++) {
    const arg = args[at]!;
    if (arg === '-r') raw = true;
    else if (arg === '-p') yield* shell.p.stderr.write(args[++at] ?? '');
    else if (arg === '-n') limit = Number(args[++at]);
    else return yield* complain(shell, 'read', `${arg}: invalid option`, 2);
  }
  const names = args.slice(at);
  if (names.length === 0) names.push('REPLY');
  const { text, ended } = yield* readLine(shell, raw, limit);
  assignFields(shell, names, text);
  return ended ? 1 : 0;
}

/** The first fields one by one, the rest with its separators to the last name. */
export function assignFields(shell: Shell, names: readonly string[], text: string): void {
  const ifs = shell.get('IFS') ?? ' \t\n';
  const isSpace = (char: string): boolean => ifs.includes(char) && ' \t\n'.includes(char);
  let at = 0;
  const skipSpaces = (): void => {
    while (at < text.length && isSpace(text[at]!)) at++;
  };
  skipSpaces();
  for (const name of names.slice(0, -1)) {
    const start = at;
    while (at < text.length && !ifs.includes(text[at]!)) at++;
    shell.set(name, text.slice(start, at));
    skipSpaces();
    if (at < text.length && ifs.includes(text[at]!)) {
      at++;
      skipSpaces();
    }
  }
  let end = text.length;
  while (end > at && isSpace(text[end - 1]!)) end--;
  shell.set(names.at(-1)!, text.slice(at, end));
}

export const variableBuiltins: BuiltinRows = {
  export: {
    usage: '[-n] [NAME[=VALUE]]...',
    help: 'Give variables to the commands that run from here on.',
    run: (shell, args) => declare(shell, args, 'export'),
  },
  readonly: {
    usage: '[NAME[=VALUE]]...',
    help: 'Make variables unchangeable.',
    run: (shell, args) => declare(shell, args, 'readonly'),
  },
  local: {
    usage: 'NAME[=VALUE]...',
    help: 'Variables of the running function.',
    run: local,
  },
  unset: {
    usage: '[-f] [-v] NAME...',
    help: 'Forget variables, or functions with -f.',
    *run(shell, args) {
      const functions = args.includes('-f');
      for (const name of args) {
        if (name === '-f' || name === '-v') continue;
        if (functions || (!shell.variables.has(name) && !args.includes('-v'))) {
          shell.functions.delete(name);
        } else shell.unset(name);
      }
      return 0;
    },
  },
  read: {
    usage: '[-r] [-p PROMPT] [-n COUNT] [NAME]...',
    help: 'Read a line and split it into variables.',
    run: read,
  },
  alias: {
    usage: '[NAME[=TEXT]]...',
    help: 'Let NAME stand for TEXT at the start of a command.',
    *run(shell, args) {
      let status = 0;
      const show = (name: string, text: string): UserFlow<void> =>
        shell.p.println(`alias ${name}='${text.replaceAll("'", "'\\''")}'`);
      if (args.length === 0) {
        for (const [name, text] of [...shell.aliases].sort()) yield* show(name, text);
      }
      for (const arg of args) {
        const { name, value } = splitAssignment(arg);
        if (value !== undefined) shell.aliases.set(name, value);
        else {
          const text = shell.aliases.get(name);
          if (text !== undefined) yield* show(name, text);
          else status = yield* complain(shell, 'alias', `${name}: not found`);
        }
      }
      return status;
    },
  },
  unalias: {
    usage: '[-a] NAME...',
    help: 'Forget aliases; -a all of them.',
    *run(shell, args) {
      if (args[0] === '-a') shell.aliases.clear();
      for (const name of args) shell.aliases.delete(name);
      return 0;
    },
  },
};
