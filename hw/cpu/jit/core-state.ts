/**
 * The simulated core's state, in RAM where translated code finds it: the registers between
 * functions, and the buffer of events for a timing model.
 */
import { KERNEL_BASE_HIGH, type Ram } from '../../../kernel/ram/ram.ts';
import type { RamOffset } from '../../../kernel/types/units.ts';
import type { ExecutionObserver } from '../events.ts';

const EVENT_WORDS = 8192;
/** A block's words must fit behind the last place where one may begin. */
const SLACK_WORDS = 1024;

export interface EventBuffer {
  /** RAM offset of the u32 that says, as a RAM offset, where the next word goes. */
  readonly cursorAt: RamOffset;
  readonly base: RamOffset;
  /** Beyond it the buffer has to be emptied before a block begins. */
  readonly limit: number;
}

export interface RegisterFile {
  readonly count: number;
  /** What a function gives back as it was, besides the stack pointer. */
  readonly calleeSaved: readonly number[];
}

export class CoreState {
  /** 64 bits each, by register number. */
  readonly registersAt: RamOffset;
  readonly #ram: Ram;
  readonly #file: RegisterFile;
  /** In which run that is now in progress; 0 outside. */
  depth = 0;
  #events: EventBuffer | undefined;
  #observer: ExecutionObserver | undefined;

  constructor(ram: Ram, file: RegisterFile) {
    this.#ram = ram;
    this.#file = file;
    this.registersAt = ram.kzalloc(this.registersBytes);
  }

  get registersBytes(): number {
    return 8 * this.#file.count;
  }

  get observer(): ExecutionObserver | undefined {
    return this.#observer;
  }

  observe(observer: ExecutionObserver | undefined): void {
    this.flush();
    this.#observer = observer;
  }

  get events(): EventBuffer {
    return (this.#events ??= this.#makeEvents());
  }

  #makeEvents(): EventBuffer {
    const ram = this.#ram;
    const base = ram.kzalloc(4 * EVENT_WORDS);
    const cursorAt = ram.kzalloc(8);
    ram.u32[cursorAt >>> 2] = base;
    return { base, cursorAt, limit: base + 4 * (EVENT_WORDS - SLACK_WORDS) };
  }

  /** Give the observer what has been noted; returns where noting goes on. */
  flush(): number {
    const events = this.#events;
    if (events === undefined) return 0;
    const { u32 } = this.#ram;
    const cursor = events.cursorAt >>> 2;
    const count = (u32[cursor]! - events.base) >>> 2;
    u32[cursor] = events.base;
    if (count > 0) this.#observer?.events(u32.subarray(events.base >>> 2), count);
    return events.base;
  }

  register(number: number): bigint {
    return this.#ram.view.getBigInt64(this.registersAt + 8 * number, true);
  }

  setRegister(number: number, value: bigint): void {
    this.#ram.view.setBigInt64(this.registersAt + 8 * number, value, true);
  }

  low(number: number): number {
    return this.#ram.u32[(this.registersAt + 8 * number) >>> 2]!;
  }

  high(number: number): number {
    return this.#ram.u32[(this.registersAt + 8 * number + 4) >>> 2]!;
  }

  setPointer(number: number, offset: number): void {
    const { u32 } = this.#ram;
    const at = (this.registersAt + 8 * number) >>> 2;
    u32[at] = offset;
    u32[at + 1] = KERNEL_BASE_HIGH;
  }

  /** What a run that is broken off would have given back. */
  saveForCaller(): readonly bigint[] {
    return this.#file.calleeSaved.map((number) => this.register(number));
  }

  restoreForCaller(saved: readonly bigint[]): void {
    this.#file.calleeSaved.forEach((number, i) => this.setRegister(number, saved[i]!));
  }
}
