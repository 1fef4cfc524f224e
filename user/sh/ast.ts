/** What the shell's grammar is made of (POSIX XCU 2.9, 2.10), with bash's arrays, [[ ]] and so on. */

export interface ParameterPart {
  readonly kind: 'parameter';
  readonly name: string;
  /** Subscript of an array element; `[@]` and `[*]` are those literals. */
  readonly index?: Word;
  /** `${!name}`: the value names the parameter that is meant. */
  readonly indirect?: true;
  /**
   * '', 'length', ':-' '-' ':=' '=' ':?' '?' ':+' '+', '#' '##' '%' '%%', '/' '//', ':',
   * '^' '^^' ',' ',,', '@' with a letter as word; 'keys' of `${!a[@]}`, 'names' of `${!x*}`;
   * 'bad' for what is none of these, with its text as name.
   */
  readonly op: string;
  readonly word?: Word;
  /** Second word of `/` (the replacement) and of `:` (the length). */
  readonly second?: Word;
  readonly quoted: boolean;
}

export type Part =
  | { readonly kind: 'literal'; readonly text: string; readonly quoted: boolean }
  | ParameterPart
  | { readonly kind: 'command'; readonly source: string; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; readonly expression: Word; readonly quoted: boolean }
  /** `<(…)` and `>(…)`: the name of a file that is the other end of a pipe. */
  | {
      readonly kind: 'process';
      readonly direction: '<' | '>';
      readonly source: string;
      readonly quoted: false;
    };

export type Word = readonly Part[];

export type RedirectOp = '<' | '>' | '>>' | '>|' | '<>' | '<&' | '>&' | '&>' | '&>>' | '<<' | '<<<';

export interface Redirect {
  /** Undefined: 0 or 1, by the operator. */
  readonly fd: number | undefined;
  readonly op: RedirectOp;
  /** File, descriptor or here-document body. */
  readonly target: Word;
}

/** `a=(x [3]=y)`. */
export interface ArrayElement {
  readonly key: Word | undefined;
  readonly value: Word;
}

export interface Assignment {
  readonly name: string;
  readonly index?: Word;
  readonly append: boolean;
  readonly value: Word;
  /** Instead of `value`. */
  readonly elements?: readonly ArrayElement[];
}

export interface CaseItem {
  readonly patterns: readonly Word[];
  readonly body: Command | undefined;
  /** What comes after the body: nothing, the next body, the next patterns. */
  readonly end: ';;' | ';&' | ';;&';
}

/** Inside [[ ]]. */
export type Condition =
  | { readonly kind: 'word'; readonly word: Word }
  | { readonly kind: 'unary'; readonly op: string; readonly word: Word }
  | { readonly kind: 'binary'; readonly op: string; readonly left: Word; readonly right: Word }
  | { readonly kind: 'not'; readonly inner: Condition }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition };

export type Command =
  | {
      readonly kind: 'simple';
      readonly assignments: readonly Assignment[];
      readonly words: readonly Word[];
      readonly redirects: readonly Redirect[];
      /** Arguments of declare and the like that are assignments: by index in `words`. */
      readonly declarations?: ReadonlyMap<number, Assignment>;
      readonly line: number;
      readonly text: string;
    }
  | {
      readonly kind: 'pipeline';
      readonly commands: readonly Command[];
      readonly negated: boolean;
      /** The reserved word `time`, and whether with -p. */
      readonly timed?: 'bash' | 'posix';
      readonly text: string;
    }
  | { readonly kind: 'and' | 'or'; readonly left: Command; readonly right: Command }
  | { readonly kind: 'list'; readonly items: readonly ListItem[] }
  | { readonly kind: 'subshell'; readonly body: Command; readonly text: string }
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
      /** The line up to `do`, for -x. */
      readonly text: string;
    }
  | {
      readonly kind: 'for-arithmetic';
      /** Before, while, after each round. */
      readonly expressions: readonly [Word, Word, Word];
      readonly body: Command;
    }
  | {
      readonly kind: 'case';
      readonly subject: Word;
      readonly items: readonly CaseItem[];
      /** The line up to `in`, for -x. */
      readonly text: string;
    }
  | { readonly kind: 'arithmetic'; readonly expression: Word }
  | { readonly kind: 'conditional'; readonly condition: Condition; readonly text: string }
  | {
      readonly kind: 'function';
      readonly name: string;
      readonly body: Command;
      readonly text: string;
    }
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
