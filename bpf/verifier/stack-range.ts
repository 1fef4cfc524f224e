/**
 * A range of stack memory that is read as a whole: by a helper, or by a load whose offset is only
 * known as a range. All of it must be initialised; what a helper may overwrite loses its content.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ArgContext } from './args.ts';
import { noteStackWrite } from './caller-writes.ts';
import { reject, type Checker } from './checker.ts';
import { markRead } from './live.ts';
import { isPlain } from './reg.ts';
import type { AccessBy } from './region.ts';
import { checkStackBounds, frameOf } from './stack.ts';
import {
  byteAt,
  byteKind,
  byteOf,
  isSpill,
  live,
  scrubbedAll,
  slotOf,
  withByte,
  type StackSlot,
} from './state.ts';
import { isConst, tnumText } from './tnum.ts';
import { knownOf, sminOf, smaxOf } from './scalar.ts';

export interface RangeRules {
  readonly zeroAllowed: boolean;
  readonly by: AccessBy;
  /** Of a helper's argument: it may say that the helper fills the memory (raw mode). */
  readonly arg?: ArgContext | undefined;
}

export function initialisedRange(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  rules: RangeRules,
): void {
  if (bytes === 0 && !rules.zeroAllowed) {
    reject(c, errno.EACCES, 'zero-sized-access', 'invalid zero-sized read', { reg: regno });
  }
  const byHelper = rules.by === 'helper';
  // Bounds as for a write; without raw mode the bytes are looked at below.
  checkStackBounds(c, regno, off, bytes, rules.by, byHelper);
  const reg = c.reg(regno);
  const { bits } = reg.scalar;
  const fixed = isConst(bits);
  const extra = byHelper ? ' indirect' : '';
  if (!fixed && !c.bypassSpecV1) {
    const line =
      `R${regno}${extra} variable offset stack access prohibited for !root, ` +
      `var_off=${tnumText(bits)}`;
    reject(c, errno.EACCES, 'variable-stack-offset', line, { reg: regno });
  }
  if (fixed && rules.arg?.raw) {
    rules.arg.rawBytes = bytes;
    rules.arg.rawRegno = regno;
    return;
  }
  const min = off + (fixed ? knownOf(reg.scalar) : sminOf(reg.scalar));
  const max = off + (fixed ? knownOf(reg.scalar) : smaxOf(reg.scalar));
  const frame = frameOf(c, reg);
  for (let at = min; at < max + bytes; at++) {
    const slot = frame.stack[slotOf(at)];
    if (!slot) {
      c.log.write('verifier bug: allocated_stack too small');
      reject(c, errno.EFAULT, 'verifier-bug');
    }
    if (!acceptByte(c, slot, byteOf(at), byHelper)) {
      const where = fixed ? `off ${min}+${at - min}` : `var_off ${tnumText(bits)}+${at - min}`;
      const line = `invalid${extra} read from stack R${regno} ${where} size ${bytes}`;
      reject(c, errno.EACCES, 'uninitialised-stack', line, {
        reg: regno,
        off: min,
        bytes,
        stackByte: at,
        frame: frame.frameno,
      });
    }
    markRead(c, slot, live.READ64);
    if (byHelper) noteStackWrite(c, frame.frameno, slotOf(at));
  }
}

/** The byte may be read; `clobbers`: and it is unknown afterwards. */
function acceptByte(c: Checker, slot: StackSlot, byte: number, clobbers: boolean): boolean {
  const kind = byteAt(slot.bytes, byte);
  if (kind === byteKind.MISC) return true;
  if (kind === byteKind.ZERO || (kind === byteKind.INVALID && c.allowUninitStack)) {
    if (clobbers) slot.bytes = withByte(slot.bytes, byte, byteKind.MISC);
    return true;
  }
  if (!isSpill(slot) || !(isPlain(slot.reg, 'scalar') || c.allowPtrLeaks)) return false;
  if (clobbers) {
    c.forget(slot);
    slot.bytes = scrubbedAll(slot.bytes);
  }
  return true;
}
