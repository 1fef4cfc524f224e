/** What the host provides to a machine, for tests in Node: the C core, built once and compiled once. */
import { readFileSync } from 'node:fs';
import type { NativeCore } from '../../bpf/native/core.ts';
import { CORE_RESERVED_BYTES, instantiateCore } from '../../bpf/native/core.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { createRuntime } from '../../bpf/runtime.ts';
import type { BareKernel, BareKernelOptions } from '../../bpf/testing/bare-kernel.ts';
import { bareKernel } from '../../bpf/testing/bare-kernel.ts';
import { Ram } from '../../kernel/ram/ram.ts';
import { buildNative } from '../../tools/build-native.mjs';

let core: Promise<WebAssembly.Module> | undefined;

/** The compiled C core; the first caller builds it where sources have changed. */
export function coreModule(): Promise<WebAssembly.Module> {
  core ??= buildNative().then((path) => new WebAssembly.Module(readFileSync(path)));
  return core;
}

export interface BareMachine {
  readonly ram: Ram;
  readonly core: NativeCore;
  readonly kernel: BareKernel;
  readonly runtime: BpfRuntime;
}

/** RAM, C core and a bare kernel: all that maps, helpers and engines need. */
export async function bareMachine(
  options: BareKernelOptions & { readonly ramMiB?: number } = {},
): Promise<BareMachine> {
  const ram = new Ram((options.ramMiB ?? 64) << 20, CORE_RESERVED_BYTES);
  const core = instantiateCore(await coreModule(), ram);
  const kernel = bareKernel(ram, options);
  return { ram, core, kernel, runtime: createRuntime(ram, core, kernel) };
}
