/**
 * Kernel functions that machine code calls: their addresses, and what the host does when the
 * simulated core gets there. One table a machine.
 *
 *   table.define(name, host)   the symbol, made when first asked for
 *   table.at(address)          and back
 *
 * A function's address is that of /proc/kallsyms where the kernel has it, else the next of a range
 * that Linux's text section has on x86-64.
 */
import type { Passing } from '../../../bpf/helpers/helper.ts';
import type { BpfKernel } from '../../../bpf/runtime.ts';

/** How the arguments and the result of a host function pass; as HelperImplementation has it. */
export interface HostFunction {
  readonly pass: readonly Passing[];
  /** `u32` is an int whose upper half comes out 0. */
  readonly returns: 'i32' | 'u32' | 'i64' | 'pointer' | 'void';
  /** A function of the C core, or JavaScript. */
  readonly value: () => unknown;
}

export interface KernelSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly host: HostFunction;
}

/** In __START_KERNEL_map (Documentation/x86/x86_64/mm.rst), above what kallsyms of a machine uses. */
const UNNAMED_BASE = 0xffff_ffff_8f00_0000n;
const FUNCTION_BYTES = 64n;

export class SymbolTable {
  readonly #kernel: BpfKernel;
  readonly #byKey = new Map<string, KernelSymbol>();
  readonly #byAddress = new Map<bigint, KernelSymbol>();
  #unnamed = 0n;

  constructor(kernel: BpfKernel) {
    this.#kernel = kernel;
  }

  /** @param variant tells apart functions of one name that the host does differently */
  define(name: string, host: HostFunction, variant = ''): KernelSymbol {
    const key = `${name}(${host.pass.join()})${host.returns}${variant}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const symbol: KernelSymbol = { name, address: this.#addressOf(name), host };
    this.#byKey.set(key, symbol);
    this.#byAddress.set(symbol.address, symbol);
    return symbol;
  }

  at(address: bigint): KernelSymbol | undefined {
    return this.#byAddress.get(address);
  }

  #addressOf(name: string): bigint {
    const address = this.#kernel.symbolAddress?.(name);
    if (address !== undefined) {
      const unsigned = BigInt.asUintN(64, address);
      if (!this.#byAddress.has(unsigned)) return unsigned;
    }
    return UNNAMED_BASE + this.#unnamed++ * FUNCTION_BYTES;
  }
}
