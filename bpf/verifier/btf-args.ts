/**
 * Arguments of the program's own functions as BTF declares them: what a caller passes must fit, and
 * a global function is verified for every argument that fits.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfFuncProto, BtfType } from '../btf/types.ts';
import { checkMemArgument } from './args-mem.ts';
import { checkOffset } from './args.ts';
import { kindName } from './btf-names.ts';
import { Rejected, reject, type Checker } from './checker.ts';
import { flag, isPlain, pointerReg, type Reg } from './reg.ts';
import type { Frame } from './state.ts';

const MAX_ARGS = 5;

const isNumber = (type: BtfType): boolean =>
  type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64';
/** A caller of 6.1 does not know that enum64 is one. */
const isNumberPassed = (c: Checker, type: BtfType): boolean =>
  isNumber(type) && !(type.kind === 'enum64' && c.env.level === '6.1');

/** The pointer is one to the context of this program type. */
export function isCtxPointer(c: Checker, btf: Btf, pointer: number): boolean {
  const type = btf.resolved(btf.typeAs(pointer, 'ptr')!.type);
  if (type.kind !== 'struct' && type.kind !== 'union') return false;
  return type.name !== '' && (type.name === c.ops.ctxStruct || type.name === c.ops.ctxAlias);
}

function prototypeOf(c: Checker, btf: Btf, subprog: number): readonly [string, BtfFuncProto] {
  const func = btf.typeAs(c.subprogs[subprog]!.btfFunc!, 'func')!;
  return [func.name, btf.prototypeOf(func)];
}

/** The registers r1 to r5 fit the function; or the errno with which they do not. */
type Fit = 'fits' | number;

/**
 * Do the registers r1 to r5 fit the function? Where they do not, a static function's BTF is not
 * relied on any more: compilers drop arguments.
 */
export function argumentsMatch(c: Checker, subprog: number, isCall: boolean): Fit {
  const info = c.subprogs[subprog]!;
  if (info.btfFunc === undefined || !c.btf || info.unreliable) return errno.EINVAL;
  const fit = allFit(c, c.btf, subprog, isCall);
  if (fit !== 'fits') info.unreliable = true;
  return fit;
}

function allFit(c: Checker, btf: Btf, subprog: number, isCall: boolean): Fit {
  const [name, proto] = prototypeOf(c, btf, subprog);
  const say = (line: string): Fit => {
    c.log.write(`${line}\n`);
    return errno.EINVAL;
  };
  if (proto.params.length > MAX_ARGS) {
    return say(`Function ${name} has ${proto.params.length} > ${MAX_ARGS} args`);
  }
  const fitOf = (param: number, index: number): Fit => {
    const regno = index + 1;
    const reg = c.reg(regno);
    const id = btf.resolve(param);
    const type = btf.type(id)!;
    if (isNumberPassed(c, type)) {
      return isPlain(reg, 'scalar') ? 'fits' : say(`R${regno} is not a scalar`);
    }
    if (type.kind !== 'ptr') return say(`Unrecognized arg#${index} type ${kindName(type)}`);
    const offset = attempt(() => checkOffset(c, reg, regno, { base: 'dontcare' }));
    if (offset !== 'fits') return offset;
    if (isCtxPointer(c, btf, id)) {
      if (isPlain(reg, 'ctx')) return 'fits';
      return say(`arg#${index} expected pointer to ctx, but got ${kindName(type)}`);
    }
    if (c.subprogs[subprog]!.isGlobal && isCall) {
      const bytes = sizeOfTarget(c, btf, type.type, index);
      if (bytes === undefined) return errno.EINVAL;
      // Whatever is wrong with the memory, 6.1 says EINVAL.
      const memory = attempt(() => checkMemArgument(c, regno, bytes));
      return memory === 'fits' ? memory : errno.EINVAL;
    }
    const func = c.subprogs[subprog]!.btfFunc;
    return say(`reg type unsupported for arg#${index} function ${name}#${func}`);
  };
  for (const [index, param] of proto.params.entries()) {
    const fit = fitOf(param.type, index);
    if (fit !== 'fits') return fit;
  }
  return 'fits';
}

/** Runs a check that may reject; the log has its line then. */
function attempt(check: () => void): Fit {
  try {
    check();
    return 'fits';
  } catch (error) {
    if (error instanceof Rejected) return error.errno;
    throw error;
  }
}

function sizeOfTarget(c: Checker, btf: Btf, target: number, index: number): number | undefined {
  const bytes = btf.sizeOf(target);
  if (bytes === undefined) {
    const type = btf.resolved(target);
    c.log.write(
      `arg#${index} reference type('${kindName(type)} ${type.name}') ` +
        'size cannot be determined: -22\n',
    );
  }
  return bytes;
}

/** Gives a global function's frame registers that stand for all arguments it may get. */
export function prepareArguments(c: Checker, subprog: number, frame: Frame): void {
  const { btf } = c;
  const info = c.subprogs[subprog]!;
  const refuse = (line: string, number: number = errno.EINVAL): never =>
    reject(c, number, 'global-function', line);
  if (!btf || info.btfFunc === undefined || !info.isGlobal) {
    return refuse('Verifier bug', errno.EFAULT);
  }
  const [name, proto] = prototypeOf(c, btf, subprog);
  if (c.log.states) c.log.write(`Validating ${name}() func#${subprog}...\n`);
  if (info.unreliable) refuse(`Verifier bug in function ${name}()`, errno.EFAULT);
  const count = proto.params.length;
  if (count > MAX_ARGS) {
    refuse(`Global function ${name}() with ${count} > ${MAX_ARGS} args. Buggy compiler.`);
  }
  if (!isNumber(btf.resolved(proto.returnType))) {
    refuse(`Global function ${name}() doesn't return scalar. Only those are supported.`);
  }
  proto.params.forEach((param, index) => {
    const slot = frame.regs[index + 1]!;
    const reg = argumentOf(c, btf, btf.resolve(param.type), index, name);
    if (reg) slot.reg = reg;
    else c.forget(slot);
  });
}

/** Undefined: any number. */
function argumentOf(
  c: Checker,
  btf: Btf,
  id: number,
  index: number,
  name: string,
): Reg | undefined {
  const type = btf.type(id)!;
  if (isNumber(type)) return undefined;
  if (type.kind !== 'ptr') {
    const line = `Arg#${index} type ${kindName(type)} in ${name}() is not supported yet.`;
    return reject(c, errno.EINVAL, 'global-function', line);
  }
  if (isCtxPointer(c, btf, id)) return pointerReg('ctx');
  const memBytes = sizeOfTarget(c, btf, type.type, index);
  if (memBytes === undefined) return reject(c, errno.EINVAL, 'global-function');
  // 6.1 takes an id for the type and another for the register.
  c.newId();
  return pointerReg('mem', { flags: flag.NULLABLE, memBytes, id: c.newId() });
}
