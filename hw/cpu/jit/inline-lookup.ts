/**
 * Lookups of known maps as instructions: what each map type's map_gen_lookup makes in Linux 6.1
 * (kernel/bpf/arraymap.c, hashtab.c). r1 map, r2 key; r0 value or NULL.
 */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import type { MapType } from '../../../bpf/uapi.ts';
import { BPF_ARRAY_VALUE } from '../../../kernel/types/bpf-map.ts';
import { elementLookup, type SymbolContext } from './helper-symbols.ts';
import { Label, type LoweredList } from './lowered.ts';

/** struct htab_elem (bpf/native/hashtab.h): the key, and the reference bit of lru_node. */
const ELEM_KEY_AT = 48;
const ELEM_LRU_REF_AT = 35;
const POINTER_BYTES = 8;

type Inline = (c: SymbolContext, list: LoweredList, slot: number, map: BpfMap) => void;

const INLINES: Partial<Record<MapType, Inline>> = {
  array: (_, list, slot, map) => {
    const valuesAt = map.directValue! - map.offset;
    arrayElement(list, slot, valuesAt, map.elementBytes, map.spec.maxEntries);
  },
  array_of_maps: (_, list, slot, map) => {
    arrayElement(list, slot, BPF_ARRAY_VALUE, POINTER_BYTES, map.spec.maxEntries, 'pointers');
  },
  hash: (c, list, slot, map) => hashElement(c, list, slot, map, () => {}),
  lru_hash: (c, list, slot, map) => {
    hashElement(c, list, slot, map, () => {
      const isSet = new Label();
      list.emit(slot, 'ldx8', { dst: 1, src: 0, off: ELEM_LRU_REF_AT });
      list.branch(slot, 'jne64_imm', { dst: 1 }, isSet);
      list.emit(slot, 'st8', { dst: 0, off: ELEM_LRU_REF_AT, imm: 1 });
      list.place(isSet);
    });
  },
  hash_of_maps: (c, list, slot, map) => {
    hashElement(c, list, slot, map, () => {}, 'pointers');
  },
};

/** False where the lookup has to be called. */
export function inlinedLookup(
  c: SymbolContext,
  list: LoweredList,
  slot: number,
  map: BpfMap,
): boolean {
  const inline = INLINES[map.spec.type];
  inline?.(c, list, slot, map);
  return inline !== undefined;
}

function arrayElement(
  list: LoweredList,
  slot: number,
  valuesAt: number,
  elementBytes: number,
  maxEntries: number,
  holds?: 'pointers',
): void {
  const none = new Label();
  const end = new Label();
  list.emit(slot, 'add64_imm', { dst: 1, imm: valuesAt });
  list.emit(slot, 'ldx32', { dst: 0, src: 2 });
  list.branch(slot, 'jge64_imm', { dst: 0, imm: maxEntries }, none);
  const isPower = (elementBytes & (elementBytes - 1)) === 0;
  if (isPower) list.emit(slot, 'lsh64_imm', { dst: 0, imm: Math.log2(elementBytes) });
  else list.emit(slot, 'mul64_imm', { dst: 0, imm: elementBytes });
  list.emit(slot, 'add64_reg', { dst: 0, src: 1 });
  if (holds === 'pointers') {
    list.emit(slot, 'ldx64', { dst: 0, src: 0 });
    list.branch(slot, 'jeq64_imm', { dst: 0 }, none);
  }
  list.branch(slot, 'goto', {}, end);
  list.place(none);
  list.emit(slot, 'mov64_imm', { dst: 0 });
  list.place(end);
}

function hashElement(
  c: SymbolContext,
  list: LoweredList,
  slot: number,
  map: BpfMap,
  found: () => void,
  holds?: 'pointers',
): void {
  const end = new Label();
  const valueAt = ELEM_KEY_AT + 8 * Math.ceil(map.spec.keyBytes / 8);
  list.emit(slot, 'call_helper', {}, { symbol: elementLookup(c, valueAt) });
  list.branch(slot, 'jeq64_imm', { dst: 0 }, end);
  found();
  list.emit(slot, 'add64_imm', { dst: 0, imm: valueAt });
  if (holds === 'pointers') list.emit(slot, 'ldx64', { dst: 0, src: 0 });
  list.place(end);
}
