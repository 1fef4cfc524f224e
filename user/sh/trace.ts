/** `set -x`: commands on stderr before they run, each substitution one PS4 character deeper. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { parseQuoted } from './parser.ts';
import { quoteWord } from './quote.ts';
import type { Shell } from './shell.ts';

export function* traceText(shell: Shell, text: string): UserFlow<void> {
  if (!shell.options.has('xtrace')) return;
  const format = shell.get('PS4') ?? '+ ';
  // Not traced itself, as it might be by commands in it.
  shell.options.delete('xtrace');
  const mark = format.includes('$')
    ? yield* shell.executor.expandText(shell, parseQuoted(format))
    : format;
  shell.options.add('xtrace');
  const deeper = mark.slice(0, 1).repeat(shell.substitutionDepth);
  yield* shell.p.stdout.flush();
  yield* shell.p.stderr.write(`${deeper}${mark}${text}\n`);
}

export function* traceCommand(
  shell: Shell,
  assignments: readonly string[],
  argv: readonly string[],
): UserFlow<void> {
  if (!shell.options.has('xtrace')) return;
  const words = argv.map((arg) => (arg === '' ? "''" : quoteWord(arg)));
  // bash shows assignments on lines of their own.
  for (const assignment of assignments) yield* traceText(shell, assignment);
  if (words.length > 0) yield* traceText(shell, words.join(' '));
}
