/**
 * The state embedding check: accepted programs run in the interpreter, and before every instruction
 * the machine's state must lie in one that the verifier claimed there, and every access must lie in
 * the object that the verifier took it for.
 *
 *   const check = new EmbeddingCheck(assets);
 *   check.run(request)     {accepted, steps, compared, violations}
 *
 * A violation is a bug of the verifier (or of the interpreter, which is the same to whoever runs
 * the program).
 */
import { createInterpreter, type StepView } from '../../../bpf/interp/interp.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { ProgramSpec, VerifiedProgram } from '../../../bpf/program.ts';
import type { Reg } from '../../../bpf/verifier/reg.ts';
import type { HostAssets } from '../../../kernel/config.ts';
import type { RamOffset } from '../../../kernel/types/units.ts';
import { BatchMachine } from '../../../ui/cli/batch/answer.ts';
import { parseRequest, RequestError } from '../../../ui/cli/batch/request.ts';
import type { RequestJson } from '../../oracle/request.ts';
import { claimsOf, PRUNINGS, type Claims, type Pruning, type StateClaim } from './claims.ts';
import { mismatch, RunFrame, type Places } from './match.ts';
import { accessOf, operandsOf } from './operands.ts';
import { World } from './world.ts';

export interface Outcome {
  readonly accepted: boolean;
  /** Instructions executed. */
  readonly steps: number;
  /** States that were compared with what was claimed. */
  readonly compared: Readonly<Record<Pruning, number>>;
  readonly violations: readonly string[];
}

/** What is known of one accepted program. */
interface Known {
  readonly claims: Readonly<Partial<Record<Pruning, Claims>>>;
  /** Slots of the rewritten program that are the first to stand for one of the loaded program. */
  readonly firstSlots: ReadonlySet<number>;
  readonly subprogOf: readonly number[];
  /** First slot of the function of a slot, both of the loaded program. */
  readonly functionOf: (slot: number) => number;
}

/** Programs until a machine is replaced, so that what one leaks does not pile up. */
const PROGRAMS_A_MACHINE = 5_000;
/** A violation is mostly followed by many. */
const MOST_VIOLATIONS = 3;

export class EmbeddingCheck {
  readonly #assets: HostAssets;
  readonly #claimsOf: typeof claimsOf;
  readonly #engine = createInterpreter({ onStep: (view) => this.#run?.step(view) });
  #machine!: BatchMachine;
  /** Memory that programs without test runs get as their context. */
  #context!: RamOffset;
  #program: VerifiedProgram | undefined;
  #answered = 0;
  #known = new Map<ProgramSpec, Known | undefined>();
  #run: CheckedRun | undefined;

  /** @param claimed where claims come from: the verifier, or for tests of the check what is wrong */
  constructor(assets: HostAssets, claimed: typeof claimsOf = claimsOf) {
    this.#assets = assets;
    this.#claimsOf = claimed;
    this.#boot();
  }

