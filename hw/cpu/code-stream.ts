/**
 * What a simulator of machine code shows, on the model of a core: the simulator's observer keeps what
 * happened until somebody says which core it happened on.
 *
 *   const stream = new CodeStream(runtime, options); engine.observe(runtime, stream)
 *   …                    a program runs
 *   stream.run(core)     on that core, from where it is now
 *   stream.cycles        cycles of all so far: of the code itself, and of the kernel's functions
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { Core } from './core.ts';
import type { CoreParams } from './core-params.ts';
import { HOST_CALL_WORDS, type CodeBlock, type ExecutionObserver } from './events.ts';
import { KernelCalls, type CallConvention } from './kernel-calls.ts';
import type { KernelVersion } from './kernel-functions.ts';
import { schedule, type BlockSchedule } from './schedule.ts';

export interface CodeOptions {
  readonly core: CoreParams;
  readonly kernel: KernelVersion;
  readonly convention: CallConvention;
}

export class CodeStream implements ExecutionObserver {
  readonly cycles = { program: 0, kernel: 0 };
  readonly #core: CoreParams;
  readonly #calls: KernelCalls;
  readonly #schedules: (BlockSchedule | undefined)[] = [];
  /** Where each indirect jump led last. */
  readonly #targets: number[] = [];
  #words = new Uint32Array(1024);
  #count = 0;
  /** Useful cycles of the core at hand that have been charged. */
  #mark = 0;

  constructor(runtime: BpfRuntime, { core, kernel, convention }: CodeOptions) {
    this.#core = core;
    this.#calls = new KernelCalls(runtime, core, kernel, convention);
  }

  blocks(blocks: readonly CodeBlock[]): void {
    for (const block of blocks) this.#schedules[block.id] = schedule(block, this.#core);
  }

  events(words: Uint32Array, count: number): void {
    const needed = this.#count + count;
    if (needed > this.#words.length) {
      const more = new Uint32Array(2 * needed);
      more.set(this.#words.subarray(0, this.#count));
      this.#words = more;
    }
    const kept = this.#words;
    for (let i = 0; i < count; i++) kept[this.#count + i] = words[i]!;
    this.#count = needed;
  }

  /** A block that was shown; undefined for what never was. */
  blockOf(id: number): CodeBlock | undefined {
    return this.#schedules[id]?.block;
  }

  /** All that happened since the last time. */
  run(core: Core): void {
    const words = this.#words;
    const count = this.#count;
    this.#count = 0;
    this.#mark = core.useful;
    for (let at = 0; at < count;) {
      const id = words[at]!;
      const s = this.#schedules[id]!;
      const { block } = s;
      core.block(s, words, at + 1);
      at += 1 + block.words;
      const next = at < count ? words[at]! : -1;
      const { end } = block;
      switch (end.kind) {
        case 'branch':
          core.went(s, next === end.taken && end.taken !== end.next, next);
          break;
        case 'jump':
        case 'call':
        case 'return':
          core.went(s, true, next);
          break;
        case 'fall':
          break;
        case 'tail-call':
          if (end.indirect && this.#targets[id] !== next) core.strayed();
          else core.went(s, true, next);
          this.#targets[id] = next;
          break;
        case 'host-call':
          this.#charge('program', core);
          this.#calls.call(core, id, end.symbol, words[at - HOST_CALL_WORDS]!, words[at - 1]!);
          this.#charge('kernel', core);
          break;
      }
    }
    this.#charge('program', core);
  }

  /** What the core did since the last mark was part of that. */
  #charge(part: 'program' | 'kernel', core: Core): void {
    this.cycles[part] += core.useful - this.#mark;
    this.#mark = core.useful;
  }
}
