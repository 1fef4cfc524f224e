/**
 * Arguments of a kernel function, checked against its BTF prototype: numbers, the context, kernel
 * objects, kptrs of map values, and memory of numbers, whose size the next argument may give
 * (`name__sz`).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfFuncProto, BtfType } from '../btf/types.ts';
import { KF } from '../kfuncs/kfunc.ts';
import { checkMemArgument, checkMemOfSize } from './args-mem.ts';
import { checkOffset } from './args.ts';
import { isCtxPointer } from './btf-args.ts';
import { kindName } from './btf-names.ts';
import { structIdMatches } from './btf-walk.ts';
import { Rejected, reject, type Checker } from './checker.ts';
import { initialisedDynptr } from './dynptr.ts';
import { kptrAt } from './map-fields.ts';
import { notNull } from './null.ts';
import { markPrecise } from './precision.ts';
import { isPlain, isScalar, mayBeNull, withReg, type Reg, type RegKind } from './reg.ts';
import { isConst } from './tnum.ts';

const MAX_ARGS = 5;

export interface KfuncCall {
  readonly btf: Btf;
  readonly name: string;
  readonly id: number;
  readonly proto: BtfFuncProto;
  /** KF_* */
  readonly flags: number;
  /** The result is memory of this size. */
  bufferBytes: number;
  bufferReadOnly: boolean;
  refId: number;
  refRegno: number;
}

export const isKfuncNumber = (type: BtfType): boolean =>
  type.kind === 'int' || type.kind === 'enum';

/** Kernel struct behind the pointers that have a kind of their own (reg2btf_ids). */
const STRUCT_OF: Partial<Record<RegKind, string>> = {
  sock: 'sock',
  sock_common: 'sock_common',
  tcp_sock: 'tcp_sock',
};

function refuse(c: Checker, line: string, number: number = errno.EINVAL, regno?: number): never {
  return reject(c, number, 'kfunc-argument', line, regno === undefined ? {} : { reg: regno });
}

export function checkKfuncArguments(c: Checker, call: KfuncCall): void {
  const { params } = call.proto;
  const releases = (call.flags & KF.RELEASE) !== 0;
  if (params.length > MAX_ARGS) {
    refuse(c, `Function ${call.name} has ${params.length} > ${MAX_ARGS} args`);
  }
  for (let index = 0; index < params.length; index++) {
    if (checkArgument(c, call, index) === 'with-size') index++;
  }
  if (releases && call.refId === 0) {
    const line = `release kernel function ${call.name} expects refcounted PTR_TO_BTF_ID`;
    refuse(c, line);
  }
  if ((call.flags & KF.SLEEPABLE) !== 0 && !c.sleepable) {
    refuse(c, `kernel function ${call.name} is sleepable but the program is not`);
  }
}

function checkArgument(c: Checker, call: KfuncCall, index: number): 'one' | 'with-size' {
  const { btf } = call;
  const regno = index + 1;
  const reg = c.reg(regno);
  const param = call.proto.params[index]!;
  const type = btf.resolved(param.type);
  if (isKfuncNumber(type)) {
    checkNumber(c, call, param, regno);
    return 'one';
  }
  if (type.kind !== 'ptr') refuse(c, `Unrecognized arg#${index} type ${kindName(type)}`);
  const trusted = (call.flags & KF.TRUSTED_ARGS) !== 0;
  const releases = (call.flags & KF.RELEASE) !== 0;
  const isCtx = isPlain(reg, 'ctx');
  const isObject = isCtx || isPlain(reg, 'ptr_') || STRUCT_OF[reg.kind] !== undefined;
  if (trusted && isObject && !isCtx && reg.refId === 0) {
    refuse(c, `R${regno} must be referenced`, errno.EINVAL, regno);
  }
  const asRelease = (trusted && isObject) || (releases && reg.refId !== 0);
  checkOffset(c, reg, regno, { base: 'dontcare', ...(asRelease && { release: true }) });
  noteReference(c, call, reg, regno);
  const target = btf.resolve(type.type);
  if (index === 0 && (call.flags & KF.KPTR_GET) !== 0) {
    checkKptrPlace(c, call, reg, target);
  } else if (isCtxPointer(c, btf, btf.resolve(param.type))) {
    if (!isCtx) {
      refuse(c, `arg#${index} expected pointer to ctx, but got PTR`, errno.EINVAL, regno);
    }
  } else if (isPlain(reg, 'ptr_') || (STRUCT_OF[reg.kind] && reg.flags === 0)) {
    checkObject(c, call, reg, index, target, trusted || (releases && reg.refId !== 0));
  } else {
    return checkMemory(c, call, reg, index, target);
  }
  return 'one';
}

