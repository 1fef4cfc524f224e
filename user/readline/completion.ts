/** Putting a completion's candidates into the line: the common part, or the list of them. */
import { columns } from '../libc/format.ts';
import type { LineEditor } from './editor.ts';

export interface Candidate {
  /** What the word becomes, quoted for the shell. */
  readonly text: string;
  /** What the list shows. */
  readonly label: string;
  /** Put after it where it is the only one: ' ', '/', '='. */
  readonly suffix: string;
}

export interface Completion {
  /** Character where the word to be completed starts. */
  readonly start: number;
  readonly candidates: readonly Candidate[];
}

/** The lines to list where nothing could be added; undefined if the line was changed. */
export function applyCompletion(
  editor: LineEditor,
  completion: Completion,
  columnsWide: number,
): string[] | undefined {
  const { candidates, start } = completion;
  if (candidates.length === 0) return [];
  const only = candidates.length === 1 ? candidates[0]! : undefined;
  const common = commonPrefix(candidates.map((candidate) => candidate.text));
  const word = editor.chars.slice(start, editor.cursor).join('');
  if (only) {
    editor.replace(start, only.text + only.suffix);
    return undefined;
  }
  if (common.length > word.length) {
    editor.replace(start, common);
    return undefined;
  }
  return columns(
    candidates.map((candidate) => candidate.label),
    columnsWide,
  );
}

export function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? '';
  for (const text of texts) while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix;
}
