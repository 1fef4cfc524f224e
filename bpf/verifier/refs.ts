/**
 * References to kernel objects that a program acquires (sockets, ring buffer records, kptrs) and
 * must give back on every path.
 */
import { errno } from '../../kernel/types/errno.ts';
import { reject, type Checker } from './checker.ts';
import { UNINIT_REG } from './reg.ts';
import { forEachReg, type Frame } from './state.ts';

/** A new reference, held by the current frame; returns its id. */
export function acquire(c: Checker, insn: number): number {
  const { frame } = c;
  const id = c.newId();
  const callbackFrame = frame.inCallback ? frame.frameno : 0;
  frame.refs = frame.refs.with({ id, insn, callbackFrame });
  return id;
}

/** False where the frame does not hold it, or may not give it back. */
export function releaseState(frame: Frame, id: number): boolean {
  const index = frame.refs.indexOf(id);
  if (index < 0) return false;
  // A callback runs any number of times: it cannot release what its caller holds.
  if (frame.inCallback && frame.refs.at(index).callbackFrame !== frame.frameno) return false;
  frame.refs = frame.refs.without(index);
  return true;
}

/** Gives a reference back; every pointer that depends on it becomes useless. */
export function release(c: Checker, id: number): boolean {
  if (!releaseState(c.frame, id)) return false;
  forEachReg(c.state, (slot) => {
    if (slot.reg.refId !== id) return;
    c.forget(slot);
    if (!c.allowPtrLeaks) slot.reg = UNINIT_REG;
  });
  return true;
}

/** At the end of the program, or of a callback, nothing may be held. `line` follows the list. */
export function checkLeaks(c: Checker, line?: string): void {
  const { frame } = c;
  if (frame.frameno > 0 && !frame.inCallback) return;
  const own = [...frame.refs].filter(
    (ref) => !frame.inCallback || ref.callbackFrame === frame.frameno,
  );
  if (own.length === 0) return;
  for (const ref of own) {
    c.log.write(`Unreleased reference id=${ref.id} alloc_insn=${ref.insn}\n`);
  }
  reject(c, errno.EINVAL, 'reference-leak', line, { refs: own });
}
