/**
 * Calls of kernel functions: may this program call it, do the arguments fit its BTF prototype, and
 * what is in r0 afterwards. A function's flags say whether it acquires or releases a reference.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfFuncProto } from '../btf/types.ts';
import type { Insn } from '../isa/insn.ts';
import { KF } from '../kfuncs/kfunc.ts';
import { kindName } from './btf-names.ts';
import { reject, type Checker } from './checker.ts';
import { checkKfuncArguments, isKfuncNumber, type KfuncCall } from './kfunc-args.ts';
import { destReg, sourceReg } from './live.ts';
import { acquire, release } from './refs.ts';
import { UNINIT_REG, flag, pointerReg } from './reg.ts';

export function callKfunc(c: Checker, insn: Insn): void {
  // An id of 0 is refused only if it is still there when dead code is gone.
  if (insn.imm === 0) return;
  const btf = c.env.kernelBtf!;
  const func = btf.typeAs(insn.imm, 'func')!;
  const flags = c.env.kfuncs?.(c.spec.type, func.name);
  if (flags === undefined) {
    const line = `calling kernel function ${func.name} is not allowed`;
    return reject(c, errno.EACCES, 'kfunc-not-allowed', line);
  }
  if ((flags & KF.DESTRUCTIVE) !== 0 && !c.env.caps.sysAdmin) {
    const line = 'destructive kfunc calls require CAP_SYS_BOOT capabilities';
    reject(c, errno.EACCES, 'kfunc-not-allowed', line);
  }
  const call: KfuncCall = {
    btf,
    name: func.name,
    id: insn.imm,
    proto: btf.prototypeOf(func),
    flags,
    bufferBytes: 0,
    bufferReadOnly: false,
    refId: 0,
    refRegno: 0,
  };
  checkKfuncArguments(c, call);
  if ((flags & KF.RELEASE) !== 0 && !release(c, call.refId)) {
    const line = `kfunc ${func.name}#${insn.imm} reference has not been acquired before`;
    reject(c, errno.EINVAL, 'release-unreferenced', line, { reg: call.refRegno });
  }
  // 6.1 does not print what changes here before it prints all registers.
  const scratched = c.scratchedRegs;
  call.proto.params.forEach((_, index) => {
    const regno = index + 1;
    if (c.reg(regno).kind !== '?') sourceReg(c, regno);
  });
  for (let regno = 0; regno <= 5; regno++) {
    const slot = c.regs[regno]!;
    c.forget(slot);
    slot.reg = UNINIT_REG;
  }
  setResult(c, call);
  c.scratchedRegs = scratched;
}

function setResult(c: Checker, call: KfuncCall): void {
  const { btf, name, flags } = call;
  const acquires = (flags & KF.ACQUIRE) !== 0;
  const target = returnedPointer(btf, call.proto);
  const pointed = target === undefined ? undefined : btf.type(target)!;
  if (acquires && pointed?.kind !== 'struct') {
    const line = 'acquire kernel function does not return PTR_TO_BTF_ID';
    reject(c, errno.EINVAL, 'kfunc-argument', line);
  }
  if (isKfuncNumber(btf.resolved(call.proto.returnType))) {
    c.forget(destReg(c, 0));
    return;
  }
  if (!pointed) return;
  const nullable = (flags & KF.RET_NULL) !== 0;
  const isStruct = pointed.kind === 'struct' || pointed.kind === 'union';
  if (!isStruct && call.bufferBytes === 0) {
    const what = `${kindName(pointed)} ${pointed.name}`;
    const line = `kernel function ${name} returns pointer type ${what} is not supported`;
    reject(c, errno.EINVAL, 'kfunc-argument', line);
  }
  const id = nullable ? c.newId() : 0;
  // A buffer goes with the reference that it was got from.
  const readOnly = call.bufferReadOnly ? flag.RDONLY : 0;
  const to = isStruct ? { btf, btfId: target } : { memBytes: call.bufferBytes, refId: call.refId };
  const flagBits = (nullable ? flag.NULLABLE : 0) | (isStruct ? 0 : readOnly);
  const refId = acquires ? acquire(c, c.insn) : undefined;
  destReg(c, 0).reg = pointerReg(isStruct ? 'ptr_' : 'mem', {
    ...to,
    flags: flagBits,
    id: refId ?? id,
    ...(refId !== undefined && { refId }),
  });
}

/** What the result points at; undefined where it is no pointer. */
function returnedPointer(btf: Btf, proto: BtfFuncProto): number | undefined {
  const returned = btf.resolved(proto.returnType);
  return returned.kind === 'ptr' ? btf.resolve(returned.type) : undefined;
}
