/**
 * Reads and writes of stack memory by instructions: registers spilled and filled, single bytes, and
 * offsets that are only known as a range. Bounds first (`checkStackBounds`), then the access.
 */
import { errno } from '../../kernel/types/errno.ts';
import { noteStackWrite } from './caller-writes.ts';
import { reject, type Checker } from './checker.ts';
import { initialisedRange } from './stack-range.ts';
import { markRead, scratchSlot } from './live.ts';
import { classOf, cls, mode, modeOf } from './opcode.ts';
import { markAllPrecise, markPrecise } from './precision.ts';
import { printSourceLine } from './print.ts';
import {
  isNull,
  isPlain,
  isScalar,
  isSpillable,
  scalarReg,
  withId,
  withReg,
  type Reg,
} from './reg.ts';
import { MAX_VAR_OFF, type AccessBy } from './region.ts';
import { isUnboundedScalar, knownOf, smaxOf, sminOf, ZERO_SCALAR } from './scalar.ts';
import {
  FP,
  MAX_STACK,
  byteAt,
  byteKind,
  byteOf,
  copyContent,
  growStack,
  isSpill,
  live,
  newSlot,
  scrubbed,
  scrubbedAll,
  slotOf,
  withByte,
  type Frame,
  type Slot,
  type StackSlot,
} from './state.ts';
import { isConst, tnumText } from './tnum.ts';
import { bitLength } from './wide.ts';

export const frameOf = (c: Checker, reg: Reg): Frame => c.state.frames[reg.frame]!;

const ACCESS_TEXT = { helper: ' indirect access to', read: ' read from', write: ' write to' };

/** The access lies in the stack; room for it is added to the frame. */
export function checkStackBounds(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  by: AccessBy,
  write: boolean,
): void {
  const reg = c.reg(regno);
  const frame = frameOf(c, reg);
  const what = ACCESS_TEXT[by === 'helper' ? 'helper' : write ? 'write' : 'read'];
  const { bits } = reg.scalar;
  const fixed = isConst(bits);
  const smin = sminOf(reg.scalar);
  const smax = smaxOf(reg.scalar);
  if (!fixed && (smax >= MAX_VAR_OFF || smin <= -MAX_VAR_OFF)) {
    const line = `invalid unbounded variable-offset${what} stack R${regno}`;
    reject(c, errno.EACCES, 'unbounded-offset', line, { reg: regno, off, bytes, write });
  }
  const min = (fixed ? knownOf(reg.scalar) : smin) + off;
  const max = (fixed ? min : smax + off) + bytes;
  const lowest = write || c.allowUninitStack ? -MAX_STACK : -8 * frame.stack.length;
  let error = 0;
  if (min < lowest || min > -1) error = errno.EACCES;
  else if (max > 0) error = errno.EINVAL;
  else if (bytes < 0) error = errno.EFAULT;
  if (error !== 0) {
    const line = fixed
      ? `invalid${what} stack R${regno} off=${off} size=${bytes}`
      : `invalid variable-offset${what} stack R${regno} var_off=${tnumText(bits)} size=${bytes}`;
    reject(c, error, 'stack-out-of-bounds', line, { reg: regno, off, bytes, write });
  }
  const needed = Math.ceil(-min / 8) * 8;
  growStack(frame, needed);
  const subprog = c.subprogs[frame.subprog]!;
  subprog.stackBytes = Math.max(subprog.stackBytes, frame.stack.length * 8);
}

export function writeStack(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  valueRegno: number | undefined,
): void {
  const reg = c.reg(regno);
  const frame = frameOf(c, reg);
  const { bits } = reg.scalar;
  if (isConst(bits)) {
    const at = off + knownOf(reg.scalar);
    writeAt(c, frame, at, bytes, valueRegno);
  } else {
    writeSomewhere(c, frame, regno, off, bytes, valueRegno);
  }
}

/** The bytes of a spill fill a slot from its end. */
function spill(slot: StackSlot, from: Slot, bytes: number): void {
  copyContent(slot, from);
  if (bytes === 8) slot.live |= live.WRITTEN;
  for (let i = 7; i >= 0; i--) {
    slot.bytes = i >= 8 - bytes ? withByte(slot.bytes, i, byteKind.SPILL) : scrubbed(slot.bytes, i);
  }
}

