/**
 * Stack over a whole chain of calls: 512 bytes for all frames together, 256 below a tail call. Walks
 * call sites; jumps and exits do not matter, and recursion was refused before.
 */
import { errno } from '../../kernel/types/errno.ts';
import { subprogEnd } from './cfg.ts';
import { reject, type About, type Checker } from './checker.ts';
import { isFuncLoad, isSubprogCall } from './opcode.ts';
import { MAX_FRAMES, MAX_STACK } from './state.ts';

const TAIL_CALL_STACK = 256;

/** Frames are rounded up as the kernel's interpreter needs it. */
const frameBytes = (bytes: number): number => Math.ceil(Math.max(bytes, 1) / 32) * 32;

export function checkStackDepth(c: Checker): void {
  c.subprogs.forEach((subprog, index) => {
    if (index === 0 || subprog.isAsyncCallback) walk(c, index);
  });
}

function walk(c: Checker, root: number): void {
  const callers: { readonly subprog: number; readonly resume: number }[] = [];
  let tailCallReachable = false;
  let current = root;
  let depth = 0;
  const callsTo = (): About => ({
    insn: callers.length > 0 ? callers[callers.length - 1]!.resume - 1 : c.subprogs[current]!.start,
    calls: [...callers.map(({ subprog }) => subprog), current],
  });
  const enter = () => {
    const info = c.subprogs[current]!;
    if (current > 0 && info.hasTailCall && depth >= TAIL_CALL_STACK) {
      const line =
        'tail_calls are not allowed when call stack of previous frames ' +
        `is ${depth} bytes. Too large`;
      reject(c, errno.EACCES, 'stack-too-large', line, callsTo());
    }
    depth += frameBytes(info.stackBytes);
    if (depth > MAX_STACK) {
      const line = `combined stack size of ${callers.length + 1} calls is ${depth}. Too large`;
      reject(c, errno.EACCES, 'stack-too-large', line, callsTo());
    }
  };
  enter();
  let slot = c.subprogs[current]!.start;
  for (;;) {
    const end = subprogEnd(c, current);
    const callee = nextCallee(c, slot, end);
    if (callee) {
      callers.push({ subprog: current, resume: callee.slot + 1 });
      current = callee.subprog;
      if (c.subprogs[current]!.hasTailCall) tailCallReachable = true;
      if (callers.length >= MAX_FRAMES) {
        const line = `the call stack of ${callers.length} frames is too deep !`;
        reject(c, errno.E2BIG, 'call-depth', line, callsTo());
      }
      enter();
      slot = c.subprogs[current]!.start;
      continue;
    }
    if (tailCallReachable) {
      for (const caller of callers) c.subprogs[caller.subprog]!.tailCallReachable = true;
    }
    const caller = callers.pop();
    if (!caller) return;
    depth -= frameBytes(c.subprogs[current]!.stackBytes);
    current = caller.subprog;
    slot = caller.resume;
  }
}

function nextCallee(
  c: Checker,
  from: number,
  end: number,
): { readonly slot: number; readonly subprog: number } | undefined {
  for (let slot = from; slot < end; slot++) {
    const insn = c.insns[slot]!;
    if (!isSubprogCall(insn) && !isFuncLoad(insn)) continue;
    const subprog = c.subprogAt(slot + insn.imm + 1);
    // A timer's callback has the interrupt's stack.
    if (c.subprogs[subprog]!.isAsyncCallback && !isSubprogCall(insn)) continue;
    return { slot, subprog };
  }
  return undefined;
}
