/**
 * Which types of the kernel a local type stands for: by name without flavour, then by shape. Three
 * degrees: fields that can be read alike, types that are of one kind, and types that match member by
 * member (libbpf's fields_are_compat, types_are_compat and types_match).
 */
import type { Btf } from './btf.ts';
import type { CoreRelo } from './ext.ts';
import type { CoreAccess, CoreSpec } from './core-spec.ts';
import { essentialName, isEnumRelo, isTypeRelo } from './core-spec.ts';
import type { BtfType } from './types.ts';

/** How deep types are compared (BPF_CORE_SPEC_MAX_LEN / 2 levels of recursion in libbpf). */
const MAX_LEVELS = 32;
/** Comparisons of one match at most; types that share parts make more paths than types. */
const MAX_COMPARISONS = 100_000;

const isEnum = (type: BtfType) => type.kind === 'enum' || type.kind === 'enum64';
const isComposite = (type: BtfType) => type.kind === 'struct' || type.kind === 'union';
const sameKind = (a: BtfType, b: BtfType) => a.kind === b.kind || (isEnum(a) && isEnum(b));

/** Target types by essential name, for one target BTF. */
export function candidateIndex(target: Btf): ReadonlyMap<string, readonly number[]> {
  const index = new Map<string, number[]>();
  for (const [id, type] of target.types.entries()) {
    if (type.name === '') continue;
    const name = essentialName(type.name);
    const ids = index.get(name);
    if (ids === undefined) index.set(name, [id]);
    else ids.push(id);
  }
  return index;
}

export function candidates(
  local: Btf,
  localId: number,
  target: Btf,
  index: ReadonlyMap<string, readonly number[]>,
): readonly number[] {
  const type = local.types[localId]!;
  const named = index.get(essentialName(type.name)) ?? [];
  return named.filter((id) => sameKind(target.types[id]!, type));
}

/** Both can be used by the same code: of one kind all the way, whatever structs hold. */
export function typesAreCompatible(
  local: Btf,
  localId: number,
  target: Btf,
  targetId: number,
): boolean {
  return new Comparison(local, target).compatible(localId, targetId, 0);
}

/** The path of `spec` in the candidate, or undefined where it does not have it. */
export function matchSpec(
  local: Btf,
  spec: CoreSpec,
  target: Btf,
  targetId: number,
  relo: CoreRelo,
): CoreSpec | undefined {
  const comparison = new Comparison(local, target);
  if (isTypeRelo(relo.kind)) {
    const same =
      relo.kind === 'type_matches'
        ? comparison.match(spec.rootId, targetId, false, 0)
        : comparison.compatible(spec.rootId, targetId, 0);
    return same ? { rootId: targetId, steps: [], bitOffset: 0, raw: [0] } : undefined;
  }
  if (isEnumRelo(relo.kind)) return matchEnumerator(spec, target, targetId);
  return matchFields(comparison, spec, target, targetId);
}

function matchEnumerator(spec: CoreSpec, target: Btf, targetId: number): CoreSpec | undefined {
  const typeId = target.resolve(targetId);
  const type = target.types[typeId]!;
  if (type.kind !== 'enum' && type.kind !== 'enum64') return undefined;
  const wanted = essentialName(spec.steps[0]!.name!);
  const index = type.values.findIndex(({ name }) => essentialName(name) === wanted);
  if (index < 0) return undefined;
  const name = type.values[index]!.name;
  return { rootId: targetId, steps: [{ typeId, index, name }], bitOffset: 0, raw: [index] };
}

function matchFields(
  comparison: Comparison,
  spec: CoreSpec,
  target: Btf,
  targetId: number,
): CoreSpec | undefined {
  const steps: CoreAccess[] = [];
  const raw: number[] = [];
  let bitOffset = 0;
  let flexible = false;
  let typeId = target.resolve(targetId);
  for (const [position, step] of spec.steps.entries()) {
    const type = target.types[typeId]!;
    if (step.name !== undefined) {
      const found = comparison.member(step, typeId);
      if (found === undefined) return undefined;
      steps.push({ typeId: found.structId, index: found.path.at(-1)!, name: step.name });
      raw.push(...found.path);
      bitOffset += found.bitOffset;
      flexible = found.last;
      typeId = target.resolve(found.typeId);
      continue;
    }
    if (position > 0) {
      if (type.kind !== 'array') return undefined;
      if (step.index >= type.count && !(flexible && type.count <= 1)) return undefined;
      typeId = target.resolve(type.elementType);
      flexible = false;
    }
    const size = target.sizeOf(typeId);
    if (size === undefined) return undefined;
    bitOffset += step.index * size * 8;
    raw.push(step.index);
    steps.push({ typeId, index: step.index, name: undefined });
  }
  return { rootId: targetId, steps, bitOffset, raw };
}

interface MatchedMember {
  readonly structId: number;
  readonly typeId: number;
  readonly bitOffset: number;
  /** Member numbers, through anonymous members. */
  readonly path: readonly number[];
  /** It is the last of its struct. */
  readonly last: boolean;
}

class Comparison {
  readonly #local: Btf;
  readonly #target: Btf;
  #count = 0;

  constructor(local: Btf, target: Btf) {
    this.#local = local;
    this.#target = target;
  }

