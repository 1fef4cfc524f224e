/**
 * Helpers that call a function of the program: bpf_loop, bpf_for_each_map_elem and others. The
 * callback is explored once, but it runs any number of times, also none, so what its caller has on
 * the stack must be the same after it as before it.
 *
 * differs: 6.1 goes on with the caller's stack as one run leaves it, which accepts programs that a
 * second run (or none) breaks; it was fixed in 6.7. What 6.1 accepts is explored again with numbers
 * on the stack forgotten before the callback where it may write them (`caller-writes.ts`), and a callback
 * that leaves more than before it is refused.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Helper } from '../helpers/helper.ts';
import { reject, type Agreed, type Checker } from './checker.ts';
import { callsGlobal, enter, newFrame } from './func-call.ts';
import { clobberCallerSaved, markRead } from './live.ts';
import { frameIncludes } from './includes.ts';
import { PathSlot } from './kept-stack.ts';
import { markPrecise } from './precision.ts';
import { UNINIT_REG, isNull, isPlain, pointerReg, scalarReg, withId } from './reg.ts';
import { UNKNOWN_SCALAR } from './scalar.ts';
import {
  byteAt,
  byteKind,
  copySlot,
  copyState,
  FP,
  isSpill,
  live,
  MAIN_CALLSITE,
  newSlot,
  withByte,
  type Frame,
  type Slot,
} from './state.ts';
import { isUnknown, rangeTnum, tnumHolds, tnumText } from './tnum.ts';
import type { BpfMap } from '../maps/map.ts';

/** What a callback may return. */
const RETURN_RANGE = rangeTnum(0n, 1n);

type Arguments = (c: Checker, caller: Frame, callee: Frame) => void;

/** Register i of the callee, by helper. The rest is not initialised. */
function setArguments(callee: Frame, args: readonly (Slot | undefined)[]): void {
  for (let index = 0; index < 5; index++) {
    const given = args[index];
    const slot = callee.regs[index + 1]!;
    if (!given) slot.reg = UNINIT_REG;
    else callee.regs[index + 1] = copySlot(given);
  }
}

const mapOf = (c: Checker): BpfMap => {
  const agreed: Agreed<BpfMap> = c.learned(c.insn).callMap;
  if (agreed === 'mixed' || agreed === undefined) {
    return reject(c, errno.EINVAL, 'map-helper', 'tail_call abusing map_ptr');
  }
  return agreed.value;
};

const ITERABLE = new Set([
  'hash',
  'percpu_hash',
  'lru_hash',
  'lru_percpu_hash',
  'array',
  'percpu_array',
]);

const ARGUMENTS: Readonly<Record<string, Arguments>> = {
  loop: (_c, caller, callee) =>
    setArguments(callee, [newSlot(scalarReg(UNKNOWN_SCALAR)), caller.regs[3]]),
  for_each_map_elem: (c, caller, callee) => {
    const map = mapOf(c);
    if (!ITERABLE.has(map.spec.type)) {
      reject(c, errno.ENOTSUPP, 'map-helper', 'callback function not allowed for map');
    }
    const target = { map: caller.regs[1]!.reg.map };
    setArguments(callee, [
      caller.regs[1],
      newSlot(pointerReg('map_key', target)),
      newSlot(pointerReg('map_value', target)),
      caller.regs[3],
    ]);
  },
  timer_set_callback: (_c, caller, callee) => {
    const target = { map: caller.regs[1]!.reg.map };
    setArguments(callee, [
      newSlot(pointerReg('map_ptr', target)),
      newSlot(pointerReg('map_key', target)),
      newSlot(pointerReg('map_value', target)),
    ]);
  },
  find_vma: (c, caller, callee) => {
    const btf = c.env.kernelBtf;
    const btfId = btf?.find('vm_area_struct', 'struct');
    if (btfId === undefined) reject(c, errno.EINVAL, 'unknown-kernel-type');
    setArguments(callee, [
      caller.regs[1],
      newSlot(pointerReg('ptr_', { btf, btfId })),
      caller.regs[4],
    ]);
  },
  user_ringbuf_drain: (_c, caller, callee) =>
    setArguments(callee, [newSlot(pointerReg('dynptr_ptr')), caller.regs[3]]),
};

export function callCallback(c: Checker, helper: Helper, subprog: number): void {
  if (callsGlobal(c, subprog)) return;
  const args = ARGUMENTS[helper.name]!;
  c.subprogs[subprog]!.isCallback = true;
  if (helper.name === 'timer_set_callback') {
    pushAsync(c, subprog, args);
    return;
  }
  if (helper.name === 'loop') noteInline(c, subprog);
  if (c.asLinux) c.erred = true;
  else forgetStackNumbers(c);
  const atEntry = c.asLinux ? undefined : copyState(c.state).frames;
  enter(c, subprog, (caller, callee) => {
    args(c, caller, callee);
    callee.inCallback = true;
    callee.callbackRange = RETURN_RANGE;
    callee.callerAtEntry = atEntry;
  });
}

