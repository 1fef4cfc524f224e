/**
 * `[[ ]]`: the right side of == is a pattern, of =~ a regular expression, numbers are arithmetic,
 * and what && and || leave out is not expanded.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { compileRegex, RegexError } from '../libc/regex/regex.ts';
import type { Condition, Word } from './ast.ts';
import { evaluateText, expandPattern, expandText } from './expand.ts';
import { escapeRegExp, matchPattern } from './pattern.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';
import { compareIntegers, testFiles, testUnary } from './test-operators.ts';

export function* evaluateCondition(shell: Shell, condition: Condition): UserFlow<boolean> {
  switch (condition.kind) {
    case 'word':
      return (yield* expandText(shell, condition.word)) !== '';
    case 'not':
      return !(yield* evaluateCondition(shell, condition.inner));
    case 'and':
      if (!(yield* evaluateCondition(shell, condition.left))) return false;
      return yield* evaluateCondition(shell, condition.right);
    case 'or':
      if (yield* evaluateCondition(shell, condition.left)) return true;
      return yield* evaluateCondition(shell, condition.right);
    case 'unary': {
      const text = yield* expandText(shell, condition.word);
      if (condition.op === '-v') return shell.isSet(text);
      if (condition.op === '-o') return ([...shell.options] as string[]).includes(text);
      return yield* testUnary(shell.p, condition.op, text);
    }
    case 'binary':
      return yield* binary(shell, condition.left, condition.op, condition.right);
  }
}

function* binary(shell: Shell, left: Word, op: string, right: Word): UserFlow<boolean> {
  const text = yield* expandText(shell, left);
  switch (op) {
    case '=':
    case '==':
      return matchPattern(yield* expandPattern(shell, right), text);
    case '!=':
      return !matchPattern(yield* expandPattern(shell, right), text);
    case '=~':
      return matchRegex(shell, text, yield* expandRegex(shell, right));
    case '<':
      return text < (yield* expandText(shell, right));
    case '>':
      return text > (yield* expandText(shell, right));
    case '-nt':
    case '-ot':
    case '-ef':
      return yield* testFiles(shell.p, text, op, yield* expandText(shell, right));
  }
  const a = yield* evaluateText(shell, text);
  return compareIntegers(a, op, yield* evaluateText(shell, yield* expandText(shell, right)));
}

/** What is quoted matches itself. */
function* expandRegex(shell: Shell, word: Word): UserFlow<string> {
  let out = '';
  for (const part of word) {
    const text = yield* expandText(shell, [part]);
    out += part.quoted ? escapeRegExp(text) : text;
  }
  return out;
}

function matchRegex(shell: Shell, text: string, source: string): boolean {
  let match;
  try {
    match = compileRegex(source, { extended: true }).find(text);
  } catch (caught) {
    if (!(caught instanceof RegexError)) throw caught;
    throw new ShellError(`invalid regular expression \`${source}': ${caught.message}`, 2);
  }
  const groups = match ? match.groups.map((group) => group ?? '') : [];
  shell.setArray('BASH_REMATCH', groups);
  return match !== undefined;
}
