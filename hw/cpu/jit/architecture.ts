/**
 * What an architecture brings along so that verified programs run as its machine code: a code
 * generator, a decoder, a translation of decoded instructions to WebAssembly, and the ways in and out.
 * hw/x86 and hw/arm are two; engine.ts makes an engine of one.
 */
import type { Executable } from '../../../bpf/engine.ts';
import type { IsaRow } from '../../../bpf/isa/row.ts';
import type { EngineRefusal } from '../../../bpf/engine.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import type { Ram } from '../../../kernel/ram/ram.ts';
import type { InsnDescriptor } from '../events.ts';
import type { FlowIsa, MachineFunction, PlacedInsn } from './control-flow.ts';
import type { CoreState, RegisterFile } from './core-state.ts';
import type { EntryCode } from './entry-code.ts';
import type { Linkage } from './linkage.ts';
import type { LowerContext } from './lower.ts';
import type { WasmFunction } from './wasm-function.ts';

export interface CodeFunction {
  readonly name: string;
  /** Offset in the image and size; what is between functions traps. */
  readonly start: number;
  readonly sizeBytes: number;
  /** Pairs of offset in the image and slot, ascending. */
  readonly marks: Uint32Array;
}

/** For an exception: the load at `at` zeroes `register` and goes on behind itself (EX_TYPE_BPF). */
export interface ExceptionEntry {
  readonly at: number;
  readonly register: number;
}

export interface MachineImage {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** One a subprogram. */
  readonly functions: readonly CodeFunction[];
  /** Offsets in the image. */
  readonly exceptions: readonly ExceptionEntry[];
}

/** Code of an image that changes while it is in use. */
export interface Patcher {
  /** Bring the bytes up to date; whether they changed. */
  update(): boolean;
}

/** Registers by their role in the calling convention. */
export interface Convention extends RegisterFile {
  readonly arguments: readonly number[];
  readonly result: number;
  readonly stack: number;
  /** What a function may change without saving it, besides the result. */
  readonly callerSaved: readonly number[];
}

/** Prepares registers and stack; `top` is a local, the RAM offset (i32) that the stack begins below. */
export interface Entries {
  /** A run from its first instruction. */
  run(code: EntryCode, top: number): void;
  /** A tail call from another engine: as if the prologue had run. @param tailCalls local, an i32 */
  tail(code: EntryCode, top: number, tailCalls: number): void;
  callback(code: EntryCode, top: number): void;
  /**
   * A tail call into another engine's program, which runs in the frame at hand and returns as the
   * epilogue would: the low half of the address that it returns to.
   */
  leave(target: Executable, core: CoreState, ram: Ram): number;
}

export interface Architecture<
  I extends PlacedInsn = PlacedInsn,
  M extends MachineImage = MachineImage,
> extends FlowIsa<I> {
  /** Of the engine. */
  readonly name: string;
  readonly convention: Convention;
  /** Bytes of a function that its program's tail calls do not execute. */
  readonly tailCallOffset: number;
  readonly entries: Entries;
  handles(row: IsaRow): boolean;
  refusal?(program: VerifiedProgram): EngineRefusal | undefined;
  generate(c: LowerContext, allocate: (sizeBytes: number) => bigint): M;
  /** Undefined for an image that never changes. */
  patcher?(image: M, ram: Ram): Patcher | undefined;
  describe(insn: I, address: bigint, slot: number | undefined): InsnDescriptor;
  translate(
    link: Linkage,
    func: MachineFunction<I>,
    descriptors: readonly InsnDescriptor[],
    slotAt: (offset: number) => number | undefined,
  ): WasmFunction;
  /** In the layout of `bpftool prog dump jited`. */
  listing(
    program: VerifiedProgram,
    image: M,
    symbolAt: (address: bigint) => string | undefined,
  ): string;
}
