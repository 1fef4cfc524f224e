/**
 * The verifier's log: text that can be cut back to an earlier position, as the kernel does when it
 * leaves a path. Level bits are BPF_LOG_LEVEL1, 2 and BPF_LOG_STATS (include/linux/bpf_verifier.h).
 */
export const LOG_LEVEL1 = 1;
export const LOG_LEVEL2 = 2;
export const LOG_STATS = 4;

const CHUNKS_A_BLOCK = 4096;

export class Log {
  readonly level: number;
  /** State lines and instructions are wanted. */
  readonly states: boolean;
  /** Backtracking and all paths are wanted. */
  readonly all: boolean;
  readonly #capacity: number;
  /** Older text in long strings: many short ones would take several times its size. */
  #blocks: string[] = [];
  #chunks: string[] = [];
  #length = 0;

  /** `bytes`: size of the reader's buffer, its NUL included; no limit where absent. */
  constructor(level: number, bytes?: number) {
    this.level = level;
    this.states = (level & (LOG_LEVEL1 | LOG_LEVEL2)) !== 0;
    this.all = (level & LOG_LEVEL2) !== 0;
    this.#capacity = bytes === undefined ? Infinity : Math.max(0, bytes - 1);
  }

  get on(): boolean {
    return this.level !== 0;
  }

  /** Characters written so far. */
  get length(): number {
    return this.#length;
  }

  /** The buffer is used up: the load fails with ENOSPC. */
  get full(): boolean {
    return this.#length >= this.#capacity;
  }

  /** Backtracking is wanted and there is room for it. */
  get tellsAll(): boolean {
    return this.all && !this.full;
  }

  write(text: string): void {
    if (this.level === 0 || this.full) return;
    const room = this.#capacity - this.#length;
    const kept = text.length > room ? text.slice(0, room) : text;
    this.#chunks.push(kept);
    this.#length += kept.length;
    if (this.#chunks.length < CHUNKS_A_BLOCK) return;
    this.#blocks.push(this.#chunks.join(''));
    this.#chunks = [];
  }

  /** Forget everything after `length`. */
  cut(length: number): void {
    while (this.#length > length) {
      const last = this.#chunks.pop() ?? this.#blocks.pop()!;
      const excess = this.#length - length;
      this.#length -= last.length;
      if (last.length > excess) {
        this.#chunks.push(last.slice(0, last.length - excess));
        this.#length = length;
      }
    }
  }

  get text(): string {
    return this.#blocks.join('') + this.#chunks.join('');
  }
}
