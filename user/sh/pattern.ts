/**
 * Shell patterns: * ? [set], matched as fnmatch(3) does. In a pattern a quoted character is one
 * after a backslash; `quotePattern` makes such text.
 */
const CLASSES: Record<string, string> = {
  alpha: 'a-zA-Z',
  digit: '0-9',
  alnum: 'a-zA-Z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9a-fA-F',
  cntrl: '\\x00-\\x1f\\x7f',
  print: '\\x20-\\x7e',
  graph: '\\x21-\\x7e',
};

export function quotePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}

/** True if an unquoted *, ? or [ is in it. */
export function hasMagic(pattern: string): boolean {
  return /[*?[]/.test(pattern.replace(/\\./gs, ''));
}

/** The text that a pattern without magic stands for. */
export function unquotePattern(pattern: string): string {
  return pattern.replace(/\\(.)/gs, '$1');
}

/** The source of a regular expression (flags `su`) that matches what the pattern matches. */
export function patternSource(pattern: string, greedy = true): string {
  let out = '';
  const chars = [...pattern];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at]!;
    if (char === '\\') out += escapeRegExp(chars[++at] ?? '\\');
    else if (char === '*') out += greedy ? '.*' : '.*?';
    else if (char === '?') out += '.';
    else if (char === '[') {
      const set = readSet(chars, at);
      if (set) {
        out += set.source;
        at = set.end;
      } else out += '\\[';
    } else out += escapeRegExp(char);
  }
  return out;
}

export function matchPattern(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${patternSource(pattern)})$`, 'su').test(text);
}

function readSet(chars: string[], start: number): { source: string; end: number } | undefined {
  let at = start + 1;
  const negated = chars[at] === '!' || chars[at] === '^';
  if (negated) at++;
  let body = '';
  for (let first = true; ; first = false) {
    const char = chars[at];
    if (char === undefined) return undefined;
    if (char === ']' && !first) break;
    if (char === '[' && chars[at + 1] === ':') {
      const end = chars.indexOf(':', at + 2);
      const name = end < 0 ? '' : chars.slice(at + 2, end).join('');
      const members = CLASSES[name];
      if (members !== undefined && chars[end + 1] === ']') {
        body += members;
        at = end + 2;
        continue;
      }
    }
    if (char === '\\') {
      at++;
      body += escapeSet(chars[at] ?? '\\');
    } else if (char === '-' && !first && chars[at + 1] !== ']') body += '-';
    else body += escapeSet(char);
    at++;
  }
  return { source: `[${negated ? '^' : ''}${body}]`, end: at };
}

function escapeSet(char: string): string {
  return /[\\\]^[-]/.test(char) ? `\\${char}` : char;
}

export function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
