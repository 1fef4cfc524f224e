/**
 * The code of hw/x86 on the host's own processor, as an engine for differential tests: on the bytes
 * of the machine's RAM, whose addresses are those of the host.
 *
 *   const engine = nativeEngine(pointers)   undefined on another host, or without a compiler
 *
 * Differences from a machine: kernel addresses are host addresses, so programs must not show any; the
 * pointers that they find in RAM, which `pointers` lists by context, are the host's while code runs,
 * and the kernel's while helpers do. There are no tail calls and callbacks.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine, Executable } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { BpfOops, type VerifiedProgram } from '../../bpf/program.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { generate } from '../../hw/x86/codegen.ts';
import { decodeInsn } from '../../hw/x86/decode.ts';
import { SymbolTable, type KernelSymbol } from '../../hw/cpu/jit/symbols.ts';
import { PROGRAM_ENTRIES } from '../../hw/cpu/jit/text-space.ts';
import { KERNEL_BASE, NULL_GUARD_BYTES, type Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { XdpBuff, XdpRxqInfo } from '../../kernel/types/xdp.ts';

interface NativeModule {
  addressOf(buffer: ArrayBuffer): bigint;
  reserve(sizeBytes: number): bigint;
  write(address: bigint, code: Uint8Array): void;
  run(
    entry: bigint,
    ctx: bigint,
    top: bigint,
    helper: (index: number, ...args: bigint[]) => bigint,
    fixups: readonly bigint[],
  ): bigint | string;
}

const HERE = import.meta.dirname;
const CODE_BYTES = 1 << 20;
const STUB_BYTES = 32;
const STUBS = 128;

/** Where in RAM pointers are that programs with that context load. */
export type PointersOf = (ctx: RamOffset, ram: Ram) => readonly RamOffset[];

/** Data and its end, as test/differential/render.ts has it. */
export const TWO_POINTERS: PointersOf = (ctx) => (ctx === 0 ? [] : [ctx, (ctx + 8) as RamOffset]);

/** A struct xdp_buff: data, data_end, data_meta, data_hard_start, rxq and rxq->dev. */
export const XDP_POINTERS: PointersOf = (ctx, ram) => {
  const rxq = Number(ram.readU64((ctx + XdpBuff.offsets.rxq) as RamOffset) & 0xffff_ffffn);
  const members = ['data', 'data_end', 'data_meta', 'data_hard_start', 'rxq'] as const;
  return [
    ...members.map((member) => (ctx + XdpBuff.offsets[member]) as RamOffset),
    (rxq + XdpRxqInfo.offsets.dev) as RamOffset,
  ];
};

let loaded: NativeModule | undefined | 'not yet' = 'not yet';

/** Builds it where it is older than its source. */
export function nativeModule(): NativeModule | undefined {
  if (loaded === 'not yet') loaded = process.arch === 'x64' ? load() : undefined;
  return loaded;
}

function load(): NativeModule | undefined {
  if (process.platform !== 'linux') return undefined;
  const source = join(HERE, 'native.c');
  const folder = join(HERE, '../../.build');
  const built = join(folder, `native-x86-${process.version}.node`);
  if (!existsSync(built) || statSync(built).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(folder, { recursive: true });
    const headers = join(HERE, '../../node_modules/emnapi/include/node');
    const unfinished = `${built}.${process.pid}`;
    try {
      const flags = ['-O2', '-shared', '-fPIC', '-I', headers, source, '-o', unfinished];
      execFileSync('gcc', flags, { stdio: 'pipe' });
    } catch {
      return undefined;
    }
    renameSync(unfinished, built);
  }
  const module = { exports: {} };
  process.dlopen(module, built);
  return module.exports as NativeModule;
}

export function nativeEngine(pointers = TWO_POINTERS): Engine | undefined {
  const native = nativeModule();
  if (native === undefined) return undefined;
  const hosts = new WeakMap<BpfRuntime, Host>();
  return {
    name: 'native',
    handles: () => true,
    refusal: () => undefined,
    compile: (program, runtime) => {
      let host = hosts.get(runtime);
      if (host === undefined) {
        host = new Host(native, runtime, pointers);
        hosts.set(runtime, host);
      }
      return host.compile(program);
    },
  };
}

/** One machine's RAM and code in the host's address space. */
class Host {
  readonly #native: NativeModule;
  readonly #runtime: BpfRuntime;
  readonly #base: bigint;
  readonly #code: bigint;
  readonly #symbols: SymbolTable;
  /** By stub. */
  readonly #called: ((...args: bigint[]) => bigint)[] = [];
  readonly #pointersOf: PointersOf;
  /** Of the run in progress. */
  #pointers: readonly RamOffset[] = [];
  #stubs = 0;

