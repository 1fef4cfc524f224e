/**
 * What a simulator of machine code (hw/x86, hw/arm) shows of a run, for a timing model (hw/cpu).
 *
 * Code is shown once, as basic blocks of instruction descriptors, from which a model computes a
 * static schedule a block. A run is a stream of 32-bit words: the id of each block entered, followed
 * by the block's `words`: the RAM offsets that its memory operands touch, in the order of its
 * instructions, then what a call out of the code adds. Which way a branch went is the next id.
 *
 * A block is left only at its end, unless it faults: then the stream breaks off within its words, all
 * of which are there, though those behind the fault mean nothing.
 */

/** What an instruction does, as far as a core's ports and queues care. */
export type InsnKind =
  | 'nop'
  /** Register to register, or an immediate: a renamer may do it. */
  | 'move'
  | 'alu'
  | 'shift'
  | 'multiply'
  | 'divide'
  | 'byte-swap'
  /** Address arithmetic (lea). */
  | 'address'
  | 'load'
  | 'store'
  /** A read-modify-write that other cores see as one (lock add, ldadd). */
  | 'atomic'
  | 'branch'
  | 'jump'
  | 'jump-indirect'
  | 'call'
  | 'call-indirect'
  | 'return'
  | 'barrier';

/** In `reads` and `writes` beside the architecture's register numbers. */
export const FLAGS = 64;

export interface MemoryOperand {
  readonly access: 'load' | 'store' | 'load-store';
  readonly bytes: number;
  /** Registers that the address is made of; the base first. */
  readonly registers: readonly number[];
}

export interface InsnDescriptor {
  /** Virtual address, as in the listing. */
  readonly address: bigint;
  readonly bytes: number;
  /** As in the architecture's manual, without size suffixes: 'add', 'movzx', 'ldr'. */
  readonly mnemonic: string;
  readonly kind: InsnKind;
  /** Operand size. */
  readonly widthBits: 8 | 16 | 32 | 64;
  /** Register numbers as the architecture encodes them, and FLAGS. Address registers included. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Two where the instruction has them (pairs); an instruction of kind `alu` may have one too. */
  readonly memory: readonly MemoryOperand[];
  /** It carries an immediate wider than 32 bits, which some decoders and caches of decoded code mind. */
  readonly wideImmediate?: true;
  /** `xor eax, eax` and its like, which a renamer may do: reads nothing. */
  readonly zeroing?: true;
  /** The BPF instruction that it was made from. */
  readonly slot?: number;
}

/** How a block ends. */
export type BlockEnd =
  /** The next instruction starts a block too. */
  | { readonly kind: 'fall'; readonly next: number }
  | { readonly kind: 'branch'; readonly taken: number; readonly next: number }
  | { readonly kind: 'jump'; readonly target: number }
  /** To a subprogram, whose `return` leads to block `next`. */
  | { readonly kind: 'call'; readonly target: number; readonly next: number }
  | { readonly kind: 'return' }
  /** To another program: by a patched direct jump, or through a register. */
  | { readonly kind: 'tail-call'; readonly indirect: boolean }
  /**
   * To a kernel function. Its first two arguments, low halves, end the block's words. If it runs
   * other programs or calls back, their events follow; then come those of block `next`.
   */
  | { readonly kind: 'host-call'; readonly symbol: string; readonly next: number };

/** Arguments of a kernel function that are shown. */
export const HOST_CALL_WORDS = 2;

export interface CodeBlock {
  /** Dense, from 0, in one simulator of one machine; never reused. */
  readonly id: number;
  readonly insns: readonly InsnDescriptor[];
  /** Words that follow the id in the stream. */
  readonly words: number;
  readonly end: BlockEnd;
}

export interface ExecutionObserver {
  /** Blocks that runs may enter from now on. */
  blocks(blocks: readonly CodeBlock[]): void;
  /**
   * The first `count` of `words` happened since the last call. Called when the buffer is full and
   * when a run ends, nested or not; never in the middle of a block's words.
   */
  events(words: Uint32Array, count: number): void;
}
