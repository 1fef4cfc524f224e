/**
 * The rewritten program as bpf(2) shows it (bpf_insn_prepare_dump of 6.1): map addresses become
 * map ids again, loads with exception handling plain loads, calls of the kernel the distance of the
 * function behind them from __bpf_call_base, which tools turn into a name with kallsyms.
 */
import type { Insn } from '../isa/insn.ts';
import { helperName, helpers } from '../helpers/table.ts';
import { prototypeOf } from '../kfuncs/kfunc.ts';
import { kfuncs } from '../kfuncs/table.ts';
import type { InsnFact, VerifiedProgram } from '../program.ts';
import { uapi } from '../uapi.ts';

const CLASS = 0x07;
const LDX = 0x01;
const MODE = 0xe0;
const MODE_MEM = 0x60;
const MODE_PROBE_MEM = 0x20;
const LD_IMM64 = 0x18;
const CALL = 0x85;

/** Kernel text, where `_text` is on x86-64 without KASLR, and room above it for other functions. */
const CALL_BASE = 0xffff_ffff_8120_0000n;
/** Functions are 16-byte aligned on x86-64; ours all take as much as a short helper does. */
const SYMBOL_BYTES = 64;
/** A distance that small stands for a helper's id (tail calls), so no function is that near. */
const NEAREST_BYTES = 1024;
/** Map operations are called directly where the map is known: prefix by map type. */
const DIRECT_OPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  map_lookup_elem: {
    hash: '__htab_map_lookup_elem',
    lru_hash: '__htab_map_lookup_elem',
    percpu_hash: 'htab_percpu_map_lookup_elem',
    lru_percpu_hash: 'htab_lru_percpu_map_lookup_elem',
    array: 'array_map_lookup_elem',
    percpu_array: 'percpu_array_map_lookup_elem',
    lpm_trie: 'trie_lookup_elem',
  },
  map_update_elem: {
    hash: 'htab_map_update_elem',
    lru_hash: 'htab_lru_map_update_elem',
    percpu_hash: 'htab_percpu_map_update_elem',
    lru_percpu_hash: 'htab_lru_percpu_map_update_elem',
    array: 'array_map_update_elem',
    percpu_array: 'array_map_update_elem',
    lpm_trie: 'trie_update_elem',
  },
  map_delete_elem: {
    hash: 'htab_map_delete_elem',
    lru_hash: 'htab_lru_map_delete_elem',
    percpu_hash: 'htab_map_delete_elem',
    lru_percpu_hash: 'htab_lru_map_delete_elem',
    array: 'array_map_delete_elem',
    percpu_array: 'array_map_delete_elem',
    lpm_trie: 'trie_delete_elem',
  },
};

const SYMBOLS = [
  ...new Set([
    '__bpf_call_base',
    ...helpers.map((row) => `bpf_${row.name}`),
    ...Object.values(DIRECT_OPS).flatMap((names) => Object.values(names)),
    ...kfuncs.map(({ declaration }) => prototypeOf(declaration).name),
  ]),
].map((name, i) => {
  const distance = i === 0 ? 0 : NEAREST_BYTES + i * SYMBOL_BYTES;
  return { name, address: CALL_BASE + BigInt(distance) };
});
const DISTANCES = new Map(SYMBOLS.map(({ name, address }) => [name, Number(address - CALL_BASE)]));
/** Of tail calls, which are an instruction of their own in the kernel. */
const TAIL_CALL = 12;

/** Every function that a helper call may stand for, in address order, with __bpf_call_base. */
export const bpfSymbols = (): readonly { readonly name: string; readonly address: bigint }[] =>
  SYMBOLS;

const symbolDistance = (name: string): number => DISTANCES.get(name) ?? -SYMBOL_BYTES;

export function dumpableInsns(program: VerifiedProgram): readonly Insn[] {
  const { insns, facts, subprogs } = program;
  return insns.map((insn, slot) => {
    if (insn.code === CALL && insn.src === 0 && insn.imm === TAIL_CALL) return insn;
    if (insn.code === CALL && insn.src === 0) {
      return { ...insn, imm: symbolDistance(calledFunction(insn, facts[slot])) };
    }
    if (insn.code === CALL && insn.src === uapi.BPF_PSEUDO_KFUNC_CALL) {
      return { ...insn, imm: symbolDistance(facts[slot]?.kfunc ?? '') };
    }
    if (insn.code === CALL && insn.src === uapi.BPF_PSEUDO_CALL) {
      /** Distance in `off`, index of the callee in `imm`: how tools find its name. */
      const target = slot + 1 + insn.imm;
      const callee = subprogs.findIndex(({ start }) => start === target);
      return { ...insn, off: insn.imm, imm: callee };
    }
    if ((insn.code & CLASS) === LDX && (insn.code & MODE) === MODE_PROBE_MEM) {
      return { ...insn, code: (insn.code & ~MODE) | MODE_MEM };
    }
    if (insn.code === LD_IMM64) return firstHalf(insn, facts[slot]);
    if (insn.code === 0 && insns[slot - 1]?.code === LD_IMM64) {
      return secondHalf(insn, facts[slot - 1]);
    }
    return insn;
  });
}

function firstHalf(insn: Insn, fact: InsnFact | undefined): Insn {
  switch (fact?.imm64?.kind) {
    case 'map':
      return { ...insn, src: uapi.BPF_PSEUDO_MAP_FD, imm: fact.imm64.map.id };
    case 'map_value':
      return { ...insn, src: uapi.BPF_PSEUDO_MAP_VALUE, imm: fact.imm64.map.id };
    case 'func':
      return { ...insn, src: uapi.BPF_PSEUDO_FUNC };
    default:
      return insn;
  }
}

function secondHalf(insn: Insn, first: InsnFact | undefined): Insn {
  if (first?.imm64?.kind === 'map') return { ...insn, imm: 0 };
  if (first?.imm64?.kind === 'map_value') return { ...insn, imm: first.imm64.offset };
  return insn;
}

function calledFunction(insn: Insn, fact: InsnFact | undefined): string {
  const helper = helperName(insn.imm) ?? '';
  const direct = fact?.map && DIRECT_OPS[helper.replace(/^bpf_/, '')]?.[fact.map.spec.type];
  return direct ?? (helper.startsWith('bpf_') ? helper : `bpf_${helper}`);
}
