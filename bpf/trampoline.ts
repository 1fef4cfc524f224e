/**
 * What is attached to one function of a program (struct bpf_trampoline of 6.1): a program in its
 * place, or programs that run before it (fentry) and behind it (fexit).
 *
 *   new Trampoline(ram, target, {subprog, address, argBytes})
 *   tramp.link(user) / tramp.unlink(user)     0, -EBUSY or -E2BIG
 *
 * Programs around a function get an array of its arguments, 8 bytes each, and behind them its
 * result; in front stand their number and the function's address, for helpers.
 *
 * differs: an argument narrower than 8 bytes is zero-extended; on x86-64, 6.1 leaves in the upper
 * bytes what was on its stack.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import type { Patch } from './patch.ts';
import type { BpfProg } from './prog.ts';

/** A program as it is attached, with what it may ask about that. */
export interface TrampolineUser {
  readonly prog: BpfProg;
  readonly how: 'fentry' | 'fexit' | 'replace';
  readonly cookie: bigint;
}

export interface TracedFunction {
  readonly subprog: number;
  readonly address: bigint;
  /** Size of each argument. */
  readonly argBytes: readonly number[];
}

/** BPF_MAX_TRAMP_LINKS (include/linux/bpf.h) */
const MAX_LINKS = 38;
/** Address and number of arguments in front of them. */
const HEAD_BYTES = 16;
const MAX_REGISTERS = 5;

export class Trampoline {
  readonly #ram: Ram;
  readonly #target: BpfProg;
  readonly #func: TracedFunction;
  #replacement: TrampolineUser | undefined;
  /** The last attached runs first. */
  readonly #before: TrampolineUser[] = [];
  readonly #behind: TrampolineUser[] = [];
  /** Argument arrays, one a nesting of calls. */
  readonly #frames: RamOffset[] = [];
  #depth = 0;

  constructor(ram: Ram, target: BpfProg, func: TracedFunction) {
    this.#ram = ram;
    this.#target = target;
    this.#func = func;
  }

  link(user: TrampolineUser): number {
    const { how } = user;
    if (this.#replacement) return -errno.EBUSY;
    const count = this.#before.length + this.#behind.length;
    if (how === 'replace') {
      if (count > 0) return -errno.EBUSY;
      this.#replacement = user;
      const { prog } = user;
      this.#patch((_, r1, r2, r3, r4, r5, _top, tails) => prog.call(r1, r2, r3, r4, r5, tails));
      return 0;
    }
    if (count >= MAX_LINKS) return -errno.E2BIG;
    const list = how === 'fentry' ? this.#before : this.#behind;
    if (list.some(({ prog }) => prog === user.prog)) return -errno.EBUSY;
    list.unshift(user);
    if (count === 0) this.#patch((original, ...call) => this.#around(original, call));
    return 0;
  }

  unlink(user: TrampolineUser): void {
    if (this.#replacement === user) this.#replacement = undefined;
    for (const list of [this.#before, this.#behind]) {
      const at = list.indexOf(user);
      if (at >= 0) list.splice(at, 1);
    }
    if (!this.isIdle) return;
    this.#patch(undefined);
    if (this.#depth === 0) this.#freeFrames();
  }

  get isIdle(): boolean {
    return !this.#replacement && this.#before.length + this.#behind.length === 0;
  }

  #patch(patch: Patch | undefined): void {
    this.#target.patch(this.#func.subprog, patch);
  }

  #around(original: Parameters<Patch>[0], call: Parameters<typeof original>): bigint {
    const { argBytes } = this.#func;
    const frame = (this.#frames[this.#depth] ??= this.#newFrame());
    const ctx = (frame + HEAD_BYTES) as RamOffset;
    this.#depth++;
    try {
      argBytes.forEach((bytes, i) => {
        const value = i < MAX_REGISTERS ? (call[i] as bigint) : 0n;
        this.#ram.writeU64(
          (ctx + 8 * i) as RamOffset,
          BigInt.asUintN(8 * Math.min(bytes, 8), value),
        );
      });
      const resultAt = (ctx + 8 * argBytes.length) as RamOffset;
      this.#ram.writeU64(resultAt, 0n);
      const { address } = this.#func;
      for (const { prog, cookie } of [...this.#before]) prog.traceAt({ cookie, address }, ctx);
      const behind = [...this.#behind];
      const result = original(...call);
      this.#ram.writeU64(resultAt, BigInt.asUintN(64, result));
      for (const { prog, cookie } of behind) {
        prog.traceAt({ cookie, address, hasResult: true }, ctx);
      }
      return result;
    } finally {
      this.#depth--;
      if (this.#depth === 0 && this.isIdle) this.#freeFrames();
    }
  }

  #newFrame(): RamOffset {
    const { argBytes, address } = this.#func;
    const frame = this.#ram.kzalloc(HEAD_BYTES + 8 * (argBytes.length + 1));
    this.#ram.writeU64(frame, address);
    this.#ram.writeU64((frame + 8) as RamOffset, BigInt(argBytes.length));
    return frame;
  }

  #freeFrames(): void {
    for (const frame of this.#frames) this.#ram.kfree(frame);
    this.#frames.length = 0;
  }
}
