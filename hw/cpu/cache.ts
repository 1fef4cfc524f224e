/**
 * One level of cache: which lines it holds, least recently used leaves first.
 *
 *   cache.touch(line)    was it there; from now on it is
 *   cache.drop(line)     it is not any more
 */
import { LINE_BYTES } from './core-params.ts';

export class Cache {
  readonly sets: number;
  readonly #ways: number;
  /** Lines of each set, latest first; -1 where there is none. */
  readonly #lines: Int32Array;

  constructor({ bytes, ways }: { readonly bytes: number; readonly ways: number }) {
    this.#ways = ways;
    this.sets = Math.max(1, Math.floor(bytes / LINE_BYTES / ways));
    this.#lines = new Int32Array(this.sets * ways).fill(-1);
  }

  touch(line: number): boolean {
    const lines = this.#lines;
    const base = (line % this.sets) * this.#ways;
    if (lines[base] === line) return true;
    const end = base + this.#ways;
    let at = base + 1;
    while (at < end && lines[at] !== line) at++;
    const hit = at < end;
    if (!hit) at = end - 1;
    for (; at > base; at--) lines[at] = lines[at - 1]!;
    lines[base] = line;
    return hit;
  }

  drop(line: number): void {
    const lines = this.#lines;
    const base = (line % this.sets) * this.#ways;
    const end = base + this.#ways;
    for (let at = base; at < end; at++) {
      if (lines[at] !== line) continue;
      lines.copyWithin(at, at + 1, end);
      lines[end - 1] = -1;
      return;
    }
  }
}
