/** One BTF type as `btf dump … format raw` shows it. */
import type { Btf } from '../../bpf/btf/btf.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { BTF_KINDS, type BtfKind, type BtfType } from '../../bpf/btf/types.ts';
import { array, number, object, string } from './json.ts';

type Value = string | number | bigint;
/** Fields in order; a list of rows is the last. Words print as they are, texts in JSON quoted. */
interface Shape {
  readonly fields: readonly (readonly [name: string, value: Value])[];
  readonly rows?: {
    readonly name: string;
    readonly rows: readonly {
      readonly name?: string;
      readonly fields: Shape['fields'];
      readonly note?: string;
    }[];
  };
}

const kindName = (kind: BtfKind): string =>
  BTF_KINDS.includes(kind) && kind !== 'void' ? kind.toUpperCase() : 'UNKNOWN';
const nameOf = (name: string): string => name || '(anon)';

function shape(btf: Btf, type: BtfType): Shape {
  switch (type.kind) {
    case 'int': {
      const encoding = type.bool ? 'BOOL' : type.char ? 'CHAR' : type.signed ? 'SIGNED' : '(none)';
      return {
        fields: [
          ['size', type.size],
          ['bits_offset', type.bitOffset],
          ['nr_bits', type.bits],
          ['encoding', encoding],
        ],
      };
    }
    case 'ptr':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'typedef':
    case 'type_tag':
      return { fields: [['type_id', type.type]] };
    case 'array':
      return {
        fields: [
          ['type_id', type.elementType],
          ['index_type_id', type.indexType],
          ['nr_elems', type.count],
        ],
      };
    case 'struct':
    case 'union':
      return {
        fields: [
          ['size', type.size],
          ['vlen', type.members.length],
        ],
        rows: {
          name: 'members',
          rows: type.members.map((member) => ({
            name: nameOf(member.name),
            fields: [
              ['type_id', member.type],
              ['bits_offset', member.bitOffset],
              ...(member.bitSize > 0 ? ([['bitfield_size', member.bitSize]] as const) : []),
            ],
          })),
        },
      };
    case 'enum':
    case 'enum64':
      return {
        fields: [
          ['encoding', type.signed ? 'SIGNED' : 'UNSIGNED'],
          ['size', type.size],
          ['vlen', type.values.length],
        ],
        rows: {
          name: 'values',
          rows: type.values.map(({ name, value }) => ({
            name: nameOf(name),
            fields: [['val', value]],
          })),
        },
      };
    case 'fwd':
      return { fields: [['fwd_kind', type.union ? 'union' : 'struct']] };
    case 'func':
      return {
        fields: [
          ['type_id', type.type],
          ['linkage', type.linkage],
        ],
      };
    case 'func_proto':
      return {
        fields: [
          ['ret_type_id', type.returnType],
          ['vlen', type.params.length],
        ],
        rows: {
          name: 'params',
          rows: type.params.map((param) => ({
            name: nameOf(param.name),
            fields: [['type_id', param.type]],
          })),
        },
      };
    case 'var':
      return {
        fields: [
          ['type_id', type.type],
          ['linkage', type.linkage],
        ],
      };
    case 'datasec':
      return {
        fields: [
          ['size', type.size],
          ['vlen', type.vars.length],
        ],
        rows: {
          name: 'vars',
          rows: type.vars.map((variable) => {
            const target = btf.types[variable.type]!;
            return {
              fields: [
                ['type_id', variable.type],
                ['offset', variable.offset],
                ['size', variable.size],
              ],
              note: ` (${kindName(target.kind)} '${nameOf(target.name)}')`,
            };
          }),
        },
      };
    case 'float':
      return { fields: [['size', type.size]] };
    case 'decl_tag':
      return {
        fields: [
          ['type_id', type.type],
          ['component_idx', type.component],
        ],
      };
    default:
      return { fields: [] };
  }
}

export function rawTypeText(btf: Btf, id: number): string {
  const type = btf.types[id]!;
  const { fields, rows } = shape(btf, type);
  const suffix = type.kind === 'enum64' ? (type.signed ? 'LL' : 'ULL') : '';
  // A comma after a variable's type is bpftool's own.
  const comma = type.kind === 'var' ? ',' : '';
  const text = (list: Shape['fields'], separator = ''): string =>
    list
      .map(([name, value], index) => `${name}=${value}${index < list.length - 1 ? separator : ''}`)
      .join(' ');
  let out = `[${id}] ${kindName(type.kind)} '${nameOf(type.name)}'`;
  if (fields.length > 0) out += ` ${text(fields, comma)}`;
  for (const row of rows?.rows ?? []) {
    const head = row.name === undefined ? '' : `'${row.name}' `;
    out += `\n\t${head}${text(row.fields)}${suffix}${row.note ?? ''}`;
  }
  return out;
}

export function rawTypeJson(btf: Btf, id: number): JsonTree {
  const type = btf.types[id]!;
  const { fields, rows } = shape(btf, type);
  const members = (list: Shape['fields']): [string, JsonTree][] =>
    list.map(([name, value]) => [name, typeof value === 'string' ? string(value) : number(value)]);
  return object(
    ['id', number(id)],
    ['kind', string(kindName(type.kind))],
    ['name', string(nameOf(type.name))],
    ...members(fields),
    rows && [
      rows.name,
      array(
        rows.rows.map((row) =>
          object(row.name !== undefined && ['name', string(row.name)], ...members(row.fields)),
        ),
      ),
    ],
  );
}
