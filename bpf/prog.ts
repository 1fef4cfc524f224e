/**
 * A program in the machine: what `struct bpf_prog` and its aux are in Linux, without descriptors
 * and ids (bpf/syscall/objects.ts has those).
 *
 *   prog.run(ctx)    r0 as u32; a fault is reported and yields 0
 *   prog.runAt(hook, ctx)    the same where it is attached
 *   prog.patch(subprog, patch)    something is attached to one of its functions, or no more
 *   prog.call(r1, …, r5, tailCalls)    another program calls it in place of its own function
 *   prog.traceAt(hook, ctx)    a run before or behind a function, unless one is under way
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
import type { Patch, PatchedFunction } from './patch.ts';
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
  /** Runs that did not take place as one was under way (fentry, fexit). */
  recursionMisses = 0n;
  readonly #host: ProgHost;
  #executable: Executable;
  /** What a run runs: the executable itself, where nothing is attached to the entry. */
  #runner: Pick<Executable, 'run'>;
  #entryPatch: Patch | undefined;
  readonly #patches = new Map<number, Patch>();
  #isTracing = false;

  constructor(verified: VerifiedProgram, host: ProgHost) {
    this.verified = verified;
    this.tag = progTag(verified.spec.insns);
    this.#host = host;
    this.#executable = host.interpreter.compile(verified, host.runtime);
    this.#runner = this.#executable;
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
      return this.#runner.run(ctx);
    } catch (error) {
      return this.#oopsed(error);
    }
  }

  call(r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint, tailCalls: number): bigint {
    const patch = this.#entryPatch;
    if (!patch) return this.#executable.call(r1, r2, r3, r4, r5, tailCalls);
    const original: PatchedFunction = (a, b, c, d, e, _top, tails) =>
      this.#executable.call(a, b, c, d, e, tails);
    return patch(original, r1, r2, r3, r4, r5, 0, tailCalls);
  }

  traceAt(hook: HookContext, ctx: RamOffset): void {
    if (this.#isTracing) {
      this.recursionMisses++;
      return;
    }
    this.#isTracing = true;
    try {
      this.runAt(hook, ctx);
    } finally {
      this.#isTracing = false;
    }
  }

  /**
   * Calls of the function go through `patch` from now on; tail calls of the program do not, as on
   * x86-64, where they jump over the place that is patched. A run under way ends as it began.
   */
  patch(subprog: number, patch: Patch | undefined): void {
    if (subprog === 0) {
      this.#entryPatch = patch;
      this.#become(this.#executable);
      return;
    }
    if (patch) this.#patches.set(subprog, patch);
    else this.#patches.delete(subprog);
    const { interpreter, runtime } = this.#host;
    const jit = this.isJited ? this.#usableJit() : undefined;
    const before = this.#executable;
    this.#become((jit ?? interpreter).compile(this.verified, runtime, this.#patches));
    before.free();
    this.#watch();
  }

  #become(executable: Executable): void {
    this.#executable = executable;
    const patch = this.#entryPatch;
    if (!patch) {
      this.#runner = executable;
      return;
    }
    const original: PatchedFunction = (ctx) =>
      executable.run64(Number(BigInt.asUintN(32, ctx)) as RamOffset);
    const { ram } = this.#host.runtime;
    this.#runner = {
      run: (ctx) => {
        const r0 = patch(original, ram.kernelAddress(ctx), 0n, 0n, 0n, 0n, 0, 0);
        return Number(BigInt.asUintN(32, r0));
      },
    };
  }

  /** Not every engine lets something be attached, or takes all arguments of what replaces. */
  #usableJit(): Engine | undefined {
    const jit = this.#host.jit();
    const needsPatches = this.#patches.size > 0 || this.verified.spec.type === 'ext';
    return needsPatches && !jit?.patches ? undefined : jit;
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
    const jit = this.#usableJit();
    if (jit === undefined) {
      this.#watch();
      return false;
    }
    if (jit.refusal(this.verified)) return false;
    const cold = this.#executable;
    this.#become(jit.compile(this.verified, this.#host.runtime, this.#patches));
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
      return this.#runner.run(ctx);
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
