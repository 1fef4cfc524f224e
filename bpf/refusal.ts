/** Which instruction of a program an engine cannot execute, if any. */
import type { EngineRefusal } from './engine.ts';
import type { IsaRow } from './isa/row.ts';
import { rowOf } from './isa/table.ts';
import type { VerifiedProgram } from './program.ts';

export function firstUnhandled(
  engine: string,
  handles: (row: IsaRow) => boolean,
  { insns }: VerifiedProgram,
): EngineRefusal | undefined {
  for (let slot = 0; slot < insns.length;) {
    const row = rowOf(insns[slot]!);
    if (row === undefined) {
      const message = `no instruction has opcode 0x${insns[slot]!.code.toString(16)}`;
      return { reason: 'no-such-instruction', insn: slot, message };
    }
    if (!handles(row)) {
      const message = `${engine} does not execute ${row.name}`;
      return { reason: 'instruction-not-supported', insn: slot, message };
    }
    slot += row.slots;
  }
  return undefined;
}