  /** Resolved types on both sides, unless the comparison goes too far. */
  #pair(localId: number, targetId: number, level: number): [BtfType, BtfType] | undefined {
    if (level > MAX_LEVELS || ++this.#count > MAX_COMPARISONS) return undefined;
    return [this.#local.resolved(localId), this.#target.resolved(targetId)];
  }

  /** The member that a local access means, within anonymous members of the target too. */
  member(
    step: CoreAccess,
    structId: number,
    searched = new Set<number>(),
    level = 0,
  ): MatchedMember | undefined {
    const struct = this.#target.types[structId]!;
    if ((struct.kind !== 'struct' && struct.kind !== 'union') || searched.has(structId)) {
      return undefined;
    }
    searched.add(structId);
    if (level > MAX_LEVELS) return undefined;
    const localStruct = this.#local.types[step.typeId]!;
    const localMember = isComposite(localStruct)
      ? (localStruct as Extract<BtfType, { kind: 'struct' | 'union' }>).members[step.index]!
      : undefined;
    for (const [index, member] of struct.members.entries()) {
      const last = index === struct.members.length - 1;
      if (member.name === '') {
        const within = this.#target.resolve(member.type);
        const found = this.member(step, within, searched, level + 1);
        if (found === undefined) continue;
        const bitOffset = found.bitOffset + member.bitOffset;
        return { ...found, bitOffset, path: [index, ...found.path] };
      }
      if (member.name !== step.name) continue;
      if (!this.readAlike(localMember!.type, member.type, 0)) return undefined;
      const { type: typeId, bitOffset } = member;
      return { structId, typeId, bitOffset, path: [index], last };
    }
    return undefined;
  }

  /** Fields of these types can be read by the same code. */
  readAlike(localId: number, targetId: number, level: number): boolean {
    const pair = this.#pair(localId, targetId, level);
    if (pair === undefined) return false;
    const [local, target] = pair;
    if (isComposite(local) && isComposite(target)) return true;
    if (!sameKind(local, target)) return false;
    switch (local.kind) {
      case 'ptr':
      case 'float':
        return true;
      case 'fwd':
      case 'enum':
      case 'enum64': {
        const names = [essentialName(local.name), essentialName(target.name)];
        return names.includes('') || names[0] === names[1];
      }
      case 'int':
        return local.bitOffset === 0 && (target as typeof local).bitOffset === 0;
      case 'array':
        return this.readAlike(local.elementType, (target as typeof local).elementType, level + 1);
      default:
        return false;
    }
  }

  /** Types of one kind, whatever their members. */
  compatible(localId: number, targetId: number, level: number): boolean {
    const pair = this.#pair(localId, targetId, level);
    if (pair === undefined) return false;
    const [local, target] = pair;
    if (!sameKind(local, target)) return false;
    switch (local.kind) {
      case 'void':
      case 'struct':
      case 'union':
      case 'enum':
      case 'enum64':
      case 'fwd':
        return true;
      case 'int':
        return local.bitOffset === 0 && (target as typeof local).bitOffset === 0;
      case 'ptr':
        return this.compatible(local.type, (target as typeof local).type, level + 1);
      case 'array':
        return this.compatible(local.elementType, (target as typeof local).elementType, level + 1);
      case 'func_proto':
        return this.#prototypes(local, target as typeof local, (a, b) =>
          this.compatible(a, b, level + 1),
        );
      default:
        return false;
    }
  }

  /** All that the local type has, the target has too, of matching types. */
  match(localId: number, targetId: number, behindPointer: boolean, level: number): boolean {
    const pair = this.#pair(localId, targetId, level);
    if (pair === undefined) return false;
    const [local, target] = pair;
    if (essentialName(local.name) !== essentialName(target.name)) return false;
    if (!sameKind(local, target)) return behindPointer && forwardMatches(local, target);
    switch (local.kind) {
      case 'void':
        return true;
      case 'fwd':
        return local.union === (target as typeof local).union;
      case 'enum':
      case 'enum64': {
        const names = new Set(
          (target as typeof local).values.map(({ name }) => essentialName(name)),
        );
        return local.values.every(({ name }) => names.has(essentialName(name)));
      }
      case 'struct':
      case 'union':
        // Behind a pointer the name is enough; the code does not reach through it.
        if (behindPointer) return true;
        return local.members.every(({ name, type }) => {
          const found = this.#target.member(targetId, name);
          return found !== undefined && this.match(type, found.type, false, level + 1);
        });
      case 'int': {
        const other = target as typeof local;
        return local.size === other.size && local.signed === other.signed;
      }
      case 'ptr':
        return this.match(local.type, (target as typeof local).type, true, level + 1);
      case 'array': {
        const other = target as typeof local;
        return (
          local.count === other.count &&
          this.match(local.elementType, other.elementType, behindPointer, level + 1)
        );
      }
      case 'func_proto':
        return this.#prototypes(local, target as typeof local, (a, b) =>
          this.match(a, b, behindPointer, level + 1),
        );
      default:
        return false;
    }
  }

  #prototypes(
    local: Extract<BtfType, { kind: 'func_proto' }>,
    target: Extract<BtfType, { kind: 'func_proto' }>,
    same: (localId: number, targetId: number) => boolean,
  ): boolean {
    return (
      local.params.length === target.params.length &&
      local.params.every((param, index) => same(param.type, target.params[index]!.type)) &&
      same(local.returnType, target.returnType)
    );
  }
}

/** A forward declaration stands for the struct or union of its name. */
function forwardMatches(a: BtfType, b: BtfType): boolean {
  const [fwd, whole] = a.kind === 'fwd' ? [a, b] : [b, a];
  return fwd.kind === 'fwd' && whole.kind === (fwd.union ? 'union' : 'struct');
}
