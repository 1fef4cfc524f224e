/** A BTF type as bpftool spells it in front of dumps: `int xdp_count(struct xdp_md * ctx)`. */
import type { Btf } from '../../bpf/btf/btf.ts';
import type { BtfFuncProto } from '../../bpf/btf/types.ts';

/** Deeper than any real type; a hostile chain ends there. */
const MAX_DEPTH = 32;

/** '' where the type cannot be spelled. */
export function signature(btf: Btf, typeId: number, depth = 0): string {
  if (typeId === 0) return 'void ';
  const type = btf.types[typeId];
  if (!type || depth > MAX_DEPTH) return '';
  const of = (id: number): string => signature(btf, id, depth + 1);
  switch (type.kind) {
    case 'int':
    case 'typedef':
    case 'float':
      return `${type.name} `;
    case 'struct':
    case 'union':
      return `${type.kind} ${type.name} `;
    case 'enum':
    case 'enum64':
      return `enum ${type.name} `;
    case 'fwd':
      return `${type.union ? 'union' : 'struct'} ${type.name} `;
    case 'array':
      return `${of(type.elementType)}[${type.count}]`;
    case 'ptr':
      return `${of(type.type)}* `;
    case 'const':
    case 'volatile':
    case 'restrict':
      return `${type.kind} ${of(type.type)}`;
    case 'func':
      return prototype(btf, btf.prototypeOf(type), type.name, of);
    case 'func_proto':
      return prototype(btf, type, '', of);
    case 'var':
      return `${type.linkage === 'static' ? 'static ' : ''}${of(type.type)} ${type.name}`;
    case 'datasec':
      return `section ("${type.name}") `;
    default:
      return '';
  }
}

function prototype(
  _btf: Btf,
  proto: BtfFuncProto,
  name: string,
  of: (id: number) => string,
): string {
  const params = proto.params.map((param) => {
    if (param.type === 0) return '...';
    const text = of(param.type);
    return param.name === '' ? text.replace(/ $/, '') : text + param.name;
  });
  return `${of(proto.returnType)}${name}(${params.join(', ')})`;
}
