/**
 * An image of machine code as a WebAssembly module that does what a processor would do with its
 * bytes: the simulator. Instructions are decoded from the image, never taken from the generator.
 *
 *   simulate(core, image, options)   its functions
 *
 *   enter(ctx, stackTop, tailCalls) -> r0     a run, or a tail call from elsewhere (ENTRY of bpf/jit)
 *   tail() -> i32                             a tail call with everything in the core's registers
 *   callback_N(r1, …, r5, stackTop) -> r0     by offset of the function
 */
import { mapFunction, type MappedFunction } from '../../bpf/jit/code-map.ts';
import { CodeWriter, I32, I64, type ValueType } from '../../bpf/jit/code-writer.ts';
import { ModuleWriter } from '../../bpf/jit/module-writer.ts';
import { ENTRY } from '../../bpf/jit/program-table.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { BlockEnd, CodeBlock, InsnDescriptor } from '../cpu/events.ts';
import { HOST_CALL_WORDS } from '../cpu/events.ts';
import { functionsOf, isInside, type MachineFunction } from './control-flow.ts';
import type { CoreState } from './core-state.ts';
import { describe } from './descriptors.ts';
import { TAIL_CALL_OFFSET } from './function-code.ts';
import { ARGUMENTS, RAX, RBP, RDI, RSP } from './registers.ts';
import type { KernelSymbol, SymbolTable } from './symbols.ts';
import { HOST_RETURN } from './text-space.ts';
import { FUNCTION, translateFunction, type Linkage } from './translate-function.ts';
import type { DivideOperation } from './translate-divide.ts';
import type { Ram } from '../../kernel/ram/ram.ts';

export interface SimulatedImage {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** Offset in the image of a load -> the register that becomes 0 where it faults. */
  readonly zeroes: ReadonlyMap<number, number>;
  /** Offsets of the functions that callbacks enter. */
  readonly callbacks: readonly number[];
  /** The BPF instruction that code at an offset is for, for descriptions and faults. */
  slotAt(offset: number): number | undefined;
}

/** What stops a run; none returns. */
export interface Traps {
  fault(address: bigint, offset: number, bytes: number): void;
  divideError(offset: number): void;
  lost(offset: number): void;
  stackOverflow(offset: number): void;
}

export interface SimulationContext {
  readonly ram: Ram;
  readonly core: CoreState;
  readonly symbols: SymbolTable;
  readonly name: string;
  readonly traps: Traps;
  readonly traced: boolean;
  readonly poison: boolean;
  readonly stackLimit: number;
  /**
   * A jump to the kernel text address with that low half, signed: the low half of the address that
   * the program there returned to.
   */
  leave(target: number): number;
  /** Id of the next block, which is taken. */
  nextBlock(): number;
}

export interface Simulation {
  readonly enter: (ctx: bigint, stackTop: number, tailCalls: number) => bigint;
  readonly tail: () => number;
  readonly callback: (offset: number) => unknown;
  /** Kernel functions are called, or other programs. */
  readonly callsOut: boolean;
  readonly functions: readonly MappedFunction[];
  /** Empty unless traced. */
  readonly blocks: readonly CodeBlock[];
}

export function simulate(c: SimulationContext, image: SimulatedImage): Simulation {
  const { bytes } = image;
  const functions = functionsOf(bytes, [0, TAIL_CALL_OFFSET, ...image.callbacks]);
  const numberAt = new Map(functions.map(({ entry }, i) => [entry, i]));
  const descriptors = functions.map(({ insns }) =>
    insns.map((insn) =>
      describe(insn, image.address + BigInt(insn.offset), image.slotAt(insn.offset)),
    ),
  );
  const symbolAt = (address: bigint): KernelSymbol => {
    const symbol = c.symbols.at(address);
    if (symbol === undefined) throw new Bug(`a call of ${address.toString(16)}, which is nothing`);
    return symbol;
  };
  const blocks = c.traced ? numberBlocks(c, image, functions, descriptors, symbolAt) : undefined;
  const module = new ModuleWriter(c.name);
  module.importMemory(c.ram);
  const link: Linkage = {
    ...importsOf(c, module),
    ram: c.ram,
    registersAt: c.core.registersAt,
    events: c.traced ? c.core.events : undefined,
    module,
    address: image.address,
    functionAt: (offset) => numberAt.get(offset),
    symbolAt,
    zeroedBy: (offset) => image.zeroes.get(offset),
    stackLimit: c.stackLimit,
    poison: c.poison,
    blockOf: (entry, block) => blocks!.get(entry)![block]!,
  };
  functions.forEach(({ entry }) => module.declare(`x86_${entry.toString(16)}`, FUNCTION));
  const codes = functions.map((func, i) => {
    const code = translateFunction(link, func, descriptors[i]!, image.slotAt);
    module.define(i, code.locals, code);
    return code;
  });
  defineEntry(c, module, numberAt);
  for (const offset of image.callbacks) defineCallback(c, module, numberAt, offset);
  module.exportFunction('tail', numberAt.get(TAIL_CALL_OFFSET)!);
  const encoded = module.encode();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(encoded.bytes), module.imports);
  const { exports } = instance;
  return {
    enter: exports.enter as Simulation['enter'],
    tail: exports.tail as Simulation['tail'],
    callback: (offset) => exports[`callback_${offset}`],
    callsOut: functions.some(({ endings }) =>
      endings.some((e) => e.kind === 'leave' || (e.kind === 'call' && !isInside(bytes, e.target))),
    ),
    functions: codes.map((code, i) => mapFunction(encoded.functions[i]!, code)),
    blocks: blocks === undefined ? [] : [...blocks.values()].flat(),
  };
}

