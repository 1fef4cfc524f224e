/**
 * The end of a program: what it may leave in r0.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { AttachType } from '../uapi.ts';
import { reject, type Checker } from './checker.ts';
import { sourceReg } from './live.ts';
import { isPlain, typeText, type Reg } from './reg.ts';
import { constTnum, isUnknown, rangeTnum, tnumHolds, tnumText, type Tnum } from './tnum.ts';

function refuseValue(
  c: Checker,
  where: string,
  reg: Reg,
  range: Tnum,
  wanted: string,
  note = '',
): never {
  const { bits } = reg.scalar;
  const value = isUnknown(bits) ? 'has unknown scalar value' : `has value ${tnumText(bits)}`;
  const line = `At ${where} the register R0 ${value} should have been in ${tnumText(range)}${note}`;
  return reject(c, errno.EINVAL, 'return-value', line, { reg: 0, wanted });
}

export function checkReturn(c: Checker): void {
  const frame = c.state.frames[0]!;
  const isSubprog = frame.subprog > 0;
  const { type, expectedAttachType: attach } = c.spec;
  const isVoid = c.attach?.proto?.returnType === 0;
  // Hooks that return nothing leave r0 alone.
  if (!isSubprog && isVoid && type === 'lsm' && attach !== 'lsm_cgroup') return;
  if (!isSubprog && isVoid && type === 'struct_ops') return;
  const { reg } = sourceReg(c, 0);
  if (c.leaksPointer(reg)) {
    reject(c, errno.EACCES, 'pointer-leak', 'R0 leaks addr as return value', {
      reg: 0,
      what: 'return value',
    });
  }
  const isNumber = isPlain(reg, 'scalar');
  const notNumber = (where: string): never =>
    reject(c, errno.EINVAL, 'return-value', `${where} (${typeText(reg)})`, { reg: 0 });
  if (frame.inAsyncCallback) {
    if (!isNumber) notNumber('In async callback the register R0 is not a known value');
    const zero = constTnum(0n);
    if (!tnumHolds(zero, reg.scalar.bits)) refuseValue(c, 'async callback', reg, zero, '0');
    return;
  }
  if (isSubprog) {
    if (!isNumber) notNumber('At subprogram exit the register R0 is not a scalar value');
    return;
  }
  checkRange(c, reg, isVoid, notNumber);
}

const TRACING: ReadonlySet<AttachType> = new Set([
  'trace_fentry',
  'trace_fexit',
  'trace_raw_tp',
  'modify_return',
  'trace_iter',
]);

function checkRange(
  c: Checker,
  reg: Reg,
  isVoid: boolean,
  notNumber: (where: string) => never,
): void {
  const { type, expectedAttachType: attach } = c.spec;
  let allowed = c.ops.returnRange?.(c.context);
  const isVoidLsm = type === 'lsm' && attach === 'lsm_cgroup' && isVoid;
  if (isVoidLsm) allowed = { min: 1, max: 1 };
  // Attach types of LSM programs, say: they pass all checks before.
  if (type === 'tracing' && !TRACING.has(attach)) {
    reject(c, errno.ENOTSUPP, 'attach-target');
  }
  if (!allowed) return;
  if (!isPlain(reg, 'scalar')) notNumber('At program exit the register R0 is not a known value');
  const range = rangeTnum(BigInt(allowed.min), BigInt(allowed.max));
  if (!tnumHolds(range, reg.scalar.bits)) {
    const note = isVoidLsm
      ? "\nNote, BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!"
      : '';
    const wanted =
      allowed.min === allowed.max ? `${allowed.min}` : `${allowed.min} to ${allowed.max}`;
    refuseValue(c, 'program exit', reg, range, wanted, note);
  }
  const enforced = c.ops.enforcedRange?.(c.context);
  if (!enforced) return;
  const needsAttachType = rangeTnum(BigInt(enforced.min), BigInt(enforced.max));
  if (tnumHolds(needsAttachType, reg.scalar.bits)) c.enforceAttachType = true;
}
