/**
 * A call of a helper: may this program call it, do the arguments fit, what does it do to the state,
 * and what is in r0 afterwards.
 */
import { errno } from '../../kernel/types/errno.ts';
import { helperFor, isAllowed, type HelperCaller } from '../helpers/allow.ts';
import type { Helper } from '../helpers/helper.ts';
import { MAX_HELPER_ID } from '../helpers/table.ts';
import type { Insn } from '../isa/insn.ts';
import { checkArg, newArgContext, type ArgContext } from './args.ts';
import { constStringAt } from './args-special.ts';
import { callCallback } from './callback.ts';
import { helperText, reject, type Agreed, type Checker } from './checker.ts';
import { DYNPTR_BYTES, createDynptr, destroyDynptr, dynptrIdAt } from './dynptr.ts';
import { checkFormat } from './format.ts';
import { leave } from './func-call.ts';
import {
  isAcquire,
  isCallbackHelper,
  isPointerCast,
  recordsMap,
  returnsAtMostSize,
  writesMap,
} from './helper-facts.ts';
import { clobberCallerSaved } from './live.ts';
import { hasSpinLock } from './map-fields.ts';
import { checkMapHelper } from './map-helpers.ts';
import { forgetPacketPointers } from './packet.ts';
import { checkAccess } from './mem.ts';
import { markPrecise } from './precision.ts';
import { acquire, checkLeaks, release } from './refs.ts';
import {
  flag,
  isConstReg,
  isNull,
  mayBeNull,
  pointerReg,
  typeText,
  withId,
  withReg,
  withScalar,
  type Reg,
} from './reg.ts';
import { draftOf, sync } from './scalar.ts';
import type { Slot } from './state.ts';
import { PROG_TYPES, uapi } from '../uapi.ts';

export const callerOf = (c: Checker): HelperCaller => ({
  type: c.spec.type,
  expectedAttachType: c.spec.expectedAttachType,
  ...(c.attach ? { attachName: c.attach.name } : {}),
  ...(c.given.attachProg ? { attachesToProgram: true } : {}),
  ...(c.env.attachName !== undefined ? { attachName: c.env.attachName } : {}),
  ...(c.env.attachesToProgram ? { attachesToProgram: true } : {}),
});

export function callHelper(c: Checker, insn: Insn): void {
  const helper = findHelper(c, insn.imm);
  const arg = newArgContext(helper);
  for (let index = 0; index < 5; index++) checkArg(c, index, arg);
  recordMap(c, helper, arg);
  recordTailCallKey(c, helper, arg);
  fillRawMemory(c, arg);
  if (arg.uninitDynptrRegno !== 0) makeDynptr(c, arg);
  if (arg.releaseRegno !== 0) giveBack(c, helper, arg);
  checkHelperRules(c, helper, arg);
  // Entering a callback makes its frame the current one; the result is still the caller's.
  const { regs } = c;
  if (isCallbackHelper(helper.id)) callCallback(c, helper, arg.subprog);
  clobberCallerSaved(c, regs);
  setReturn(c, regs[0]!, helper, arg);
  checkMapHelper(c, arg.map, helper);
  checkGetFuncIp(c, helper);
  if (helper.changesPacket) forgetPacketPointers(c);
  if (helper.name === 'tail_call' && c.state.frames.length > 1) exploreTailCall(c);
}

/**
 * A tail call that succeeds in a subprogram returns to the subprogram's caller, with whatever the
 * other program left in r0 and did to the packet.
 *
 * differs: 6.1 only explores the tail call that fails (fixed in 6.13 for the packet, later for r0).
 */
function exploreTailCall(c: Checker): void {
  if (c.asLinux) {
    c.erred = true;
    return;
  }
  c.pushPath(c.insn + 1, c.insn, false);
  forgetPacketPointers(c);
  c.forget(c.regs[0]!);
  leave(c);
  c.insn--;
}

function findHelper(c: Checker, id: number): Helper {
  const text = `${helperText(id)}#${id}`;
  if (id < 0 || id > MAX_HELPER_ID) {
    reject(c, errno.EINVAL, 'unknown-helper', `invalid func ${text}`);
  }
  const helper = helperFor(callerOf(c), id, c.env.caps);
  if (!helper) return reject(c, errno.EINVAL, 'helper-not-allowed', `unknown func ${text}`);
  if (!c.gplCompatible && helper.gplOnly) {
    const line = 'cannot call GPL-restricted function from non-GPL compatible program';
    reject(c, errno.EINVAL, 'gpl-only', line);
  }
  if (!isAllowed(helper, callerOf(c))) {
    const line = 'helper call is not allowed in probe';
    reject(c, errno.EINVAL, 'helper-not-allowed', line);
  }
  if (helper.mightSleep && !c.sleepable) {
    const line = 'helper call might sleep in a non-sleepable prog';
    reject(c, errno.EINVAL, 'helper-might-sleep', line);
  }
  return helper;
}

