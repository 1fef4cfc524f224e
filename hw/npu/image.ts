/** A program as the cores hold it. */
import { helperOfCall } from '../../bpf/calls.ts';
import type { DeviceImage, OffloadProgram, ResourceUse } from '../target.ts';
import type { Compiled } from './compile.ts';
import { encode, text } from './isa.ts';
import { MAPS, MAX_INSTRUCTIONS, STACK_BYTES } from './params.ts';

export class NpuImage implements DeviceImage {
  readonly program: OffloadProgram;
  readonly code: Compiled;
  readonly bytes: Uint8Array;

  constructor(program: OffloadProgram, code: Compiled) {
    this.program = program;
    this.code = code;
    this.bytes = encode(code.insns);
  }

  get resources(): readonly ResourceUse[] {
    const { usedMaps, subprogs } = this.program.device;
    const elements = usedMaps.reduce((sum, { spec }) => sum + spec.maxEntries, 0);
    return [
      { name: 'instructions', used: this.code.insns.length, available: MAX_INSTRUCTIONS },
      { name: 'stack bytes', used: subprogs[0]!.stackBytes, available: STACK_BYTES },
      { name: 'maps', used: usedMaps.length, available: MAPS.count },
      { name: 'map elements', used: elements, available: MAPS.elements },
    ];
  }

  text(): string {
    const { insns, blockAt, endAt } = this.code;
    const starts = new Set([...blockAt, endAt]);
    const helper = (slot: number): string =>
      `bpf_${helperOfCall(this.program.device, slot)?.name ?? slot}`;
    return insns
      .map((insn, i) => `${starts.has(i) ? '\n' : ''}${String(i).padStart(5)}: ${text(insn, helper)}\n`)
      .join('')
      .trimStart();
  } // prettier-ignore
}
