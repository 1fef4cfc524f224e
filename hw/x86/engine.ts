/**
 * The engine 'x86': verified programs as x86-64 machine code, executed by the simulator.
 *
 *   createX86Engine()                            one for any number of machines
 *   engine.observe(runtime, observer)            show a machine's runs to a timing model
 *   createX86Engine({ blindingSeed: 1 })         with constants blinded, as bpf_jit_harden does
 */
import type { Architecture } from '../cpu/jit/architecture.ts';
import type { Flow } from '../cpu/jit/control-flow.ts';
import { createMachineEngine, type JitOptions, type MachineEngine } from '../cpu/jit/engine.ts';
import type { MachineProgram } from '../cpu/jit/program.ts';
import { listing } from '../cpu/jit/listing.ts';
import { PROGRAM_ENTRIES } from '../cpu/jit/text-space.ts';
import { attText } from './att.ts';
import { generate, type CodeImage } from './codegen.ts';
import { decodeInsn, type X86Insn } from './decode.ts';
import { describe } from './descriptors.ts';
import { ENTRIES } from './entries.ts';
import { TAIL_CALL_OFFSET } from './function-code.ts';
import { DirectTailCalls } from './patch.ts';
import { CONVENTION } from './registers.ts';
import { translateFunction } from './translate-function.ts';

export type X86Options = JitOptions;
export type X86Engine = MachineEngine;
export type X86Program = MachineProgram<CodeImage>;

export function createX86Engine(options: X86Options = {}): X86Engine {
  return createMachineEngine(X86, options);
}

export const X86: Architecture<X86Insn, CodeImage> = {
  name: 'x86',
  convention: CONVENTION,
  tailCallOffset: TAIL_CALL_OFFSET,
  entries: ENTRIES,
  // Calls of kernel functions need prototypes that engines have not.
  handles: (row) => row.kind !== 'call' || row.target !== 'kfunc',
  generate: (c, allocate) => generate(c, PROGRAM_ENTRIES, allocate),
  patcher: (image, ram) => (image.pokes.length === 0 ? undefined : new DirectTailCalls(image, ram)),
  decode: decodeInsn,
  flow: flowOf,
  describe,
  translate: translateFunction,
  listing: (program, image, symbolAt) =>
    listing({ decode: decodeInsn, text: attText }, program, image, symbolAt),
};

export function flowOf({ mnemonic, target }: X86Insn): Flow {
  switch (mnemonic) {
    case 'ret':
      return { kind: 'return' };
    case 'int3':
      return { kind: 'trap' };
    case 'jmp-indirect':
      return { kind: 'indirect' };
    case 'call':
      return { kind: 'call', target: target! };
    case 'jcc':
      return { kind: 'branch', target: target! };
    case 'jmp':
      return { kind: 'jump', target: target! };
    default:
      return { kind: 'next' };
  }
}