function writeAt(
  c: Checker,
  frame: Frame,
  off: number,
  bytes: number,
  valueRegno: number | undefined,
): void {
  const index = slotOf(off);
  const slot = frame.stack[index]!;
  if (!c.allowPtrLeaks && isSpill(slot) && bytes !== 8) {
    const line = 'attempt to corrupt spilled pointer on stack';
    reject(c, errno.EACCES, 'spilled-pointer-overwrite', line, {
      stackByte: off,
      frame: frame.frameno,
    });
  }
  const value = valueRegno === undefined ? undefined : c.regs[valueRegno]!;
  const insn = c.current;
  const storesImm =
    value === undefined && classOf(insn.code) === cls.ST && modeOf(insn.code) === mode.MEM;
  const aligned = off % 8 === 0;
  scratchSlot(c, index);
  noteStackWrite(c, frame.frameno, index);
  if (value && aligned && c.bpfCapable && isBounded(value.reg) && !isNull(value.reg)) {
    // Backtracking only recognises [r10 + off]; what comes another way is precise at once.
    if (insn.dst !== FP) markPrecise(c, valueRegno!);
    spill(slot, value, bytes);
    if (bitLength(value.reg.scalar.umaxHi, value.reg.scalar.umaxLo) > 8 * bytes)
      slot.reg = withId(slot.reg, 0);
  } else if (storesImm && aligned && c.bpfCapable && insn.imm !== 0) {
    spill(slot, newSlot(scalarReg(c.immediate)), bytes);
  } else if (value && isSpillable(value.reg)) {
    spillPointer(c, frame, slot, value, bytes);
  } else {
    writeData(c, slot, off, bytes, value, valueRegno, storesImm && insn.imm === 0);
  }
}

const isBounded = (reg: Reg): boolean => isScalar(reg) && !isUnboundedScalar(reg.scalar);

function spillPointer(c: Checker, frame: Frame, slot: StackSlot, value: Slot, bytes: number): void {
  if (bytes !== 8) {
    printSourceLine(c, c.insn, '; ');
    reject(c, errno.EACCES, 'partial-pointer-spill', 'invalid size of register spill');
  }
  if (frame !== c.frame && isPlain(value.reg, 'fp')) {
    const line = 'cannot spill pointers to stack into stack frame of the caller';
    reject(c, errno.EINVAL, 'stack-pointer-escape', line);
  }
  spill(slot, value, bytes);
}

function writeData(
  c: Checker,
  slot: StackSlot,
  off: number,
  bytes: number,
  value: Slot | undefined,
  valueRegno: number | undefined,
  zeroImm: boolean,
): void {
  slot.reg = withReg(slot.reg, { kind: '?', flags: 0 });
  if (isSpill(slot)) slot.bytes = scrubbedAll(slot.bytes);
  // A partial write does not screen off reads of the rest.
  if (bytes === 8) slot.live |= live.WRITTEN;
  let kind: number = byteKind.MISC;
  if ((value && isNull(value.reg)) || zeroImm) {
    // Zero bytes carry no precision mark: whatever made the zero is precise from here.
    if (valueRegno !== undefined) markPrecise(c, valueRegno);
    kind = byteKind.ZERO;
  }
  for (let i = 0; i < bytes; i++) slot.bytes = withByte(slot.bytes, byteOf(off + i), kind);
}

/** A write whose offset is a range: every byte in it may or may not change. */
function writeSomewhere(
  c: Checker,
  frame: Frame,
  regno: number,
  off: number,
  bytes: number,
  valueRegno: number | undefined,
): void {
  const reg = c.reg(regno);
  const min = sminOf(reg.scalar) + off;
  const max = smaxOf(reg.scalar) + off + bytes;
  const value = valueRegno === undefined ? undefined : c.reg(valueRegno);
  const writesZero = value !== undefined && isNull(value);
  let keptZero = false;
  for (let at = min; at < max; at++) {
    const index = slotOf(at);
    const slot = frame.stack[index]!;
    const kind = byteAt(slot.bytes, byteOf(at));
    scratchSlot(c, index);
    noteStackWrite(c, frame.frameno, index);
    if (!c.allowPtrLeaks && kind !== byteKind.MISC && kind !== byteKind.ZERO) {
      c.log.write(`spilled ptr in range of var-offset stack write; insn ${c.insn}, ptr off: ${at}`);
      reject(c, errno.EINVAL, 'spilled-pointer-overwrite', undefined, {
        reg: regno,
        stackByte: at,
        frame: frame.frameno,
      });
    }
    slot.reg = withReg(slot.reg, { kind: '?', flags: 0 });
    const staysZero = writesZero && kind === byteKind.ZERO;
    if (staysZero) keptZero = true;
    if (kind === byteKind.INVALID && !c.allowUninitStack) {
      c.log.write(
        `uninit stack in range of var-offset write prohibited for !root; ` +
          `insn ${c.insn}, off: ${at}`,
      );
      reject(c, errno.EINVAL, 'uninitialised-stack', undefined, {
        reg: regno,
        stackByte: at,
        frame: frame.frameno,
      });
    }
    slot.bytes = withByte(slot.bytes, byteOf(at), staysZero ? byteKind.ZERO : byteKind.MISC);
  }
  if (keptZero) markPrecise(c, valueRegno!);
}