  #boot(): void {
    this.#machine = new BatchMachine(this.#assets, {
      engine: this.#engine,
      verified: (spec, env, verdict) => {
        if (verdict.kind !== 'accepted') return;
        this.#program = verdict.program;
        const claims = Object.fromEntries(
          PRUNINGS.map((pruning) => [pruning, this.#claimsOf(spec, env, pruning)]),
        ) as Known['claims'];
        this.#known.set(spec, knownOf(verdict.program, claims));
      },
    });
    this.#context = this.#machine.runtime.ram.kzalloc(CONTEXT_BYTES);
  }

  /** Answers the request; its runs are checked. */
  run(request: CheckedRequest): Outcome {
    if (++this.#answered % PROGRAMS_A_MACHINE === 0) this.#boot();
    this.#known.clear();
    const isXdp = request.prog_type === 'xdp' || request.prog_type === 6;
    const run = new CheckedRun(new World(this.#machine.runtime.ram, isXdp), (spec) =>
      this.#known.get(spec),
    );
    this.#run = run;
    try {
      const { ok } = this.#machine.answer(parseRequest(request));
      if (ok) this.#runDirectly(request.contexts ?? []);
      return { accepted: ok, ...run.outcome };
    } catch (error) {
      if (error instanceof RequestError) return { accepted: false, ...run.outcome };
      throw error;
    } finally {
      this.#run = undefined;
    }
  }

  #runDirectly(contexts: readonly string[]): void {
    if (contexts.length === 0) return;
    const { runtime } = this.#machine;
    const executable = this.#engine.compile(this.#program!, runtime);
    for (const context of contexts) {
      const bytes = Buffer.from(context, 'hex');
      const memory = runtime.ram.bytes(this.#context, CONTEXT_BYTES);
      for (let at = 0; at < CONTEXT_BYTES; at++) memory[at] = bytes[at % bytes.length]!;
      executable.run(this.#context);
    }
    executable.free();
  }
}

/** A request, and contexts for a program that BPF_PROG_TEST_RUN does not run. */
export interface CheckedRequest extends RequestJson {
  /** Bytes in hex; repeated until the context is full. */
  readonly contexts?: readonly string[];
}

/** More than any program may read of a context of plain bytes: pt_regs, a trace record, arguments. */
const CONTEXT_BYTES = 4096;

function knownOf(program: VerifiedProgram, claims: Known['claims']): Known {
  const seen = new Set<number>();
  const firstSlots = new Set<number>();
  program.facts.forEach(({ original }, slot) => {
    if (!seen.has(original)) firstSlots.add(slot);
    seen.add(original);
  });
  const subprogOf = new Array<number>(program.insns.length).fill(0);
  program.subprogs.forEach(({ start, end }, subprog) => subprogOf.fill(subprog, start, end));
  // Dead code at a function's start may be gone: where it starts now is not where it did.
  const functionOf = (slot: number) =>
    Object.values(claims)
      .find((each) => each)
      ?.functionOf(slot) ?? 0;
  return { claims, firstSlots, subprogOf, functionOf };
}

class CheckedRun {
  readonly #world: World;
  readonly #knownOf: (spec: ProgramSpec) => Known | undefined;
  /** Frames of the program that runs, the outermost first; and of others, that tail calls left. */
  #frames: RunFrame[] = [];
  readonly #framesOf = new Map<VerifiedProgram, RunFrame[]>();
  /** Where the last comparison found the run: the next instruction is mostly claimed next. */
  #last: Partial<Record<Pruning, number>> = {};
  /** A helper was called by the last instruction: what it returned may be a new object. */
  #called = false;
  #steps = 0;
  readonly #compared: Record<Pruning, number> = { 'all-paths': 0, exact: 0, pruned: 0 };
  #violations: string[] = [];

  constructor(world: World, knownOf: (spec: ProgramSpec) => Known | undefined) {
    this.#world = world;
    this.#knownOf = knownOf;
  }

  get outcome(): Omit<Outcome, 'accepted'> {
    return { steps: this.#steps, compared: this.#compared, violations: this.#violations };
  }

  step(view: StepView): void {
    this.#steps++;
    const { program, slot } = view;
    const known = this.#knownOf(program.spec);
    if (!known || this.#violations.length >= MOST_VIOLATIONS) return;
    const entersCallback = this.#follow(view, known);
    this.#noteObjects(view, entersCallback);
    const insn = program.insns[slot]!;
    this.#called = insn.code === CALL && insn.src === 0;
    const { original } = program.facts[slot]!;
    if (!known.firstSlots.has(slot)) return;
    for (const pruning of PRUNINGS) {
      const claims = known.claims[pruning];
      if (claims) this.#compare(claims, pruning, original, program.spec.insns);
    }
  }

  /** Keeps the frames; true where a callback is entered. */
  #follow({ program, slot, registers }: StepView, known: Known): boolean {
    const func = program.subprogs[known.subprogOf[slot]!]!;
    const isStart = slot === func.start;
    const start = known.functionOf(program.facts[func.start]!.original);
    const isEntry = isStart && func === program.subprogs[0];
    const frames = (!isEntry && this.#framesOf.get(program)) || [];
    if (frames !== this.#frames) this.#last = {};
    this.#frames = frames;
    this.#framesOf.set(program, frames);
    if (isEntry) this.#world.context = BigInt.asUintN(64, registers[1]!);
    // No function is twice on the stack: programs cannot recurse.
    const at = frames.findIndex((frame) => frame.start === start);
    if (at < 0) {
      frames.push(new RunFrame(start, registers));
    } else {
      frames.length = at + 1;
      frames[at]!.registers.set(registers);
    }
    return isStart && func.isCallback;
  }

  /** Addresses that the program got from the kernel: results of helpers, arguments of callbacks. */
  #noteObjects({ registers }: StepView, entersCallback: boolean): void {
    if (this.#called) this.#world.found(BigInt.asUintN(64, registers[0]!));
    if (!entersCallback) return;
    for (let regno = 1; regno <= 5; regno++) {
      this.#world.found(BigInt.asUintN(64, registers[regno]!));
    }
  }

  #compare(claims: Claims, pruning: Pruning, original: number, insns: readonly Insn[]): void {
    const candidates = claims.before(original);
    const insn = insns[original]!;
    if (candidates.length === 0) {
      this.#violate(pruning, original, 'this instruction was never reached');
      return;
    }
    this.#compared[pruning]++;
    const next = claims.states[(this.#last[pruning] ?? -1) + 1];
    const likely = next?.insn === original ? [next, ...candidates] : candidates;
    let why: string | undefined;
    for (const claim of likely) {
      const places = placesOf(pruning, insn, claim);
      const differs = mismatch(claim, this.#frames, this.#world, places);
      if (differs === undefined) {
        this.#last[pruning] = claim.order;
        this.#checkAccess(claim, pruning, original, insn);
        return;
      }
      if (why === undefined || why.startsWith('other') || why.startsWith('fewer')) why = differs;
    }
    this.#violate(pruning, original, `of ${candidates.length} states none fits: ${why}`);
  }

  /** The instruction's own load or store lies in the object that its pointer points into. */
  #checkAccess(claim: StateClaim, pruning: Pruning, original: number, insn: Insn): void {
    const access = accessOf(insn);
    if (!access) return;
    const frames = this.#frames.slice(-claim.frames.length);
    const { registers } = frames[frames.length - 1]!;
    const reg: Reg = claim.frames[claim.frames.length - 1]!.regs[access.base]!;
    const value = BigInt.asUintN(64, registers[access.base]!);
    const tops = frames.map((frame: RunFrame) => frame.top);
    const region = this.#world.regionOf(reg, value, tops);
    if (region === 'unknown' || region === undefined) return;
    const from = BigInt.asUintN(64, value + BigInt(insn.off));
    if (region.start <= from && from + BigInt(access.bytes) <= region.end) return;
    const where = `${access.bytes} bytes at 0x${from.toString(16)}`;
    const object = `0x${region.start.toString(16)} to 0x${region.end.toString(16)}`;
    this.#violate(pruning, original, `accesses ${where}, outside of ${reg.kind} ${object}`);
  }

  #violate(pruning: Pruning, original: number, what: string): void {
    this.#violations.push(`${pruning}, before instruction ${original}: ${what}`);
  }
}

const CALL = 0x85;
const EXIT = 0x95;

/** Which registers must be as claimed, given what the states stand for. */
function placesOf(pruning: Pruning, insn: Insn, { frames }: StateClaim): Places {
  if (pruning === 'all-paths') return 'all';
  // What a function returns matters where its caller reads it.
  if (insn.code === EXIT && frames.length > 1) return [];
  if (pruning === 'exact') return operandsOf(insn);
  const access = accessOf(insn);
  return access ? [access.base] : [];
}
