/**
 * What a traced engine notes of its runs, for models that say how long the code would have taken
 * (hw/): which basic blocks were entered, which addresses were touched, what calls returned.
 *
 *   const trace = traceBuffer(runtime)       the one of that runtime
 *   createWasmJit({ trace: { accesses: true, calls: true } })   an engine that writes to it
 *   executable.run(ctx)
 *   for (const words = trace.take(); …)      events since the last take, in order
 *
 * An event is a word `kind << 28 | place`, followed for all but blocks by one word: the RAM offset
 * that was accessed, or the low half of r0 behind a call. A place is a slot of the program as the
 * engine got it, plus that program's base (`add`), so that tail calls can be told apart.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { Bug } from '../kernel/types/units.ts';
import type { VerifiedProgram } from './program.ts';
import type { BpfRuntime } from './runtime.ts';

export const TRACE_BLOCK = 0;
export const TRACE_ACCESS = 1;
export const TRACE_CALL = 2;

export const TRACE_KIND_SHIFT = 28;
export const TRACE_PLACE_MASK = (1 << TRACE_KIND_SHIFT) - 1;

const CAPACITY_WORDS = 1 << 18;
/** The last event may begin in the last word. */
const SLACK_BYTES = 8;

export class TraceBuffer {
  /** Where in RAM, as u32, the bytes written since the last take are counted. */
  readonly countAt: RamOffset;
  /** The first word; an event goes to `base + (count & mask)`. */
  readonly base: RamOffset;
  readonly mask = CAPACITY_WORDS * 4 - 1;
  readonly words: Uint32Array;
  readonly #u32: Uint32Array;
  readonly #programs: { readonly program: VerifiedProgram; readonly base: number }[] = [];
  #places = 0;

  constructor(ram: Ram) {
    this.countAt = ram.kzalloc(8);
    this.base = ram.kzalloc(CAPACITY_WORDS * 4 + SLACK_BYTES);
    this.#u32 = ram.u32;
    this.words = ram.u32.subarray(this.base >>> 2, (this.base >>> 2) + CAPACITY_WORDS);
  }

  /** Places of a program are its slots plus the number returned. */
  add(program: VerifiedProgram): number {
    const known = this.#programs.find((entry) => entry.program === program);
    if (known !== undefined) return known.base;
    const base = this.#places;
    this.#places += program.insns.length;
    if (this.#places > TRACE_PLACE_MASK) throw new Bug('more programs traced than places');
    this.#programs.push({ program, base });
    return base;
  }

  /** Which slot of which program a place is. */
  slotOf(place: number): { readonly program: VerifiedProgram; readonly slot: number } {
    for (const { program, base } of this.#programs) {
      const slot = place - base;
      if (slot >= 0 && slot < program.insns.length) return { program, slot };
    }
    throw new Bug(`no program was traced at place ${place}`);
  }

  /** The events since the last take, valid until the next run; undefined if there were too many. */
  take(): Uint32Array | undefined {
    const words = this.takeLength();
    return words === undefined ? undefined : this.words.subarray(0, words);
  }

  /** The same without an object: how many words there are, from the first of `words` on. */
  takeLength(): number | undefined {
    const bytes = this.#u32[this.countAt >>> 2]!;
    this.#u32[this.countAt >>> 2] = 0;
    return bytes > CAPACITY_WORDS * 4 ? undefined : bytes >>> 2;
  }
}

export function traceBuffer(runtime: BpfRuntime): TraceBuffer {
  return (runtime.trace ??= new TraceBuffer(runtime.ram));
}
