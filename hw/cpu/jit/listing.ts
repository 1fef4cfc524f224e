/**
 * Machine code as text.
 *
 *   disassemble(syntax, bytes, start, end)    instruction by instruction
 *   listing(syntax, program, image)           all of a program, in the layout of `bpftool prog dump
 *                                             jited`: each BPF instruction above what it became,
 *                                             offsets from the function's start
 */
import { helperName } from '../../../bpf/helpers/table.ts';
import { disasmInsn } from '../../../bpf/isa/disasm.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import type { MachineImage } from './architecture.ts';
import type { PlacedInsn } from './control-flow.ts';

/** How an architecture's code is read and written down. */
export interface Syntax<I extends PlacedInsn> {
  decode(bytes: Uint8Array, offset: number): I;
  /** @param targetText what a relative jump or call shows for the offset that it leads to */
  text(insn: I, targetText: (offset: number) => string): string;
}

export interface DisassembledInsn {
  /** From `start`. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** @param targetText what a jump or call out of the code shows, by offset in `bytes` */
export function disassemble<I extends PlacedInsn>(
  syntax: Syntax<I>,
  bytes: Uint8Array,
  start: number,
  end: number,
  targetText: (offset: number) => string = (offset) => hex(offset - start),
): readonly DisassembledInsn[] {
  const insns: DisassembledInsn[] = [];
  const inside = (offset: number): boolean => offset >= start && offset < end;
  for (let at = start; at < end;) {
    const insn = syntax.decode(bytes, at);
    const text = syntax.text(insn, (to) => (inside(to) ? hex(to - start) : targetText(to)));
    insns.push({ offset: at - start, bytes: bytes.subarray(at, at + insn.length), text });
    at += insn.length;
  }
  return insns;
}

const hex = (value: number | bigint): string =>
  `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** @param symbolAt name of the kernel function at an address */
export function listing<I extends PlacedInsn>(
  syntax: Syntax<I>,
  program: VerifiedProgram,
  { bytes, address, functions }: MachineImage,
  symbolAt: (address: bigint) => string | undefined,
): string {
  const lines: string[] = [];
  for (const { name, start, sizeBytes, marks } of functions) {
    lines.push(`${name}:`);
    const targetText = (offset: number): string => {
      const at = BigInt.asUintN(64, address + BigInt(offset));
      const symbol = symbolAt(at) ?? functions.find((other) => other.start === offset)?.name;
      return symbol === undefined ? hex(at) : `${hex(at)} <${symbol}>`;
    };
    let next = 0;
    let described = -1;
    for (const { offset, text } of disassemble(
      syntax,
      bytes,
      start,
      start + sizeBytes,
      targetText,
    )) {
      for (; next < marks.length && marks[next]! <= start + offset; next += 2) {
        const slot = marks[next + 1]!;
        if (slot !== described) lines.push(`; ${describe(program, slot)}`);
        described = slot;
      }
      lines.push(`${offset.toString(16).padStart(4)}:\t${text}`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

function describe({ insns }: VerifiedProgram, slot: number): string {
  const helper = (id: number): string => `bpf_${helperName(id) ?? id}`;
  return `${slot}: ${disasmInsn(insns, slot, { helper })}`;
}
