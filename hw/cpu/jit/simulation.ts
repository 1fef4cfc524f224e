/**
 * An image of machine code as a WebAssembly module that does what a processor would do with its
 * bytes: the simulator. Instructions are decoded from the image, never taken from the generator.
 *
 *   simulate(arch, core, image)   its functions
 *
 *   enter(ctx, stackTop, tailCalls) -> r0     a run, or a tail call from elsewhere (ENTRY of bpf/jit)
 *   tail() -> i32                             a tail call with everything in the core's registers
 *   callback_N(r1, …, r5, stackTop) -> r0     by offset of the function
 */
import { mapFunction, type MappedFunction } from '../../../bpf/jit/code-map.ts';
import { I32, type ValueType } from '../../../bpf/jit/code-writer.ts';
import { ModuleWriter } from '../../../bpf/jit/module-writer.ts';
import { ENTRY } from '../../../bpf/jit/program-table.ts';
import type { Ram } from '../../../kernel/ram/ram.ts';
import { Bug } from '../../../kernel/types/units.ts';
import { HOST_CALL_WORDS, type BlockEnd, type CodeBlock, type InsnDescriptor } from '../events.ts';
import type { Architecture } from './architecture.ts';
import { functionsOf, isInside, type MachineFunction, type PlacedInsn } from './control-flow.ts';
import type { CoreState } from './core-state.ts';
import { EntryCode } from './entry-code.ts';
import { FUNCTION, type Linkage, type Traps } from './linkage.ts';
import type { KernelSymbol, SymbolTable } from './symbols.ts';

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

export function simulate<I extends PlacedInsn>(
  arch: Architecture<I>,
  c: SimulationContext,
  image: SimulatedImage,
): Simulation {
  const { bytes } = image;
  const functions = functionsOf(arch, image, [0, arch.tailCallOffset, ...image.callbacks]);
  const numberAt = new Map(functions.map(({ entry }, i) => [entry, i]));
  const descriptors = functions.map(({ insns }) =>
    insns.map((insn) =>
      arch.describe(insn, image.address + BigInt(insn.offset), image.slotAt(insn.offset)),
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
    traps: c.traps,
    address: image.address,
    functionAt: (offset) => numberAt.get(offset),
    symbolAt,
    zeroedBy: (offset) => image.zeroes.get(offset),
    stackLimit: c.stackLimit,
    poison: c.poison,
    blockOf: (entry, block) => blocks!.get(entry)![block]!,
  };
  functions.forEach(({ entry }) => module.declare(`${arch.name}_${entry.toString(16)}`, FUNCTION));
  const codes = functions.map((func, i) => {
    const code = arch.translate(link, func, descriptors[i]!, image.slotAt);
    module.define(i, code.locals, code);
    return code;
  });
  defineEntry(arch, c, module, numberAt, link.lost);
  for (const offset of image.callbacks) {
    defineCallback(arch, c, module, numberAt, offset, link.lost);
  }
  module.exportFunction('tail', numberAt.get(arch.tailCallOffset)!);
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
): Pick<Linkage, 'fault' | 'flush' | 'leave' | 'lost' | 'stackOverflow'> {
  const stops = (name: keyof Traps, params: readonly ValueType[] = ['i32']): number =>
    module.importFunction(name, { params, results: [] }, () => traps[name].bind(traps));
  return {
    fault: stops('fault', ['i64', 'i32', 'i32']),
    flush: module.importFunction(
      'flush',
      { params: [], results: ['i32'] },
      () => () => core.flush(),
    ),
    leave: module.importFunction('leave', { params: ['i32'], results: ['i32'] }, () => leave),
    lost: stops('lost'),
    stackOverflow: stops('stackOverflow'),
  };
}

/** Tail calls enter behind the prologue's first part, as if it had run. */
function defineEntry(
  { convention, entries, tailCallOffset }: Architecture,
  { core }: SimulationContext,
  module: ModuleWriter,
  numberAt: ReadonlyMap<number, number>,
  lost: number,
): void {
  const code = new EntryCode(core.registersAt);
  const [ctx, top, tailCalls] = [0, 1, 2];
  code.setRegister(convention.arguments[0]!, () => code.localGet(ctx));
  code.localGet(tailCalls);
  code.op(I32.eqz);
  code.if('i32');
  entries.run(code, top);
  code.callOwn(numberAt.get(0)!);
  code.else();
  entries.tail(code, top, tailCalls);
  code.callOwn(numberAt.get(tailCallOffset)!);
  code.end();
  code.returned(convention.result, lost);
  module.define(module.declare('enter', ENTRY), [], code);
  module.exportFunction('enter', numberAt.size);
}

function defineCallback(
  { convention, entries }: Architecture,
  { core }: SimulationContext,
  module: ModuleWriter,
  numberAt: ReadonlyMap<number, number>,
  offset: number,
  lost: number,
): void {
  const code = new EntryCode(core.registersAt);
  const { arguments: registers, result } = convention;
  registers.forEach((register, i) => code.setRegister(register, () => code.localGet(i)));
  entries.callback(code, registers.length);
  code.callOwn(numberAt.get(offset)!);
  code.returned(result, lost);
  const params: ValueType[] = [...registers.map(() => 'i64' as const), 'i32'];
  const name = `callback_${offset}`;
  const func = module.declare(name, { params, results: ['i64'] });
  module.define(func, [], code);
  module.exportFunction(name, func);
}

type BlockTable = ReadonlyMap<number, readonly CodeBlock[]>;

/** Blocks of each function by its entry, in the order of its control-flow graph. */
function numberBlocks(
  c: SimulationContext,
  { address, bytes }: SimulatedImage,
  functions: readonly MachineFunction<PlacedInsn>[],
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
