/** As kstrtoul reads a number: decimal, 0x hexadecimal or 0 octal, one newline allowed. */
export function parseNumber(text: string): number | undefined {
  const word = text.replace(/\n$/, '').trim();
  if (/^0x[0-9a-f]+$/i.test(word)) return parseInt(word, 16);
  if (/^0[0-7]+$/.test(word)) return parseInt(word, 8);
  return /^\d+$/.test(word) ? Number(word) : undefined;
}
