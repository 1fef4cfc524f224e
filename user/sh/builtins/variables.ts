/** Builtins about aliases and the shell's own options. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { quoteWord } from '../quote.ts';
import type { Shell, ShoptOption } from '../shell.ts';
import { SHOPT_OPTIONS } from '../shell.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain } from './builtin.ts';

function* alias(shell: Shell, args: readonly string[]): UserFlow<number> {
  let status = 0;
  const show = (name: string, text: string): UserFlow<void> =>
    shell.p.println(`alias ${name}=${text === '' ? "''" : quoteAlias(text)}`);
  const names = args.filter((arg) => arg !== '-p');
  if (names.length === 0) {
    for (const [name, text] of [...shell.aliases].sort()) yield* show(name, text);
  }
  for (const arg of names) {
    const at = arg.indexOf('=');
    if (at > 0) {
      shell.aliases.set(arg.slice(0, at), arg.slice(at + 1));
      continue;
    }
    const text = shell.aliases.get(arg);
    if (text !== undefined) yield* show(arg, text);
    else status = yield* complain(shell, 'alias', `${arg}: not found`);
  }
  return status;
}

function quoteAlias(text: string): string {
  const quoted = quoteWord(text);
  return quoted.startsWith("'") || quoted.startsWith('$') ? quoted : `'${quoted}'`;
}

function* unalias(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args[0] === '-a') {
    shell.aliases.clear();
    return 0;
  }
  let status = 0;
  for (const name of args) {
    if (!shell.aliases.delete(name)) {
      status = yield* complain(shell, 'unalias', `${name}: not found`);
    }
  }
  return status;
}

function* shopt(shell: Shell, args: readonly string[]): UserFlow<number> {
  const flags = args.filter((arg) => arg.startsWith('-')).join('');
  const names = args.filter((arg) => !arg.startsWith('-'));
  const known = SHOPT_OPTIONS as readonly string[];
  let status = 0;
  for (const name of names.length > 0 ? names : known) {
    if (!known.includes(name)) {
      status = yield* complain(shell, 'shopt', `${name}: invalid shell option name`);
      continue;
    }
    const option = name as ShoptOption;
    const isOn = shell.shopts.has(option);
    if (names.length > 0 && flags.includes('s')) shell.shopts.add(option);
    else if (names.length > 0 && flags.includes('u')) shell.shopts.delete(option);
    else {
      if (!flags.includes('q')) {
        yield* shell.p.println(
          flags.includes('p')
            ? `shopt -${isOn ? 's' : 'u'} ${name}`
            : `${name.padEnd(15)}\t${isOn ? 'on' : 'off'}`,
        );
      }
      if (names.length > 0 && !isOn) status = 1;
    }
  }
  return status;
}

export const variableBuiltins: BuiltinRows = {
  alias: {
    usage: '[-p] [NAME[=TEXT]]...',
    help: 'Let NAME stand for TEXT at the start of a command.',
    run: alias,
  },
  unalias: {
    usage: '[-a] NAME...',
    help: 'Forget aliases; -a all of them.',
    run: unalias,
  },
  shopt: {
    usage: '[-pqsu] [OPTION]...',
    help: 'Show the options of patterns and aliases, or set (-s) and unset (-u) them.',
    run: shopt,
  },
};
