/** What a POSIX regular expression consists of, and the sets of characters in it. */

/** A set of characters: by predicate, and as source text of a JavaScript expression. */
export interface CharSet {
  readonly has: (code: number) => boolean;
  readonly source: string;
}

export type Assertion =
  | 'line start'
  | 'line end'
  | 'text start'
  | 'text end'
  | 'word edge'
  | 'no word edge'
  | 'word start'
  | 'word end'
  | 'no word before'
  | 'no word after';

export type Node =
  | { readonly kind: 'char'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly branches: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'group'; readonly index: number; readonly item: Node }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'back'; readonly index: number };

/** The characters of [[:name:]], as the inside of a JavaScript class. */
export const CLASSES: Readonly<Record<string, string>> = {
  alpha: '\\p{L}\\p{Nl}',
  digit: '0-9',
  alnum: '\\p{L}\\p{Nl}0-9',
  upper: '\\p{Lu}',
  lower: '\\p{Ll}',
  space: ' \\t-\\r\\u1680\\u2000-\\u2006\\u2008-\\u200a\\u2028\\u2029\\u205f\\u3000',
  blank: ' \\t\\u1680\\u2000-\\u2006\\u2008-\\u200a\\u205f\\u3000',
  punct: '\\p{P}\\p{S}',
  xdigit: '0-9a-fA-F',
  cntrl: '\\x00-\\x1f\\x7f-\\x9f',
  print: '\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Zs}',
  graph: '\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}',
};
export const WORD = `${CLASSES.alnum}_`;

/** A set from the inside of a JavaScript class; small tables make the common characters quick. */
export function setOf(inside: string, negated: boolean, ignoreCase: boolean): CharSet {
  const source = `[${negated ? '^' : ''}${inside}]`;
  const regex = new RegExp(source, ignoreCase ? 'iu' : 'u');
  const ascii = Array.from({ length: 128 }, (_, code) => regex.test(String.fromCharCode(code)));
  return {
    source,
    has: (code) => ascii[code] ?? regex.test(String.fromCodePoint(code)),
  };
}

export const ANY: CharSet = { source: '[^]', has: () => true };

export function charOf(char: string, ignoreCase: boolean): CharSet {
  const code = char.codePointAt(0)!;
  const source = /[\p{L}\p{N}_\s"'#%&,:;<=>@`~!]/u.test(char) ? char : `\\u{${code.toString(16)}}`;
  const isCased = ignoreCase && char.toLowerCase() !== char.toUpperCase();
  if (isCased) return { ...setOf(source, false, true), source };
  return { source, has: (other) => other === code };
}
