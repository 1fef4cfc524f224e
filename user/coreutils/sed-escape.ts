/** Escapes in sed's scripts: characters by name or number. */

export const CONTROL: Readonly<Record<string, string>> = {
  a: '\x07',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** \n, \t, \x41, \o101, \d065, \cX at `at`. */
export function escapeAt(text: string, at: number): { char: string; length: number } | undefined {
  const rest = text.slice(at, at + 5);
  const control = CONTROL[rest[1] ?? ''];
  if (control !== undefined) return { char: control, length: 2 };
  const code = /^\\(?:x([0-9a-fA-F]{1,2})|o([0-7]{1,3})|d(\d{1,3}))/.exec(rest);
  if (code) {
    const [whole, hex, octal, decimal] = code;
    const value =
      hex !== undefined
        ? parseInt(hex, 16)
        : octal !== undefined
          ? parseInt(octal, 8)
          : Number(decimal);
    const byte = value & 0xff;
    const char = String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
    return { char, length: whole.length };
  }
  const letter = /^\\c([^])/.exec(rest);
  if (!letter) return undefined;
  const char = String.fromCharCode(letter[1]!.toUpperCase().charCodeAt(0) ^ 0x40);
  return { char, length: 3 };
}

/** Characters written as escapes, before the regular expression is read; special ones stay plain. */
export function expandEscapes(source: string): string {
  let out = '';
  let inBracket = false;
  for (let at = 0; at < source.length;) {
    const char = source[at]!;
    if (char === '[' && !inBracket) {
      inBracket = true;
      const open = /^\[\^?\]?/.exec(source.slice(at))![0];
      out += open;
      at += open.length;
      continue;
    }
    if (char === ']') inBracket = false;
    if (char === '\\') {
      const escape = escapeAt(source, at);
      if (escape) {
        const isSpecial = /[.*[\]^$\\+?(){}|]/.test(escape.char) && !inBracket;
        out += isSpecial ? `\\${escape.char}` : escape.char;
        at += escape.length;
        continue;
      }
      if (!inBracket) {
        out += char + (source[at + 1] ?? '');
        at += 2;
        continue;
      }
    }
    out += char;
    at++;
  }
  return out;
}
