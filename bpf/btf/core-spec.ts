/**
 * What a CO-RE relocation is about: a root type and a path into it, read from the compiler's access
 * string (`0:1:2`: array index, then numbers of members or elements).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from './btf.ts';
import type { CoreRelo, CoreReloKind } from './ext.ts';
import { BtfError } from './types.ts';

/** A step of the path that has a name or an index; anonymous members leave no step of their own. */
export interface CoreAccess {
  /** Of the struct for a named member, of the element for an index. */
  readonly typeId: number;
  readonly index: number;
  /** The member's or enumerator's name; undefined for an index. */
  readonly name: string | undefined;
}

export interface CoreSpec {
  readonly rootId: number;
  readonly steps: readonly CoreAccess[];
  readonly bitOffset: number;
  /** Member of the last step, for its type and bit-field size. */
  readonly raw: readonly number[];
}

/** BPF_CORE_SPEC_MAX_LEN of libbpf. */
const MAX_STEPS = 64;

const TYPE_KINDS: ReadonlySet<CoreReloKind> = new Set([
  'type_id_local',
  'type_id_target',
  'type_exists',
  'type_size',
  'type_matches',
]);
export const isTypeRelo = (kind: CoreReloKind) => TYPE_KINDS.has(kind);
export const isEnumRelo = (kind: CoreReloKind) =>
  kind === 'enumval_exists' || kind === 'enumval_value';

/** The name without its flavour: `task_struct___v2` is a task_struct. */
export function essentialName(name: string): string {
  for (let at = name.length - 5; at >= 0; at--) {
    if (/^[^_]___[^_]/.test(name.slice(at, at + 5))) return name.slice(0, at + 1);
  }
  return name;
}

export function parseCoreSpec(btf: Btf, relo: CoreRelo): CoreSpec {
  const bad = (why: string) =>
    new BtfError(`CO-RE access '${relo.access}': ${why}`, errno.EINVAL, relo.typeId);
  if (!/^\d+(:\d+)*$/.test(relo.access)) throw bad('is no path');
  const raw = relo.access.split(':').map(Number);
  if (raw.length > MAX_STEPS) throw bad('is too long');
  if (raw.some((index) => index > 0xffff_ffff)) throw bad('has an index beyond 32 bits');
  if (isTypeRelo(relo.kind)) {
    if (relo.access !== '0') throw bad('a type has no path');
    return { rootId: relo.typeId, steps: [], bitOffset: 0, raw };
  }
  let typeId = btf.resolve(relo.typeId);
  if (isEnumRelo(relo.kind)) {
    const type = btf.types[typeId]!;
    const isEnum = type.kind === 'enum' || type.kind === 'enum64';
    const value = isEnum ? type.values[raw[0]!] : undefined;
    if (raw.length > 1 || value === undefined) throw bad('is no enumerator');
    const step = { typeId, index: raw[0]!, name: value.name };
    return { rootId: relo.typeId, steps: [step], bitOffset: 0, raw };
  }
  const size = btf.sizeOf(typeId);
  if (size === undefined) throw bad('its type has no size');
  const steps: CoreAccess[] = [{ typeId, index: raw[0]!, name: undefined }];
  let bitOffset = raw[0]! * size * 8;
  let flexible = false;
  for (const index of raw.slice(1)) {
    const type = btf.types[typeId]!;
    if (type.kind === 'struct' || type.kind === 'union') {
      const member = type.members[index];
      if (member === undefined) throw bad(`no member ${index}`);
      bitOffset += member.bitOffset;
      if (member.name !== '') steps.push({ typeId, index, name: member.name });
      flexible = index === type.members.length - 1;
      typeId = btf.resolve(member.type);
    } else if (type.kind === 'array') {
      // The last member's array of 0 (or, in old code, 1) elements goes on behind the struct.
      if (index >= type.count && !(flexible && type.count <= 1)) throw bad(`no element ${index}`);
      typeId = btf.resolve(type.elementType);
      steps.push({ typeId, index, name: undefined });
      const elementSize = btf.sizeOf(typeId);
      if (elementSize === undefined) throw bad('an element has no size');
      bitOffset += index * elementSize * 8;
      flexible = false;
    } else {
      throw bad(`a ${type.kind} has nothing within`);
    }
  }
  return { rootId: relo.typeId, steps, bitOffset, raw };
}

const KIND_NAMES: Readonly<Record<CoreReloKind, string>> = {
  field_byte_offset: 'byte_off',
  field_byte_size: 'byte_sz',
  field_exists: 'field_exists',
  field_signed: 'signed',
  field_lshift_u64: 'lshift_u64',
  field_rshift_u64: 'rshift_u64',
  type_id_local: 'local_type_id',
  type_id_target: 'target_type_id',
  type_exists: 'type_exists',
  type_size: 'type_size',
  type_matches: 'type_matches',
  enumval_exists: 'enumval_exists',
  enumval_value: 'enumval_value',
};

/** As libbpf names it: `<byte_off> [4] struct task_struct.pid (0:0 @ offset 0)`. */
export function formatCoreSpec(btf: Btf, relo: CoreRelo, spec: CoreSpec): string {
  const type = btf.types[spec.rootId]!;
  const kind = type.kind === 'enum64' ? 'enum' : type.kind;
  const head = `<${KIND_NAMES[relo.kind]}> [${spec.rootId}] ${kind} ${type.name || '<anon>'}`;
  if (isTypeRelo(relo.kind)) return head;
  if (isEnumRelo(relo.kind)) {
    const target = btf.resolved(spec.rootId);
    const isEnum = target.kind === 'enum' || target.kind === 'enum64';
    const value = isEnum ? target.values[spec.raw[0]!]! : undefined;
    return `${head}::${value?.name} = ${value?.value}`;
  }
  const path = spec.steps.map(({ name, index }, position) => {
    if (name !== undefined) return `.${name}`;
    return position > 0 || index > 0 ? `[${index}]` : '';
  });
  const bits = spec.bitOffset % 8 === 0 ? '' : `.${spec.bitOffset % 8}`;
  const offset = `${Math.floor(spec.bitOffset / 8)}${bits}`;
  return `${head}${path.join('')} (${spec.raw.join(':')} @ offset ${offset})`;
}
