/**
 * Whether everything that one state allows, another allows too, place by place and without regard
 * to liveness: the test that a loop's state does not grow.
 */
import { rangeWithin } from './scalar.ts';
import { isPlain, sameReg, sameTarget, type Reg } from './reg.ts';
import { byteAt, byteKind, isSpill, type Frame, type StackSlot } from './state.ts';
import { isUnknown, tnumHolds } from './tnum.ts';

/** `wide` allows every value that `narrow` has. */
function regIncludes(wide: Reg, narrow: Reg): boolean {
  if (sameReg(wide, narrow)) return wide.frame === narrow.frame;
  if (wide.kind === '?') return true;
  const ranges = () =>
    rangeWithin(wide.scalar, narrow.scalar) && tnumHolds(wide.scalar.bits, narrow.scalar.bits);
  if (isPlain(wide, 'scalar')) return isPlain(narrow, 'scalar') && ranges();
  if (wide.kind !== 'map_value' && wide.kind !== 'mem' && wide.kind !== 'map_key') return false;
  return (
    sameTarget(wide, narrow) && wide.id === narrow.id && wide.refId === narrow.refId && ranges()
  );
}

function slotIncludes(wide: StackSlot, narrow: StackSlot): boolean {
  for (let byte = 0; byte < 8; byte++) {
    const was = byteAt(wide.bytes, byte);
    const is = byteAt(narrow.bytes, byte);
    if (was === is || was === byteKind.INVALID) continue;
    if (was === byteKind.MISC && (is === byteKind.ZERO || isScalarSpill(narrow))) continue;
    if (was === byteKind.SPILL && isPlain(wide.reg, 'scalar') && isUnknownSpill(wide)) {
      if (is === byteKind.ZERO || is === byteKind.MISC) continue;
    }
    return false;
  }
  if (isSpill(wide) && isSpill(narrow)) return regIncludes(wide.reg, narrow.reg);
  if (byteAt(wide.bytes, 0) !== byteKind.DYNPTR) return true;
  return (
    wide.reg.id === narrow.reg.id &&
    wide.reg.dynptr === narrow.reg.dynptr &&
    wide.reg.dynptrFirst === narrow.reg.dynptrFirst
  );
}

const isScalarSpill = (slot: StackSlot): boolean => isSpill(slot) && isPlain(slot.reg, 'scalar');
const isUnknownSpill = (slot: StackSlot): boolean => isUnknown(slot.reg.scalar.bits);

/** Registers that survive a call, and the stack. */
export function frameIncludes(wide: Frame, narrow: Frame): boolean {
  for (let regno = 6; regno <= 10; regno++) {
    if (!regIncludes(wide.regs[regno]!.reg, narrow.regs[regno]!.reg)) return false;
  }
  return wide.stack.every((slot, index) => {
    const now = narrow.stack[index];
    return now !== undefined && slotIncludes(slot, now);
  });
}
