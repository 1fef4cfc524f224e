/**
 * Whether declarations of one global in two objects agree, as libbpf's linker asks: the same shape
 * all the way down by value; behind pointers the same names are enough. An undefined answer is yes;
 * else the text says what differs.
 */
import type { Btf } from '../btf/btf.ts';
import type { BtfComposite, BtfFuncProto, BtfType } from '../btf/types.ts';
import { btfMapDef } from '../elf/btf-maps.ts';
import type { MapDef } from '../elf/object-spec.ts';

type Side = readonly [btf: TypeSource, typeId: number];

/** A Btf, or types that are still being put together. */
export type TypeSource = Pick<Btf, 'types'>;

export function globalMismatch(name: string, a: Side, b: Side): string | undefined {
  return mismatch(a, b, true, {
    say: (what) => `global '${name}': incompatible ${what}`,
    seen: new Set(),
    depth: 0,
  });
}

interface Comparison {
  readonly say: (what: string) => string;
  /** Pairs that agree, unless something else is found to differ. */
  readonly seen: Set<string>;
  depth: number;
}

/** Types nested deeper are nobody's source code. */
const MAX_DEPTH = 500;

function mismatch(
  [btfA, idA]: Side,
  [btfB, idB]: Side,
  exact: boolean,
  comparison: Comparison,
): string | undefined {
  const { say, seen } = comparison;
  const pair = `${idA} ${idB} ${exact}`;
  if (seen.has(pair)) return undefined;
  seen.add(pair);
  if (comparison.depth > MAX_DEPTH) return say('types: they nest too deep');
  const a = unqualified(btfA, idA);
  const b = unqualified(btfB, idB);
  const parts = (left: number, right: number, exactly = exact) => {
    comparison.depth++;
    const found = mismatch([btfA, left], [btfB, right], exactly, comparison);
    comparison.depth--;
    return found;
  };
  if (!exact && (a.kind === 'fwd') !== (b.kind === 'fwd')) return forwardMismatch(a, b, say);
  if (a.kind !== b.kind) return say(`BTF kinds ${a.kind} and ${b.kind}`);
  const names = `names '${a.name}' and '${b.name}'`;
  switch (a.kind) {
    case 'int':
    case 'float':
    case 'enum':
    case 'enum64': {
      if (a.kind.startsWith('enum') && a.name !== b.name) return say(`${a.kind} ${names}`);
      const size = (b as typeof a).size;
      return a.size === size ? undefined : say(`${a.kind} '${a.name}' size ${a.size} and ${size}`);
    }
    case 'fwd':
      return a.name === b.name ? undefined : say(`fwd ${names}`);
    case 'ptr':
      return parts(a.type, (b as typeof a).type, false);
    case 'array':
      return parts(a.elementType, (b as typeof a).elementType);
    case 'var':
    case 'func': {
      if (a.name !== b.name) return say(`${a.kind} ${names}`);
      const linkage = (b as typeof a).linkage;
      if (a.linkage !== linkage && a.linkage !== 'extern' && linkage !== 'extern') {
        return say(`${a.kind} linkages ${a.linkage} and ${linkage}`);
      }
      return parts(a.type, (b as typeof a).type);
    }
    case 'struct':
    case 'union':
      if (a.name !== b.name) return say(`${a.kind} ${names}`);
      return exact ? memberMismatch(a, b as typeof a, parts, say) : undefined;
    case 'func_proto':
      return prototypeMismatch(a, b as typeof a, parts, say);
    default:
      return undefined;
  }
}

type Parts = (a: number, b: number) => string | undefined;

function memberMismatch(
  a: BtfComposite,
  b: BtfComposite,
  parts: Parts,
  say: (what: string) => string,
): string | undefined {
  if (a.members.length !== b.members.length) {
    return say(`number of ${a.kind} fields ${a.members.length} and ${b.members.length}`);
  }
  for (const [index, member] of a.members.entries()) {
    const other = b.members[index]!;
    if (member.name !== other.name) {
      return say(`field #${index} names '${member.name}' and '${other.name}'`);
    }
    if (member.bitOffset !== other.bitOffset || member.bitSize !== other.bitSize) {
      return say(`field #${index} ('${member.name}') offsets`);
    }
    const deeper = parts(member.type, other.type);
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}

function prototypeMismatch(
  a: BtfFuncProto,
  b: BtfFuncProto,
  parts: Parts,
  say: (what: string) => string,
): string | undefined {
  if (a.params.length !== b.params.length) {
    return say(`number of func_proto params ${a.params.length} and ${b.params.length}`);
  }
  for (const [index, { type }] of a.params.entries()) {
    const deeper = parts(type, b.params[index]!.type);
    if (deeper !== undefined) return deeper;
  }
  return parts(a.returnType, b.returnType);
}

function forwardMismatch(
  a: BtfType,
  b: BtfType,
  say: (what: string) => string,
): string | undefined {
  const [fwd, whole] = a.kind === 'fwd' ? [a, b] : [b, a];
  if (fwd.name !== whole.name) {
    return say(`forward declaration names '${a.name}' and '${b.name}'`);
  }
  const kind = fwd.kind === 'fwd' && fwd.union ? 'union' : 'struct';
  return whole.kind === kind
    ? undefined
    : say(`${kind} forward declaration and concrete kind ${whole.kind}`);
}

function unqualified({ types }: TypeSource, id: number): BtfType {
  for (let at = id; ;) {
    const type = types[at]!;
    switch (type.kind) {
      case 'typedef':
      case 'volatile':
      case 'const':
      case 'restrict':
      case 'type_tag':
        at = type.type;
        break;
      default:
        return type;
    }
  }
}

const MAP_FIELDS = [
  ['type', 'type'],
  ['keyBytes', 'key_size'],
  ['valueBytes', 'value_size'],
  ['maxEntries', 'max_entries'],
  ['flags', 'map_flags'],
  ['numaNode', 'numa_node'],
  ['mapExtra', 'map_extra'],
] as const;

/** The same for variables of `.maps`: what counts is the map that they define. */
export function mapMismatch(
  name: string,
  [btfA, varA]: readonly [Btf, number],
  [btfB, varB]: readonly [Btf, number],
  fail: (reason: string) => never,
): string | undefined {
  const [a, b] = (
    [
      [btfA, varA],
      [btfB, varB],
    ] as const
  ).map(([btf, id]) => btfMapDef(btf, btf.typeAs(id, 'var')?.type ?? 0, name, fail));
  const reason = a!.pinning !== b!.pinning ? 'pinning' : definitionMismatch(a!, b!, btfA, btfB);
  return reason === undefined ? undefined : `global '${name}': map ${reason} mismatch`;
}

function definitionMismatch(a: MapDef, b: MapDef, btfA: Btf, btfB: Btf): string | undefined {
  const field = MAP_FIELDS.find(([key]) => a[key] !== b[key]);
  if (field !== undefined) return field[1];
  for (const [key, what] of [
    ['btfKeyTypeId', 'key type'],
    ['btfValueTypeId', 'value type'],
  ] as const) {
    const both = a[key] !== 0 && b[key] !== 0;
    if ((a[key] !== 0) !== (b[key] !== 0)) return what;
    if (both && globalMismatch('', [btfA, a[key]], [btfB, b[key]]) !== undefined) return what;
  }
  if ((a.inner === undefined) !== (b.inner === undefined)) return 'inner map';
  if (a.inner === undefined || b.inner === undefined) return undefined;
  const inner = definitionMismatch(a.inner, b.inner, btfA, btfB);
  return inner === undefined ? undefined : `inner map's ${inner}`;
}
