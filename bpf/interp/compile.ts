/**
 * From an instruction to its Step, by the row's kind.
 */
import { errno } from '../../kernel/types/errno.ts';
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import {
  callbackOfImm64,
  HELPER_TAIL_CALL,
  helperOfCall,
  kfuncOfCall,
  tailCallTarget,
} from '../calls.ts';
import type { EngineState } from '../engine-state.ts';
import type { Helper, HelperImplementation } from '../helpers/helper.ts';
import { imm64At } from '../isa/codec.ts';
import type { RowOf } from '../isa/row.ts';
import { rowOf } from '../isa/table.ts';
import { packetLoad } from '../packet-load.ts';
import type { PatchedFunction } from '../patch.ts';
import type { VerifiedProgram } from '../program.ts';
import type { BpfRuntime } from '../runtime.ts';
import { uapi } from '../uapi.ts';
import { aluStep, endianStep, movsxStep, negStep, type Step } from './alu.ts';
import { branchStep } from './branch.ts';
import { FIRST_CONSTANT, R10, type Cpu } from './cpu.ts';
import { atomicStep, loadStep, storeStep } from './memory.ts';

/** The immediates of a program, as registers behind the real ones. */
export class ConstantPool {
  readonly values: bigint[] = [];
  readonly #index = new Map<bigint, number>();

