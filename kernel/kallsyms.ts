/**
 * Kernel symbols: the functions that have an address in this kernel, and BPF programs as they come
 * and go.
 *
 *   kallsyms.text(showAddresses)   /proc/kallsyms
 *   kallsyms.at(address)           name and offset, for `%pS` and stack traces
 *   kallsyms.address(name)
 */
import type { BpfSubsystem } from '../bpf/syscall/subsystem.ts';
import { progSymbols } from '../bpf/syscall/prog-symbols.ts';
import { bpfSymbols } from '../bpf/syscall/xlated.ts';
import { ENTRY_SYMBOLS } from './bpf/callchain.ts';
import type { SyscallRow } from './syscall/row.ts';

/** Start of kernel text on x86-64 without KASLR (Documentation/x86/x86_64/mm.rst). */
const TEXT = 0xffff_ffff_8100_0000n;
/** What an entry point takes here; functions are 16-byte aligned on x86-64. */
const FUNCTION_BYTES = 64n;

interface KernelSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly module?: string;
}

export class Kallsyms {
  readonly #text: readonly KernelSymbol[];
  readonly #byName: ReadonlyMap<string, bigint>;
  readonly #bpf: BpfSubsystem;

  constructor(syscalls: readonly SyscallRow[], bpf: BpfSubsystem) {
    this.#bpf = bpf;
    const entries = syscalls.map(({ name }) => `__x64_sys_${name}`);
    const names = ['_text', ...entries, ...ENTRY_SYMBOLS];
    const text = names.map((name, i) => ({ name, address: TEXT + BigInt(i) * FUNCTION_BYTES }));
    this.#text = [...text, ...bpfSymbols()].sort(byAddress);
    this.#byName = new Map(this.#text.map(({ name, address }) => [name, address]));
  }

  text(showAddresses: boolean): string {
    return this.#all()
      .map(({ name, address, module }) => {
        const shown = (showAddresses ? address : 0n).toString(16).padStart(16, '0');
        return `${shown} ${module ? 't' : 'T'} ${name}${module ? `\t[${module}]` : ''}\n`;
      })
      .join('');
  }

  at(address: bigint): { readonly name: string; readonly offset: number } | undefined {
    const wanted = BigInt.asUintN(64, address);
    const symbol = this.#all().findLast((candidate) => candidate.address <= wanted);
    if (!symbol || wanted - symbol.address >= FUNCTION_BYTES) return undefined;
    return { name: symbol.name, offset: Number(wanted - symbol.address) };
  }

  address(name: string): bigint | undefined {
    return this.#byName.get(name) ?? this.#all().find((symbol) => symbol.name === name)?.address;
  }

  #all(): readonly KernelSymbol[] {
    const programs: KernelSymbol[] = [];
    for (const object of this.#bpf.progs.values()) {
      for (const { name, address } of progSymbols(this.#bpf.host.runtime, object)) {
        programs.push({ name, address, module: 'bpf' });
      }
    }
    return [...this.#text, ...programs.sort(byAddress)];
  }
}

function byAddress(a: KernelSymbol, b: KernelSymbol): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
