/** Types with other ids in them: for merging and sorting BTF. */
import { Bug } from '../../kernel/types/units.ts';
import { BtfBuilder } from './builder.ts';
import type { Btf } from './btf.ts';
import type { BtfType } from './types.ts';

/** The type with each id that it refers to replaced. */
export function remapped(type: BtfType, to: (id: number) => number): BtfType {
  switch (type.kind) {
    case 'array':
      return { ...type, elementType: to(type.elementType), indexType: to(type.indexType) };
    case 'struct':
    case 'union':
      return { ...type, members: type.members.map((m) => ({ ...m, type: to(m.type) })) };
    case 'func_proto':
      return {
        ...type,
        returnType: to(type.returnType),
        params: type.params.map((param) => ({ ...param, type: to(param.type) })),
      };
    case 'datasec':
      return { ...type, vars: type.vars.map((row) => ({ ...row, type: to(row.type) })) };
    default:
      return 'type' in type ? { ...type, type: to(type.type) } : type;
  }
}

/** A type's names in the order in which they stand in its encoding. */
export function namesOf(type: BtfType): readonly string[] {
  switch (type.kind) {
    case 'struct':
    case 'union':
      return [type.name, ...type.members.map(({ name }) => name)];
    case 'enum':
    case 'enum64':
      return [type.name, ...type.values.map(({ name }) => name)];
    case 'func_proto':
      return [type.name, ...type.params.map(({ name }) => name)];
    default:
      return [type.name];
  }
}

/** BTF of these types (id 0 is void); its strings in the order of the types' names. */
export function btfOfTypes(types: readonly BtfType[]): Btf {
  const builder = new BtfBuilder();
  for (const type of types.slice(1)) builder.add(type);
  return builder.build();
}

/**
 * All types of several BTFs one after another, DATASECs of one name as they are. `idOf[n]` says what
 * the n-th input's ids have become.
 */
export function concatenated(inputs: readonly Btf[]): {
  readonly types: readonly BtfType[];
  readonly idOf: readonly ((id: number) => number)[];
} {
  const types: BtfType[] = [{ kind: 'void', name: '' }];
  const idOf = inputs.map((btf) => {
    if (btf.base !== undefined) throw new Bug('split BTF cannot be concatenated');
    const shift = types.length - 1;
    const to = (id: number) => (id === 0 ? 0 : id + shift);
    for (const type of btf.types.slice(1)) types.push(remapped(type, to));
    return to;
  });
  return { types, idOf };
}
