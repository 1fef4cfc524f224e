/**
 * Machine code as text, in the layout of `bpftool prog dump jited`: each BPF instruction above what
 * it became, offsets from the function's start, AT&T syntax. Disassembled from the bytes.
 */
import { helperName } from '../../bpf/helpers/table.ts';
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { attText } from './att.ts';
import type { CodeImage } from './codegen.ts';
import { decodeInsn } from './decode.ts';

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
      if (offset >= start && offset < start + sizeBytes)
        return `0x${(offset - start).toString(16)}`;
      const at = BigInt.asUintN(64, address + BigInt(offset));
      const symbol = symbolAt(at) ?? functions.find((other) => other.start === offset)?.name;
      return `0x${at.toString(16)}${symbol === undefined ? '' : ` <${symbol}>`}`;
    };
    let next = 0;
    let described = -1;
    for (let offset = start; offset < start + sizeBytes;) {
      for (; next < marks.length && marks[next]! <= offset; next += 2) {
        const slot = marks[next + 1]!;
        if (slot !== described) lines.push(`; ${describe(program, slot)}`);
        described = slot;
      }
      const insn = decodeInsn(bytes, offset);
      lines.push(`${(offset - start).toString(16).padStart(4)}:\t${attText(insn, targetText)}`);
      offset += insn.length;
    }
    lines.push('');
  }
  return lines.join('\n');
}

function describe({ insns }: VerifiedProgram, slot: number): string {
  const helper = (id: number): string => `bpf_${helperName(id) ?? id}`;
  return `${slot}: ${disasmInsn(insns, slot, { helper })}`;
}