function importsOf(
  { core, traps, leave }: SimulationContext,
  module: ModuleWriter,
): Pick<Linkage, 'fault' | 'flush' | 'imports'> {
  const stops = (name: keyof Traps, params: readonly ValueType[] = ['i32']): number =>
    module.importFunction(name, { params, results: [] }, () => traps[name].bind(traps));
  const divide = (operation: DivideOperation): number =>
    module.importFunction(
      operation,
      { params: ['i64', 'i64', 'i64'], results: ['i64'] },
      () => (high: bigint, low: bigint, by: bigint) => {
        const result = divide128(operation, high, low, by);
        if (result === undefined) traps.divideError(-1);
        return result!;
      },
    );
  return {
    fault: stops('fault', ['i64', 'i32', 'i32']),
    flush: module.importFunction(
      'flush',
      { params: [], results: ['i32'] },
      () => () => core.flush(),
    ),
    imports: {
      leave: module.importFunction('leave', { params: ['i32'], results: ['i32'] }, () => leave),
      divideError: stops('divideError'),
      lost: stops('lost'),
      stackOverflow: stops('stackOverflow'),
      divide: {
        div: divide('div'),
        mod: divide('mod'),
        idiv: divide('idiv'),
        imod: divide('imod'),
      },
    },
  };
}

/** Undefined where the quotient does not fit 64 bits. */
export function divide128(
  operation: DivideOperation,
  high: bigint,
  low: bigint,
  by: bigint,
): bigint | undefined {
  const signed = operation.startsWith('i');
  const bits = (high << 64n) | BigInt.asUintN(64, low);
  const dividend = signed ? BigInt.asIntN(128, bits) : BigInt.asUintN(128, bits);
  const divisor = signed ? by : BigInt.asUintN(64, by);
  const quotient = dividend / divisor;
  const fits = signed
    ? BigInt.asIntN(64, quotient) === quotient
    : BigInt.asUintN(64, quotient) === quotient;
  if (!fits) return undefined;
  return BigInt.asIntN(64, operation.endsWith('mod') ? dividend % divisor : quotient);
}

/** Push the kernel address of `local` (an i32) minus `below`. */
function pushStackAddress(code: CodeWriter, local: number, below: number): void {
  code.localGet(local);
  code.i32(below);
  code.op(I32.sub);
  code.op(I64.extend_u);
  code.i64(BigInt.asIntN(64, KERNEL_BASE));
  code.op(I64.or);
}

/** The bytes at a run's stack top: the caller's rbp, and where it returns to. */
const RETURN_BELOW = 8;
export const FRAME_BELOW = 16;

class EntryCode extends CodeWriter {
  readonly #registersAt: number;

  constructor(registersAt: number) {
    super();
    this.#registersAt = registersAt;
  }

