/**
 * Look-ups as Linux writes them out in a program where it knows the map (map_gen_lookup of 6.1,
 * with a JIT). skep's engines inline from facts instead, so this is only for who reads programs.
 *
 *   const { insns, slotOf } = withLookups(program, dumpable)
 *   slotOf(slot)     where the instruction of a slot is now
 *
 * differs: bpf_loop and bpf_jiffies64 stay calls.
 */
import { helpers } from '../helpers/table.ts';
import { rowOf } from '../isa/table.ts';
import { insn as make } from '../asm/build.ts';
import type { Insn } from '../isa/insn.ts';
import { BPF_ARRAY_VALUE } from '../../kernel/types/bpf-map.ts';
import { HTAB_ELEM_BYTES, roundUp } from '../maps/map-type.ts';
import type { BpfMap } from '../maps/map.ts';
import type { VerifiedProgram } from '../program.ts';
import { uapi } from '../uapi.ts';

/** struct htab_elem's lru_node.ref and struct xsk_map's xsk_map, x86-64. */
const LRU_REF_OFFSET = 35;
const XSK_MAP_OFFSET = 264;
const LOOKUP = helpers.find(({ name }) => name === 'map_lookup_elem')!.id;

export interface DumpedProgram {
  readonly insns: readonly Insn[];
  slotOf(slot: number): number;
}

/** @param dumpable the program's instructions, slot by slot, in the form for dumps */
export function withLookups(program: VerifiedProgram, dumpable: readonly Insn[]): DumpedProgram {
  const pieces = dumpable.map((insn, slot) => lookupAt(program, slot, insn) ?? [insn]);
  const starts: number[] = [];
  let next = 0;
  for (const piece of pieces) {
    starts.push(next);
    next += piece.length;
  }
  const slotOf = (slot: number) => starts[slot] ?? next;
  if (next === dumpable.length) return { insns: dumpable, slotOf };
  const moved = (slot: number, distance: number) => slotOf(slot + 1 + distance) - slotOf(slot) - 1;
  const insns = pieces.flatMap((piece, slot) =>
    piece.length === 1 ? [relinked(piece[0]!, (distance) => moved(slot, distance))] : piece,
  );
  return { insns, slotOf };
}

/** What stands for the call in this slot, where it is one that Linux writes out. */
function lookupAt(program: VerifiedProgram, slot: number, call: Insn): Insn[] | undefined {
  const { imm } = program.insns[slot]!;
  const map = program.facts[slot]?.map;
  if (rowOf(program.insns[slot]!)?.name !== 'call_helper' || imm !== LOOKUP || !map)
    return undefined;
  const { type, keyBytes, maxEntries, flags } = map.spec;
  const toValue = make('add64_imm', { dst: 0, imm: HTAB_ELEM_BYTES + roundUp(keyBytes, 8) });
  switch (type) {
    case 'hash':
      return [call, make('jeq64_imm', { dst: 0, imm: 0, off: 1 }), toValue];
    case 'lru_hash':
      return [
        call,
        make('jeq64_imm', { dst: 0, imm: 0, off: 4 }),
        make('ldx8', { dst: 1, src: 0, off: LRU_REF_OFFSET }),
        make('jne64_imm', { dst: 1, imm: 0, off: 1 }),
        make('st8', { dst: 0, off: LRU_REF_OFFSET, imm: 1 }),
        toValue,
      ];
    case 'hash_of_maps':
      return [
        call,
        make('jeq64_imm', { dst: 0, imm: 0, off: 2 }),
        toValue,
        make('ldx64', { dst: 0, src: 0 }),
      ];
    case 'array':
      // Its size may change where it is an inner map.
      return (flags & uapi.BPF_F_INNER_MAP) !== 0 ? undefined : indexed(map, maxEntries);
    case 'array_of_maps':
      return indexed(map, maxEntries);
    case 'xskmap':
      return [
        make('ldx32', { dst: 0, src: 2 }),
        make('jge32_imm', { dst: 0, imm: maxEntries, off: 5 }),
        make('lsh64_imm', { dst: 0, imm: 3 }),
        make('add64_imm', { dst: 1, imm: XSK_MAP_OFFSET }),
        make('add64_reg', { dst: 0, src: 1 }),
        make('ldx64', { dst: 0, src: 0 }),
        make('goto', { off: 1 }),
        make('mov64_imm', { dst: 0, imm: 0 }),
      ];
    default:
      return undefined;
  }
}

/** The element's address, or for maps the pointer there. */
function indexed({ elementBytes, spec }: BpfMap, maxEntries: number): Insn[] {
  const holdsMaps = spec.type === 'array_of_maps';
  const isPowerOfTwo = (elementBytes & (elementBytes - 1)) === 0;
  return [
    make('add64_imm', { dst: 1, imm: BPF_ARRAY_VALUE }),
    make('ldx32', { dst: 0, src: 2 }),
    make('jge64_imm', { dst: 0, imm: maxEntries, off: holdsMaps ? 5 : 3 }),
    isPowerOfTwo
      ? make('lsh64_imm', { dst: 0, imm: Math.log2(elementBytes) })
      : make('mul64_imm', { dst: 0, imm: elementBytes }),
    make('add64_reg', { dst: 0, src: 1 }),
    ...(holdsMaps
      ? [make('ldx64', { dst: 0, src: 0 }), make('jeq64_imm', { dst: 0, imm: 0, off: 1 })]
      : []),
    make('goto', { off: 1 }),
    make('mov64_imm', { dst: 0, imm: 0 }),
  ];
}

/** Jumps, calls and addresses of functions, with the distance that they have now. */
function relinked(insn: Insn, moved: (distance: number) => number): Insn {
  const row = rowOf(insn);
  switch (row?.kind) {
    case 'goto':
      return row.long ? { ...insn, imm: moved(insn.imm) } : { ...insn, off: moved(insn.off) };
    case 'branch':
      return { ...insn, off: moved(insn.off) };
    // The distance of a callee is in `off` here (xlated.ts).
    case 'call':
      return row.target === 'subprog' ? { ...insn, off: moved(insn.off) } : insn;
    case 'ld_imm64':
      return row.form === 'func' ? { ...insn, imm: moved(insn.imm) } : insn;
    default:
      return insn;
  }
}
