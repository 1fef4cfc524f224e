/**
 * The listing for `bpftool prog dump jited`: the module's text with each BPF instruction as a
 * comment above the WASM that it became. The text comes from a module with a marker call before
 * each instruction; here the markers become the comments.
 */
import { helperName } from '../helpers/table.ts';
import { disasmInsn } from '../isa/disasm.ts';
import type { VerifiedProgram } from '../program.ts';

const MARKER = /^(\s*)\(call \$insn_(\d+)\)$/;
const MARKER_IMPORT = /^\s*\(import "skep" "insn_\d+"/;

export function annotatedText(program: VerifiedProgram, text: string): string {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (MARKER_IMPORT.test(line)) continue;
    const marker = MARKER.exec(line);
    if (marker === null) lines.push(line);
    else lines.push(`${marker[1]};; ${describe(program, Number(marker[2]))}`);
  }
  return lines.join('\n');
}

function describe({ insns }: VerifiedProgram, slot: number): string {
  const helper = (id: number): string => `bpf_${helperName(id) ?? id}`;
  return `${slot}: ${disasmInsn(insns, slot, { helper })}`;
}
