/** Text as the shell would have to read it back, in bash's various styles. */

/** As it is, or in single quotes: -x, set. */
export function quoteWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  if (CONTROL.test(text)) return quoteAnsi(text);
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** In single quotes always: trap. */
export function quoteSingle(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** With backslashes: printf %q. */
export function quoteBackslash(text: string): string {
  if (text === '') return "''";
  if (CONTROL.test(text)) return quoteAnsi(text);
  return text.replace(/[^A-Za-z0-9_@%+=:./\u0080-\u{10ffff}-]/gu, '\\$&').replace(/^~/, '\\~');
}

/** In double quotes: declare -p. */
export function quoteDouble(text: string): string {
  if (CONTROL.test(text)) return quoteAnsi(text);
  return `"${text.replace(/[\\"$`]/g, '\\$&')}"`;
}

const CONTROL = /[\x00-\x1f\x7f\udc80-\udcff]/u;
const NAMES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
  '\x1b': '\\E',
  "'": "\\'",
  '\\': '\\\\',
};

/** $'…': for names with control characters. */
export function quoteAnsi(text: string): string {
  const quoted = Array.from(text, (char) => {
    const name = NAMES[char];
    if (name !== undefined) return name;
    const isByte = CONTROL.test(char);
    return isByte ? `\\${(char.charCodeAt(0) & 0xff).toString(8).padStart(3, '0')}` : char;
  });
  return `$'${quoted.join('')}'`;
}
