/** What sed does to one line: substitution with changes of case, and the unambiguous form of `l`. */
import type { Match, Regex } from '../libc/regex/regex.ts';
import { encodeText } from '../libc/text.ts';
import type { Piece, Substitution } from './sed-script.ts';

/** Undefined where nothing was replaced. */
export function substituteLine(s: Substitution, regex: Regex, line: string): string | undefined {
  let seen = 0;
  let out = '';
  let done = 0;
  let changed = false;
  for (const match of regex.matches(line)) {
    seen++;
    if (seen < s.occurrence) continue;
    out += line.slice(done, match.start) + replacementFor(s.replacement, match);
    done = match.end;
    changed = true;
    if (!s.global) break;
  }
  return changed ? out + line.slice(done) : undefined;
}

function replacementFor(pieces: readonly Piece[], match: Match): string {
  let out = '';
  let fold: 'L' | 'U' | undefined;
  let once: 'l' | 'u' | undefined;
  for (const piece of pieces) {
    if (typeof piece === 'object') {
      if (piece.fold === 'l' || piece.fold === 'u') once = piece.fold;
      else fold = piece.fold === 'E' ? undefined : piece.fold;
      continue;
    }
    let text = typeof piece === 'string' ? piece : (match.groups[piece] ?? '');
    if (fold) text = fold === 'U' ? text.toUpperCase() : text.toLowerCase();
    if (once && text !== '') {
      const [first = ''] = text;
      text = (once === 'u' ? first.toUpperCase() : first.toLowerCase()) + text.slice(first.length);
      once = undefined;
    }
    out += text;
  }
  return out;
}

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  92: '\\\\',
};

/** `l`: every byte that does not print as an escape, lines folded at `wrap` columns. */
export function listing(text: string, wrap: number): string {
  const cells = Array.from(encodeText(text), (byte) => {
    if (ESCAPES[byte] !== undefined) return ESCAPES[byte];
    if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
    return `\\${byte.toString(8).padStart(3, '0')}`;
  });
  let out = '';
  let column = 0;
  for (const cell of cells) {
    if (wrap > 1 && column + cell.length > wrap - 1) {
      out += '\\\n';
      column = 0;
    }
    out += cell;
    column += cell.length;
  }
  return `${out}$\n`;
}
