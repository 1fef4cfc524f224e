/** What the shell's grammar is made of (POSIX XCU 2.9, 2.10). */

export type Part =
  | { readonly kind: 'literal'; readonly text: string; readonly quoted: boolean }
  | {
      readonly kind: 'parameter';
      readonly name: string;
      /** '', ':-', '-', ':=', '=', ':?', '?', ':+', '+', '#', '##', '%', '%%', '/', '//', ':', 'length' */
      readonly op: string;
      readonly word?: Word;
      /** Second word of `/` (the replacement) and of `:` (the length). */
      readonly second?: Word;
      readonly quoted: boolean;
    }
  | { readonly kind: 'command'; readonly source: string; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; readonly expression: Word; readonly quoted: boolean };

export type Word = readonly Part[];

export type RedirectOp = '<' | '>' | '>>' | '>|' | '<>' | '<&' | '>&' | '&>' | '&>>' | '<<' | '<<<';

export interface Redirect {
  /** Undefined: 0 or 1, by the operator. */
  readonly fd: number | undefined;
  readonly op: RedirectOp;
  /** File, descriptor or here-document body. */
  readonly target: Word;
}

export interface Assignment {
  readonly name: string;
  readonly append: boolean;
  readonly value: Word;
}

export interface CaseItem {
  readonly patterns: readonly Word[];
  readonly body: Command | undefined;
}

export type Command =
  | {
      readonly kind: 'simple';
      readonly assignments: readonly Assignment[];
      readonly words: readonly Word[];
      readonly redirects: readonly Redirect[];
      readonly line: number;
    }
  | { readonly kind: 'pipeline'; readonly commands: readonly Command[]; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly left: Command; readonly right: Command }
  | { readonly kind: 'list'; readonly items: readonly ListItem[] }
  | { readonly kind: 'subshell'; readonly body: Command }
  | {
      readonly kind: 'if';
      readonly clauses: readonly { readonly test: Command; readonly body: Command }[];
      readonly otherwise: Command | undefined;
    }
  | {
      readonly kind: 'loop';
      readonly until: boolean;
      readonly test: Command;
      readonly body: Command;
    }
  | {
      readonly kind: 'for';
      readonly name: string;
      /** Undefined: over "$@". */
      readonly words: readonly Word[] | undefined;
      readonly body: Command;
    }
  | { readonly kind: 'case'; readonly subject: Word; readonly items: readonly CaseItem[] }
  | { readonly kind: 'arithmetic'; readonly expression: Word }
  | { readonly kind: 'conditional'; readonly words: readonly Word[] }
  | { readonly kind: 'function'; readonly name: string; readonly body: Command }
  | {
      readonly kind: 'redirected';
      readonly command: Command;
      readonly redirects: readonly Redirect[];
    };

export interface ListItem {
  readonly command: Command;
  readonly background: boolean;
  /** Its text, for `jobs`. */
  readonly text: string;
}

export function literal(text: string, quoted = false): Part {
  return { kind: 'literal', text, quoted };
}

/** The word's text where it is one unquoted literal, as reserved words and names are. */
export function plainText(word: Word): string | undefined {
  const part = word[0];
  if (word.length !== 1 || part?.kind !== 'literal' || part.quoted) return undefined;
  return part.text;
}
