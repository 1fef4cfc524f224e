/**
 * Arguments with a meaning of their own: locks, timers, callbacks, constant strings, per-CPU
 * variables.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ArgType } from '../helpers/helper.ts';
import type { BpfMap } from '../maps/map.ts';
import type { ArgContext } from './args.ts';
import { reject, type Checker } from './checker.ts';
import { checkKptrArg } from './kptr.ts';
import { mapFields } from './map-fields.ts';
import type { ReasonCode } from './reasons.ts';
import type { Reg } from './reg.ts';
import { checkMapValue, isFrozenReadOnly } from './region.ts';
import { isConst } from './tnum.ts';

export function checkSpecialArg(
  c: Checker,
  reg: Reg,
  regno: number,
  type: ArgType,
  arg: ArgContext,
): void {
  switch (type.base) {
    case 'ptr_to_percpu_btf_id':
      if (reg.btfId === 0) {
        reject(c, errno.EACCES, 'argument-type', `Helper has invalid btf_id in R${regno}`, {
          reg: regno,
        });
      }
      arg.retBtf = reg.btf;
      arg.retBtfId = reg.btfId;
      break;
    case 'ptr_to_spin_lock':
      checkSpinLock(c, reg, regno, arg.helper.name === 'spin_lock');
      break;
    case 'ptr_to_timer':
      checkTimer(c, reg, regno);
      arg.mapUid = reg.mapUid;
      arg.map = reg.map;
      break;
    case 'ptr_to_func':
      arg.subprog = reg.subprog;
      break;
    case 'ptr_to_kptr':
      checkKptrArg(c, reg, regno, arg);
      break;
    case 'ptr_to_const_str':
      checkConstString(c, reg, regno);
      break;
  }
}

/** Offset of the argument in its map value, which must be that of the kernel's field. */
function fieldOffset(
  c: Checker,
  reg: Reg,
  regno: number,
  field: 'bpf_spin_lock' | 'bpf_timer',
  found: (map: BpfMap) => number,
): { readonly offset: bigint; readonly field: number } {
  const refuse = (line: string): never =>
    reject(c, errno.EACCES, 'kernel-field', line, { reg: regno, what: field });
  const { bits } = reg.scalar;
  if (!isConst(bits)) {
    refuse(`R${regno} doesn't have constant offset. ${field} has to be at the constant offset`);
  }
  const map = reg.map!;
  const name = `map '${map.spec.name}'`;
  if (!map.spec.btf) refuse(`${name} has to have BTF in order to use ${field}`);
  const at = found(map);
  if (at < 0) {
    if (at === -errno.E2BIG) refuse(`${name} has more than one 'struct ${field}'`);
    if (at === -errno.ENOENT) refuse(`${name} doesn't have 'struct ${field}'`);
    refuse(`${name} is not a struct type or ${field} is mangled`);
  }
  return { offset: BigInt.asIntN(64, bits.value) + BigInt(reg.off), field: at };
}

function checkSpinLock(c: Checker, reg: Reg, regno: number, isLock: boolean): void {
  const refuse = (reason: ReasonCode, line: string) =>
    reject(c, errno.EACCES, reason, line, { reg: regno });
  const at = fieldOffset(c, reg, regno, 'bpf_spin_lock', (map) => mapFields(map).spinLock);
  if (at.offset !== BigInt(at.field)) {
    refuse('kernel-field', `off ${at.offset} doesn't point to 'struct bpf_spin_lock'`);
  }
  const { state } = c;
  if (isLock) {
    if (state.activeLock !== 0) {
      refuse('lock-held', 'Locking two bpf_spin_locks are not allowed');
    }
    state.activeLock = reg.id;
    return;
  }
  if (state.activeLock === 0) refuse('lock-not-held', 'bpf_spin_unlock without taking a lock');
  if (state.activeLock !== reg.id) refuse('lock-not-held', 'bpf_spin_unlock of different lock');
  state.activeLock = 0;
}

function checkTimer(c: Checker, reg: Reg, regno: number): void {
  const at = fieldOffset(c, reg, regno, 'bpf_timer', (map) => mapFields(map).timer);
  if (at.offset === BigInt(at.field)) return;
  const line = `off ${at.offset} doesn't point to 'struct bpf_timer' that is at ${at.field}`;
  reject(c, errno.EACCES, 'kernel-field', line, { reg: regno, what: 'bpf_timer' });
}

/** A NUL-terminated string in a map that nobody can change any more. */
function checkConstString(c: Checker, reg: Reg, regno: number): void {
  const refuse = (line: string, number: number = errno.EACCES): never =>
    reject(c, number, 'constant-string', line, { reg: regno });
  const map = reg.map!;
  if (!isFrozenReadOnly(map)) refuse(`R${regno} does not point to a readonly map'`);
  if (!isConst(reg.scalar.bits)) refuse(`R${regno} is not a constant address'`);
  if (map.spec.type !== 'array') {
    refuse('no direct value access support for this map type');
  }
  checkMapValue(c, regno, reg.off, map.spec.valueBytes - reg.off, false, 'helper');
  if (constStringAt(c, reg) === undefined) refuse('string is not zero-terminated', errno.EINVAL);
}

/** The string that a register points at, byte by byte; undefined where it has no end. */
export function constStringAt(c: Checker, reg: Reg): string | undefined {
  const map = reg.map!;
  let at = reg.off + Number(BigInt.asIntN(32, reg.scalar.bits.value));
  let text = '';
  for (; at < map.spec.valueBytes; at++) {
    const byte = c.env.readFrozen?.(map, at, 1);
    if (byte === undefined) return undefined;
    if (byte === 0n) return text;
    text += String.fromCharCode(Number(byte));
  }
  return undefined;
}