  constructor(program: VerifiedProgram) {
    for (const { imm } of program.insns) {
      const value = BigInt(imm);
      if (this.#index.has(value)) continue;
      this.#index.set(value, FIRST_CONSTANT + this.values.length);
      this.values.push(value);
    }
  }

  registerOf(imm: number): number {
    return this.#index.get(BigInt(imm))!;
  }
}

interface StepContext {
  readonly program: VerifiedProgram;
  readonly runtime: BpfRuntime;
  readonly state: EngineState;
  readonly cpu: Cpu;
  readonly constants: ConstantPool;
  readonly slot: number;
  /** What calls of a subprogram go through where something is attached to it. */
  readonly patched: (subprog: number) => PatchedFunction | undefined;
}

export function compileStep(context: StepContext): Step {
  const { program, cpu, constants, slot } = context;
  const insn = program.insns[slot]!;
  const { dst, src, off, imm } = insn;
  const row = rowOf(insn);
  if (row === undefined) return () => unreachable(slot);
  const next = slot + row.slots;
  const operand = 'source' in row && row.source === 'imm' ? constants.registerOf(imm) : src;
  switch (row.kind) {
    case 'alu':
      return aluStep(cpu, row, dst, operand, next);
    case 'neg':
      return negStep(cpu, row, dst, next);
    case 'movsx':
      return movsxStep(cpu, row, dst, src, next);
    case 'endian':
      return endianStep(cpu, row, dst, next);
    case 'ld_imm64':
      return imm64Step(context, next);
    case 'ld_packet':
      return packetStep(context, row, next);
    case 'load':
      return loadStep(cpu, row, dst, src, off, next);
    case 'store':
      return storeStep(cpu, row, dst, operand, off, next);
    case 'atomic':
      return atomicStep(cpu, row, dst, src, off, next);
    case 'goto':
      return constantStep(next + (row.long ? imm : off));
    case 'branch':
      return branchStep(cpu, row, dst, operand, next, next + off);
    case 'call':
      return callStep(context, row, next);
    case 'exit':
      return () => cpu.exit();
    case 'nospec':
      return constantStep(next);
  }
}

const constantStep =
  (target: number): Step =>
  () =>
    target;

function unreachable(slot: number): never {
  throw new Bug(`a verified program reached slot ${slot}, which holds no instruction`);
}

function imm64Step({ program, state, cpu, slot }: StepContext, next: number): Step {
  const { registers } = cpu;
  const { dst } = program.insns[slot]!;
  const callback = callbackOfImm64(program, slot);
  const value =
    callback === undefined
      ? BigInt.asIntN(64, imm64At(program.insns, slot))
      : state.funcAddress(program, callback);
  return () => ((registers[dst] = value), next);
}

/** A packet load past the end makes the function return 0. The skb is in r6. */
function packetStep(context: StepContext, row: RowOf<'ld_packet'>, next: number): Step {
  const { cpu, runtime } = context;
  const { src, imm } = context.program.insns[context.slot]!;
  const indirect = row.mode === 'ind';
  const load = packetLoad(runtime);
  return () => {
    const offset = indirect ? (imm + cpu.i32[2 * src]!) | 0 : imm;
    const word = load(cpu.u32[12]! as RamOffset, offset, row.bytes);
    cpu.setRegister32(0, word ?? 0);
    return word === undefined ? cpu.exit() : next;
  };
}

function callStep(context: StepContext, row: RowOf<'call'>, next: number): Step {
  const { program, cpu, slot } = context;
  const { imm } = program.insns[slot]!;
  switch (row.target) {
    case 'subprog': {
      const caller = program.subprogs.find(({ start, end }) => start <= slot && slot < end)!;
      const callee = program.subprogs.findIndex(({ start }) => start === next + imm);
      const patched = context.patched(callee);
      if (patched) return patchedStep(cpu, patched, caller.stackBytes, next);
      return () => (cpu.call(next, caller.stackBytes), next + imm);
    }
    case 'helper':
      if (imm === HELPER_TAIL_CALL) return tailCallStep(context, next);
      return helperStep(context, helperOfCall(program, slot), next);
    case 'kfunc':
      return kfuncStep(context, next);
  }
}

function patchedStep(cpu: Cpu, call: PatchedFunction, stackBytes: number, next: number): Step {
  const { registers: r, u32 } = cpu;
  return () => {
    const top = u32[2 * R10]! - stackBytes;
    r[0] = call(r[1]!, r[2]!, r[3]!, r[4]!, r[5]!, top, cpu.tailCalls);
    return next;
  };
}

/** r1 ctx, r2 prog_array, r3 index. What cannot be called is passed over (bpf_tail_call(2)). */
function tailCallStep({ cpu, runtime }: StepContext, next: number): Step {
  const { registers, u32 } = cpu;
  return () => {
    const target = tailCallTarget(runtime, u32[4]! as RamOffset, u32[6]!);
    if (target === undefined || cpu.tailCalls >= uapi.MAX_TAIL_CALL_CNT) return next;
    // An empty slot uses up a call too, as in Linux's interpreter and JITs.
    cpu.tailCalls++;
    if (target === null) return next;
    registers[0] = target.enter(registers[1]!, u32[2 * R10]!, cpu.tailCalls);
    return cpu.exit();
  };
}

function helperStep(context: StepContext, helper: Helper | undefined, next: number): Step {
  const { cpu } = context;
  const implementation = helper?.implementation;
  if (implementation === undefined) {
    return () => ((cpu.registers[0] = BigInt(-errno.EOPNOTSUPP)), next);
  }
  const call = bindHelper(context, implementation);
  const { returnsInt } = context.program.facts[context.slot]!;
  const setResult = RESULT[returnsInt ? 'u32' : implementation.returns](cpu);
  return () => {
    setResult(call());
    return next;
  };
}

function kfuncStep(context: StepContext, next: number): Step {
  const kfunc = kfuncOfCall(context.program, context.slot);
  if (kfunc === undefined) throw new Bug('refused before compiling');
  const call = bindHelper(context, kfunc.how);
  const setResult = RESULT[kfunc.returnsInt ? 'u32' : kfunc.how.returns](context.cpu);
  return () => {
    setResult(call());
    return next;
  };
}

type Value = number | bigint | void;

/** Arguments from r1 on, each as the helper wants it. */
function bindHelper(
  { cpu, runtime }: StepContext,
  { pass, bind }: HelperImplementation,
): () => Value {
  const { registers, i32 } = cpu;
  const call = bind(runtime) as (...args: Value[]) => Value;
  const arg = pass.map((passing, i) =>
    passing === 'i32' ? () => i32[2 * (i + 1)]! : () => registers[i + 1]!,
  );
  const [a, b, c, d, e] = arg;
  switch (arg.length) {
    case 0:
      return () => call();
    case 1:
      return () => call(a!());
    case 2:
      return () => call(a!(), b!());
    case 3:
      return () => call(a!(), b!(), c!());
    case 4:
      return () => call(a!(), b!(), c!(), d!());
    default:
      return () => call(a!(), b!(), c!(), d!(), e!());
  }
}

/** How a result gets into r0. */
const RESULT: Record<
  HelperImplementation['returns'] | 'u32',
  (cpu: Cpu) => (value: Value) => void
> = {
  u32: (cpu) => (value) => cpu.setRegister32(0, value as number),
  i32:
    ({ i32 }) =>
    (value) => {
      const low = (value as number) | 0;
      i32[0] = low;
      i32[1] = low >> 31;
    },
  i64:
    ({ registers }) =>
    (value) => {
      registers[0] = BigInt.asIntN(64, value as bigint);
    },
  pointer: (cpu) => (value) => cpu.setPointer(0, value as number),
  void:
    ({ registers }) =>
    () => {
      registers[0] = 0n;
    },
};
