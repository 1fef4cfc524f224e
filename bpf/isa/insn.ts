/**
 * One 8-byte BPF instruction slot, decoded. `ld_imm64` takes two slots, as in the encoding: the
 * second has opcode 0 and carries the upper half in `imm`, so an index is always a slot index and
 * jump offsets need no translation. Which instruction a slot is, by name, is `bpf/isa/table.ts`.
 */
export interface Insn {
  /** Opcode byte. */
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  /** Signed 16 bits. */
  readonly off: number;
  /** Signed 32 bits. */
  readonly imm: number;
}