/** 6.1 wants to know the flags exactly as long as it may still inline the loop. */
function noteInline(c: Checker, subprog: number): void {
  const aux = c.aux(c.insn);
  if (aux.loopInline === 'mixed') return;
  const isPlainLoop = isNull(c.reg(4));
  if (isPlainLoop) markPrecise(c, 4);
  const same = aux.loopInline === undefined || aux.loopInline.value === subprog;
  aux.loopInline = isPlainLoop && same ? { value: subprog } : 'mixed';
}

/** Runs later, from the timer's interrupt: a path of its own with an empty stack. */
function pushAsync(c: Checker, subprog: number, args: Arguments): void {
  const caller = c.frame;
  c.subprogs[subprog]!.isAsyncCallback = true;
  const callee = newFrame(c, MAIN_CALLSITE, 0, subprog);
  callee.asyncEntries = caller.asyncEntries + 1;
  callee.inAsyncCallback = true;
  callee.callbackRange = RETURN_RANGE;
  c.pushAsyncPath(callee, c.subprogs[subprog]!.start, c.insn);
  args(c, caller, callee);
  clobberCallerSaved(c, caller.regs);
  c.forget(caller.regs[0]!);
}

/**
 * Whatever numbers the callback may find on its second run, they are among "unknown", or those of
 * the first where it does not write.
 */
function forgetStackNumbers(c: Checker): void {
  const { callerWrites } = c;
  for (const frame of c.state.frames) {
    for (const [index, slot] of frame.stack.entries()) {
      if (slot.bytes === 0) continue;
      markRead(c, slot, live.READ64);
      const isNumber = isSpill(slot) && isPlain(slot.reg, 'scalar');
      if (callerWrites && !callerWrites.has(c.insn, frame.frameno, index)) {
        callerWrites.relied = true;
        // What one run learns of a copy in a register holds for that run.
        if (isNumber) slot.reg = withId(slot.reg, 0);
        continue;
      }
      if (isNumber) c.forget(slot);
      for (let byte = 0; byte < 8; byte++) {
        if (byteAt(slot.bytes, byte) === byteKind.ZERO) {
          slot.bytes = withByte(slot.bytes, byte, byteKind.MISC);
        }
      }
    }
  }
}

/** The callback returns: its caller goes on as if it had run any number of times. */
export function leaveCallback(c: Checker, callee: Frame): void {
  const result = callee.regs[0]!;
  if (!isPlain(result.reg, 'scalar')) {
    reject(c, errno.EACCES, 'return-value', 'R0 not a scalar value', { reg: 0 });
  }
  markRead(c, result, live.READ64);
  markPrecise(c, 0);
  const { bits } = result.reg.scalar;
  if (!tnumHolds(RETURN_RANGE, bits)) {
    const value = isUnknown(bits) ? 'has unknown scalar value' : `has value ${tnumText(bits)}`;
    const line =
      `At callback return the register R0 ${value} ` +
      `should have been in ${tnumText(RETURN_RANGE)}`;
    reject(c, errno.EINVAL, 'return-value', line, { reg: 0, wanted: '0 to 1' });
  }
  callee.callerAtEntry?.forEach((entry, index) => {
    const now = c.state.frames[index]!;
    if (!frameIncludes(entry, now)) {
      const line = 'callback leaves its caller in another state than it found it in';
      reject(c, errno.EINVAL, 'callback-changes-caller', line);
    }
    restoreFrame(entry, now);
  });
}

/** Contents go back to what they were; what follows depends on them whatever the callback wrote. */
function restoreFrame(entry: Frame, now: Frame): void {
  for (let regno = 6; regno < FP; regno++) restoreSlot(entry.regs[regno]!, now.regs[regno]!);
  now.stack.forEach((slot, index) => {
    const before = entry.stack[index] ?? new PathSlot(index);
    restoreSlot(before, slot);
    slot.bytes = before.bytes;
  });
}

function restoreSlot(before: Slot, slot: Slot): void {
  slot.reg = before.reg;
  slot.precise = before.precise;
  slot.live &= ~live.WRITTEN;
  const until = live.DONE | live.READ_ABOVE;
  for (let at = slot.parent; at && (at.live & until) === 0; at = at.parent) {
    at.live = (at.live & ~live.READ32) | live.READ64 | live.READ_ABOVE;
  }
}
