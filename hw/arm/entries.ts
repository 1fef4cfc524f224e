/** The ways into AArch64 code and out of it: what lies on the stack, what is in registers. */
import { I32, I64 } from '../../bpf/jit/code-writer.ts';
import type { EntryCode } from '../cpu/jit/entry-code.ts';
import type { Entries } from '../cpu/jit/architecture.ts';
import { HOST_RETURN } from '../cpu/jit/text-space.ts';
import { SAVED_PAIRS } from './function-code.ts';
import { SP, TAIL_CALLS, X0, X25, X29, X30 } from './registers.ts';

const PAIR_BYTES = 16;
/** What the prologue pushes: x29 and x30, then the pairs. */
const FRAME_BYTES = PAIR_BYTES * (1 + SAVED_PAIRS.length);
const [X29_BELOW, X30_BELOW] = [16, 8];

/** The stack pointer is a multiple of 16, whatever another engine left. */
function alignStack(code: EntryCode, top: number): void {
  code.localGet(top);
  code.i32(-16);
  code.op(I32.and);
  code.localSet(top);
}

export const ENTRIES: Entries = {
  run(code, top) {
    alignStack(code, top);
    code.setHostReturn(X30);
    code.setStack(SP, top, 0);
  },
  tail(code, top, tailCalls) {
    alignStack(code, top);
    for (let below = 8; below <= FRAME_BYTES; below += 8) code.store(top, below, 0n);
    code.store(top, X30_BELOW, HOST_RETURN);
    code.setStack(X29, top, X29_BELOW);
    code.setStack(X25, top, FRAME_BYTES);
    code.setStack(SP, top, FRAME_BYTES);
    code.setRegister(TAIL_CALLS, () => {
      code.localGet(tailCalls);
      code.op(I64.extend_u);
    });
  },
  callback(code, top) {
    alignStack(code, top);
    code.setHostReturn(X30);
    code.setStack(SP, top, 0);
    code.setConstant(TAIL_CALLS, 0n);
  },
  /** Its stack begins where ours did; then it returns as the epilogue would. */
  leave(target, core, ram) {
    const frame = core.low(X25);
    const r0 = target.enter(core.register(X0), frame, core.low(TAIL_CALLS));
    let at = frame;
    for (const [a, b] of [...SAVED_PAIRS.toReversed(), [X29, X30] as const]) {
      core.setRegister(a, ram.view.getBigInt64(at, true));
      core.setRegister(b, ram.view.getBigInt64(at + 8, true));
      at += PAIR_BYTES;
    }
    core.setPointer(SP, at);
    core.setRegister(X0, r0);
    return core.low(X30) | 0;
  },
};
