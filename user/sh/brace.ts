/** Brace expansion as bash has it: a{b,c}d and {1..5}, before any other expansion. */
import type { Part, Word } from './ast.ts';
import { literal } from './ast.ts';

/** One unquoted character, or a part that braces do not look into. */
type Atom = string | Part;
/** What would give more words than that stays as it is. */
const MAX_WORDS = 100_000;

export function expandBraces(word: Word): Word[] {
  const isCandidate = word.some(
    (part) => part.kind === 'literal' && !part.quoted && part.text.includes('{'),
  );
  if (!isCandidate) return [word];
  const atoms: Atom[] = [];
  for (const part of word) {
    if (part.kind === 'literal' && !part.quoted) atoms.push(...part.text);
    else atoms.push(part);
  }
  return expandAtoms(atoms).map(toWord);
}

function expandAtoms(atoms: readonly Atom[]): Atom[][] {
  for (let open = 0; open < atoms.length; open++) {
    if (atoms[open] !== '{') continue;
    const group = readGroup(atoms, open);
    const choices = group && alternatives(group.items);
    if (!group || !choices) continue;
    const prefix = atoms.slice(0, open);
    const suffixes = expandAtoms(atoms.slice(group.end + 1));
    if (choices.length * suffixes.length > MAX_WORDS) return [[...atoms]];
    return choices.flatMap((choice) => suffixes.map((suffix) => [...prefix, ...choice, ...suffix]));
  }
  return [[...atoms]];
}

/** The comma-separated items of the group that opens at `open`. */
function readGroup(
  atoms: readonly Atom[],
  open: number,
): { items: Atom[][]; end: number } | undefined {
  const items: Atom[][] = [[]];
  let depth = 0;
  for (let at = open + 1; at < atoms.length; at++) {
    const atom = atoms[at]!;
    if (atom === '}' && depth === 0) return { items, end: at };
    if (atom === '{') depth++;
    else if (atom === '}') depth--;
    if (atom === ',' && depth === 0) items.push([]);
    else items.at(-1)!.push(atom);
  }
  return undefined;
}

function alternatives(items: readonly Atom[][]): Atom[][] | undefined {
  if (items.length > 1) return items.flatMap((item) => expandAtoms(item));
  const only = items[0]!;
  if (!only.every((atom) => typeof atom === 'string')) return undefined;
  return sequence(only.join(''))?.map((text) => [...text]);
}

function sequence(text: string): string[] | undefined {
  const match = /^(-?\d+|[A-Za-z])\.\.(-?\d+|[A-Za-z])(?:\.\.(-?\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, first = '', last = '', stepText] = match;
  const isNumber = /\d/.test(first);
  if (isNumber !== /\d/.test(last)) return undefined;
  const from = isNumber ? Number(first) : first.charCodeAt(0);
  const to = isNumber ? Number(last) : last.charCodeAt(0);
  const step = Math.abs(Number(stepText ?? 1)) || 1;
  if (Math.abs(to - from) / step > MAX_WORDS) return undefined;
  const isPadded = [first, last].some((end) => /^-?0\d/.test(end));
  const width = isNumber && isPadded ? Math.max(first.length, last.length) : 0;
  const out: string[] = [];
  for (
    let value = from;
    from <= to ? value <= to : value >= to;
    value += from <= to ? step : -step
  ) {
    if (!isNumber) out.push(String.fromCharCode(value));
    else if (value < 0) out.push(`-${String(-value).padStart(width - 1, '0')}`);
    else out.push(String(value).padStart(width, '0'));
  }
  return out;
}

function toWord(atoms: readonly Atom[]): Word {
  const parts: Part[] = [];
  let text = '';
  for (const atom of atoms) {
    if (typeof atom === 'string') {
      text += atom;
      continue;
    }
    if (text !== '') parts.push(literal(text));
    text = '';
    parts.push(atom);
  }
  if (text !== '' || parts.length === 0) parts.push(literal(text));
  return parts;
}
