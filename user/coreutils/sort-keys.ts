/** The keys of sort(1): what of a line they take, and how those parts compare. */
export interface Key {
  /** Fields and characters, 1-based; `to` undefined is the end of the line. */
  readonly from: Position;
  readonly to: Position | undefined;
  readonly flags: string;
}

interface Position {
  readonly field: number;
  readonly char: number;
  /** Blanks before the field do not count. */
  readonly skipBlanks: boolean;
}

/** Option to its letter in a key definition. */
export const ORDERINGS: Readonly<Record<string, string>> = {
  'ignore-leading-blanks': 'b',
  'dictionary-order': 'd',
  'ignore-case': 'f',
  'general-numeric-sort': 'g',
  'human-numeric-sort': 'h',
  'ignore-nonprinting': 'i',
  'month-sort': 'M',
  'numeric-sort': 'n',
  'random-sort': 'R',
  reverse: 'r',
  'version-sort': 'V',
};

/** The key, or what is wrong with it. */
export function parseKey(text: string, defaults: string): Key | string {
  const match = /^(\d+)(?:\.(\d+))?([bdfghiMnRrV]*)(?:,(\d+)(?:\.(\d+))?([bdfghiMnRrV]*))?$/.exec(
    text,
  );
  if (!match) return `invalid number at field start: invalid count at start of '${text}'`;
  const [, field, char, first = '', lastField, lastChar, last = ''] = match;
  if (Number(field) === 0) return `field number is zero: invalid field specification '${text}'`;
  if (char !== undefined && Number(char) === 0) {
    return `character offset is zero: invalid field specification '${text}'`;
  }
  if (lastField !== undefined && Number(lastField) === 0) {
    return `field number is zero: invalid field specification '${text}'`;
  }
  const own = first + last;
  const flags = own === '' ? defaults : own;
  const blanks = own === '' && defaults.includes('b');
  return {
    from: {
      field: Number(field),
      char: Number(char ?? 1),
      skipBlanks: blanks || first.includes('b'),
    },
    to:
      lastField === undefined
        ? undefined
        : {
            field: Number(lastField),
            char: Number(lastChar ?? 0),
            skipBlanks: blanks || last.includes('b'),
          },
    flags,
  };
}

export function comparison(
  keys: readonly Key[],
  flags: string,
  separator: string | undefined,
): (a: string, b: string) => number {
  if (keys.length === 0) {
    const blanks = flags.includes('b');
    const trim = (text: string): string => (blanks ? text.replace(/^[ \t]+/, '') : text);
    return (a, b) => compareBy(trim(a), trim(b), flags);
  }
  return (a, b) => {
    for (const key of keys) {
      const order = compareBy(extract(a, key, separator), extract(b, key, separator), key.flags);
      if (order !== 0) return order;
    }
    return 0;
  };
}

function compareBy(a: string, b: string, flags: string): number {
  const sign = flags.includes('r') ? -1 : 1;
  if (flags.includes('n')) return sign * compareNumbers(a, b);
  if (flags.includes('h')) return sign * compareHuman(a, b);
  if (flags.includes('g')) return sign * compareGeneral(a, b);
  if (flags.includes('M')) return sign * (monthOf(a) - monthOf(b));
  if (flags.includes('V')) return sign * compareVersions(a, b);
  const clean = (text: string): string => {
    let out = flags.includes('d') ? text.replace(/[^\p{L}\p{N}\s]/gu, '') : text;
    if (flags.includes('i')) out = out.replace(/[^ -~]/g, '');
    return flags.includes('f') ? out.toUpperCase() : out;
  };
  const [left, right] = [clean(a), clean(b)];
  return left === right ? 0 : sign * (left < right ? -1 : 1);
}