  setRegister(register: number, push: () => void): void {
    this.i32(0);
    push();
    this.memory(I64.store, this.#registersAt + 8 * register);
  }

  setConstant(register: number, value: bigint): void {
    this.setRegister(register, () => this.i64(value));
  }

  /** Put the address that the host is at below the stack's top. */
  pushReturn(top: number): void {
    this.localGet(top);
    this.i32(RETURN_BELOW);
    this.op(I32.sub);
    this.i64(BigInt.asIntN(64, HOST_RETURN));
    this.memory(I64.store, 0);
  }

  /** Call it, look where it returned to, and return rax. */
  callAndReturn(func: () => void, lost: number): void {
    func();
    this.i32(Number(BigInt.asIntN(32, HOST_RETURN)));
    this.op(I32.ne);
    this.if();
    this.i32(0);
    this.callImport(lost);
    this.end();
    this.i32(0);
    this.memory(I64.load, this.#registersAt + 8 * RAX);
    this.end();
  }
}

/** Tail calls enter behind the prologue's first part, with its work done, counted in rax's upper half. */
function defineEntry(
  { core }: SimulationContext,
  module: ModuleWriter,
  numberAt: ReadonlyMap<number, number>,
): void {
  const code = new EntryCode(core.registersAt);
  const [ctx, top, tailCalls] = [0, 1, 2];
  code.pushReturn(top);
  code.setRegister(RDI, () => code.localGet(ctx));
  const call = (): void => {
    code.localGet(tailCalls);
    code.op(I32.eqz);
    code.if('i32');
    code.setRegister(RSP, () => pushStackAddress(code, top, RETURN_BELOW));
    code.callOwn(numberAt.get(0)!);
    code.else();
    code.setRegister(RAX, () => {
      code.localGet(tailCalls);
      code.op(I64.extend_u);
      code.i64(32n);
      code.op(I64.shl);
    });
    for (const register of [RSP, RBP]) {
      code.setRegister(register, () => pushStackAddress(code, top, FRAME_BELOW));
    }
    code.localGet(top);
    code.i32(FRAME_BELOW);
    code.op(I32.sub);
    code.i64(0n);
    code.memory(I64.store, 0);
    code.callOwn(numberAt.get(TAIL_CALL_OFFSET)!);
    code.end();
  };
  code.callAndReturn(call, lostImport(module));
  module.define(module.declare('enter', ENTRY), [], code);
  module.exportFunction('enter', numberAt.size);
}

function defineCallback(
  { core }: SimulationContext,
  module: ModuleWriter,
  numberAt: ReadonlyMap<number, number>,
  offset: number,
): void {
  const code = new EntryCode(core.registersAt);
  const top = ARGUMENTS.length;
  code.pushReturn(top);
  ARGUMENTS.forEach((register, i) => code.setRegister(register, () => code.localGet(i)));
  code.setConstant(RAX, 0n);
  code.setRegister(RSP, () => pushStackAddress(code, top, RETURN_BELOW));
  code.callAndReturn(() => code.callOwn(numberAt.get(offset)!), lostImport(module));
  const params: ValueType[] = [...ARGUMENTS.map(() => 'i64' as const), 'i32'];
  const name = `callback_${offset}`;
  const func = module.declare(name, { params, results: ['i64'] });
  module.define(func, [], code);
  module.exportFunction(name, func);
}

const lostImport = (module: ModuleWriter): number =>
  module.importFunction('lost', { params: ['i32'], results: [] }, () => {
    throw new Bug('imported before');
  });

type BlockTable = ReadonlyMap<number, readonly CodeBlock[]>;

/** Blocks of each function by its entry, in the order of its control-flow graph. */
function numberBlocks(
  c: SimulationContext,
  { address, bytes }: SimulatedImage,
  functions: readonly MachineFunction[],
  descriptors: readonly (readonly InsnDescriptor[])[],
  symbolAt: (address: bigint) => KernelSymbol,
): BlockTable {
  const ids = functions.map(({ cfg }) => cfg.blocks.map(() => c.nextBlock()));
  const entryId = (offset: number): number =>
    ids[functions.findIndex(({ entry }) => entry === offset)]![0]!;
  return new Map(
    functions.map((func, i) => {
      const blocks = func.cfg.blocks.map(({ index, slots, successors }): CodeBlock => {
        const insns = slots.map((slot) => descriptors[i]![slot]!);
        const ending = func.endings[index]!;
        const [next, taken] = successors.map((successor) => ids[i]![successor]!);
        const outside = ending.kind === 'call' && !isInside(bytes, ending.target);
        const memoryWords = insns.reduce((sum, { memory }) => sum + memory.length, 0);
        const endOf = (): BlockEnd => {
          switch (ending.kind) {
            case 'fall':
              return { kind: 'fall', next: next! };
            case 'branch':
              return { kind: 'branch', next: next!, taken: taken ?? next! };
            case 'return':
            case 'trap':
              return { kind: 'return' };
            case 'go':
              return { kind: 'jump', target: entryId(ending.target) };
            case 'leave':
              return { kind: 'tail-call', indirect: ending.target === undefined };
            case 'call': {
              if (!outside) return { kind: 'call', target: entryId(ending.target), next: next! };
              const at = BigInt.asUintN(64, address + BigInt(ending.target));
              return { kind: 'host-call', symbol: symbolAt(at).name, next: next! };
            }
          }
        };
        const words = memoryWords + (outside ? HOST_CALL_WORDS : 0);
        return { id: ids[i]![index]!, insns, words, end: endOf() };
      });
      return [func.entry, blocks];
    }),
  );
}
