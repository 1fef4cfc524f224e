/**
 * Dynptrs: 16 bytes of stack that helpers initialise and only helpers may look into. The upper slot
 * (lower address) is the first.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ArgType } from '../helpers/helper.ts';
import type { ArgContext } from './args.ts';
import { reject, type Checker } from './checker.ts';
import { acquire, release } from './refs.ts';
import { withReg, type DynptrType, type Reg } from './reg.ts';
import { frameOf } from './stack.ts';
import { markRead } from './live.ts';
import { allBytes, byteAt, byteKind, live, slotOf, type StackSlot } from './state.ts';
import { isConstOf } from './tnum.ts';

export const DYNPTR_BYTES = 16;

/** The two slots that the pointer's dynptr takes; undefined where they are not all in the stack. */
function slotsAt(c: Checker, reg: Reg): readonly [StackSlot, StackSlot] | undefined {
  const { stack } = frameOf(c, reg);
  const index = slotOf(reg.off);
  const first = stack[index];
  const second = index > 0 ? stack[index - 1] : undefined;
  return first && second ? [first, second] : undefined;
}

const holdsDynptr = (slot: StackSlot): boolean[] =>
  Array.from({ length: 8 }, (_, byte) => byteAt(slot.bytes, byte) === byteKind.DYNPTR);

function isInitialised(c: Checker, reg: Reg): boolean {
  const slots = slotsAt(c, reg);
  if (!slots || !slots[0].reg.dynptrFirst) return false;
  return slots.every((slot) => holdsDynptr(slot).every(Boolean));
}

/** Kind of the dynptr that the pointer points at, where it was initialised. */
export const initialisedDynptr = (c: Checker, reg: Reg): DynptrType | undefined =>
  isInitialised(c, reg) ? slotsAt(c, reg)![0].reg.dynptr : undefined;

function isFree(c: Checker, reg: Reg): boolean {
  const slots = slotsAt(c, reg);
  return !slots || !slots.some((slot) => holdsDynptr(slot).some(Boolean));
}

/** Reference that the dynptr holds; 0: none. */
export function dynptrIdAt(c: Checker, reg: Reg): number {
  if (reg.kind !== 'fp') return 0;
  return slotsAt(c, reg)?.[0].reg.id ?? 0;
}

export function checkDynptrArg(
  c: Checker,
  reg: Reg,
  regno: number,
  type: ArgType,
  arg: ArgContext,
): void {
  const refuse = (line: string): never => reject(c, errno.EINVAL, 'dynptr', line, { reg: regno });
  // A dynptr that a helper made and passed to a callback.
  if (reg.kind === 'dynptr_ptr') return;
  // differs: 6.1 ignores a variable offset here and looks at the wrong slots (fixed in 6.3).
  if (!isConstOf(reg.scalar.bits, 0n)) refuse('dynptr has to be at a constant offset');
  // differs: 6.1 does not count this as a read, so pruning could forget the dynptr (fixed in 6.3).
  if (c.asLinux) c.erred = true;
  else for (const slot of slotsAt(c, reg) ?? []) markRead(c, slot, live.READ64);
  if (type.uninit) {
    if (!isFree(c, reg)) refuse('Dynptr has to be an uninitialized dynptr');
    arg.uninitDynptrRegno = regno;
    return;
  }
  if (!isInitialised(c, reg)) refuse(`Expected an initialized dynptr as arg #${regno}`);
  const wanted = type.dynptr ?? 'any';
  if (wanted !== 'any' && slotsAt(c, reg)![0].reg.dynptr !== wanted) {
    refuse(`Expected a dynptr of type ${wanted} as arg #${regno}`);
  }
}

/** The helper initialised the dynptr that R`regno` points at. */
export function createDynptr(c: Checker, regno: number, type: ArgType): void {
  const slots = slotsAt(c, c.reg(regno));
  const kind = type.dynptr;
  if (!slots || kind === undefined || kind === 'any') return reject(c, errno.EINVAL, 'dynptr');
  const id = kind === 'ringbuf' ? acquire(c, c.insn) : 0;
  slots.forEach((slot, index) => {
    slot.bytes = allBytes(byteKind.DYNPTR);
    const dynptrFirst = index === 0 || slot.reg.dynptrFirst;
    const at = { dynptr: kind, dynptrFirst, id: id === 0 ? slot.reg.id : id };
    slot.reg = withReg(slot.reg, at);
  });
}

/** The helper gave the dynptr back. False where its reference is not held. */
export function destroyDynptr(c: Checker, regno: number): boolean {
  const slots = slotsAt(c, c.reg(regno));
  if (!slots) return false;
  for (const slot of slots) slot.bytes = allBytes(byteKind.INVALID);
  const { dynptr, id } = slots[0].reg;
  // Slices of the dynptr go with it.
  if (dynptr === 'ringbuf') release(c, id);
  for (const slot of slots) {
    slot.reg = withReg(slot.reg, { dynptr: undefined, dynptrFirst: false, id: 0 });
  }
  return true;
}
