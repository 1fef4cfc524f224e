/**
 * Maps defined through BTF: each variable of section `.maps` is a struct whose members' types say
 * what the map is (a number as an array's length behind a pointer, a type behind a pointer).
 */
import type { Btf } from '../btf/btf.ts';
import type { BtfComposite } from '../btf/types.ts';
import { mapTypeOf } from '../uapi.ts';
import type { ElfFile, ElfRelocation, ElfSection } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { MapDef, MapSlot, ObjectMap } from './object-spec.ts';

/** LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME. */
const PINNING = ['none', 'by_name'] as const;

/** A definition while its members are read. */
interface Draft {
  numbers: Map<string, number>;
  keyTypeId: number;
  valueTypeId: number;
  inner: MapDef | undefined;
  /** Byte offset of `values` in the struct; slots are relocations from there on. */
  valuesOffset: number | undefined;
}

const NUMBERS = new Set([
  'type',
  'key_size',
  'value_size',
  'max_entries',
  'map_flags',
  'numa_node',
  'pinning',
  'map_extra',
]);

export function readBtfMaps(elf: ElfFile, section: ElfSection, btf: Btf): ObjectMap[] {
  const fail = (reason: string): never => {
    throw new ObjectError(elf.fileName, section.name, reason);
  };
  const datasec = btf.typeAs(btf.find(section.name, 'datasec') ?? 0, 'datasec');
  if (datasec === undefined) return fail('there is no BTF for it; compile with -g');
  return datasec.vars.map(({ type }) => {
    const variable = btf.typeAs(type, 'var') ?? fail(`BTF type ${type} is no variable`);
    const { name } = variable;
    const symbol = elf.symbolIn(section.index, name) ?? fail(`map '${name}' has no symbol`);
    const whole = { name, btf, fail };
    const draft = readStruct(variable.type, whole);
    // The initialiser of `values` makes the variable longer than its type.
    const end = symbol.value + Math.max(symbol.sizeBytes, btf.sizeOf(variable.type) ?? 0);
    if (end > section.sizeBytes) fail(`map '${name}' goes beyond the section`);
    return {
      name,
      def: mapDef(draft, whole),
      pinning:
        PINNING[draft.numbers.get('pinning') ?? 0] ??
        fail(`map '${name}': invalid pinning value ${draft.numbers.get('pinning')}`),
      slots: readSlots(elf, section, draft, symbol.value, end, whole),
    };
  });
}

/** What the type of a variable in `.maps` says of the map; `extern` ones are read so, too. */
export function btfMapDef(
  btf: Btf,
  typeId: number,
  name: string,
  fail: (reason: string) => never,
): MapDef & { readonly pinning: number } {
  const draft = readStruct(typeId, { name, btf, fail });
  return { ...mapDef(draft, { name, btf, fail }), pinning: draft.numbers.get('pinning') ?? 0 };
}

function readStruct(typeId: number, context: Context): Draft {
  const struct = context.btf.resolved(typeId);
  if (struct.kind !== 'struct') return context.fail(`map '${context.name}' is no struct`);
  return readMembers(struct, context, true);
}

interface Context {
  readonly name: string;
  readonly btf: Btf;
  readonly fail: (reason: string) => never;
}