/** Digits of any length compare as text; that is exact. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [decimalOf(a), decimalOf(b)];
  if (x.negative !== y.negative) return x.negative ? -1 : 1;
  const sign = x.negative ? -1 : 1;
  if (x.integer.length !== y.integer.length) return sign * (x.integer.length - y.integer.length);
  const [left, right] = [x.integer + x.fraction, y.integer + y.fraction];
  return left === right ? 0 : sign * (left < right ? -1 : 1);
}

function decimalOf(text: string): { negative: boolean; integer: string; fraction: string } {
  const match = /^[ \t]*(-?)0*(\d*)(?:\.(\d*))?/.exec(text)!;
  const integer = match[2]!;
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  return { negative: match[1] === '-' && integer + fraction !== '', integer, fraction };
}

function compareHuman(a: string, b: string): number {
  const scale = (text: string): number => {
    const match = /^[ \t]*(-?)[\d.]*([KkMGTPEZY]?)/.exec(text)!;
    const power = ' KMGTPEZY'.indexOf(match[2]!.toUpperCase() || ' ');
    const isZero = !/[1-9]/.test(match[0]);
    return isZero ? 0 : match[1] === '-' ? -power - 1 : power + 1;
  };
  return scale(a) - scale(b) || compareNumbers(a, b);
}

/** What is no number comes first, then NaN, then numbers. */
function compareGeneral(a: string, b: string): number {
  const value = (text: string): number | undefined => {
    const match =
      /^\s*[+-]?(?:inf(?:inity)?|nan|0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)/i.exec(text);
    if (!match) return undefined;
    const word = match[0]
      .trim()
      .toLowerCase()
      .replace(/^([+-]?)inf.*/, '$1Infinity');
    return Number(word);
  };
  const [x, y] = [value(a), value(b)];
  if (x === undefined || y === undefined) return Number(x !== undefined) - Number(y !== undefined);
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x));
  return x === y ? 0 : x < y ? -1 : 1;
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

function monthOf(text: string): number {
  return MONTHS.indexOf(text.trimStart().slice(0, 3).toUpperCase()) + 1;
}

/** Runs of digits by their number, ~ before everything, letters before other characters. */
export function compareVersions(a: string, b: string): number {
  const order = (char: string | undefined): number => {
    if (char === undefined) return 0;
    if (char === '~') return -1;
    return /[A-Za-z]/.test(char) ? char.charCodeAt(0) : char.charCodeAt(0) + 256;
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const isDigit = (char: string | undefined): boolean => char !== undefined && /\d/.test(char);
    while ((i < a.length && !isDigit(a[i])) || (j < b.length && !isDigit(b[j]))) {
      const difference = (isDigit(a[i]) ? 0 : order(a[i])) - (isDigit(b[j]) ? 0 : order(b[j]));
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const left = /^\d*/.exec(a.slice(i))![0];
    const right = /^\d*/.exec(b.slice(j))![0];
    const [x, y] = [left.replace(/^0+/, ''), right.replace(/^0+/, '')];
    if (x.length !== y.length) return x.length - y.length;
    if (x !== y) return x < y ? -1 : 1;
    i += left.length;
    j += right.length;
  }
  return 0;
}

/** Fields are what the separator parts; without one, a field starts with the blanks before it. */
function extract(line: string, key: Key, separator: string | undefined): string {
  const starts: number[] = [];
  const ends: number[] = [];
  if (separator === undefined) {
    for (const match of line.matchAll(/[ \t]*[^ \t]+|[ \t]+$/g)) {
      starts.push(match.index);
      ends.push(match.index + match[0].length);
    }
  } else {
    let at = 0;
    for (const field of line.split(separator)) {
      starts.push(at);
      ends.push(at + field.length);
      at += field.length + separator.length;
    }
  }
  const startOf = ({ field, skipBlanks }: Position): number => {
    let at = starts[field - 1] ?? line.length;
    if (skipBlanks) while (line[at] === ' ' || line[at] === '\t') at++;
    return at;
  };
  const from = Math.min(line.length, startOf(key.from) + key.from.char - 1);
  if (!key.to) return line.slice(from);
  const { field, char } = key.to;
  const end = char === 0 ? (ends[field - 1] ?? line.length) : startOf(key.to) + char;
  return line.slice(from, Math.max(from, end));
}
