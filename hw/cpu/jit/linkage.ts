/** What the WebAssembly of a function of machine code refers to outside itself. */
import type { ModuleWriter, Signature } from '../../../bpf/jit/module-writer.ts';
import type { KernelSymbol } from './symbols.ts';
import type { WasmHost } from './wasm-function.ts';

/** () -> the low half of the address that it returned to, which its caller checks. */
export const FUNCTION: Signature = { params: [], results: ['i32'] };

/** What stops a run; none returns. */
export interface Traps {
  fault(address: bigint, offset: number, bytes: number): void;
  divideError(offset: number): void;
  /** A function returned elsewhere, or code was reached that stops. */
  lost(offset: number): void;
  stackOverflow(offset: number): void;
}

export interface Linkage extends WasmHost {
  readonly module: ModuleWriter;
  readonly traps: Traps;
  /** Of the image's first byte. */
  readonly address: bigint;
  /** Number in the module of the function at that offset; undefined for what is no function of it. */
  functionAt(offset: number): number | undefined;
  symbolAt(address: bigint): KernelSymbol;
  /** The register that a fault of the load at that offset zeroes. */
  zeroedBy(offset: number): number | undefined;
  /** Lowest address that the stack may reach, as a RAM offset. */
  readonly stackLimit: number;
  /** Give caller-saved registers a value that no program wants. */
  readonly poison: boolean;
  /** Import (low half of the target: i32) -> i32: a jump to another program. */
  readonly leave: number;
  /** Imports (offset: i32) */
  readonly lost: number;
  readonly stackOverflow: number;
  /** Id of each block of a function, with `words` that follow it; in traced code. */
  blockOf(entry: number, block: number): { readonly id: number; readonly words: number };
}