  constructor(native: NativeModule, runtime: BpfRuntime, pointers: PointersOf) {
    this.#pointersOf = pointers;
    this.#native = native;
    this.#runtime = runtime;
    this.#base = native.addressOf(runtime.ram.memory.buffer);
    this.#code = native.reserve(CODE_BYTES);
    this.#symbols = new SymbolTable({
      ...runtime.kernel,
      symbolAddress: () => {
        if (this.#stubs === STUBS) throw new Error('too many helpers');
        return this.#code + BigInt(STUB_BYTES * this.#stubs++);
      },
    });
  }

  compile(program: VerifiedProgram): Executable {
    const runtime = this.#runtime;
    const native = this.#native;
    const state = engineState(runtime);
    const start = this.#code + BigInt(STUB_BYTES * STUBS);
    const image = generate(
      {
        program,
        runtime,
        state,
        symbols: this.#symbols,
        inline: true,
        blind: undefined,
        host: {
          relocate: (value) => this.#fromKernel(value),
          lowestKernelAddress: this.#base + BigInt(NULL_GUARD_BYTES),
        },
      },
      PROGRAM_ENTRIES,
      () => start,
    );
    const fixups = image.exceptions.flatMap(({ at, register }) => [
      start + BigInt(at),
      BigInt(decodeInsn(image.bytes, at).length),
      BigInt(register),
    ]);
    const run64 = (ctx: RamOffset): bigint => {
      native.write(start, image.bytes);
      const top = state.enterRun();
      const outer = runtime.running;
      runtime.running = { ctx, callback: () => 0n };
      this.#pointers = this.#pointersOf(ctx, runtime.ram);
      this.#toHost();
      try {
        const helper = (index: number, ...args: bigint[]): bigint => {
          this.#toKernelForm();
          try {
            return this.#call(index, args);
          } finally {
            this.#toHost();
          }
        };
        const at = (offset: number): bigint => this.#base + BigInt(offset);
        const result = native.run(start, ctx === 0 ? 0n : at(ctx), at(top), helper, fixups);
        if (typeof result === 'string') throw new BpfOops(result, 0n);
        return BigInt.asIntN(64, result);
      } finally {
        this.#toKernelForm();
        runtime.running = outer;
        state.leaveRun(top);
      }
    };
    return {
      engine: 'native',
      imageBytes: image.bytes.length,
      run: (ctx) => Number(BigInt.asUintN(32, run64(ctx))),
      run64,
      enter: () => {
        throw new Error('no tail calls into native code');
      },
      call: () => {
        throw new Error('native code replaces no functions');
      },
      text: () => '',
      free: () => {},
    };
  }

  #toHost(): void {
    const { ram } = this.#runtime;
    for (const at of this.#pointers) ram.writeU64(at, this.#fromKernel(ram.readU64(at)));
  }

  #toKernelForm(): void {
    const { ram } = this.#runtime;
    for (const at of this.#pointers) ram.writeU64(at, this.#toKernel(ram.readU64(at)));
  }

  #isIn(base: bigint, value: bigint): boolean {
    return value >= base + BigInt(NULL_GUARD_BYTES) && value < base + BigInt(this.#ramBytes);
  }

  get #ramBytes(): number {
    return this.#runtime.ram.sizeBytes;
  }

  #fromKernel(value: bigint): bigint {
    return this.#isIn(KERNEL_BASE, value) ? value - KERNEL_BASE + this.#base : value;
  }

  #toKernel(value: bigint): bigint {
    return this.#isIn(this.#base, value) ? value - this.#base + KERNEL_BASE : value;
  }

  /** What stub `index` stands for. */
  #call(index: number, args: readonly bigint[]): bigint {
    this.#called[index] ??= this.#bind(index);
    return this.#called[index](...args);
  }

  #bind(index: number): (...args: bigint[]) => bigint {
    const address = this.#code + BigInt(STUB_BYTES * index);
    const { host } = this.#symbols.at(address) as KernelSymbol;
    const call = host.value() as (...args: (number | bigint)[]) => number | bigint;
    return (...args) => {
      const values = host.pass.map((passing, i) => {
        const value = this.#toKernel(args[i]!);
        return passing === 'i32' ? Number(BigInt.asIntN(32, value)) : BigInt.asIntN(64, value);
      });
      const result = call(...values);
      switch (host.returns) {
        case 'void':
          return 0n;
        case 'pointer': {
          const offset = BigInt(Number(result) >>> 0);
          return offset === 0n ? 0n : this.#base + offset;
        }
        case 'u32':
          return BigInt(Number(result) >>> 0);
        default:
          return BigInt.asUintN(64, BigInt(result));
      }
    };
  }
}
