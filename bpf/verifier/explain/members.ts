/**
 * Names of what lies at an offset of a BTF type: `rx.packets`, `slots[3]`, or a global variable in
 * its section.
 */
import type { Btf } from '../../btf/btf.ts';

const MAX_DEPTH = 8;

/** The innermost member that starts at or spans `off`; undefined where BTF has none there. */
export function memberAt(btf: Btf, typeId: number, off: number): string | undefined {
  let text = '';
  let id = typeId;
  let at = off;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const type = btf.resolved(id);
    switch (type.kind) {
      case 'datasec': {
        const variable = type.vars.find((one) => at >= one.offset && at < one.offset + one.size);
        const named = variable && btf.typeAs(variable.type, 'var');
        if (!variable || !named) return undefined;
        text = named.name;
        at -= variable.offset;
        id = named.type;
        break;
      }
      case 'struct':
      case 'union': {
        const member = type.members.find(({ bitOffset, bitSize, type: memberType }) => {
          const start = Math.floor(bitOffset / 8);
          const size = bitSize === 0 ? (btf.sizeOf(memberType) ?? 0) : Math.ceil(bitSize / 8);
          return at >= start && at < start + size;
        });
        if (!member) return text === '' ? undefined : text;
        if (member.name !== '') text = text === '' ? member.name : `${text}.${member.name}`;
        at -= Math.floor(member.bitOffset / 8);
        id = member.type;
        break;
      }
      case 'array': {
        const bytes = btf.sizeOf(type.elementType);
        if (!bytes) return text;
        text += `[${Math.floor(at / bytes)}]`;
        at %= bytes;
        id = type.elementType;
        break;
      }
      default:
        return text === '' ? undefined : text;
    }
  }
  return text;
}
