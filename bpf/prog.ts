/**
 * A program in the machine: what `struct bpf_prog` and its aux are in Linux, without descriptors
 * and ids (bpf/syscall/objects.ts has those).
 *
 *   prog.run(ctx)    r0 as u32; a fault is reported and yields 0
 *   prog.runAt(hook, ctx)    the same where it is attached
 *   prog.jit()       move to the JIT now; runs that are hot do so by themselves
 *   prog.tag         as Linux computes it
 *   prog.runCnt, prog.runTimeNs    while BPF statistics are enabled
 *
 * Which engine runs a program never changes what it computes, nor any address it sees.
 */
import { sha1 } from '@noble/hashes/legacy.js';
import type { RamOffset } from '../kernel/types/units.ts';
import type { Engine, Executable } from './engine.ts';
import { encodeInsns } from './isa/codec.ts';
import type { Insn } from './isa/insn.ts';
import { rowOf } from './isa/table.ts';
import { BpfOops, type VerifiedProgram } from './program.ts';
import type { BpfRuntime, HookContext } from './runtime.ts';
import { uapi } from './uapi.ts';

/**
 * How often, on average, the interpreter executes each instruction before the program is compiled:
 * by then it has taken about as long as compiling does. A loop counts for what it does.
 */
const COLD_ROUNDS = 100;

/** What a program needs of its machine besides the runtime. */
export interface ProgHost {
  readonly runtime: BpfRuntime;
  readonly interpreter: Engine;
  /** Undefined where it is switched off. */
  jit(): Engine | undefined;
  /** kernel.bpf_stats_enabled or BPF_ENABLE_STATS. */
  statsEnabled(): boolean;
  /** Print it as the kernel prints an oops. */
  reportOops(prog: BpfProg, oops: BpfOops): void;
}

export class BpfProg {
  readonly verified: VerifiedProgram;
  readonly tag: string;
  runCnt = 0n;
  runTimeNs = 0n;
  readonly #host: ProgHost;
  #executable: Executable;

  constructor(verified: VerifiedProgram, host: ProgHost) {
    this.verified = verified;
    this.tag = progTag(verified.spec.insns);
    this.#host = host;
    this.#executable = host.interpreter.compile(verified, host.runtime);
    this.#watch();
  }

  get name(): string {
    return this.verified.spec.name;
  }

  /** What a tail call to this program enters. */
  get executable(): Executable {
    return this.#executable;
  }

  /** Its code is machine code (WASM): `jited` in bpftool. */
  get isJited(): boolean {
    return this.#executable.imageBytes > 0;
  }

  run(ctx: RamOffset): number {
    if (this.#host.statsEnabled()) return this.#runCounted(ctx);
    try {
      return this.#executable.run(ctx);
    } catch (error) {
      return this.#oopsed(error);
    }
  }

  /** A run by something that the program is attached to, which it may ask about. */
  runAt(hook: HookContext, ctx: RamOffset): number {
    const { runtime } = this.#host;
    const outer = runtime.hook;
    runtime.hook = hook;
    try {
      return this.run(ctx);
    } finally {
      runtime.hook = outer;
    }
  }

  /**
   * Move to the JIT. False if there is none (yet) or it does not take this program. A running
   * invocation ends in the engine that it began in; its callbacks run in the JIT from then on.
   */
  jit(): boolean {
    if (this.isJited) return true;
    const jit = this.#host.jit();
    if (jit === undefined) {
      this.#watch();
      return false;
    }
    if (jit.refusal(this.verified)) return false;
    const cold = this.#executable;
    this.#executable = jit.compile(this.verified, this.#host.runtime);
    cold.free();
    return true;
  }

  free(): void {
    this.#executable.free();
  }

  #watch(): void {
    const { insns } = this.verified;
    this.#executable.whenHot?.(COLD_ROUNDS * insns.length, () => void this.jit());
  }

  /** Run a part of the program (a callback): a fault is reported as one of a run is. */
  guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#oopsed(error);
    }
  }

  /**
   * differs: code takes no virtual time (what a hook charges for a program is in kernel/cost), so
   * this counts what helpers let pass. What code costs, and that it costs the same in every engine,
   * is for the CPU models to say.
   */
  #runCounted(ctx: RamOffset): number {
    const { kernel } = this.#host.runtime;
    const start = kernel.nowNs();
    try {
      return this.#executable.run(ctx);
    } catch (error) {
      return this.#oopsed(error);
    } finally {
      this.runCnt++;
      this.runTimeNs += BigInt(kernel.nowNs() - start);
    }
  }

  #oopsed(error: unknown): number {
    if (!(error instanceof BpfOops)) throw error;
    this.#host.reportOops(this, error);
    return 0;
  }
}

/**
 * Where a fault happened, as an oops names it: `bpf_prog_<tag>_<name>+0x18/0x60`.
 * differs: offset and size are of the BPF instructions, not of machine code, so that they are the
 * same whichever engine ran them.
 */
export function oopsSymbol(prog: BpfProg, { at }: BpfOops): string {
  if (at === undefined) return `bpf_prog_${prog.tag}_${prog.name}`;
  const { spec, insns } = at.program;
  const [offset, size] = [at.slot, insns.length].map((slots) => (8 * slots).toString(16));
  return `bpf_prog_${progTag(spec.insns)}_${spec.name}+0x${offset}/0x${size}`;
}

/**
 * 16 hex digits: the start of the SHA-1 of the instructions as loaded, with the map descriptors and
 * offsets of pseudo ld_imm64 zeroed (bpf_prog_calc_tag, kernel/bpf/core.c).
 */
export function progTag(insns: readonly Insn[]): string {
  const stable = [...insns];
  insns.forEach((insn, slot) => {
    const name = rowOf(insn)?.name;
    if (name !== 'ld_map_fd' && name !== 'ld_map_value') return;
    stable[slot] = { ...insn, imm: 0 };
    const upper = insns[slot + 1];
    if (upper) stable[slot + 1] = { ...upper, imm: 0 };
  });
  const digest = sha1(encodeInsns(stable)).subarray(0, uapi.BPF_TAG_SIZE);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
