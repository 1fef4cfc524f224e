/**
 * May a kernel function be called, or its arguments be looked at, at all (btf_distill_func_proto)?
 * Each argument must fit into one or two registers, and all must be known.
 */
import type { Btf } from '../btf/btf.ts';
import type { BtfFuncProto } from '../btf/types.ts';
import { kindName } from './btf-names.ts';

/** MAX_BPF_FUNC_ARGS (include/linux/bpf.h) */
export const MAX_FUNC_ARGS = 12;
const MAX_ARG_BYTES = 16;

/** Bytes of a value; undefined for what is none, 0 for void. */
function valueBytes(btf: Btf, id: number): number | undefined {
  const type = btf.resolved(id);
  switch (type.kind) {
    case 'void':
      return 0;
    case 'ptr':
      return 8;
    case 'int':
    case 'enum':
    case 'enum64':
    case 'struct':
      return type.size;
    default:
      return undefined;
  }
}

/** The log's line that says what is wrong with it, or undefined. */
export function unsupportedPrototype(
  btf: Btf,
  proto: BtfFuncProto,
  name: string,
): string | undefined {
  const { params, returnType } = proto;
  if (params.length > MAX_FUNC_ARGS) {
    return `The function ${name} has ${params.length} arguments. Too many.`;
  }
  const returned = btf.resolved(returnType);
  if (valueBytes(btf, returnType) === undefined || returned.kind === 'struct') {
    return `The function ${name} return type ${kindName(returned)} is unsupported.`;
  }
  for (const [index, { type }] of params.entries()) {
    if (index === params.length - 1 && type === 0) {
      return `The function ${name} with variable args is unsupported.`;
    }
    const bytes = valueBytes(btf, type);
    if (bytes === undefined || bytes > MAX_ARG_BYTES) {
      return `The function ${name} arg${index} type ${kindName(btf.resolved(type))} is unsupported.`;
    }
    if (bytes === 0) return `The function ${name} has malformed void argument.`;
  }
  return undefined;
}