function readMembers(struct: BtfComposite, context: Context, outer: boolean): Draft {
  const { name, btf, fail } = context;
  const draft: Draft = {
    numbers: new Map(),
    keyTypeId: 0,
    valueTypeId: 0,
    inner: undefined,
    valuesOffset: undefined,
  };
  for (const member of struct.members) {
    if (NUMBERS.has(member.name)) {
      draft.numbers.set(member.name, numberOf(member.type, member.name, context));
    } else if (member.name === 'key' || member.name === 'value') {
      const pointer = btf.typeAs(btf.resolve(member.type), 'ptr');
      if (pointer === undefined) return fail(`map '${name}': ${member.name} is no pointer`);
      const size = btf.sizeOf(pointer.type);
      if (size === undefined) return fail(`map '${name}': ${member.name} has no size`);
      const field = `${member.name}_size`;
      const stated = draft.numbers.get(field);
      if (stated !== undefined && stated !== size) {
        fail(`map '${name}': conflicting ${member.name} size ${stated} != ${size}`);
      }
      draft.numbers.set(field, size);
      if (member.name === 'key') draft.keyTypeId = pointer.type;
      else draft.valueTypeId = pointer.type;
    } else if (member.name === 'values' && outer) {
      const type = mapTypeOf(draft.numbers.get('type') ?? 0) ?? '';
      if (!/^prog_array$|_of_maps$/.test(type)) {
        fail(`map '${name}': should be map-in-map or prog-array`);
      }
      draft.valuesOffset = member.bitOffset / 8;
      draft.inner = innerDef(member.type, context);
    } else {
      fail(`map '${name}': unknown field '${member.name}'`);
    }
  }
  return draft;
}

/** `int (*name)[N]` is the number N. */
function numberOf(typeId: number, field: string, { name, btf, fail }: Context): number {
  const pointer = btf.typeAs(btf.resolve(typeId), 'ptr');
  const array = pointer && btf.typeAs(btf.resolve(pointer.type), 'array');
  return array?.count ?? fail(`map '${name}': ${field} is no __uint`);
}

/** The inner map's definition of `struct inner *values[]`; undefined for an array of functions. */
function innerDef(typeId: number, context: Context): MapDef | undefined {
  const { name, btf, fail } = context;
  const array = btf.typeAs(btf.resolve(typeId), 'array');
  const pointer = array && btf.typeAs(btf.resolve(array.elementType), 'ptr');
  if (pointer === undefined) return fail(`map '${name}': values is no array of pointers`);
  const target = btf.resolved(pointer.type);
  if (target.kind === 'func_proto') return undefined;
  if (target.kind !== 'struct') {
    return fail(`map '${name}': map-in-map inner def is of unexpected kind ${target.kind}`);
  }
  const inner = { ...context, name: `${name}.inner` };
  return mapDef(readMembers(target, inner, false), inner);
}

function mapDef(draft: Draft, { name, fail }: Context): MapDef {
  const { numbers } = draft;
  const number = (field: string) => numbers.get(field) ?? 0;
  const type = mapTypeOf(number('type'));
  if (!numbers.has('type')) fail(`map '${name}': map type isn't specified`);
  const pointerSized = draft.valuesOffset !== undefined || /_of_maps$/.test(type ?? '');
  return {
    type: type ?? fail(`map '${name}': unknown map type ${number('type')}`),
    keyBytes: number('key_size'),
    // A slot is a file descriptor for user space.
    valueBytes: numbers.get('value_size') ?? (pointerSized ? 4 : 0),
    maxEntries: number('max_entries'),
    flags: number('map_flags'),
    numaNode: number('numa_node'),
    mapExtra: BigInt(number('map_extra')),
    btfKeyTypeId: draft.keyTypeId,
    btfValueTypeId: draft.valueTypeId,
    ...(draft.inner && { inner: draft.inner }),
  };
}

/** `values = { [2] = &inner }`: a relocation in the initialiser is a slot to fill. */
function readSlots(
  elf: ElfFile,
  section: ElfSection,
  draft: Draft,
  start: number,
  end: number,
  { name, fail }: Context,
): MapSlot[] {
  const first = start + (draft.valuesOffset ?? end);
  const inMap = ({ offset }: ElfRelocation) => offset >= start && offset < end;
  return (elf.relocations.get(section.index) ?? []).filter(inMap).map(({ offset, symbol }) => {
    const index = (offset - first) / 8;
    if (index < 0 || !Number.isInteger(index)) {
      return fail(`map '${name}': a value is set that is no slot`);
    }
    if (symbol.type === 'func') return { index, program: symbol.name };
    if (symbol.section !== section.index) fail(`map '${name}': slot ${index} holds no map`);
    return { index, map: symbol.name };
  });
}
