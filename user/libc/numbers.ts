/** Numbers on command lines, with GNU's multipliers: 10, 1k, 2M, 4KiB, 1kB. */
const POWERS = 'KMGTPEZY';

/** Undefined if it is none; 'b' is 512. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(?:(b)|([kKMGTPEZY])(iB|B)?)?$/.exec(text);
  if (!match) return undefined;
  const [, digits, block, letter, suffix] = match;
  const count = Number(digits);
  if (block) return count * 512;
  if (letter === undefined) return count;
  const power = POWERS.indexOf(letter.toUpperCase()) + 1;
  return count * (suffix === 'B' ? 1000 : 1024) ** power;
}
