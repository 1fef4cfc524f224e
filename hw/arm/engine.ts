/**
 * The engine 'arm': verified programs as AArch64 machine code, executed by the simulator.
 *
 *   createArmEngine()                            one for any number of machines
 *   engine.observe(runtime, observer)            show a machine's runs to a timing model
 *   createArmEngine({ lse: false })              for cores without FEAT_LSE, as a Cortex-A53
 *   createArmEngine({ blindingSeed: 1 })         with constants blinded, as bpf_jit_harden does
 *
 * differs: kernel memory and code have x86-64's addresses, which one machine has for all engines.
 */
import type { EngineRefusal } from '../../bpf/engine.ts';
import type { IsaRow } from '../../bpf/isa/row.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import type { Architecture, MachineImage } from '../cpu/jit/architecture.ts';
import { createMachineEngine, type JitOptions, type MachineEngine } from '../cpu/jit/engine.ts';
import { listing } from '../cpu/jit/listing.ts';
import type { MachineProgram } from '../cpu/jit/program.ts';
import { generate } from './codegen.ts';
import { flowOf } from './control.ts';
import { decodeInsn, type ArmInsn } from './decode.ts';
import { describe } from './descriptors.ts';
import { ENTRIES } from './entries.ts';
import { tailCallOffset, type ArmOptions } from './function-code.ts';
import { CONVENTION } from './registers.ts';
import { armText } from './text.ts';
import { translateFunction } from './translate-function.ts';

export type ArmJitOptions = JitOptions & ArmOptions;
export type ArmEngine = MachineEngine;
export type ArmProgram = MachineProgram;

export function createArmEngine(options: ArmJitOptions = {}): ArmEngine {
  return createMachineEngine(arm(options), options);
}

/** Debian's kernel on a Neoverse, if nothing else is asked for. */
export function arm(options: ArmOptions = {}): Architecture<ArmInsn, MachineImage> {
  const { pac = true, bti = false, lse = true } = options;
  const all = { pac, bti, lse };
  return {
    name: 'arm',
    convention: CONVENTION,
    tailCallOffset: tailCallOffset(all),
    entries: ENTRIES,
    // Calls of kernel functions need prototypes that engines have not.
    handles: (row) => row.kind !== 'call' || row.target !== 'kfunc',
    refusal: branchTooFar,
    generate: (c, allocate) => generate(c, all, allocate),
    decode: decodeInsn,
    flow: flowOf,
    describe,
    translate: translateFunction,
    listing: (program, image, symbolAt) =>
      listing({ decode: decodeInsn, text: armText }, program, image, symbolAt),
  };
}

/** What 19 bits of distance, in instructions, reach (Linux: check_imm19 fails the compilation). */
const BRANCH_REACH = 2 ** 18;

/** No branch can be too far where this many instructions at most lie between. */
function branchTooFar({ insns }: VerifiedProgram): EngineRefusal | undefined {
  const wordsBefore = [0];
  for (const insn of insns) {
    const row = rowOf(insn);
    wordsBefore.push(wordsBefore.at(-1)! + (row === undefined ? 0 : mostWords(row)));
  }
  const far = insns.findIndex((insn, slot) => {
    if (rowOf(insn)?.kind !== 'branch') return false;
    const distance = wordsBefore[slot + 1 + insn.off]! - wordsBefore[slot]!;
    return Math.abs(distance) >= BRANCH_REACH;
  });
  if (far < 0) return undefined;
  const message = `the branch of instruction ${far} may be too far for 19 bits`;
  return { reason: 'program-too-large', insn: far, message };
}

/** Bounds of what lowering and emit make of an instruction, blinded too. */
function mostWords(row: IsaRow): number {
  switch (row.kind) {
    case 'call':
      return 40;
    case 'ld_packet':
      return 16;
    case 'alu':
      return /^s?(div|mod)$/.test(row.operation) ? 20 : 6;
    case 'atomic':
      return 12;
    default:
      return 10;
  }
}
