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
  const calls = c.subprogs.map((_, index) => callsOf(c, index));
  c.subprogs.forEach((subprog, index) => {
    if (index === 0 || subprog.isAsyncCallback) walk(c, index, calls);
  });
}

interface Call {
  readonly slot: number;
  readonly subprog: number;
}

interface Caller {
  readonly subprog: number;
  /** Which of its calls comes next. */
  readonly resume: number;
}

function walk(c: Checker, root: number, callsOf: readonly (readonly Call[])[]): void {
  const callers: Caller[] = [];
  /**
   * Functions that were walked before at the same depth, with as many callers: nothing new is below.
   * 6.1 has no such memory, and takes for ever where many call many that call many.
   */
  const walked = new Set<string>();
  let current = root;
  let depth = 0;
  const callsTo = (): About => {
    const caller = callers[callers.length - 1];
    return {
      insn: caller ? callsOf[caller.subprog]![caller.resume - 1]!.slot : c.subprogs[current]!.start,
      calls: [...callers.map(({ subprog }) => subprog), current],
    };
  };
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
  let next = 0;
  for (;;) {
    const call = callsOf[current]![next];
    if (call) {
      next++;
      const key = `${call.subprog} ${depth} ${callers.length}`;
      if (walked.has(key)) continue;
      walked.add(key);
      callers.push({ subprog: current, resume: next });
      current = call.subprog;
      if (callers.length >= MAX_FRAMES) {
        const line = `the call stack of ${callers.length} frames is too deep !`;
        reject(c, errno.E2BIG, 'call-depth', line, callsTo());
      }
      enter();
      next = 0;
      continue;
    }
    const caller = callers.pop();
    if (!caller) return;
    depth -= frameBytes(c.subprogs[current]!.stackBytes);
    current = caller.subprog;
    next = caller.resume;
  }
}

function callsOf(c: Checker, subprog: number): Call[] {
  const calls: Call[] = [];
  for (let slot = c.subprogs[subprog]!.start; slot < subprogEnd(c, subprog); slot++) {
    const insn = c.insns[slot]!;
    if (!isSubprogCall(insn) && !isFuncLoad(insn)) continue;
    const callee = c.subprogAt(slot + insn.imm + 1);
    // A timer's callback has the interrupt's stack.
    if (c.subprogs[callee]!.isAsyncCallback && !isSubprogCall(insn)) continue;
    calls.push({ slot, subprog: callee });
  }
  return calls;
}
