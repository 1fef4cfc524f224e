/**
 * Which 32-bit halves of registers are needed after each instruction: an instruction of 32 bits need
 * not clear an upper half that nobody reads (the verifier's zext_dst).
 */
import type { IsaRow } from '../../bpf/isa/row.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { buildCfg } from '../../bpf/jit/cfg.ts';
import { writeMask } from '../../bpf/jit/registers.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';

const low = (register: number): number => 1 << (2 * register);
const both = (register: number): number => 3 << (2 * register);
/** r1 to r5. */
const ARGUMENTS = 0b11_1111_1111_00;

/** By slot: the halves that are read behind it before they are written, the low half of r0 at bit 0. */
export function neededAfter(program: VerifiedProgram): Uint32Array {
  const { blocks } = buildCfg(program, program.subprogs[0]!);
  const after = new Uint32Array(program.insns.length);
  const atStart = new Uint32Array(blocks.length);
  for (let changed = true; changed;) {
    changed = false;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const { slots, successors } = blocks[i]!;
      let needed = successors.reduce((mask, to) => mask | atStart[to]!, 0);
      for (const slot of slots.toReversed()) {
        after[slot] = needed;
        const row = rowOf(program.insns[slot]!)!;
        needed = (needed & ~written(program, slot, row)) | read(program, slot, row, needed);
      }
      if (atStart[i] === needed >>> 0) continue;
      atStart[i] = needed;
      changed = true;
    }
  }
  return after;
}

function written(program: VerifiedProgram, slot: number, row: IsaRow): number {
  const mask = writeMask(program, slot, row);
  let halves = 0;
  for (let register = 0; register <= 10; register++) {
    if ((mask >> register) & 1) halves |= both(register);
  }
  return halves;
}

function read(program: VerifiedProgram, slot: number, row: IsaRow, needed: number): number {
  const { dst, src } = program.insns[slot]!;
  const pointer = program.facts[slot]!.pointer;
  // Packets are in memory with 32-bit addresses, map values are not.
  const address = pointer === 'packet' ? low : both;
  switch (row.kind) {
    case 'alu': {
      const wide = row.width === 64 ? both : low;
      const operand = row.source === 'reg' ? wide(src) : 0;
      if (row.operation === 'mov') return operand;
      // An upper half that is 0 stays as it is.
      return operand | wide(dst) | (needed & both(dst) & ~low(dst) && row.width === 64 ? both(dst) : 0); // prettier-ignore
    }
    case 'neg':
    case 'branch': {
      const wide = row.width === 64 ? both : low;
      return wide(dst) | ('source' in row && row.source === 'reg' ? wide(src) : 0);
    }
    case 'endian':
      return row.bits === 64 ? both(dst) : low(dst);
    case 'load':
      return address(src);
    case 'store': {
      const value = row.source === 'imm' ? 0 : row.bytes === 8 ? both(src) : low(src);
      return address(dst) | value;
    }
    case 'atomic':
      return both(dst) | (row.bytes === 8 ? both(src) : low(src));
    case 'call':
      return ARGUMENTS;
    case 'exit':
      return low(0);
    default:
      return 0;
  }
}