/** `dstRegno` undefined: the value goes nowhere (atomics). */
export function readStack(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  dstRegno: number | undefined,
): void {
  const reg = c.reg(regno);
  const frame = frameOf(c, reg);
  const { bits } = reg.scalar;
  if (isConst(bits)) {
    readAt(c, frame, off + knownOf(reg.scalar), bytes, dstRegno);
    return;
  }
  if (dstRegno === undefined) {
    const line =
      'variable offset stack pointer cannot be passed into helper function; ' +
      `var_off=${tnumText(bits)} off=${off} size=${bytes}`;
    reject(c, errno.EACCES, 'variable-stack-offset', line, { reg: regno });
  }
  initialisedRange(c, regno, off, bytes, { zeroAllowed: false, by: 'direct' });
  const min = sminOf(reg.scalar) + off;
  loadBytes(c, frame, min, smaxOf(reg.scalar) + off + bytes, dstRegno);
}

function readAt(
  c: Checker,
  frame: Frame,
  off: number,
  bytes: number,
  dstRegno: number | undefined,
): void {
  const slot = frame.stack[slotOf(off)]!;
  if (!isSpill(slot)) {
    checkReadable(c, slot, off, bytes, [byteKind.MISC, byteKind.ZERO]);
    markRead(c, slot, live.READ64);
    if (dstRegno !== undefined) loadBytes(c, frame, off, off + bytes, dstRegno);
    return;
  }
  let spilledBytes = 1;
  for (let i = 7; i > 0 && byteAt(slot.bytes, i - 1) === byteKind.SPILL; i--) spilledBytes++;
  if (bytes !== 8 || spilledBytes !== 8) {
    readPartOfSpill(c, slot, off, bytes, spilledBytes, dstRegno);
    return;
  }
  if (dstRegno !== undefined) {
    fill(c, slot, dstRegno);
  } else if (c.leaksPointer(slot.reg)) {
    const line = `leaking pointer from stack off ${off}`;
    reject(c, errno.EACCES, 'pointer-leak', line, { stackByte: off, frame: frame.frameno });
  }
  markRead(c, slot, live.READ64);
}

function fill(c: Checker, slot: StackSlot, dstRegno: number): void {
  const dst = c.regs[dstRegno]!;
  copyContent(dst, slot);
  dst.live |= live.WRITTEN;
  // differs: 6.1 does not follow the value further back than to such a load (fixed in 6.8).
  if (!c.asLinux && c.current.src !== FP && isPlain(dst.reg, 'scalar') && isBounded(dst.reg)) {
    markAllPrecise(c.state);
  }
}

function readPartOfSpill(
  c: Checker,
  slot: StackSlot,
  off: number,
  bytes: number,
  spilledBytes: number,
  dstRegno: number | undefined,
): void {
  if (!isPlain(slot.reg, 'scalar')) {
    printSourceLine(c, c.insn, '; ');
    reject(c, errno.EACCES, 'partial-pointer-fill', 'invalid size of register fill', {
      stackByte: off,
    });
  }
  markRead(c, slot, live.READ64);
  if (dstRegno === undefined) return;
  if (off % 8 === 0 && bytes === spilledBytes) {
    fill(c, slot, dstRegno);
    return;
  }
  checkReadable(c, slot, off, bytes, [byteKind.SPILL, byteKind.MISC]);
  const dst = c.regs[dstRegno]!;
  c.forget(dst);
  dst.live |= live.WRITTEN;
}

function checkReadable(
  c: Checker,
  slot: StackSlot,
  off: number,
  bytes: number,
  readable: readonly number[],
): void {
  for (let i = 0; i < bytes; i++) {
    const kind = byteAt(slot.bytes, byteOf(off + i));
    if (readable.includes(kind) || (kind === byteKind.INVALID && c.allowUninitStack)) continue;
    const line = `invalid read from stack off ${off}+${i} size ${bytes}`;
    reject(c, errno.EACCES, 'uninitialised-stack', line, { stackByte: off + i, off, bytes });
  }
}

/** Bytes [min, max) into a register: 0 if all are known to be 0. */
function loadBytes(c: Checker, frame: Frame, min: number, max: number, dstRegno: number): void {
  const dst = c.regs[dstRegno]!;
  let allZero = true;
  for (let at = min; allZero && at < max; at++) {
    allZero = byteAt(frame.stack[slotOf(at)]!.bytes, byteOf(at)) === byteKind.ZERO;
  }
  if (allZero) {
    dst.reg = scalarReg(ZERO_SCALAR);
    // Stops backtracking here: the zero's sources were made precise when it was written.
    dst.precise = true;
  } else {
    c.forget(dst);
  }
  dst.live |= live.WRITTEN;
}
