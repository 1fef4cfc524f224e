/**
 * Context of programs that attach by BTF: an array of the function's arguments, 8 bytes each (a
 * struct takes more), and for some the return value behind them. Types come from the kernel's BTF.
 */
import type { Btf } from '../btf/btf.ts';
import type { BtfFuncProto, BtfType } from '../btf/types.ts';
import type { CtxAccess } from '../prog-type.ts';
import type { VerifiedProgram } from '../program.ts';
import type { AttachType } from '../uapi.ts';
import { kernelCtxStruct } from './attach-prog.ts';
import { kindName, typeName } from './btf-names.ts';
import { tagFlags } from './btf-walk.ts';
import { iterArgAt } from '../iter/args.ts';
import type { Checker } from './checker.ts';
import { MAX_FUNC_ARGS } from './func-proto.ts';
import { flag } from './reg.ts';

const SCALAR: CtxAccess = { kind: 'scalar' };

export function btfCtxAccess(
  c: Checker,
  off: number,
  bytes: number,
  write: boolean,
): CtxAccess | undefined {
  const { type, expectedAttachType: attach } = c.spec;
  // LSM programs' offsets are not limited here, their functions' arguments are.
  if (type !== 'lsm') {
    if (off < 0 || off >= 8 * MAX_FUNC_ARGS || write || off % bytes !== 0) return undefined;
  }
  // differs: 6.1 lets LSM programs write to their arguments.
  if (write || off < 0) return undefined;
  const say = (line: string): undefined => {
    c.log.write(`${line}\n`);
    return undefined;
  };
  const name = c.attach?.name ?? '';
  if (off % 8 !== 0) return say(`func '${name}' offset ${off} is not multiple of 8`);
  if (!c.attach) return undefined;
  const { btf, proto, skipsFirst } = c.attach;
  if (!proto) return unknownArgument(name, off / 8, attach, say);
  const params = skipsFirst ? proto.params.slice(1) : proto.params;
  const index = argumentAt(btf, proto, off);
  if (index > params.length) return say(`func '${name}' doesn't have ${index + 1}-th argument`);
  let typeId: number;
  if (index === params.length) {
    switch (attach) {
      case 'lsm_cgroup':
      case 'lsm_mac':
      case 'trace_fexit':
        typeId = proto.returnType;
        break;
      case 'modify_return':
        typeId = proto.returnType;
        if (!isSmallInt(btf.resolved(typeId))) {
          return say(`ret type ${kindName(btf.resolved(typeId))} not allowed for fmod_ret`);
        }
        break;
      default:
        return say(`func '${name}' doesn't have ${index + 1}-th argument`);
    }
  } else {
    typeId = params[index]!.type;
  }
  return valueOf(c, btf, name, index, typeId);
}

function argumentAt(btf: Btf, proto: BtfFuncProto, off: number): number {
  let end = 0;
  for (const [index, { type }] of [...proto.params, { type: proto.returnType }].entries()) {
    const resolved = btf.resolve(type);
    end += btf.type(resolved)!.kind === 'ptr' ? 8 : Math.ceil((btf.sizeOf(resolved) ?? 0) / 8) * 8;
    if (off < end) return index;
  }
  return proto.params.length + 1;
}

/** Of a function whose declaration is not relied on: five registers, and a result. */
function unknownArgument(
  name: string,
  index: number,
  attach: AttachType,
  say: (line: string) => undefined,
): CtxAccess | undefined {
  const count = 5;
  if (index < count || (index === count && attach === 'trace_fexit')) return SCALAR;
  return say(`func '${name}' doesn't have ${index + 1}-th argument`);
}

const isSmallInt = (type: BtfType): boolean => type.kind === 'int' && type.size <= 8;

function valueOf(
  c: Checker,
  btf: Btf,
  name: string,
  index: number,
  typeId: number,
): CtxAccess | undefined {
  const type = btf.resolved(typeId);
  switch (type.kind) {
    case 'enum':
    case 'enum64':
    case 'struct':
    case 'union':
      return SCALAR;
    case 'int':
      if (isSmallInt(type)) return SCALAR;
      break;
  }
  if (type.kind !== 'ptr') {
    c.log.write(
      `func '${name}' arg${index} '${typeName(type)}' has type ${kindName(type)}. ` +
        'Only pointer access is allowed\n',
    );
    return undefined;
  }
  const given = c.spec.expectedAttachType === 'trace_iter' ? iterArgAt(name, index * 8) : undefined;
  if (given && 'buffer' in given) {
    return { kind: 'buf', flags: given.buffer === 'rdonly' ? flag.RDONLY : 0, nullable: true };
  }
  const target = btf.resolve(type.type);
  const pointed = btf.type(target)!;
  const ofProgram = c.spec.attachProg;
  // A pointer to no struct is a number: nothing can be read through it.
  if (type.type === 0 || pointed.kind === 'int') return SCALAR;
  if (ofProgram) return contextOf(c, ofProgram, pointed);
  if (pointed.kind !== 'struct' && pointed.kind !== 'union') {
    c.log.write(`func '${name}' arg${index} type ${kindName(pointed)} is not a struct\n`);
    return undefined;
  }
  if (given && !given.typed) return { kind: 'ptr_', btf, btfId: target, nullable: true };
  c.log.write(
    `func '${name}' arg${index} has btf_id ${target} ` +
      `type ${kindName(pointed)} '${typeName(pointed)}'\n`,
  );
  return { kind: 'ptr_', btf, btfId: target, flags: tagFlags(btf, type.type) };
}

/** Of the pointers that functions of programs take, only contexts are known to the kernel. */
function contextOf(c: Checker, program: VerifiedProgram, pointed: BtfType): CtxAccess | undefined {
  const { kernelBtf: btf } = c.env;
  const struct = pointed.kind === 'struct' && kernelCtxStruct(c, program, pointed.name);
  const btfId = struct ? btf?.find(struct, 'struct') : undefined;
  return btf && btfId !== undefined ? { kind: 'ptr_', btf, btfId } : undefined;
}
