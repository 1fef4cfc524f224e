import type { CodeBlock } from '../../hw/cpu/events.ts';

/** Follows the stream of events and looks whether each block may come where it comes. */
export class Walk {
  readonly problems: string[] = [];
  entered = 0;
  readonly #blocks = new Map<number, CodeBlock>();
  readonly #ramBytes: number;
  /** Where calls in progress go on; and what may come next, undefined at the start of a run. */
  readonly #returns: number[] = [];
  #expected: readonly number[] | undefined;

  constructor(ramBytes: number) {
    this.#ramBytes = ramBytes;
  }

  blocks(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) this.#blocks.set(block.id, block);
  }

  events(words: Uint32Array, count: number): void {
    for (let at = 0; at < count;) {
      const block = this.#blocks.get(words[at]!);
      if (block === undefined) {
        this.#problem(`no block ${words[at]} at word ${at}`);
        return;
      }
      if (this.#expected !== undefined && !this.#expected.includes(block.id)) {
        this.#problem(`block ${block.id} after one that leads to ${this.#expected.join()}`);
      }
      const memory = block.insns.flatMap((insn) => insn.memory);
      memory.forEach((_, i) => {
        const address = words[at + 1 + i]!;
        if (address < 65536 || address >= this.#ramBytes) this.#problem(`address ${address}`);
      });
      this.#after(block);
      this.entered++;
      at += 1 + block.words;
    }
  }

  #after({ end }: CodeBlock): void {
    switch (end.kind) {
      case 'fall':
      case 'host-call': {
        // A helper that calls back: the callback's blocks come first.
        const callsBack = end.kind === 'host-call' && end.symbol === 'bpf_loop';
        this.#expected = callsBack ? undefined : [end.next];
        return;
      }
      case 'branch':
        this.#expected = [end.next, end.taken];
        return;
      case 'jump':
        this.#expected = [end.target];
        return;
      case 'call':
        this.#returns.push(end.next);
        this.#expected = [end.target];
        return;
      case 'return': {
        const next = this.#returns.pop();
        this.#expected = next === undefined ? undefined : [next];
        return;
      }
      case 'tail-call':
        this.#expected = undefined;
    }
  }

  #problem(text: string): void {
    if (this.problems.length < 5) this.problems.push(text);
  }
}
