/**
 * Answers to a sweep in few bytes: one word a call, equal neighbours once with their count.
 * 'EINVAL*12 fd 0{56:3}=0700' is twelve errors, a descriptor, and a 0 that changed the word at 56
 * of the attr to 3 and left 07 00 in the buffer dumped next.
 */
import { errnoName } from '../../../kernel/types/errno.ts';
import type { Answer } from '../script.ts';

/** One word for each step that answers anything. */
export function wordsOf(answers: readonly Answer[]): string[] {
  const words: string[] = [];
  for (const { r, changed, hex } of answers) {
    if (r !== undefined) {
      const result = typeof r === 'number' && r < 0 ? (errnoName(r) ?? String(r)) : String(r);
      const places = Object.entries(changed ?? {}).map(([at, value]) => `${at}:${value}`);
      words.push(places.length > 0 ? `${result}{${places.join()}}` : result);
    }
    if (hex !== undefined) words.push(`=${hex.replace(/(00)+$/, '')}`);
  }
  return words;
}

export function packed(words: readonly string[]): string {
  const runs: { readonly word: string; count: number }[] = [];
  for (const word of words) {
    const last = runs.at(-1);
    if (last?.word === word) last.count++;
    else runs.push({ word, count: 1 });
  }
  return runs.map(({ word, count }) => (count > 1 ? `${word}*${count}` : word)).join(' ');
}

export function unpacked(text: string): string[] {
  return text.split(' ').flatMap((run) => {
    const [word = '', count = '1'] = run.split('*');
    return Array.from({ length: Number(count) }, () => word);
  });
}
