/**
 * Machine code as text.
 *
 *   disassemble(bytes, start, end)    instruction by instruction
 *   listing(program, image)           all of a program, in the layout of `bpftool prog dump jited`: each BPF instruction above what
 * it became, offsets from the function's start, AT&T syntax. Disassembled from the bytes.
 */
import { helperName } from '../../bpf/helpers/table.ts';
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { attText } from './att.ts';
import type { CodeImage } from './codegen.ts';
import { decodeInsn } from './decode.ts';

export interface DisassembledInsn {
  /** From `start`. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** @param targetText what a jump or call out of the code shows, by offset in `bytes` */
export function disassemble(
  bytes: Uint8Array,
  start: number,
  end: number,
  targetText: (offset: number) => string = (offset) => hex(offset - start),
): readonly DisassembledInsn[] {
  const insns: DisassembledInsn[] = [];
  const inside = (offset: number): boolean => offset >= start && offset < end;
  for (let at = start; at < end;) {
    const insn = decodeInsn(bytes, at);
    const text = attText(insn, (to) => (inside(to) ? hex(to - start) : targetText(to)));
    insns.push({ offset: at - start, bytes: bytes.subarray(at, at + insn.length), text });
    at += insn.length;
  }
  return insns;
}

const hex = (value: number | bigint): string =>
  `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** @param symbolAt name of the kernel function at an address */
export function listing(
  program: VerifiedProgram,
  { bytes, address, functions }: CodeImage,
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
    for (const { offset, text } of disassemble(bytes, start, start + sizeBytes, targetText)) {
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
