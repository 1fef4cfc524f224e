/**
 * BTF of the kernel's structs, from their one declaration (kernel/types/struct.ts).
 *
 *   const builder = new BtfBuilder();
 *   const ids = addStructs(builder, [TaskStruct, MmStruct]);    ids.get('task_struct')
 *   btfFromStructs([TaskStruct])                                -> Btf, for a start
 *
 * A pointer to a struct that is not declared points at a forward declaration.
 */
import type { AnyStruct, MemberType } from '../../kernel/types/struct.ts';
import type { Btf } from './btf.ts';
import { BtfBuilder } from './builder.ts';
import type { BtfInt } from './types.ts';

export function btfFromStructs(structs: readonly AnyStruct[]): Btf {
  const builder = new BtfBuilder();
  addStructs(builder, structs);
  return builder.build();
}

/** Ids by name, of the given structs and those embedded in them. */
export function addStructs(
  builder: BtfBuilder,
  structs: readonly AnyStruct[],
): ReadonlyMap<string, number> {
  const declared = new Map(structs.map((struct) => [struct.name, struct]));
  const ids = new Map<string, number>();
  const structId = (struct: AnyStruct): number => {
    const known = ids.get(struct.name);
    if (known !== undefined) return known;
    // The id is needed before the members: they may point back.
    const id = builder.add({ kind: 'fwd', name: struct.name, union: false });
    ids.set(struct.name, id);
    const members = Object.entries(struct.members).map(([name, type]) => ({
      name,
      type: typeId(type),
      bitOffset: struct.offsets[name]! * 8,
      bitSize: 0,
    }));
    const { name, size } = struct;
    builder.replace(id, { kind: 'struct', name, size, members, kindFlag: false });
    return id;
  };
  const pointee = (to: string): number => {
    if (to === 'void') return 0;
    if (to === 'char') return builder.intern(CHAR);
    const struct = declared.get(to);
    if (struct !== undefined) return structId(struct);
    const known = ids.get(to);
    if (known !== undefined) return known;
    const union = to.startsWith('union ');
    return builder.intern({ kind: 'fwd', name: to.replace(/^(struct|union) /, ''), union });
  };
  const typeId = (type: MemberType): number => {
    switch (type.kind) {
      case 'int':
      case 'ns':
        return builder.intern(intType(type.name, type.size, type.signed));
      case 'pointer':
        return builder.intern({ kind: 'ptr', name: '', type: pointee(type.to) });
      case 'struct':
        return structId(type.struct);
      case 'chars':
        return arrayOf(builder, builder.intern(CHAR), type.count);
      case 'array':
        return arrayOf(builder, typeId(type.of), type.count);
    }
  };
  for (const struct of structs) structId(struct);
  return ids;
}

/** A regular integer by its C name. `char` has no encoding of its own in what compilers emit. */
export function intType(name: string, size: number, signed: boolean): BtfInt {
  const bool = name === '_Bool';
  return { kind: 'int', name, size, bits: size * 8, bitOffset: 0, signed, char: false, bool };
}

export const CHAR = intType('char', 1, true);

export function arrayOf(builder: BtfBuilder, elementType: number, count: number): number {
  const indexType = builder.intern(intType('__ARRAY_SIZE_TYPE__', 4, false));
  return builder.intern({ kind: 'array', name: '', elementType, indexType, count });
}