/** One value on all paths, or `mixed`. */
function agree<T>(before: Agreed<T>, value: T): Agreed<T> {
  if (before === undefined) return { value };
  return before !== 'mixed' && before.value === value ? before : 'mixed';
}

function recordMap(c: Checker, helper: Helper, arg: ArgContext): void {
  const aux = c.aux(c.insn);
  if (arg.map) aux.callMap = agree(aux.callMap, arg.map);
  if (!recordsMap(helper.id)) return;
  const { map } = arg;
  if (!map)
    return reject(c, errno.EINVAL, 'verifier-bug', 'kernel subsystem misconfigured verifier');
  if ((map.spec.flags & uapi.BPF_F_RDONLY_PROG) !== 0 && writesMap(helper.id)) {
    reject(c, errno.EACCES, 'map-permission', 'write into map forbidden', {
      reg: 1,
      write: true,
    });
  }
}

/** The index of a tail call, where it is a constant. */
function recordTailCallKey(c: Checker, helper: Helper, arg: ArgContext): void {
  if (helper.name !== 'tail_call') return;
  if (arg.map?.spec.type !== 'prog_array') {
    reject(c, errno.EINVAL, 'map-helper', 'kernel subsystem misconfigured verifier', {
      reg: 2,
      wanted: 'prog_array',
    });
  }
  const aux = c.aux(c.insn);
  const index = c.reg(3);
  const value = index.scalar.bits.value;
  if (!isConstReg(index) || value >= BigInt(arg.map.spec.maxEntries)) {
    aux.callKey = 'mixed';
    return;
  }
  markPrecise(c, 3);
  aux.callKey = agree(aux.callKey, value);
}

/** Stack memory that the helper fills is written from here on. */
function fillRawMemory(c: Checker, arg: ArgContext): void {
  for (let at = 0; at < arg.rawBytes; at++) {
    checkAccess(c, arg.rawRegno, at, 1, { write: true, value: undefined });
  }
}

function makeDynptr(c: Checker, arg: ArgContext): void {
  const regno = arg.uninitDynptrRegno;
  for (let at = 0; at < DYNPTR_BYTES; at += 8) {
    checkAccess(c, regno, at, 8, { write: true, value: undefined });
  }
  createDynptr(c, regno, arg.helper.args[regno - 1]!);
}

function giveBack(c: Checker, helper: Helper, arg: ArgContext): void {
  const regno = arg.releaseRegno;
  let done: boolean;
  if (helper.args[regno - 1]!.base === 'ptr_to_dynptr') done = destroyDynptr(c, regno);
  else if (arg.refId !== 0) done = release(c, arg.refId);
  else done = isNull(c.reg(regno));
  if (done) return;
  const line = `func ${helperText(helper.id)}#${helper.id} reference has not been acquired before`;
  reject(c, errno.EINVAL, 'release-unreferenced', line, { reg: regno });
}

/** Rules of single helpers that no argument type expresses. */
function checkHelperRules(c: Checker, helper: Helper, arg: ArgContext): void {
  switch (helper.name) {
    case 'tail_call':
      checkLeaks(c, 'tail_call would lead to reference leak');
      break;
    case 'get_local_storage':
      if (!isNull(c.reg(2))) {
        const line = "get_local_storage() doesn't support non-zero flags";
        reject(c, errno.EINVAL, 'helper-flags', line, { reg: 2 });
      }
      break;
    case 'snprintf': {
      const bytes = c.reg(5).scalar.bits.value;
      if (bytes % 8n !== 0n) reject(c, errno.EINVAL, 'format-string');
      const error = checkFormat(constStringAt(c, c.reg(3)) ?? '', Number(bytes / 8n));
      if (error !== 0) reject(c, error, 'format-string', 'Invalid format string');
      break;
    }
    case 'dynptr_from_mem':
      if (c.reg(1).kind !== 'map_value' || c.reg(1).flags !== 0) {
        const line = `Unsupported reg type ${typeText(c.reg(1))} for bpf_dynptr_from_mem data`;
        reject(c, errno.EACCES, 'dynptr', line, { reg: 1 });
      }
      break;
    case 'dynptr_data':
      if (arg.refId !== 0) {
        const line = 'verifier internal error: meta.ref_obj_id already set';
        reject(c, errno.EFAULT, 'verifier-bug', line);
      }
      arg.refId = dynptrIdAt(c, c.reg(1));
      break;
    case 'set_retval':
      if (c.spec.expectedAttachType === 'lsm_cgroup' && c.attach?.proto?.returnType === 0) {
        const line = "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!";
        reject(c, errno.EINVAL, 'helper-not-allowed', line);
      }
      break;
  }
}

