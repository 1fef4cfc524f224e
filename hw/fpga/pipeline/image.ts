/** A program as a pipeline: its stages with what they compute, and what it takes of the device. */
import { disasmInsn } from '../../../bpf/isa/disasm.ts';
import { helperName } from '../../../bpf/helpers/table.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import type { DeviceImage, OffloadProgram, ResourceUse } from '../../target.ts';
import type { Design } from './design.ts';
import { isConst, type Node } from './node.ts';
import type { Hazards, Staged } from './hazards.ts';
import type { Schedule } from './stages.ts';
import { type EmittedVerilog, emitVerilog } from './verilog.ts';

export class PipelineImage implements DeviceImage {
  readonly program: OffloadProgram;
  readonly design: Design;
  readonly schedule: Schedule;
  readonly hazards: Hazards;
  readonly resources: readonly ResourceUse[];

  constructor(
    program: OffloadProgram,
    design: Design,
    { schedule, hazards }: Staged,
    resources: readonly ResourceUse[],
  ) {
    this.program = program;
    this.design = design;
    this.schedule = schedule;
    this.hazards = hazards;
    this.resources = resources;
  }

  /** Values that are computed, wires left out. */
  get operations(): number {
    return this.schedule.nodes.filter(isOperation).length;
  }

  /** Synthesizable, one module. */
  verilog(): EmittedVerilog {
    return emitVerilog(this);
  }

  /** What is loaded into the device is a bitstream; its source stands for it. */
  get bytes(): Uint8Array {
    return Uint8Array.from(this.verilog().text, (char) => char.charCodeAt(0));
  }

  text(): string {
    const { schedule } = this;
    const lines: string[] = [];
    for (let stage = 0; stage < schedule.stages; stage++) {
      lines.push(`stage ${stage}:`);
      const slots = new Set(
        schedule.nodes
          .filter((node) => schedule.stageOf(node) === stage && isOperation(node))
          .map(({ slot }) => slot),
      );
      for (const slot of [...slots].sort((a, b) => a - b)) {
        lines.push(`  ${String(slot).padStart(4)}: ${instructionText(this.program.device, slot)}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}

/** Not wires alone. */
const isOperation = (node: Node): boolean =>
  !isConst(node) && node.op !== 'slice' && node.op !== 'concat' && node.op !== 'frame';

export function instructionText({ insns, facts }: VerifiedProgram, slot: number): string {
  return disasmInsn(insns, slot, {
    helper: (id) => `bpf_${helperName(id)}`,
    imm64: (value, _insn, at) => {
      const fact = facts[at]?.imm64;
      return fact?.kind === 'map' ? `map ${fact.map.spec.name}` : `0x${value.toString(16)}`;
    },
  }).trim();
}
