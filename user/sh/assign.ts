/** Assignments: of scalars, elements and whole arrays, before commands and as their arguments. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { ArrayElement, Assignment } from './ast.ts';
import { expandText, expandWords } from './expand.ts';
import { quoteWord } from './quote.ts';
import type { Shell } from './shell.ts';

type Entries = (readonly [key: string | undefined, value: string])[];

/** Returns the value as -x shows it. */
export function* applyAssignment(
  shell: Shell,
  assignment: Assignment,
  exported?: boolean,
): UserFlow<string> {
  const { name, index, append, elements } = assignment;
  if (elements) {
    const entries = yield* expandElements(shell, elements);
    shell.variables.assignArray(name, entries, append);
    return `(${entries.map(([, value]) => quoteWord(value)).join(' ')})`;
  }
  const text = yield* expandText(shell, assignment.value, true);
  if (index) {
    const subscript = yield* expandText(shell, index);
    shell.variables.assignElement(name, subscript, text, append);
  } else if (append) {
    shell.variables.assign(name, text, exported === undefined ? { append } : { append, exported });
  } else shell.set(name, text, exported);
  return quoteWord(text);
}

export function assignmentText({ name, append }: Assignment, value: string): string {
  return `${name}${append ? '+' : ''}=${value === "''" ? '' : value}`;
}

/** An argument of a declaring builtin: its text; an array's elements wait in `arrayArguments`. */
export function* addDeclaration(shell: Shell, assignment: Assignment): UserFlow<string> {
  const { name, index, append, elements } = assignment;
  if (elements) {
    const entries = yield* expandElements(shell, elements);
    shell.arrayArguments.set(name, { entries, append });
    return name;
  }
  const text = yield* expandText(shell, assignment.value, true);
  const subscript = index ? `[${yield* expandText(shell, index)}]` : '';
  return `${name}${subscript}${append ? '+' : ''}=${text}`;
}

function* expandElements(shell: Shell, elements: readonly ArrayElement[]): UserFlow<Entries> {
  const entries: Entries = [];
  for (const { key, value } of elements) {
    if (key) {
      entries.push([yield* expandText(shell, key), yield* expandText(shell, value, true)]);
    } else {
      for (const word of yield* expandWords(shell, [value])) entries.push([undefined, word]);
    }
  }
  return entries;
}