/** A number; by its name it may be the size of the memory that the function returns. */
function checkNumber(
  c: Checker,
  call: KfuncCall,
  { name }: BtfFuncProto['params'][number],
  regno: number,
): void {
  const reg = c.reg(regno);
  if (!isScalar(reg)) refuse(c, `R${regno} is not a scalar`, errno.EINVAL, regno);
  if (name !== 'rdonly_buf_size' && name !== 'rdwr_buf_size') return;
  call.bufferReadOnly ||= name === 'rdonly_buf_size';
  if (call.bufferBytes !== 0) {
    c.log.write('2 or more rdonly/rdwr_buf_size parameters for kfunc');
    reject(c, errno.EINVAL, 'kfunc-argument');
  }
  if (!isConst(reg.scalar.bits)) refuse(c, `R${regno} is not a const`, errno.EINVAL, regno);
  const bytes = BigInt.asUintN(64, reg.scalar.bits.value);
  if (bytes > 0xffff_ffffn) {
    refuse(c, `R${regno} rdonly/rdwr_buf_size exceeds u32 max`, errno.EINVAL, regno);
  }
  call.bufferBytes = Number(bytes);
  markPrecise(c, regno);
}

function noteReference(c: Checker, call: KfuncCall, reg: Reg, regno: number): void {
  if (reg.refId === 0) return;
  if (call.refId !== 0) {
    const ids = `R${regno} ${reg.refId} ${call.refId}`;
    const line = `verifier internal error: more than one arg with ref_obj_id ${ids}`;
    reject(c, errno.EFAULT, 'two-references', line, { reg: regno });
  }
  call.refId = reg.refId;
  call.refRegno = regno;
}

function checkKptrPlace(c: Checker, call: KfuncCall, reg: Reg, pointer: number): void {
  const { btf, name } = call;
  if (!isPlain(reg, 'map_value')) refuse(c, 'arg#0 expected pointer to map value');
  if (!isConst(reg.scalar.bits)) refuse(c, 'arg#0 must have constant offset');
  const offset = reg.off + Number(BigInt.asIntN(32, reg.scalar.bits.value));
  const kptr = kptrAt(reg.map!, offset, btf);
  if (!kptr?.referenced) refuse(c, `arg#0 no referenced kptr at map value offset=${offset}`);
  const pointed = btf.type(pointer)!;
  if (pointed.kind !== 'ptr') refuse(c, 'arg#0 BTF type must be a double pointer');
  const struct = btf.resolve(pointed.type);
  const type = btf.type(struct)!;
  const what = `${kindName(type)} ${type.name}`;
  if (type.kind !== 'struct' && type.kind !== 'union') {
    refuse(c, `kernel function ${name} args#0 pointer type ${what} is not supported`);
  }
  if (btf.find(kptr.struct, 'struct') !== struct) {
    refuse(c, `kernel function ${name} args#0 expected pointer to ${what}`);
  }
}

