/** Names of BTF types as 6.1 writes them into the log. */
import type { BtfType } from '../btf/types.ts';

/** Name in messages about members and arguments (__btf_name_by_offset); others leave it empty. */
export const typeName = (type: { readonly name: string } | undefined): string =>
  type?.name || '(anon)';

/** What 6.1 calls a kind (btf_type_str). */
export function kindName(type: BtfType): string {
  const names: Partial<Record<BtfType['kind'], string>> = {
    void: 'UNKNOWN',
    func_proto: 'FUNC_PROTO',
  };
  return names[type.kind] ?? type.kind.toUpperCase();
}
