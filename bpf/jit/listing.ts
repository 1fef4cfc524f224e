/** The generated code as text: each BPF instruction above the WASM that it became. */
import { helperName } from '../helpers/table.ts';
import { disasmInsn } from '../isa/disasm.ts';
import type { VerifiedProgram } from '../program.ts';
import type { MappedFunction } from './code-map.ts';
import { disassembleWasm } from './wasm-disasm.ts';

export function listing(
  program: VerifiedProgram,
  image: Uint8Array,
  functions: readonly MappedFunction[],
): string {
  const lines: string[] = [];
  disassembleWasm(image).forEach(({ name, signature, instructions }, i) => {
    lines.push(`${name}: ${signature}`);
    const marks = functions[i]?.marks ?? [];
    let next = 0;
    for (const { offset, depth, text } of instructions) {
      for (; next < marks.length && marks[next]! <= offset; next += 2) {
        lines.push(`; ${describe(program, marks[next + 1]!)}`);
      }
      lines.push(`${offset.toString(16).padStart(4)}:\t${'  '.repeat(depth)}${text}`);
    }
    lines.push('');
  });
  return lines.join('\n');
}

function describe({ insns }: VerifiedProgram, slot: number): string {
  const helper = (id: number): string => `bpf_${helperName(id) ?? id}`;
  return `${slot}: ${disasmInsn(insns, slot, { helper })}`;
}