/** A pointer to a kernel struct; `strict`: to nothing inside of another. */
function checkObject(
  c: Checker,
  { btf, name }: KfuncCall,
  reg: Reg,
  index: number,
  target: number,
  strict: boolean,
): void {
  const type = btf.type(target)!;
  const wanted = `${kindName(type)} ${type.name}`;
  if (type.kind !== 'struct' && type.kind !== 'union') {
    refuse(c, `kernel function ${name} args#${index} pointer type ${wanted} is not supported`);
  }
  const own = STRUCT_OF[reg.kind];
  const given = own === undefined ? reg.btfId : (btf.find(own, 'struct') ?? 0);
  if (structIdMatches(c, withReg(reg, { btf, btfId: given }), target, strict)) return;
  const is = btf.resolved(given);
  const line =
    `kernel function ${name} args#${index} expected pointer to ${wanted} ` +
    `but R${index + 1} has a pointer to ${kindName(is)} ${is.name}`;
  refuse(c, line, errno.EINVAL, index + 1);
}

/** Structs inside of structs that 6.1 follows. */
const MAX_NESTING = 3;

/** Consists of numbers only, so that a program may have filled it with anything. */
function isOfNumbers(c: Checker, btf: Btf, type: BtfType, depth = 0): boolean {
  if (type.kind !== 'struct' && type.kind !== 'union') return false;
  return type.members.every((member) => {
    const inner = btf.resolved(member.type);
    if (inner.kind === 'struct' || inner.kind === 'union') {
      if (depth >= MAX_NESTING) {
        c.log.write('max struct nesting depth exceeded\n');
        return false;
      }
      return isOfNumbers(c, btf, inner, depth + 1);
    }
    if (inner.kind === 'array') {
      return inner.count !== 0 && isKfuncNumber(btf.resolved(inner.elementType));
    }
    return isKfuncNumber(inner);
  });
}

function checkMemory(
  c: Checker,
  { btf, proto }: KfuncCall,
  reg: Reg,
  index: number,
  target: number,
): 'one' | 'with-size' {
  const regno = index + 1;
  const type = btf.type(target)!;
  const next = proto.params[index + 1];
  const hasSize =
    next !== undefined &&
    isKfuncNumber(btf.resolved(next.type)) &&
    isPlain(c.reg(regno + 1), 'scalar') &&
    next.name.endsWith('__sz');
  const isDynptr = type.kind === 'struct' && type.name === 'bpf_dynptr_kern';
  const what = `${kindName(type)} ${type.name}`;
  const fits = isKfuncNumber(type) || isOfNumbers(c, btf, type) || isDynptr;
  if (!fits && !(hasSize && type.kind === 'void')) {
    const also = hasSize ? 'void, ' : '';
    refuse(
      c,
      `arg#${index} pointer type ${what} must point to ${also}scalar, or struct with scalar`,
    );
  }
  if (isDynptr) {
    const complain = (line: string): never =>
      refuse(c, `arg#${index} pointer type ${what} ${line}`, errno.EINVAL, regno);
    if (!isPlain(reg, 'fp')) complain('not to stack');
    const kind = initialisedDynptr(c, reg);
    if (kind === undefined) complain('must be valid and initialized');
    if (kind !== 'local') complain('points to unsupported dynamic pointer type');
    return 'one';
  }
  if (hasSize) {
    if (!holds(() => checkSized(c, regno))) {
      refuse(c, `arg#${index} arg#${index + 1} memory, len pair leads to invalid memory access`);
    }
    return 'with-size';
  }
  const bytes = btf.sizeOf(target);
  if (bytes === undefined) {
    refuse(c, `arg#${index} reference type('${what}') size cannot be determined: -22`);
  }
  if (!holds(() => checkMemArgument(c, regno, bytes))) reject(c, errno.EINVAL, 'kfunc-argument');
  return 'one';
}

/** Memory of the size that the next register has, for reading and writing. */
function checkSized(c: Checker, regno: number): void {
  const slot = c.regs[regno]!;
  const before = slot.reg;
  if (mayBeNull(before)) slot.reg = notNull(before);
  checkMemOfSize(c, regno + 1, { write: false, zeroAllowed: true });
  checkMemOfSize(c, regno + 1, { write: true, zeroAllowed: true });
  slot.reg = before;
}

function holds(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof Rejected) return false;
    throw error;
  }
}