function setReturn(c: Checker, slot: Slot, helper: Helper, arg: ArgContext): void {
  const { ret } = helper;
  const isUnknown = ret.base === 'integer';
  if (isUnknown) c.forget(slot);
  else if (ret.base !== 'void') slot.reg = returnedPointer(c, helper, arg);
  if (mayBeNull(slot.reg)) slot.reg = withId(slot.reg, c.newId());
  if (isPointerCast(helper.id) || helper.name === 'dynptr_data') {
    slot.reg = withReg(slot.reg, { refId: arg.refId });
  } else if (acquires(helper, arg)) {
    const id = acquire(c, c.insn);
    slot.reg = withReg(slot.reg, { id, refId: id });
  }
  if (isUnknown && returnsAtMostSize(helper.id)) boundBySize(slot, arg);
}

const acquires = (helper: Helper, arg: ArgContext): boolean =>
  isAcquire(helper.id) ||
  (helper.name === 'map_lookup_elem' &&
    (arg.map?.spec.type === 'sockmap' || arg.map?.spec.type === 'sockhash'));

function returnedPointer(c: Checker, helper: Helper, arg: ArgContext): Reg {
  const { ret } = helper;
  const flags = ret.nullable ? flag.NULLABLE : 0;
  switch (ret.base) {
    case 'ptr_to_map_value': {
      const { map, mapUid } = arg;
      if (!map) {
        const line = 'kernel subsystem misconfigured verifier';
        return reject(c, errno.EINVAL, 'verifier-bug', line);
      }
      const id = !ret.nullable && hasSpinLock(map) ? c.newId() : 0;
      return pointerReg('map_value', { flags, map, mapUid, id });
    }
    case 'ptr_to_socket':
      return pointerReg('sock', { flags });
    case 'ptr_to_sock_common':
      return pointerReg('sock_common', { flags });
    case 'ptr_to_tcp_sock':
      return pointerReg('tcp_sock', { flags });
    case 'ptr_to_alloc_mem':
      return pointerReg('mem', { flags: flags | flag.ALLOC, memBytes: arg.allocBytes });
    case 'ptr_to_dynptr_mem':
    case 'ptr_to_mem':
      return pointerReg('mem', { flags, memBytes: arg.allocBytes });
    case 'ptr_to_mem_or_btf_id':
      return perCpuVariable(c, arg, flags, ret.readonly === true);
    case 'ptr_to_btf_id':
      return kernelObject(c, helper, arg, flags);
    default:
      return reject(c, errno.EINVAL, 'verifier-bug');
  }
}

function perCpuVariable(c: Checker, arg: ArgContext, flags: number, readonly: boolean): Reg {
  const btf = arg.retBtf!;
  const id = btf.resolve(arg.retBtfId);
  const type = btf.type(id)!;
  if (type.kind === 'struct' || type.kind === 'union') {
    return pointerReg('ptr_', { flags, btf, btfId: arg.retBtfId });
  }
  const memBytes = btf.sizeOf(id);
  if (memBytes === undefined) {
    const line = `unable to resolve the size of type '${type.name}': -22`;
    return reject(c, errno.EINVAL, 'btf-access', line);
  }
  return pointerReg('mem', { flags: flags | (readonly ? flag.RDONLY : 0), memBytes });
}

function kernelObject(c: Checker, helper: Helper, arg: ArgContext, flags: number): Reg {
  const name = helper.name === 'kptr_xchg' ? arg.kptr!.struct : helper.ret.btfStruct!;
  const btf = c.env.kernelBtf;
  const btfId = btf?.find(name, 'struct');
  if (btfId === undefined) {
    const text = `${helperText(helper.id)}#${helper.id}`;
    return reject(c, errno.EINVAL, 'unknown-kernel-type', `invalid return type 8 of func ${text}`);
  }
  return pointerReg('ptr_', { flags, btf, btfId });
}

const MAX_ERRNO = 4095;

/** -MAX_ERRNO to the size argument's largest value. */
function boundBySize(slot: Slot, arg: ArgContext): void {
  const draft = draftOf(slot.reg.scalar);
  draft.smax = BigInt.asIntN(64, arg.maxSize);
  draft.smax32 = Number(BigInt.asIntN(32, arg.maxSize));
  draft.smin = BigInt(-MAX_ERRNO);
  draft.smin32 = -MAX_ERRNO;
  sync(draft);
  slot.reg = withScalar(slot.reg, draft);
}

function checkGetFuncIp(c: Checker, helper: Helper): void {
  if (helper.name !== 'get_func_ip') return;
  const { type, expectedAttachType } = c.spec;
  const text = `func ${helperText(helper.id)}#${helper.id}`;
  if (type === 'kprobe') return;
  if (type === 'tracing') {
    if (['trace_fentry', 'trace_fexit', 'modify_return'].includes(expectedAttachType)) return;
    const line = `${text} supported only for fentry/fexit/fmod_ret programs`;
    reject(c, errno.ENOTSUPP, 'helper-not-allowed', line);
  }
  const line = `${text} not supported for program type ${PROG_TYPES.indexOf(type)}`;
  reject(c, errno.ENOTSUPP, 'helper-not-allowed', line);
}
