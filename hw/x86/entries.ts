/** The ways into x86 code and out of it: what lies on the stack, what is in registers. */
import { I64 } from '../../bpf/jit/code-writer.ts';
import type { Entries } from '../cpu/jit/architecture.ts';
import { HOST_RETURN } from '../cpu/jit/text-space.ts';
import { RAX, RBP, RDI, RSP } from './registers.ts';

/** The bytes at a run's stack top: the caller's rbp, and where it returns to. */
const RETURN_BELOW = 8;
const FRAME_BELOW = 16;

export const ENTRIES: Entries = {
  run(code, top) {
    code.store(top, RETURN_BELOW, HOST_RETURN);
    code.setStack(RSP, top, RETURN_BELOW);
  },
  /** Calls are counted in rax's upper half. */
  tail(code, top, tailCalls) {
    code.store(top, RETURN_BELOW, HOST_RETURN);
    code.store(top, FRAME_BELOW, 0n);
    code.setRegister(RAX, () => {
      code.localGet(tailCalls);
      code.op(I64.extend_u);
      code.i64(32n);
      code.op(I64.shl);
    });
    for (const register of [RSP, RBP]) code.setStack(register, top, FRAME_BELOW);
  },
  callback(code, top) {
    code.store(top, RETURN_BELOW, HOST_RETURN);
    code.setConstant(RAX, 0n);
    code.setStack(RSP, top, RETURN_BELOW);
  },
  /** Its frame begins where ours was, and it returns as `leave; ret` would. */
  leave(target, core, ram) {
    const frame = core.low(RBP);
    const r0 = target.enter(core.register(RDI), frame, core.high(RAX));
    core.setRegister(RAX, r0);
    core.setRegister(RBP, ram.view.getBigInt64(frame, true));
    core.setPointer(RSP, frame + FRAME_BELOW);
    return ram.view.getInt32(frame + 8, true);
  },
};
